package merge

import (
	"errors"
	"io/fs"
	"os"

	"mergesearch"
)

// recipesThatWork is a hint.
const recipesThatWork = "a recipe is a file in mergekit's YAML; configs/recipes holds some that work"

// ReadRecipe reads a recipe file. Errors are *mergesearch.InputError.
func ReadRecipe(file string) (mergesearch.Recipe, error) {
	f, err := os.Open(file)
	if err != nil {
		return mergesearch.Recipe{}, &mergesearch.InputError{File: file, Problem: cause(err), Hint: recipesThatWork, Cause: err}
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		return mergesearch.Recipe{}, &mergesearch.InputError{File: file, Problem: "not a regular file", Hint: recipesThatWork}
	}
	if err == nil && st.Size() > maxRecipeBytes {
		return mergesearch.Recipe{}, mergesearch.InFile(tooLong(st.Size()), file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return mergesearch.Recipe{}, &mergesearch.InputError{File: file, Problem: cause(err), Cause: err}
	}
	r, err := ParseRecipe(text)
	var in *mergesearch.InputError
	if errors.As(err, &in) && in.Hint == "" {
		hinted := *in
		hinted.Hint, err = recipesThatWork, &hinted
	}
	return r, mergesearch.InFile(err, file)
}

// cause returns an error without the path that it repeats.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
