package mergesearch_test

import (
	"bytes"
	"go/ast"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// repositoryFiles lists the tracked files, or where there is no git the files of
// the tree less run directories and builds.
func repositoryFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	if out, err := exec.Command("git", "ls-files", "-z").Output(); err == nil && len(out) > 0 {
		for f := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
			if _, err := os.Lstat(f); err == nil { // not deleted in the work tree
				files = append(files, f)
			}
		}
		return files
	}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || p == "runs" || p == "bin") {
			return filepath.SkipDir
		}
		if !d.IsDir() {
			files = append(files, filepath.ToSlash(p))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Brackets keep the patterns from finding themselves.
var foreign = regexp.MustCompile(`(^|[^a-zA-Z0-9.])/(wor[k]|far[m]|hom[e]|tm[p]/[a-z0-9_-]+)/|//(prox[y]|registr[y]|file[s]|de[b]|ind[e]x|downloa[d])\.[a-z]+\.(org|io|com)`)

// No path of a developer's machine and no package registry is named in a tracked file.
func TestNothingOfOneMachine(t *testing.T) {
	for _, file := range repositoryFiles(t) {
		if path.Ext(file) == ".sum" || path.Ext(file) == ".safetensors" {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 {
			continue // binary
		}
		if m := foreign.Find(data); m != nil {
			t.Errorf("%s: %q", file, m)
		}
	}
}

func TestWeightsAndDataStaySmall(t *testing.T) {
	var weights, all int64
	for _, file := range repositoryFiles(t) {
		info, err := os.Lstat(file)
		if err != nil {
			t.Fatal(err)
		}
		all += info.Size()
		switch path.Ext(file) {
		case ".safetensors", ".jsonl", ".parquet", ".gguf", ".bin", ".db", ".npz":
			weights += info.Size()
		}
	}
	if weights > 16<<20 {
		t.Errorf("weights and data weigh %d bytes, more than 16 MB", weights)
	}
	if all > 24<<20 {
		t.Errorf("the tracked files weigh %d bytes, more than 24 MB", all)
	}
}

func documents(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, file := range repositoryFiles(t) {
		if path.Ext(file) == ".md" && !strings.Contains(file, "testdata") {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out[file] = string(data)
		}
	}
	return out
}

var link = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)

// Every link of a document to a file of the repository leads somewhere.
func TestLinksOfDocuments(t *testing.T) {
	for file, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s: link to %s: %v", file, m[1], err)
			}
		}
	}
}

var symbol = regexp.MustCompile("`([a-z]+)\\.([A-Z][A-Za-z0-9]*)(?:\\.([A-Z][A-Za-z0-9]*))?(?:\\(\\))?`")

// A document that names `search.Loop` names something that is there. That keeps
// the codemap true when code moves.
func TestSymbolsOfDocuments(t *testing.T) {
	declared := map[string]bool{}
	packages := map[string]bool{}
	goFiles(t, ".", 0, func(file string, syntax *ast.File) {
		if !strings.HasSuffix(file, "_test.go") {
			packages[syntax.Name.Name] = true
			declare(declared, syntax)
		}
	})
	for file, text := range documents(t) {
		for _, m := range symbol.FindAllStringSubmatch(text, -1) {
			if !packages[m[1]] {
				continue
			}
			name := m[1] + "." + m[2]
			if m[3] != "" {
				name += "." + m[3]
			}
			if !declared[name] {
				t.Errorf("%s: %s is not declared", file, name)
			}
		}
	}
}

// declare adds the names that a file declares: pkg.Name, pkg.Type.Method,
// pkg.Type.Field.
func declare(declared map[string]bool, syntax *ast.File) {
	pkg := syntax.Name.Name + "."
	for _, d := range syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				declared[pkg+d.Name.Name] = true
			} else {
				declared[pkg+receiver(d.Recv.List[0].Type)+"."+d.Name.Name] = true
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.ValueSpec:
					for _, n := range s.Names {
						declared[pkg+n.Name] = true
					}
				case *ast.TypeSpec:
					declared[pkg+s.Name.Name] = true
					declareMembers(declared, pkg+s.Name.Name+".", s.Type)
				}
			}
		}
	}
}

func declareMembers(declared map[string]bool, prefix string, t ast.Expr) {
	var fields *ast.FieldList
	switch t := t.(type) {
	case *ast.StructType:
		fields = t.Fields
	case *ast.InterfaceType:
		fields = t.Methods
	default:
		return
	}
	for _, f := range fields.List {
		for _, n := range f.Names {
			declared[prefix+n.Name] = true
		}
	}
}

func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}

// The README stays one screen or two.
func TestReadmeIsShort(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(data, []byte("\n")); n >= 80 {
		t.Errorf("README.md has %d lines, want fewer than 80", n)
	}
}
