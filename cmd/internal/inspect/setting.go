package inspect

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"mergesearch"
	"mergesearch/store"
)

// Place is where a recipe has a setting. An empty field means everywhere, or that
// the setting is not of that kind.
type Place struct {
	Parameter string `json:"parameter"` // "method", "pair", "layer" for what a path takes, or a parameter
	Expert    string `json:"expert,omitempty"`
	Group     string `json:"group,omitempty"` // of tensors, by its name in the run file; by its filter in recipes that are no point of the space
	Block     string `json:"block,omitempty"`
}

// The parameters of a Place that choose, and hold a word and no number.
const (
	methodPlace = mergesearch.MethodGene
	pairPlace   = mergesearch.PairGene
	layerPlace  = "layer"
)

// Setting is what a recipe has at a place: a word, a number, or a gradient.
type Setting struct {
	Place
	Word   string    `json:"word,omitempty"`
	Values []float64 `json:"values,omitempty"` // one, or a gradient over the layers
}

// Text returns the setting for people: "ties", "0.35", "0.1..0.9" for a gradient,
// "" for none.
func (s Setting) Text() string {
	if s.Word != "" || len(s.Values) == 0 {
		return s.Word
	}
	texts := make([]string, len(s.Values))
	for i, v := range s.Values {
		texts[i] = strconv.FormatFloat(math.Round(v*1e4)/1e4, 'g', -1, 64)
	}
	return strings.Join(texts, "..")
}

func (s Setting) equal(o Setting) bool { return s.Word == o.Word && slices.Equal(s.Values, o.Values) }

// mean of a gradient; NaN without numbers.
func (s Setting) mean() float64 {
	sum := 0.0
	for _, v := range s.Values {
		sum += v
	}
	return sum / float64(len(s.Values))
}

// settings are those of one recipe, in the order in which they are written.
type settings struct {
	list []Setting
	at   map[Place]int
}

func newSettings(list []Setting) settings {
	s := settings{list: list, at: make(map[Place]int, len(list))}
	for i, x := range list {
		s.at[x.Place] = i
	}
	return s
}

// find returns the setting that holds at a place: its own, or the one for all groups,
// for all experts, for the whole model, as the space has it.
func (s settings) find(p Place) (Setting, bool) {
	for _, q := range []Place{
		p,
		{p.Parameter, p.Expert, "", p.Block},
		{p.Parameter, "", p.Group, p.Block},
		{p.Parameter, "", "", p.Block},
		{p.Parameter, p.Expert, p.Group, ""},
		{p.Parameter, p.Expert, "", ""},
		{p.Parameter, "", p.Group, ""},
		{p.Parameter, "", "", ""},
	} {
		if i, ok := s.at[q]; ok {
			return s.list[i], true
		}
	}
	return Setting{}, false
}

// refined reports whether s has settings for parts of what a place covers.
func (s settings) refined(p Place) bool {
	if _, own := s.at[p]; own {
		return false
	}
	covers := func(all, part string) bool { return all == "" || all == part }
	for _, q := range s.list {
		if q.Parameter == p.Parameter && covers(p.Expert, q.Expert) && covers(p.Group, q.Group) && covers(p.Block, q.Block) {
			return true
		}
	}
	return false
}

// Settings returns what a trial's recipe sets: by the genes of its genome where it
// has one, else by its recipe.
func (r *Run) Settings(t store.Trial) []Setting {
	if t.Genome != "" && t.Individual.Operator != parentOperator {
		if list, ok := r.fromGenome(t); ok {
			return list
		}
	}
	return fromRecipe(t.Recipe)
}

// fromGenome reads the canonical genome, which is the list of active genes.
func (r *Run) fromGenome(t store.Trial) ([]Setting, bool) {
	_, experts := r.Models()
	var list []Setting
	at := map[Place]int{}
	for gene := range strings.SplitSeq(t.Genome, ";") {
		cut := strings.LastIndexByte(gene, '=')
		if cut < 0 {
			return nil, false
		}
		p, knot := r.place(gene[:cut], experts)
		s := Setting{Place: p, Word: gene[cut+1:]}
		if p.Parameter != methodPlace && p.Parameter != pairPlace && p.Parameter != layerPlace {
			v, err := strconv.ParseFloat(s.Word, 64)
			if err != nil {
				return nil, false
			}
			s.Word, s.Values = "", []float64{v}
		}
		if i, more := at[p]; more && knot {
			list[i].Values = append(list[i].Values, s.Values...)
			continue
		}
		at[p] = len(list)
		list = append(list, s)
	}
	if _, chosen := at[Place{Parameter: methodPlace}]; !chosen && r.File.MethodBlocks < 1 && t.Recipe.Method != "passthrough" { // the only method of the space
		list = slices.Insert(list, 0, Setting{Place: Place{Parameter: methodPlace}, Word: t.Recipe.Method})
	}
	return list, true
}

// place takes the name of a gene apart, as mergesearch.Gene has it:
// parameter.expert.group.block, and .g and a number for one of a gradient.
func (r *Run) place(name string, experts []string) (p Place, knot bool) {
	var rest string
	p.Parameter, rest, _ = strings.Cut(name, ".")
	if layer, isLayer := strings.CutPrefix(p.Parameter, layerPlace+" "); isLayer && rest == "" {
		return Place{Parameter: layerPlace, Group: layerPlace + " " + layer}, false
	}
	gene := r.File.Genes[p.Parameter]
	if gene.Gradient > 0 {
		if i := strings.LastIndex("."+rest, ".g"); i >= 0 {
			if _, err := strconv.Atoi(("." + rest)[i+2:]); err == nil {
				knot, rest = true, strings.TrimPrefix(("." + rest)[:i], ".")
			}
		}
	}
	if r.File.MethodBlocks > 0 {
		if i := strings.LastIndex("."+rest, ".block-"); i >= 0 {
			p.Block, rest = ("." + rest)[i+1:], strings.TrimPrefix(("." + rest)[:i], ".")
		}
	}
	if slices.Contains(gene.Per, "expert") {
		for _, e := range experts {
			if after, ok := strings.CutPrefix(rest+".", e+"."); ok && len(e) > len(p.Expert) {
				p.Expert, p.Group = e, strings.TrimSuffix(after, ".")
			}
		}
	}
	if p.Expert == "" {
		p.Group = rest
	}
	return p, knot
}

// fromRecipe reads a recipe that is no point of a space.
func fromRecipe(r mergesearch.Recipe) []Setting {
	var list []Setting
	if len(r.Stages) > 0 {
		for _, s := range r.Stages {
			for _, x := range fromRecipe(s.Recipe) {
				x.Block = s.Name
				list = append(list, x)
			}
		}
	}
	method := r.Method
	if method == "passthrough" && len(r.Models) == 1 {
		method = "only " + r.Models[0].Model
	}
	if len(r.Stages) == 0 {
		list = append(list, Setting{Place: Place{Parameter: methodPlace}, Word: method})
	}
	add := func(name, expert string, set mergesearch.Setting) {
		for _, c := range set {
			filter := c.Filter
			if filter == "*" {
				filter = ""
			}
			list = append(list, Setting{Place: Place{Parameter: name, Expert: expert, Group: filter}, Values: c.Values})
		}
	}
	for _, in := range r.Models {
		for _, name := range slices.Sorted(maps.Keys(in.Parameters)) {
			add(name, in.Model, in.Parameters[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
		add(name, "", r.Parameters[name])
	}
	layer := 0
	for _, s := range r.Slices {
		if len(s.Sources) == 0 {
			continue
		}
		var models []string
		for _, from := range s.Sources {
			models = append(models, fmt.Sprintf("%s[%d:%d]", from.Model, from.First, from.End))
		}
		n := s.Sources[0].End - s.Sources[0].First
		list = append(list, Setting{Place: Place{Parameter: layerPlace, Group: layers(layer, layer+n)}, Word: strings.Join(models, "+")})
		layer += n
	}
	return list
}

func layers(first, end int) string {
	if end == first+1 {
		return fmt.Sprintf("layer %d", first)
	}
	return fmt.Sprintf("layers %d-%d", first, end-1)
}

// Change is one place in which two recipes differ. A side without a setting there
// has the zero Setting.
type Change struct {
	Place
	From, To Setting

	// Move is To minus From, of gradients that of their means; NaN where one of them
	// is a word or absent.
	Move float64

	// Share is the size of the move as a share of the gene's range; 1 for words and for
	// what is on one side only.
	Share float64
}

// Chooses reports whether the change is one of words: the method, the pair, a layer
// of a path.
func (c Change) Chooses() bool { return c.From.Word != "" || c.To.Word != "" }

// Diff lists where the recipe of one trial differs from that of another, choices
// first, then in the order of the genes.
func (r *Run) Diff(from, to store.Trial) []Change {
	a, b := newSettings(r.Settings(from)), newSettings(r.Settings(to))
	var out []Change
	seen := map[Place]bool{}
	for _, s := range slices.Concat(a.list, b.list) {
		if seen[s.Place] {
			continue
		}
		seen[s.Place] = true
		if a.refined(s.Place) || b.refined(s.Place) {
			continue // the parts are compared
		}
		x, _ := a.find(s.Place)
		y, _ := b.find(s.Place)
		if x.equal(y) {
			continue
		}
		c := Change{Place: s.Place, From: x, To: y, Move: y.mean() - x.mean(), Share: 1}
		if !math.IsNaN(c.Move) {
			c.Share = r.share(s.Parameter, x, y)
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(x, y Change) int { return cmp.Compare(rank(x), rank(y)) })
	return out
}

func rank(c Change) int {
	switch c.Parameter {
	case methodPlace:
		return 0
	case pairPlace:
		return 1
	case layerPlace:
		return 2
	}
	return 3
}

// share returns the largest move of a number, as a share of the gene's range.
func (r *Run) share(parameter string, x, y Setting) float64 {
	n := max(len(x.Values), len(y.Values))
	most := 0.0
	for i := range n {
		a := x.Values[i*len(x.Values)/n]
		b := y.Values[i*len(y.Values)/n]
		most = max(most, math.Abs(a-b))
	}
	g := r.File.Genes[parameter]
	if g.Min != nil && g.Max != nil && *g.Max > *g.Min {
		most /= *g.Max - *g.Min
	}
	return most
}

// Largest returns the changes of words and the n largest moves of numbers, largest
// first.
func Largest(changes []Change, n int) []Change {
	var words, moves []Change
	for _, c := range changes {
		if c.Chooses() {
			words = append(words, c)
		} else {
			moves = append(moves, c)
		}
	}
	slices.SortStableFunc(moves, func(x, y Change) int { return cmp.Compare(y.Share, x.Share) })
	return append(words, moves[:min(n, len(moves))]...)
}
