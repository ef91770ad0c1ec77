package itemresponse_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"mergesearch/search/itemresponse"
)

// world is a simulated set of items and models.
type world struct {
	bank      itemresponse.Bank
	abilities [][]float64
	answers   [][]itemresponse.Response // of every model to every item
}

func simulate(seed uint64, models, items, skills int, slopeSD float64) world {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := world{bank: itemresponse.Bank{Skills: skills}}
	for k := range items {
		w.bank.Items = append(w.bank.Items, itemresponse.Item{
			Skill: k % skills, Slope: math.Exp(slopeSD * rng.NormFloat64()), Difficulty: 1.3 * rng.NormFloat64(),
		})
	}
	for range models {
		var ability []float64
		for range skills {
			ability = append(ability, rng.NormFloat64())
		}
		w.abilities = append(w.abilities, ability)
		w.answers = append(w.answers, w.ask(ability, rng))
	}
	return w
}

// ask has a model answer every item.
func (w world) ask(ability []float64, rng *rand.Rand) []itemresponse.Response {
	var out []itemresponse.Response
	for k, i := range w.bank.Items {
		v := 0.0
		if rng.Float64() < w.bank.Probability(k, ability[i.Skill]) {
			v = 1
		}
		out = append(out, itemresponse.Response{Item: k, Value: v})
	}
	return out
}

func (w world) skills() []int {
	var out []int
	for _, i := range w.bank.Items {
		out = append(out, i.Skill)
	}
	return out
}

func correlation(x, y []float64) float64 {
	var sx, sy, xx, yy, xy float64
	for i := range x {
		sx, sy = sx+x[i]/float64(len(x)), sy+y[i]/float64(len(y))
	}
	for i := range x {
		xx, yy, xy = xx+(x[i]-sx)*(x[i]-sx), yy+(y[i]-sy)*(y[i]-sy), xy+(x[i]-sx)*(y[i]-sy)
	}
	return xy / math.Sqrt(xx*yy)
}

func TestFitRecoversParameters(t *testing.T) {
	for name, c := range map[string]struct {
		slopeSD float64
		slopes  bool
	}{"one parameter": {0, false}, "two parameters": {0.4, true}} {
		w := simulate(1, 150, 120, 2, c.slopeSD)
		bank, abilities := itemresponse.Fit(w.skills(), w.answers, itemresponse.Settings{Slopes: c.slopes})
		var d, fittedD, a, fittedA, s, fittedS []float64
		for k, i := range bank.Items {
			d, fittedD = append(d, w.bank.Items[k].Difficulty), append(fittedD, i.Difficulty)
			s, fittedS = append(s, w.bank.Items[k].Slope), append(fittedS, i.Slope)
		}
		for m := range abilities {
			a, fittedA = append(a, w.abilities[m]...), append(fittedA, abilities[m]...)
		}
		if r := correlation(d, fittedD); r < 0.97 {
			t.Errorf("%s: difficulties correlate by %.3f", name, r)
		}
		if r := correlation(a, fittedA); r < 0.94 {
			t.Errorf("%s: abilities correlate by %.3f", name, r)
		}
		if r := correlation(s, fittedS); c.slopes && r < 0.6 {
			t.Errorf("%s: slopes correlate by %.3f", name, r)
		}
	}
}

// posterior is the logarithm of what Fit maximises, written down as slowly as can be.
func posterior(bank itemresponse.Bank, abilities [][]float64, models [][]itemresponse.Response, s itemresponse.Settings) (sum float64) {
	for m, answers := range models {
		for _, r := range answers {
			p := bank.Probability(r.Item, abilities[m][bank.Items[r.Item].Skill])
			sum += r.Value*math.Log(p) + (1-r.Value)*math.Log(1-p)
		}
		for _, a := range abilities[m] {
			sum -= a * a / (2 * s.AbilitySD * s.AbilitySD)
		}
	}
	for _, i := range bank.Items {
		sum -= i.Difficulty * i.Difficulty / (2 * s.DifficultySD * s.DifficultySD)
		sum -= (i.Slope - 1) * (i.Slope - 1) / (2 * s.SlopeSD * s.SlopeSD)
	}
	return sum
}

// What Fit returns is a maximum: no small change of anything raises the posterior.
func TestFitIsAMaximum(t *testing.T) {
	w := simulate(2, 12, 30, 2, 0.4)
	for m := range w.answers { // ragged: each model saw another part
		w.answers[m] = w.answers[m][m : 20+m%7]
	}
	s := itemresponse.Settings{Slopes: true, AbilitySD: 1.2, DifficultySD: 1.5, SlopeSD: 0.3}
	bank, abilities := itemresponse.Fit(w.skills(), w.answers, s)
	best := posterior(bank, abilities, w.answers, s)
	try := func(what string, x *float64) {
		for _, by := range []float64{-0.003, 0.003} {
			*x += by
			if p := posterior(bank, abilities, w.answers, s); p > best {
				t.Errorf("%s by %v: %v is above %v", what, by, p, best)
			}
			*x -= by
		}
	}
	for m := range abilities {
		for k := range abilities[m] {
			try("ability", &abilities[m][k])
		}
	}
	for k := range bank.Items {
		try("difficulty", &bank.Items[k].Difficulty)
		try("slope", &bank.Items[k].Slope)
	}
}

// Whatever was answered, estimates are finite, and more answers say more.
func TestAbilityLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := simulate(rapid.Uint64().Draw(t, "seed"), 1, rapid.IntRange(2, 60).Draw(t, "items"), 2, 0.5)
		value := rapid.SampledFrom([]float64{0, 0.25, 1})
		if rapid.Bool().Draw(t, "all equal") {
			value = rapid.Just(value.Draw(t, "value"))
		}
		var answers []itemresponse.Response
		for k := range w.bank.Items {
			answers = append(answers, itemresponse.Response{Item: k, Value: value.Draw(t, "answer")})
		}
		bank := w.bank
		bank.Abilities = []itemresponse.Normal{{Mean: 0.3, SD: 0.5}, {Mean: -1, SD: 2}}
		whole := bank.Ability(answers)
		some := bank.Ability(answers[:len(answers)/2])
		none := bank.Ability(nil)
		for skill, e := range whole {
			if math.IsNaN(e.Value) || math.Abs(e.Value) > 60 || !(e.StdErr > 0) || e.StdErr > bank.Abilities[skill].SD {
				t.Fatalf("%+v", whole)
			}
			if none[skill] != (itemresponse.Estimate{Value: bank.Abilities[skill].Mean, StdErr: bank.Abilities[skill].SD}) {
				t.Fatalf("without answers %+v, not the prior", none)
			}
		}
		level := bank.Level(answers, whole)
		for _, e := range append(level, bank.Level(nil, some)...) {
			if !(e.Value >= 0 && e.Value <= 1 && e.StdErr >= 0) {
				t.Fatalf("level %+v", e)
			}
		}
		sums := make([]float64, 2)
		counts := make([]float64, 2)
		for _, r := range answers {
			sums[r.Item%2] += r.Value
			counts[r.Item%2]++
		}
		for skill, e := range level {
			if math.Abs(e.Value-sums[skill]/counts[skill]) > 1e-12 || e.StdErr != 0 {
				t.Fatalf("with every answer there the level is %+v, not the mean %v", e, sums[skill]/counts[skill])
			}
		}
		// One more right answer never lowers an ability.
		at := rapid.IntRange(0, len(answers)-1).Draw(t, "raised")
		answers[at].Value = 1
		skill := bank.Items[answers[at].Item].Skill
		if raised := bank.Ability(answers)[skill]; raised.Value < whole[skill].Value-1e-9 {
			t.Fatalf("a better answer lowers the ability from %v to %v", whole[skill].Value, raised.Value)
		}
	})
}

func TestFitOfUnanimousAnswersIsFinite(t *testing.T) {
	for _, v := range []float64{0, 1} {
		var models [][]itemresponse.Response
		for range 5 {
			models = append(models, []itemresponse.Response{{Item: 0, Value: v}, {Item: 1, Value: v}})
		}
		models = append(models, nil)                                                                     // a model without answers
		bank, abilities := itemresponse.Fit([]int{0, 0, 0}, models, itemresponse.Settings{Slopes: true}) // an item without answers
		for m := range abilities {
			if x := abilities[m][0]; math.IsNaN(x) || math.Abs(x) > 5 {
				t.Errorf("ability %v", x)
			}
		}
		for _, i := range bank.Items {
			if math.IsNaN(i.Difficulty) || math.Abs(i.Difficulty) > 8 || math.IsNaN(i.Slope) {
				t.Errorf("item %+v", i)
			}
		}
		if p := bank.Abilities[0]; !(p.SD > 0) {
			t.Errorf("prior %+v", p)
		}
	}
	if bank, abilities := itemresponse.Fit(nil, nil, itemresponse.Settings{}); len(bank.Items)+len(abilities) != 0 {
		t.Error("something comes from nothing")
	}
}

// With few answers the estimated level is nearer to the truth than their mean, and
// its standard error says how near.
func TestLevelFromFewAnswers(t *testing.T) {
	w := simulate(3, 60, 400, 1, 0.3)
	bank, _ := itemresponse.Fit(w.skills(), w.answers, itemresponse.Settings{Slopes: true})
	rng := rand.New(rand.NewPCG(4, 4))
	var plain, estimated, inside float64
	const trials = 200
	for range trials {
		all := w.ask([]float64{rng.NormFloat64()}, rng)
		truth := bank.Level(all, []itemresponse.Estimate{{}})[0].Value
		var seen []itemresponse.Response
		for _, k := range rng.Perm(len(all))[:25] {
			seen = append(seen, all[k])
		}
		mean := 0.0
		for _, r := range seen {
			mean += r.Value / float64(len(seen))
		}
		e := bank.Level(seen, bank.Ability(seen))[0]
		plain += math.Abs(mean-truth) / trials
		estimated += math.Abs(e.Value-truth) / trials
		if math.Abs(e.Value-truth) < 1.96*e.StdErr {
			inside += 1.0 / trials
		}
	}
	t.Logf("mean absolute error %.3f against %.3f of the plain mean; %.2f inside", estimated, plain, inside)
	if estimated > 0.9*plain {
		t.Errorf("error %.3f, that of the plain mean is %.3f", estimated, plain)
	}
	if inside < 0.88 {
		t.Errorf("two standard errors hold %.2f of the truths", inside)
	}
}

func TestCombine(t *testing.T) {
	w := simulate(5, 3, 600, 4, 0.3)
	without := w.bank.Combine(nil, w.abilities, 0.5)
	for j, share := range without.Shares {
		if math.Abs(share-1.0/3) > 1e-12 {
			t.Errorf("parent %d has the share %v before any answer", j, share)
		}
	}
	want := []float64{0.7, 0.5, -0.1}
	ability := make([]float64, 4)
	for j, share := range want {
		for s := range ability {
			ability[s] += share * w.abilities[j][s]
		}
	}
	rng := rand.New(rand.NewPCG(6, 6))
	var few, free float64
	for range 60 {
		all := w.ask(ability, rng)
		var seen []itemresponse.Response
		for _, k := range rng.Perm(len(all))[:24] {
			seen = append(seen, all[k])
		}
		combined, own := w.bank.Combine(seen, w.abilities, 0.5).Ability, w.bank.Ability(seen)
		for s := range ability {
			few += math.Abs(combined[s] - ability[s])
			free += math.Abs(own[s].Value - ability[s])
		}
		whole := w.bank.Combine(all, w.abilities, 0.5)
		for s := range ability {
			if math.Abs(whole.Ability[s]-ability[s]) > 0.6 {
				t.Errorf("skill %d: %.2f, true %.2f", s, whole.Ability[s], ability[s])
			}
		}
	}
	t.Logf("mean error of an ability with 6 items a skill: %.2f combined, %.2f free", few/240, free/240)
	if few > free {
		t.Errorf("the combination errs by %.2f, free abilities by %.2f", few/240, free/240)
	}
}
