package mergesearch_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "mergesearch"

// stages are the packages that never import each other.
var stages = []string{"search", "merge", "eval", "store"}

// impure are the standard packages that the vocabulary has no use for: it has no
// I/O, no clock and no randomness.
var impure = []string{"os", "io", "net", "time", "log", "math/rand", "crypto/rand", "syscall", "unsafe", "path/filepath"}

// goFiles calls visit with the slash-separated path below root and the syntax of
// every Go file there, test files included.
func goFiles(tb testing.TB, root string, mode parser.Mode, visit func(file string, syntax *ast.File)) {
	tb.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != root && (strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(p) != ".go" {
			return nil
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), p, nil, mode)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		visit(filepath.ToSlash(rel), syntax)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// importViolations lists what in the tree breaks the rule of imports, one line each.
func importViolations(tb testing.TB, root string) []string {
	tb.Helper()
	var out []string
	goFiles(tb, root, parser.ImportsOnly, func(file string, syntax *ast.File) {
		for _, spec := range syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				tb.Fatal(err)
			}
			if problem := importProblem(file, imported); problem != "" {
				out = append(out, fmt.Sprintf("%s imports %s: %s", file, imported, problem))
			}
		}
	})
	return out
}

// importProblem says what is wrong with an import, or "".
func importProblem(file, imported string) string {
	room, _, nested := strings.Cut(file, "/")
	first, rest, _ := strings.Cut(imported, "/")
	inModule := first == module
	target, _, _ := strings.Cut(rest, "/") // the room that is imported; empty for the root
	switch {
	case !nested: // the root
		switch test := strings.HasSuffix(file, "_test.go"); {
		case inModule && !(test && rest == ""):
			return "the vocabulary imports nothing of the module"
		case test:
			return ""
		case strings.Contains(first, "."):
			return "the vocabulary imports the standard library alone"
		case slices.ContainsFunc(impure, func(p string) bool { return imported == p || strings.HasPrefix(imported, p+"/") }):
			return "the vocabulary has no I/O, no clock and no randomness"
		}
	case room == "cmd":
	case !slices.Contains(stages, room):
		return "no Go code belongs in " + room
	case inModule && target != "" && target != room:
		return "stages import the root and their own children, never each other"
	}
	return ""
}

func TestImports(t *testing.T) {
	for _, v := range importViolations(t, ".") {
		t.Error(v)
	}
}

// The rule is worth nothing if it passes whatever it is shown.
func TestImportsBite(t *testing.T) {
	bad := map[string]string{
		"vocabulary.go":             "gonum.org/v1/gonum/mat",
		"clock.go":                  "time",
		"dice.go":                   "math/rand/v2",
		"inverted.go":               "mergesearch/search",
		"inverted_test.go":          "mergesearch/merge",
		"eval/evaluator.go":         "mergesearch/merge",
		"eval/evaluator_test.go":    "mergesearch/store",
		"search/loop.go":            "mergesearch/eval/lm",
		"merge/kernel/linear.go":    "mergesearch/search/searchtest",
		"store/storetest/suite.go":  "mergesearch/search",
		"merge/engine.go":           "mergesearch/cmd/internal/report",
		"tools/generate.go":         "fmt",
		"configs/quickstart/gen.go": "fmt",
	}
	good := map[string]string{
		"recipe.go":                  "crypto/sha256",
		"recipe_test.go":             "pgregory.net/rapid",
		"space_test.go":              "mergesearch",
		"merge/plan.go":              "mergesearch",
		"merge/method.go":            "mergesearch/merge/kernel",
		"merge/safetensors/read.go":  "golang.org/x/sys/unix",
		"search/searchtest/suite.go": "mergesearch/search",
		"store/db.go":                "github.com/mattn/go-sqlite3",
		"cmd/mergesearch/main.go":    "mergesearch/merge",
		"merge/testdata/other.go":    "mergesearch/eval",
	}
	root := t.TempDir()
	for _, files := range []map[string]string{bad, good} {
		for file, imported := range files {
			p := filepath.Join(root, filepath.FromSlash(file))
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, fmt.Appendf(nil, "package p\n\nimport _ %q\n", imported), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	found := map[string]bool{}
	for _, v := range importViolations(t, root) {
		file, _, _ := strings.Cut(v, " ")
		found[file] = true
	}
	for file, imported := range bad {
		if !found[file] {
			t.Errorf("%s importing %s passed", file, imported)
		}
	}
	for file, imported := range good {
		if found[file] {
			t.Errorf("%s importing %s was refused", file, imported)
		}
	}
}

// Every package has a doc.go whose comment a newcomer can start from.
func TestPackageComments(t *testing.T) {
	comments := map[string]int{} // lines of package comment by directory; -1 without doc.go
	goFiles(t, ".", parser.ParseComments|parser.PackageClauseOnly, func(file string, syntax *ast.File) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		dir := path.Dir(file)
		if _, ok := comments[dir]; !ok {
			comments[dir] = -1
		}
		if path.Base(file) == "doc.go" {
			comments[dir] = strings.Count(syntax.Doc.Text(), "\n")
		} else if syntax.Doc != nil {
			t.Errorf("%s: the package comment belongs in doc.go", file)
		}
	})
	if len(comments) < 5 {
		t.Fatalf("found only %d packages", len(comments))
	}
	const least = 8
	for dir, lines := range comments {
		switch {
		case lines < 0:
			t.Errorf("%s: no doc.go", dir)
		case lines < least:
			t.Errorf("%s/doc.go: a package comment of %d lines, want at least %d", dir, lines, least)
		}
	}
}
