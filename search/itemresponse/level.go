package itemresponse

import "math"

// Level estimates the mean value of each skill over all of its items: what was
// answered counts as it is, the rest as the ability predicts (p-IRT; with the
// ability of Combine, mp-IRT). An item answered twice counts once, with its last
// answer. The standard error takes account of the luck of the answers that are not
// there and of the error of the ability; it is 0 when every item was answered. A
// skill without items has level 0.
func (b Bank) Level(answers []Response, ability []Estimate) []Estimate {
	values := make([]float64, len(b.Items))
	answered := make([]bool, len(b.Items))
	for _, r := range answers {
		values[r.Item], answered[r.Item] = r.Value, true
	}
	type sums struct{ n, value, variance, slope float64 }
	skills := make([]sums, b.Skills)
	for k, i := range b.Items {
		s := &skills[i.Skill]
		s.n++
		if answered[k] {
			s.value += values[k]
			continue
		}
		p := b.Probability(k, ability[i.Skill].Value)
		s.value += p
		s.variance += p * (1 - p)
		s.slope += i.Slope * p * (1 - p)
	}
	out := make([]Estimate, b.Skills)
	for skill, s := range skills {
		if s.n == 0 {
			continue
		}
		drift := s.slope * ability[skill].StdErr
		out[skill] = Estimate{Value: s.value / s.n, StdErr: math.Sqrt(s.variance+drift*drift) / s.n}
	}
	return out
}
