package itemresponse

import "math"

// Settings says what is fitted and what is believed before any answer.
type Settings struct {
	// Slopes fits a slope for each item (two-parameter model). Otherwise every
	// slope is 1 and items differ by difficulty alone.
	Slopes bool

	AbilitySD    float64 // spread of abilities around 0; 0: 1
	DifficultySD float64 // spread of difficulties around 0; 0: 2
	SlopeSD      float64 // spread of slopes around 1; 0: 0.4
}

func (s Settings) filled() Settings {
	for _, f := range []struct {
		field     *float64
		otherwise float64
	}{{&s.AbilitySD, 1}, {&s.DifficultySD, 2}, {&s.SlopeSD, 0.4}} {
		if *f.field == 0 {
			*f.field = f.otherwise
		}
	}
	return s
}

// Fit estimates the parameters of items and the abilities of models together: the
// maximum of their joint posterior, found by taking turns (a Newton step for every
// ability, then for every item, then the shift of both against each other that the
// answers do not see). Skills holds the skill of each item; models the answers of
// each model, which may be to few of the items or none. Abilities come back by
// model and skill. Settings.AbilitySD and the like must not be negative.
//
// The cost is that of some tens of passes over all answers. It panics on an item
// that does not exist.
func Fit(skills []int, models [][]Response, settings Settings) (Bank, [][]float64) {
	f := newFitting(skills, models, settings.filled())
	for range 300 {
		moved := f.moveAbilities()
		moved = max(moved, f.moveItems())
		f.shift()
		if moved < tiny {
			break
		}
	}
	for skill := range f.bank.Skills {
		f.bank.Abilities = append(f.bank.Abilities, f.spread(skill))
	}
	return f.bank, f.abilities
}

// fitting is a fit under way.
type fitting struct {
	Settings
	bank      Bank
	models    [][]Response
	byItem    [][]answer
	abilities [][]float64 // by model and skill
}

// answer is a response seen from its item.
type answer struct {
	model int
	value float64
}

func newFitting(skills []int, models [][]Response, settings Settings) *fitting {
	f := &fitting{Settings: settings, models: models, byItem: make([][]answer, len(skills))}
	for _, skill := range skills {
		f.bank.Items = append(f.bank.Items, Item{Skill: skill, Slope: 1})
		f.bank.Skills = max(f.bank.Skills, skill+1)
	}
	for m, answers := range models {
		f.abilities = append(f.abilities, make([]float64, f.bank.Skills))
		for _, r := range answers {
			f.byItem[r.Item] = append(f.byItem[r.Item], answer{m, r.Value})
		}
	}
	return f
}

// moveAbilities fits every ability to the items as they stand and returns the
// largest change.
func (f *fitting) moveAbilities() (moved float64) {
	for m, answers := range f.models {
		for skill, from := range f.abilities[m] {
			to := f.bank.ability(answers, skill, Normal{0, f.AbilitySD}, from, 1).Value
			f.abilities[m][skill] = to
			moved = max(moved, math.Abs(to-from))
		}
	}
	return moved
}

// moveItems does the same for the items.
func (f *fitting) moveItems() (moved float64) {
	for k, answers := range f.byItem {
		from := f.bank.Items[k]
		to := f.item(from, answers)
		f.bank.Items[k] = to
		moved = max(moved, math.Abs(to.Slope-from.Slope), math.Abs(to.Difficulty-from.Difficulty))
	}
	return moved
}

// item takes a Newton step in an item's slope and difficulty, in which its
// posterior is concave.
func (f *fitting) item(i Item, answers []answer) Item {
	objective := func(i Item) float64 {
		s, d := (i.Slope-1)/f.SlopeSD, i.Difficulty/f.DifficultySD
		sum := -(s*s + d*d) / 2
		for _, a := range answers {
			sum += logLikelihood(a.value, i.logit(f.abilities[a.model][i.Skill]))
		}
		return sum
	}
	// Gradient and negative Hessian over (slope, difficulty).
	gs, gd := -(i.Slope-1)/(f.SlopeSD*f.SlopeSD), -i.Difficulty/(f.DifficultySD*f.DifficultySD)
	ss, sd, dd := 1/(f.SlopeSD*f.SlopeSD), 0.0, 1/(f.DifficultySD*f.DifficultySD)
	for _, a := range answers {
		t := f.abilities[a.model][i.Skill]
		p := logistic(i.logit(t))
		q := p * (1 - p)
		gs, gd = gs+t*(a.value-p), gd-(a.value-p)
		ss, sd, dd = ss+t*t*q, sd-t*q, dd+q
	}
	step := Item{Skill: i.Skill, Difficulty: gd / dd}
	if f.Slopes {
		det := ss*dd - sd*sd
		step.Slope, step.Difficulty = (gs*dd-gd*sd)/det, (gd*ss-gs*sd)/det
	}
	for at := objective(i); ; step.Slope, step.Difficulty = step.Slope/2, step.Difficulty/2 {
		next := Item{Skill: i.Skill, Slope: i.Slope + step.Slope, Difficulty: i.Difficulty + step.Difficulty}
		if math.Abs(step.Slope)+math.Abs(step.Difficulty) < tiny || objective(next) >= at {
			return next
		}
	}
}

// shift adds to all abilities of a skill, and to its difficulties what keeps every
// logit, the amount that the priors like best. Taking turns alone would get there
// slowly.
func (f *fitting) shift() {
	for skill := range f.bank.Skills {
		a, d := 1/(f.AbilitySD*f.AbilitySD), 1/(f.DifficultySD*f.DifficultySD)
		var slope, curvature float64
		for _, abilities := range f.abilities {
			slope -= a * abilities[skill]
			curvature += a
		}
		for _, i := range f.bank.Items {
			if i.Skill == skill {
				slope -= d * i.Slope * i.Difficulty
				curvature += d * i.Slope * i.Slope
			}
		}
		if curvature == 0 {
			continue
		}
		by := slope / curvature
		for _, abilities := range f.abilities {
			abilities[skill] += by
		}
		for k := range f.bank.Items {
			if i := &f.bank.Items[k]; i.Skill == skill {
				i.Difficulty += i.Slope * by
			}
		}
	}
}

// spread describes the fitted abilities of a skill. Its standard deviation is at
// least a tenth of the prior's, so that a handful of equal models is no proof that
// all are equal.
func (f *fitting) spread(skill int) Normal {
	n := float64(len(f.abilities))
	if n < 2 {
		return Normal{0, f.AbilitySD}
	}
	var sum, squares float64
	for _, abilities := range f.abilities {
		sum += abilities[skill]
	}
	mean := sum / n
	for _, abilities := range f.abilities {
		squares += (abilities[skill] - mean) * (abilities[skill] - mean)
	}
	return Normal{mean, max(f.AbilitySD/10, math.Sqrt(squares/(n-1)))}
}
