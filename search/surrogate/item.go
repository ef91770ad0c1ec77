package surrogate

import "math"

// Item is a question: a candidate of ability t solves it with chance
// 1 / (1 + exp(-slope (t - Difficulty))).
//
// With greedy decoding most items answer the same way until an ability crosses
// their difficulty, so their slopes are steep; those that flip from candidate to
// candidate have shallow ones and say little. Hence the wide prior of slopes.
type Item struct {
	Task       int
	Difficulty float64
	LogSlope   float64
	Answers    float64 // how many it was fitted to

	// Fixed keeps the parameters: for what stands for a mean of many items.
	Fixed bool
}

// The prior of items.
const (
	difficultySD = 1.5
	logSlopeMean = 0.4
	logSlopeSD   = 0.7
)

// Slope is positive.
func (it *Item) Slope() float64 { return math.Exp(it.LogSlope) }

// Chance returns the chance that a candidate of this ability solves the item.
func (it *Item) Chance(ability float64) float64 {
	return logistic(it.Slope() * (ability - it.Difficulty))
}

// information is Fisher's, of one answer on the ability.
func (it *Item) information(ability float64) float64 {
	a, p := it.Slope(), it.Chance(ability)
	return a * a * p * (1 - p)
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// answer is an observation seen from its item.
type answer struct {
	ability, variance float64 // of the candidate, as believed now
	value, weight     float64
}

// fit moves the item to the mode of its posterior by Newton's method. Abilities are
// uncertain, which flattens the curve that answers follow: a slope counts as
// kappa slope at the mean, MacKay's moderated
// output with kappa = 1 / sqrt(1 + 0.3459 slope² variance).
func (it *Item) fit(answers []answer) {
	b, l := it.Difficulty, it.LogSlope
	it.Answers = 0
	for _, o := range answers {
		it.Answers += o.weight
	}
	if it.Fixed {
		return
	}
	for range 8 {
		a := math.Exp(l)
		gb, gl := -b/(difficultySD*difficultySD), -(l-logSlopeMean)/(logSlopeSD*logSlopeSD)
		bb, ll, bl := 1/(difficultySD*difficultySD), 1/(logSlopeSD*logSlopeSD), 0.0
		for _, o := range answers {
			kappa := 1 / math.Sqrt(1+0.3459*a*a*o.variance)
			e := a * kappa          // effective slope
			de := e * kappa * kappa // its derivative by log slope
			z := o.ability - b      // distance to the difficulty
			p := logistic(e * z)
			r, w := o.weight*(o.value-p), o.weight*p*(1-p)
			gb -= e * r
			gl += de * z * r
			bb += w * e * e
			ll += w * de * de * z * z
			bl -= w * e * de * z
		}
		det := bb*ll - bl*bl
		if det < 1e-9*bb*ll {
			bl, det = 0, bb*ll
		}
		db, dl := clip((ll*gb-bl*gl)/det, 0.7), clip((bb*gl-bl*gb)/det, 0.7)
		b, l = clip(b+db, 6), min(3, max(-2, l+dl))
		if math.Abs(db)+math.Abs(dl) < 1e-3 {
			break
		}
	}
	it.Difficulty, it.LogSlope = b, l
}

func clip(x, limit float64) float64 { return min(limit, max(-limit, x)) }
