package merge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"mergesearch"
)

// namedRecipe is the recipe of one document and the name of its result.
type namedRecipe struct {
	name   string // empty: none
	recipe mergesearch.Recipe
	parser *recipeParser
	at     ast.Node // of the name, else of the document
}

func (n namedRecipe) refused(problem, hint string) error {
	return n.parser.inputError(n.at, "name", problem, hint)
}

// stageWithRevision is what is wrong with a stage's name before "@".
const stageWithRevision = "the result of another document has no revision"

// stageName reads the name of a document.
func (p *recipeParser) stageName(e entry) string {
	s, ok := p.text(e.value, "name")
	if err := checkStageName(s); ok && err != nil {
		p.refuse(e.value, "name", err.Problem, err.Hint)
	}
	return s
}

// checkStageName refuses names that a reference to a model cannot spell.
func checkStageName(name string) *mergesearch.InputError {
	switch {
	case name == "" || !printable(name) || strings.ContainsAny(name, "@+"):
		return &mergesearch.InputError{Problem: fmt.Sprintf(`%q cannot be named as a model`, name), Hint: `a name is not empty and has no "@" or "+"`}
	case name == "union" || name == "base":
		return &mergesearch.InputError{Problem: fmt.Sprintf("%q means something else as a tokenizer's source", name), Hint: "choose another name"}
	}
	return nil
}

// assembleStages makes one recipe of a file's documents: that without a name, or
// else the only one that no other names, with the others as its stages, each after
// those that it names.
func assembleStages(all []namedRecipe) (mergesearch.Recipe, error) {
	byName := map[string]int{}
	for i, n := range all {
		if first, twice := byName[n.name]; twice {
			if n.name == "" {
				return mergesearch.Recipe{}, n.refused("a second document without a name", "one document is what is built; the others need names, and are built as its models")
			}
			return mergesearch.Recipe{}, n.refused(fmt.Sprintf("%q is also the name of the document at line %d", n.name, all[first].line()), "")
		}
		byName[n.name] = i
	}
	needs := make([][]int, len(all))
	for i, n := range all {
		for _, model := range n.recipe.ModelNames() {
			ref, err := ParseModelRef(model)
			if j, named := byName[ref.Path]; err == nil && named {
				if ref.Revision != "" {
					return mergesearch.Recipe{}, n.parser.inputError(n.at, model, stageWithRevision, "write its name alone, or with an adapter")
				}
				needs[i] = append(needs[i], j)
			}
		}
	}
	last, err := lastDocument(all, byName, needs)
	if err != nil {
		return mergesearch.Recipe{}, err
	}
	return inOrder(all, needs, last)
}

func (n namedRecipe) line() int { return n.parser.inputError(n.at, "", "", "").Line }

// lastDocument returns the number of the document that is what is built.
func lastDocument(all []namedRecipe, byName map[string]int, needs [][]int) (int, error) {
	if i, ok := byName[""]; ok {
		return i, nil
	}
	named := make([]bool, len(all))
	for _, ns := range needs {
		for _, j := range ns {
			named[j] = true
		}
	}
	var free []string
	last := -1
	for i, n := range all {
		if !named[i] {
			free, last = append(free, n.name), i
		}
	}
	switch len(free) {
	case 0:
		return 0, all[0].refused("the documents name each other in a circle", "one of them has to do without the results of the others")
	case 1:
		return last, nil
	}
	return 0, all[last].refused(fmt.Sprintf("no document names %s: it is not clear which is to be built", quotedList(free)), "leave out the name of the one to build, and remove what it does not use")
}

func quotedList(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, fmt.Sprintf("%q", n))
	}
	return strings.Join(out, ", ")
}

// inOrder puts each document that the last one uses after those that it names, and
// else keeps the order of the file.
func inOrder(all []namedRecipe, needs [][]int, last int) (mergesearch.Recipe, error) {
	used := make([]bool, len(all))
	var use func(i int)
	use = func(i int) {
		if !used[i] {
			used[i] = true
			for _, j := range needs[i] {
				use(j)
			}
		}
	}
	use(last)
	for i, n := range all {
		if !used[i] {
			return mergesearch.Recipe{}, n.refused(fmt.Sprintf("nothing uses the result of %q", n.name), "name it as a model of the document that is built, or remove it")
		}
	}
	r := all[last].recipe
	done := make([]bool, len(all))
	ready := func(i int) bool {
		return !done[i] && !slices.ContainsFunc(needs[i], func(j int) bool { return !done[j] })
	}
	for {
		i := 0
		for i < len(all) && !ready(i) {
			i++
		}
		switch {
		case i == len(all):
			i = slices.Index(done, false)
			return mergesearch.Recipe{}, all[i].refused("the documents name each other in a circle", "one of them has to do without the results of the others")
		case i == last:
			return r, nil // everything else comes before it
		}
		done[i] = true
		r.Stages = append(r.Stages, mergesearch.Stage{Name: all[i].name, Recipe: all[i].recipe})
	}
}
