package mergesearch

// Method declares a merge method: what it needs and which parameters it takes.
// The merge engine declares one beside each implementation; the space turns the
// declarations into genes and the recipe reader checks against them, so nothing
// is said twice.
type Method struct {
	Name string

	// Pair is true for methods that go from the base model to one other model
	// (slerp, nearswap): the base model of the recipe is one of the two, and a
	// space gets a choice gene for the pair.
	Pair bool

	// NeedsBase is true when the recipe must name a base model that task vectors
	// are taken from.
	NeedsBase bool

	// OptionalBase is true when task vectors are merged if the recipe names a base
	// model, and whole models otherwise.
	OptionalBase bool

	// Least and Most bound the number of models besides the base; Most is 0 where
	// any number will do. Pair methods leave both at 0.
	Least, Most int

	// Random is true when the method draws masks, which then depend on Recipe.Seed.
	Random bool

	Parameters []Parameter

	// Usual lists the settings that people start from, best known first. They are
	// the baselines of a run and the start of a search.
	Usual []Usual
}

// Parameter declares one parameter of a method.
type Parameter struct {
	Name     string
	PerModel bool    // given for each model; otherwise one for the recipe
	Default  float64 // used when the recipe gives none and Required is false
	Required bool

	// Min and Max bound what a search explores by default; a recipe may go beyond.
	Min, Max float64

	// Step is the grid of a search, 0 for none. Thresholds are computed once per
	// grid point and kept, so density has one.
	Step float64
}

// Usual is a named setting of a method that people start from.
type Usual struct {
	Name   string             // as reports print it: "naive soup", "ties density 0.5"
	Values map[string]float64 // parameter to value, the same for every model

	// ShareWeight divides weight by the number of experts, rounded to three decimals.
	ShareWeight bool
}

// OfTwo reports whether the method merges exactly two models, so that a space has
// to choose which.
func (m Method) OfTwo() bool { return m.Pair || m.Most == 2 }

// Parameter returns the declared parameter of that name.
func (m Method) Parameter(name string) (Parameter, bool) {
	for _, p := range m.Parameters {
		if p.Name == name {
			return p, true
		}
	}
	return Parameter{}, false
}
