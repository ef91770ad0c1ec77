package itemresponse

import "math"

// Item is one question. A model of ability t in its skill solves it with
// probability 1 / (1 + exp(Difficulty - Slope t)).
type Item struct {
	Skill      int // from 0
	Slope      float64
	Difficulty float64
}

// Response is what a model reached on an item.
type Response struct {
	Item  int     // index into the bank
	Value float64 // in [0, 1]
}

// Estimate is a number with its standard error.
type Estimate struct{ Value, StdErr float64 }

// Normal is a Gaussian prior.
type Normal struct{ Mean, SD float64 }

// Bank holds items whose parameters are known.
type Bank struct {
	Items  []Item
	Skills int // every Item.Skill is below it

	// Abilities is the prior of a model that comes new, for each skill: how the
	// models of the fit were spread. Without it the prior is standard normal.
	Abilities []Normal
}

// prior returns the prior of an ability.
func (b Bank) prior(skill int) Normal {
	if skill < len(b.Abilities) {
		return b.Abilities[skill]
	}
	return Normal{0, 1}
}

// Probability returns the chance that a model of this ability in the item's skill
// solves the item.
func (b Bank) Probability(item int, ability float64) float64 {
	return logistic(b.Items[item].logit(ability))
}

// Information returns the Fisher information that an answer carries on the
// ability: slope² p (1-p). It is largest for items that such a model solves half
// the time.
func (b Bank) Information(item int, ability float64) float64 {
	p := b.Probability(item, ability)
	return b.Items[item].Slope * b.Items[item].Slope * p * (1 - p)
}

func (i Item) logit(ability float64) float64 {
	return min(30, max(-30, i.Slope*ability-i.Difficulty))
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// logLikelihood returns v log p + (1-v) log (1-p) for p = logistic(x).
func logLikelihood(v, x float64) float64 {
	return v*x - max(x, 0) - math.Log1p(math.Exp(-math.Abs(x)))
}
