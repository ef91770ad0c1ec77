package runfile

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/architecture"
	"mergesearch/search"
)

var update = flag.Bool("update", false, "rewrite schema.json")

// words lists what a key takes where that is one of a few words.
func words() map[string][]string {
	var methods, parameters []string
	for _, m := range merge.Methods() {
		methods = append(methods, m.Name)
		for _, p := range m.Parameters {
			if !slices.Contains(parameters, p.Name) {
				parameters = append(parameters, p.Name)
			}
		}
	}
	slices.Sort(parameters)
	var items []string
	for _, c := range search.ItemChoices() {
		items = append(items, string(c))
	}
	return map[string][]string{
		"RunFile.dtype":   {"bfloat16", "float16", "float32"},
		"RunFile.methods": methods, "Gene.methods": methods, "RunFile.genes": parameters,
		"RunFile.objective": {"mean", "worst", "pareto"},
		"Gene.per":          {"expert", "group"},
		"Group.modules":     architecture.Parts,
		"Prompts.fewshot":   {"per_item", "harness"},
		"Algorithm.name":    search.Algorithms(),
		"Algorithm.answer":  {"mean", "best"},
		"Race.items":        items,
		"Cost.cost":         {string(mergesearch.TokenCost), string(mergesearch.DepthCost)},
		"Endpoint.kind":     EndpointKinds,
	}
}

// required keys, by type.
var required = map[string][]string{
	"RunFile": {"name", "base", "experts", "tasks", "budget"}, "Gene": {"min", "max"}, "Group": {"name"},
	"Task": {"file"}, "Objective": {"name", "tasks"}, "Constraint": {"task", "keep"}, "Cost": {"cost"}, "LayerPath": {"models"},
}

// generator makes schemas of types.
type generator struct {
	comments map[string]string // of types, and of fields as Type.Field
	words    map[string][]string
}

func newGenerator(t *testing.T) *generator {
	g := &generator{comments: map[string]string{}, words: words()}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			d, ok := n.(*ast.GenDecl)
			if !ok || d.Tok != token.TYPE {
				return true
			}
			for _, spec := range d.Specs {
				ts := spec.(*ast.TypeSpec)
				st, ok := ts.Type.(*ast.StructType)
				if !ok {
					continue
				}
				g.comments[ts.Name.Name] = oneLine(d.Doc.Text())
				for _, f := range st.Fields.List {
					text := oneLine(f.Doc.Text())
					if text == "" {
						text = oneLine(f.Comment.Text())
					}
					for _, name := range f.Names {
						g.comments[ts.Name.Name+"."+name.Name] = text
					}
				}
			}
			return false
		})
	}
	return g
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

type object = map[string]any

// of returns the schema of a type; at is the key whose values it is of, as Type.key.
func (g *generator) of(t reflect.Type, at string) object {
	switch t.Kind() {
	case reflect.Pointer:
		return g.of(t.Elem(), at)
	case reflect.Struct:
		return g.structure(t)
	case reflect.Slice:
		return object{"type": "array", "items": g.of(t.Elem(), at)}
	case reflect.Map:
		o := object{"type": "object", "additionalProperties": g.of(t.Elem(), "")}
		if w := g.words[at]; w != nil {
			o["propertyNames"] = object{"enum": w}
		}
		return o
	case reflect.Interface:
		return object{}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Int:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.String:
		o := object{"type": "string"}
		if w := g.words[at]; w != nil {
			o["enum"] = w
		}
		return o
	}
	panic("no schema for " + t.String())
}

func (g *generator) structure(t reflect.Type) object {
	properties := object{}
	for i := range t.NumField() {
		f := t.Field(i)
		key := f.Tag.Get("yaml")
		if key == "" || key == "-" {
			continue
		}
		property := g.of(f.Type, t.Name()+"."+key)
		if text := g.comments[t.Name()+"."+f.Name]; text != "" {
			property["description"] = text
		}
		properties[key] = property
	}
	o := object{"type": "object", "additionalProperties": false, "properties": properties}
	if text := g.comments[t.Name()]; text != "" && t != reflect.TypeFor[RunFile]() {
		o["description"] = text
	}
	if keys := required[t.Name()]; keys != nil {
		o["required"] = keys
	}
	return o
}

// TestSchemaIsOfTheTypes compares the schema in the program with its types.
func TestSchemaIsOfTheTypes(t *testing.T) {
	g := newGenerator(t)
	o := g.structure(reflect.TypeFor[RunFile]())
	o["$schema"], o["title"] = "https://json-schema.org/draft/2020-12/schema", "mergesearch run file"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(o); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("schema.json", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !*update && !bytes.Equal(b.Bytes(), Schema) {
		t.Error("schema.json is not of these types; run: go test ./cmd/internal/runfile -update")
	}
	for at := range g.words { // a word list for a key that is gone
		kind, key, _ := strings.Cut(at, ".")
		if !strings.Contains(b.String(), `"`+key+`"`) || g.comments[kind] == "" {
			t.Errorf("words for %s, which is no key", at)
		}
	}
}

// TestSchemaAndParseAgree: what Parse takes is valid, and what the schema refuses Parse
// refuses.
func TestSchemaAndParseAgree(t *testing.T) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	valid := func(text []byte) error {
		asJSON, err := yaml.YAMLToJSON(text)
		if err != nil {
			return err
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
		if err != nil {
			return err
		}
		return schema.Validate(value)
	}
	files, err := filepath.Glob("../../../configs/quickstart/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, refused := Parse(text); refused != nil {
			continue // a recipe
		}
		taken++
		if err := valid(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if taken < 3 {
		t.Errorf("%d run files", taken)
	}
	run, err := os.ReadFile("../../../configs/quickstart/run.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{"budget: {candidates: 240}", "budgets: {candidates: 240}"},
		{"budget: {candidates: 240}", "budget: {candidate: 240}"},
		{"budget: {candidates: 240}", "budget: {candidates: many}"},
		{"seed: 1", "seed: -1"},
		{"dtype: bfloat16", "dtype: int8"},
		{"name: ga", "name: gaa"},
		{"kind: embedded", "kind: embed"},
		{"per: [expert]} # share", "per: [experts]} # share"},
		{"name: quickstart", "nam: quickstart"},
		{"weight: {min: 0, max: 1.5", "weight: {min: 0, maximum: 1.5"},
		{"experts: [", "expert: ["},
	} {
		text := bytes.Replace(run, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(text, run) {
			t.Fatalf("%q is not in the run file", change[0])
		}
		if err := valid(text); err == nil {
			t.Errorf("%s is valid", change[1])
		}
		if _, err := Parse(text); err == nil {
			t.Errorf("%s is taken", change[1])
		}
	}
}
