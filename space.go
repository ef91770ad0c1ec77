package mergesearch

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Group is a named set of tensors that share coefficients.
type Group struct {
	Name string

	// Filters are substrings of tensor names, as in mergekit's conditional
	// parameters. Empty for the last group, which takes all that no other group
	// took.
	Filters []string
}

// GeneRange asks for a parameter to be searched.
type GeneRange struct {
	Parameter string
	Min, Max  float64
	Step      float64  // grid; 0 for the method's own
	PerExpert bool     // one gene for each expert instead of one for all
	PerGroup  bool     // one gene for each group instead of one for all
	Methods   []string // only for these methods; nil for all that take it
}

// SpaceSpec says what a search may vary. NewSpace checks it.
type SpaceSpec struct {
	Base    string   // name of the base model
	Experts []string // names of the experts; order is kept in reports only
	Methods []Method
	Groups  []Group
	Ranges  []GeneRange
	DType   string // of the merged tensors, as recipes spell it; empty: that of the base
	Seed    uint64 // of random masks
}

// Space is an ordered list of genes and the rule that turns a genome into a
// recipe. It does not change after NewSpace and is safe for concurrent use.
type Space struct {
	SpaceSpec
	Genes []Gene

	index map[string]int
}

// The names of the two choice genes.
const (
	MethodGene = "method" // which method
	PairGene   = "pair"   // which two experts, for methods of two models
)

// NewSpace derives the genes. It returns an *InputError when the parts do not
// fit together.
func NewSpace(spec SpaceSpec) (*Space, error) {
	s := &Space{SpaceSpec: spec, index: map[string]int{}}
	if err := s.checkParts(); err != nil {
		return nil, err
	}
	if len(spec.Groups) == 0 {
		s.Groups = []Group{{Name: "all"}}
	}
	var names, pairs, paired []string
	for _, m := range spec.Methods {
		names = append(names, m.Name)
		if m.OfTwo() {
			paired = append(paired, m.Name)
		}
	}
	if len(names) > 1 {
		s.add(Gene{Name: MethodGene, Kind: Choice, Options: names})
	}
	if len(paired) > 0 {
		for i, a := range spec.Experts {
			for _, b := range spec.Experts[i+1:] {
				pairs = append(pairs, a+"+"+b)
			}
		}
		s.add(Gene{Name: PairGene, Kind: Choice, Options: pairs, Methods: paired})
	}
	for _, r := range spec.Ranges {
		if err := s.addRange(r); err != nil {
			return nil, err
		}
	}
	if len(s.Genes) == 0 {
		return nil, &InputError{Field: "genes", Problem: "nothing to search: one method and no parameter", Hint: "list at least one gene, such as weight: {min: 0, max: 1.5}"}
	}
	return s, nil
}

func (s *Space) checkParts() error {
	switch {
	case s.Base == "":
		return &InputError{Field: "base", Problem: "missing"}
	case len(s.Experts) < 2:
		return &InputError{Field: "experts", Problem: "a merge needs at least two experts", Hint: "list the fine-tuned models under experts:"}
	case len(s.Methods) == 0:
		return &InputError{Field: "methods", Problem: "no method listed"}
	}
	seen := map[string]bool{s.Base: true}
	for _, e := range s.Experts {
		if seen[e] {
			return &InputError{Field: "experts", Problem: fmt.Sprintf("%q is listed twice", e)}
		}
		if strings.Contains(e, "+") {
			return &InputError{Field: "experts", Problem: fmt.Sprintf("%q: a model name cannot contain '+'", e)}
		}
		seen[e] = true
	}
	var earlier []string
	for i, g := range s.Groups {
		if len(g.Filters) == 0 && i != len(s.Groups)-1 {
			return &InputError{Field: "groups." + g.Name, Problem: "a group without match: takes all that is left, so it must be the last"}
		}
		for _, f := range g.Filters {
			for _, e := range earlier {
				if strings.Contains(f, e) {
					return &InputError{Field: "groups." + g.Name, Problem: fmt.Sprintf("%q is already taken by %q of an earlier group", f, e), Hint: "put the longer pattern first"}
				}
			}
		}
		earlier = append(earlier, g.Filters...)
	}
	if n := len(s.Groups); n > 0 && len(s.Groups[n-1].Filters) > 0 {
		return &InputError{Field: "groups", Problem: "no group takes the rest of the tensors", Hint: "add a last group without match:"}
	}
	return nil
}

func (s *Space) add(g Gene) {
	s.index[g.Name] = len(s.Genes)
	s.Genes = append(s.Genes, g)
}

func (s *Space) addRange(r GeneRange) error {
	field := "genes." + r.Parameter
	if !finite(r.Min) || !finite(r.Max) || r.Min > r.Max {
		return &InputError{Field: field, Problem: fmt.Sprintf("range upside down: min %v, max %v", r.Min, r.Max), Hint: "min must not exceed max"}
	}
	var takers, known []string
	var declared Parameter
	for _, m := range s.Methods {
		for _, p := range m.Parameters {
			known = append(known, p.Name)
		}
		if p, ok := m.Parameter(r.Parameter); ok && (r.Methods == nil || slices.Contains(r.Methods, m.Name)) {
			takers = append(takers, m.Name)
			declared = p
		}
	}
	if len(takers) == 0 {
		slices.Sort(known)
		e := UnknownWord("parameter", r.Parameter, slices.Compact(known))
		e.Field, e.Problem = field, "no listed method takes this parameter"
		return e
	}
	if r.PerExpert && !declared.PerModel {
		return &InputError{Field: field, Problem: "this parameter belongs to the whole recipe, not to an expert", Hint: "remove expert from per:"}
	}
	if len(takers) == len(s.Methods) {
		takers = nil
	}
	experts, groups := []string{""}, []string{""}
	if r.PerExpert {
		experts = s.Experts
	}
	if r.PerGroup {
		groups = nil
		for _, g := range s.Groups {
			groups = append(groups, g.Name)
		}
	}
	step := r.Step
	if step == 0 {
		step = declared.Step
	}
	for _, e := range experts {
		for _, group := range groups {
			g := Gene{
				Kind: Real, Min: r.Min, Max: r.Max, Step: step, Methods: takers,
				Parameter: r.Parameter, Expert: e, Group: group,
			}
			g.Name = strings.Join(slices.DeleteFunc([]string{r.Parameter, e, group}, func(p string) bool { return p == "" }), ".")
			g.Default = g.Snap(declared.Default)
			if _, twice := s.index[g.Name]; twice {
				return &InputError{Field: field, Problem: "listed twice"}
			}
			s.add(g)
		}
	}
	return nil
}

// Method returns the declaration of the method that the genome chooses.
func (s *Space) Method(g Genome) Method {
	if i, ok := s.index[MethodGene]; ok {
		return s.Methods[int(g[i])]
	}
	return s.Methods[0]
}

// Active reports whether the genome's method uses gene i.
func (s *Space) Active(g Genome, i int) bool {
	m := s.Genes[i].Methods
	return m == nil || slices.Contains(m, s.Method(g).Name)
}

// Gene returns the index of the named gene, or -1.
func (s *Space) Gene(name string) int {
	if i, ok := s.index[name]; ok {
		return i
	}
	return -1
}

// Default returns the genome in which every gene holds its default.
func (s *Space) Default() Genome {
	g := make(Genome, len(s.Genes))
	for i := range s.Genes {
		g[i] = s.Genes[i].Default
	}
	return g
}

// Normalize returns the genome with every active gene snapped to its bounds and
// grid and every inactive one at its default. Operators end with it, so inactive
// genes never drift.
func (s *Space) Normalize(g Genome) Genome {
	n := g.Clone()
	if i, ok := s.index[MethodGene]; ok {
		n[i] = s.Genes[i].Snap(n[i])
	}
	for i := range s.Genes {
		if s.Active(n, i) {
			n[i] = s.Genes[i].Snap(n[i])
		} else {
			n[i] = s.Genes[i].Default
		}
	}
	return n
}

// Check returns an error that names the offending gene when g is not a
// normalized genome of this space; NaN is refused too.
func (s *Space) Check(g Genome) error {
	if len(g) != len(s.Genes) {
		return fmt.Errorf("genome has %d genes, the space has %d", len(g), len(s.Genes))
	}
	for i, x := range s.Normalize(g) {
		if g[i] != x {
			return fmt.Errorf("gene %s: %v, want %v", s.Genes[i].Name, g[i], x)
		}
	}
	return nil
}

// Canonical returns the active genes as "name=value" joined by semicolons, with
// choices by name and numbers in their shortest form. Two genomes with equal
// canonical forms decode to the same recipe.
func (s *Space) Canonical(g Genome) string {
	var b strings.Builder
	for i, gene := range s.Genes {
		if !s.Active(g, i) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(';')
		}
		b.WriteString(gene.Name)
		b.WriteByte('=')
		if gene.Kind == Choice {
			b.WriteString(gene.Options[int(g[i])])
		} else {
			b.WriteString(strconv.FormatFloat(g[i], 'g', -1, 64))
		}
	}
	return b.String()
}

// Decode turns a normalized genome into its recipe. Parameters without a gene,
// and optional ones that hold their default everywhere, are left out: the method
// supplies them.
func (s *Space) Decode(g Genome) Recipe {
	m := s.Method(g)
	r := s.skeleton(m, s.pairOf(g))
	for _, p := range m.Parameters {
		if p.PerModel {
			for i := range r.Models {
				if set := s.setting(g, p, r.Models[i].Model); set != nil {
					r.Models[i].set(p.Name, set)
				}
			}
		} else if set := s.setting(g, p, ""); set != nil {
			r.setParameter(p.Name, set)
		}
	}
	s.fillRequired(m, &r)
	return r
}

// Encode returns the genome nearest to a recipe, and whether it decodes to that
// very recipe. A recipe whose method or models are not of this space gives nil.
func (s *Space) Encode(r Recipe) (Genome, bool) {
	g := s.Default()
	method := slices.IndexFunc(s.Methods, func(m Method) bool { return m.Name == r.Method })
	if method < 0 {
		return nil, false
	}
	m := s.Methods[method]
	if i, ok := s.index[MethodGene]; ok {
		g[i] = float64(method)
	}
	if m.OfTwo() {
		i := s.index[PairGene]
		option := slices.IndexFunc(s.Genes[i].Options, func(o string) bool {
			a, b, _ := strings.Cut(o, "+")
			return len(r.Models) == 2 && (r.Base == a || !m.Pair && r.names(a)) && r.names(b)
		})
		if option < 0 {
			return nil, false
		}
		g[i] = float64(option)
	}
	for i, gene := range s.Genes {
		if gene.Kind == Choice || !s.Active(g, i) {
			continue
		}
		tensor := "" // matches no filter, like the tensors of the last group
		for _, group := range s.Groups {
			if group.Name == gene.Group && len(group.Filters) > 0 {
				tensor = group.Filters[0]
			}
		}
		expert := gene.Expert
		if expert == "" && len(r.Models) > 0 {
			expert = r.Models[0].Model
		}
		if v, ok := r.Value(gene.Parameter, expert, tensor, 0); ok {
			g[i] = v
		} else if p, ok := m.Parameter(gene.Parameter); ok {
			g[i] = p.Default
		}
	}
	g = s.Normalize(g)
	return g, s.Decode(g).ID() == r.ID()
}

// Baseline is a recipe that a run compares its winner with.
type Baseline struct {
	Name   string
	Recipe Recipe
	Genome Genome // nearest genome of the space
	Exact  bool   // Genome decodes to Recipe, so the baseline can start a search
}

// Baselines returns the usual recipes of every method of the space, for methods
// of two models once for every pair.
func (s *Space) Baselines() []Baseline {
	var out []Baseline
	for _, m := range s.Methods {
		pairs := []string{""}
		if m.OfTwo() {
			pairs = s.Genes[s.index[PairGene]].Options
		}
		for _, u := range m.Usual {
			for _, pair := range pairs {
				r := s.skeleton(m, pair)
				for _, p := range m.Parameters {
					v, ok := u.Values[p.Name]
					if !ok {
						continue
					}
					if p.Name == "weight" && u.ShareWeight {
						v = math.Round(1000*v/float64(len(s.Experts))) / 1000
					}
					if !p.PerModel {
						r.setParameter(p.Name, Number(v))
						continue
					}
					for i := range r.Models {
						r.Models[i].set(p.Name, Number(v))
					}
				}
				s.fillRequired(m, &r)
				b := Baseline{Name: strings.TrimSpace(u.Name + " " + pair), Recipe: r}
				if b.Genome, b.Exact = s.Encode(r); b.Exact {
					b.Recipe = s.Decode(b.Genome)
				}
				out = append(out, b)
			}
		}
	}
	return out
}

// Passthrough returns the recipe that is one model unchanged: how a parent is
// scored.
func Passthrough(model, dtype string) Recipe {
	return Recipe{Method: "passthrough", Models: []Input{{Model: model}}, DType: dtype}
}

// skeleton returns the recipe of a method without parameters; pair is "a+b" for
// methods of two models.
func (s *Space) skeleton(m Method, pair string) Recipe {
	r := Recipe{Method: m.Name, DType: s.DType}
	if m.Random {
		r.Seed = s.Seed
	}
	experts := s.Experts
	if m.NeedsBase || m.OptionalBase {
		r.Base = s.Base
	}
	if m.OfTwo() {
		a, b, _ := strings.Cut(pair, "+")
		experts = []string{a, b}
		if m.Pair {
			r.Base = a
		}
	}
	for _, e := range experts {
		r.Models = append(r.Models, Input{Model: e})
	}
	return r
}

func (s *Space) pairOf(g Genome) string {
	if i, ok := s.index[PairGene]; ok {
		return s.Genes[i].Options[int(g[i])]
	}
	return ""
}

// setting collects the genes of a parameter for one expert into its setting, or
// nil when it need not be written. Groups of one value become a plain number.
func (s *Space) setting(g Genome, p Parameter, expert string) Setting {
	values := make([]float64, 0, len(s.Groups))
	for _, group := range s.Groups {
		for _, name := range []string{
			p.Name + "." + expert + "." + group.Name, p.Name + "." + expert,
			p.Name + "." + group.Name, p.Name,
		} {
			if i, ok := s.index[name]; ok && s.Active(g, i) {
				values = append(values, g[i])
				break
			}
		}
	}
	if len(values) < len(s.Groups) {
		return nil
	}
	if slices.Min(values) == slices.Max(values) {
		if !p.Required && values[0] == p.Default {
			return nil
		}
		return Number(values[0])
	}
	var set Setting
	for i, group := range s.Groups {
		if len(group.Filters) == 0 {
			set = append(set, Condition{Values: []float64{values[i]}})
		}
		for _, f := range group.Filters {
			set = append(set, Condition{Filter: f, Values: []float64{values[i]}})
		}
	}
	return set
}

// fillRequired writes the declared default of required parameters that no gene
// sets, since mergekit refuses a recipe without them.
func (s *Space) fillRequired(m Method, r *Recipe) {
	for _, p := range m.Parameters {
		if !p.Required {
			continue
		}
		if !p.PerModel {
			if r.Parameters[p.Name] == nil {
				r.setParameter(p.Name, Number(p.Default))
			}
			continue
		}
		for i := range r.Models {
			if r.Models[i].Parameters[p.Name] == nil {
				r.Models[i].set(p.Name, Number(p.Default))
			}
		}
	}
}

func (in *Input) set(name string, v Setting) {
	if in.Parameters == nil {
		in.Parameters = map[string]Setting{}
	}
	in.Parameters[name] = v
}

func (r *Recipe) setParameter(name string, v Setting) {
	if r.Parameters == nil {
		r.Parameters = map[string]Setting{}
	}
	r.Parameters[name] = v
}
