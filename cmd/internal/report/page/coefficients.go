package page

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"mergesearch"
	"mergesearch/store"
)

// Coefficients is the recipe as a map: a parameter by group of tensors and expert.
type Coefficients struct {
	Candidate mergesearch.CandidateID `json:"candidate"`
	Method    string                  `json:"method"`
	Parameter string                  `json:"parameter"`
	Groups    []string                `json:"groups"`  // rows
	Experts   []string                `json:"experts"` // columns
	Values    [][]*float64            `json:"values"`  // null where the recipe has none

	// Low and High are the least and the most among the best candidates of the same
	// method, Spread of them; null where there are none.
	Low    [][]*float64 `json:"low,omitempty"`
	High   [][]*float64 `json:"high,omitempty"`
	Spread int          `json:"spread_of,omitempty"`

	Max    float64       `json:"max"` // of all values without sign
	Others []Coefficient `json:"others,omitempty"`
	Cut    int           `json:"others_cut,omitempty"` // of Others that were left out
}

// Coefficient is a gene that is not on the map.
type Coefficient struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// gene is one part of a canonical genome.
type gene struct{ parameter, expert, group, value string }

// genes takes a canonical genome apart. Names of experts are known, so that a dot in
// them does no harm.
func genes(genome string, experts []string) []gene {
	var out []gene
	for part := range strings.SplitSeq(genome, ";") {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			continue
		}
		g := gene{value: value}
		var rest string
		g.parameter, rest, _ = strings.Cut(name, ".")
		for _, e := range experts {
			if (rest == e || strings.HasPrefix(rest, e+".")) && len(e) > len(g.expert) {
				g.expert = e
			}
		}
		g.group = strings.TrimPrefix(strings.TrimPrefix(rest, g.expert), ".")
		out = append(out, g)
	}
	return out
}

func (m *maker) experts() []string {
	var out []string
	for _, x := range m.e.Run.Models {
		out = append(out, x.Name)
	}
	return out
}

// othersLimit bounds the list beside the map.
const othersLimit = 60

func (m *maker) coefficients() *Coefficients {
	t, ok := m.best()
	if !ok {
		return nil
	}
	c := &Coefficients{Candidate: t.ID(), Method: t.Recipe.Method, Groups: []string{}, Experts: []string{}, Values: [][]*float64{}}
	found := genes(t.Genome, m.experts())
	if len(found) == 0 {
		found = fromRecipe(t.Recipe)
	}
	c.Parameter = mostGenes(found)
	for _, g := range found {
		if g.parameter != c.Parameter {
			continue
		}
		if !slices.Contains(c.Groups, g.group) {
			c.Groups = append(c.Groups, g.group)
		}
		if !slices.Contains(c.Experts, g.expert) {
			c.Experts = append(c.Experts, g.expert)
		}
	}
	c.Values = c.grid(found)
	for _, row := range c.Values {
		for _, v := range row {
			if v != nil {
				c.Max = max(c.Max, math.Abs(*v))
			}
		}
	}
	for _, g := range found {
		if g.parameter == c.Parameter && c.Parameter != "" {
			continue
		}
		if len(c.Others) == othersLimit {
			c.Cut++
			continue
		}
		c.Others = append(c.Others, Coefficient{join(g.parameter, g.expert, g.group), g.value})
	}
	m.spread(c, t)
	return c
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), " ")
}

// grid puts the genes of the parameter into the map's cells.
func (c *Coefficients) grid(from []gene) [][]*float64 {
	out := make([][]*float64, len(c.Groups))
	for i := range out {
		out[i] = make([]*float64, len(c.Experts))
	}
	for _, g := range from {
		i, j := slices.Index(c.Groups, g.group), slices.Index(c.Experts, g.expert)
		if v, err := strconv.ParseFloat(g.value, 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) && g.parameter == c.Parameter && i >= 0 && j >= 0 {
			out[i][j] = &v
		}
	}
	return out
}

// mostGenes is the parameter with the most numbers; the weight when several have as
// many.
func mostGenes(of []gene) string {
	count := map[string]int{}
	best := ""
	for _, g := range of {
		if _, err := strconv.ParseFloat(g.value, 64); err != nil {
			continue
		}
		count[g.parameter]++
		if n := count[g.parameter]; best == "" || n > count[best] || n == count[best] && g.parameter == "weight" {
			best = g.parameter
		}
	}
	return best
}

// spreadOf is how many of the best candidates show how much a coefficient matters.
const spreadOf = 10

// spread fills in Low and High.
func (m *maker) spread(c *Coefficients, best store.Trial) {
	var like []store.Trial
	for _, t := range m.candidates {
		if t.State == mergesearch.Scored && t.Recipe.Method == best.Recipe.Method && t.Score.Feasible() && t.Genome != "" {
			like = append(like, t)
		}
	}
	slices.SortStableFunc(like, func(a, b store.Trial) int {
		switch {
		case a.Score.Fitness > b.Score.Fitness:
			return -1
		case a.Score.Fitness < b.Score.Fitness:
			return 1
		}
		return 0
	})
	if like = like[:min(len(like), spreadOf)]; len(like) < 3 || len(c.Groups) == 0 {
		return
	}
	c.Low, c.High, c.Spread = c.grid(nil), c.grid(nil), len(like)
	experts := m.experts()
	for _, t := range like {
		for i, row := range c.grid(genes(t.Genome, experts)) {
			for j, v := range row {
				if v == nil {
					continue
				}
				if low := c.Low[i][j]; low == nil || *v < *low {
					c.Low[i][j] = v
				}
				if high := c.High[i][j]; high == nil || *v > *high {
					c.High[i][j] = v
				}
			}
		}
	}
}

// fromRecipe reads the coefficients of a recipe that no genome made.
func fromRecipe(r mergesearch.Recipe) []gene {
	var out []gene
	add := func(model string, parameters map[string]mergesearch.Setting) {
		var names []string
		for p := range parameters {
			names = append(names, p)
		}
		slices.Sort(names)
		for _, p := range names {
			for _, c := range parameters[p] {
				for k, v := range c.Values {
					g := gene{p, model, c.Filter, strconv.FormatFloat(v, 'g', -1, 64)}
					if len(c.Values) > 1 {
						g.group = join(c.Filter, "knot "+strconv.Itoa(k+1))
					}
					if g.group == "" || g.group == "*" {
						g.group = "all tensors"
					}
					out = append(out, g)
				}
			}
		}
	}
	for _, in := range r.Models {
		add(in.Model, in.Parameters)
	}
	add("", r.Parameters)
	return out
}
