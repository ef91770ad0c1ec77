package merge

import (
	"errors"
	"fmt"

	"mergesearch"
)

// checkStages checks the stages of a recipe, that each stands after those that it
// names, and that none is built for nothing.
func checkStages(r mergesearch.Recipe) error {
	built := map[string]bool{} // by name of the stage: true behind it
	for _, s := range r.Stages {
		if err := checkStageName(s.Name); err != nil {
			err.Field = "name"
			return err
		}
		if _, twice := built[s.Name]; twice {
			return &mergesearch.InputError{Field: "name", Problem: fmt.Sprintf("two stages are named %q", s.Name)}
		}
		built[s.Name] = false
	}
	used := map[string]bool{}
	for _, s := range r.Stages {
		if len(s.Recipe.Stages) > 0 {
			return &mergesearch.InputError{Field: "name", Problem: fmt.Sprintf("stage %q has stages of its own", s.Name)}
		}
		_, err := checkDocument(s.Recipe)
		if err == nil {
			err = useStages(s.Recipe, built, used)
		}
		if err != nil {
			return inStage(err, s.Name)
		}
		built[s.Name] = true
	}
	last := r
	last.Stages = nil
	if err := useStages(last, built, used); err != nil {
		return err
	}
	for _, s := range r.Stages {
		if !used[s.Name] {
			return &mergesearch.InputError{Field: "name", Problem: fmt.Sprintf("nothing uses the result of stage %q", s.Name)}
		}
	}
	return nil
}

// useStages marks the stages that a recipe names, which must have been built.
func useStages(r mergesearch.Recipe, built, used map[string]bool) error {
	for _, name := range r.ModelNames() {
		ref, err := ParseModelRef(name)
		if err != nil {
			return err
		}
		done, stage := built[ref.Path]
		switch {
		case !stage:
			continue
		case ref.Revision != "":
			return &mergesearch.InputError{Field: name, Problem: stageWithRevision}
		case !done:
			return &mergesearch.InputError{Field: name, Problem: "names a stage that does not stand before it"}
		}
		used[ref.Path] = true
	}
	return nil
}

// inStage says in which stage an error is.
func inStage(err error, stage string) error {
	var in *mergesearch.InputError
	if errors.As(err, &in) {
		named := *in
		named.Field = fmt.Sprintf("stage %q: %s", stage, in.Field)
		return &named
	}
	return err
}
