package eval

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/goccy/go-yaml/ast"

	"mergesearch"
	"mergesearch/eval/dataset"
	"mergesearch/eval/jinja"
)

// document is one record of a data file, as templates see it: nil, bool, int64,
// float64, string, []any and *jinja.Dict.
type document struct {
	file   string
	line   int // 1-based, where the record starts; 0 in files without lines
	place  int // 1-based, unique in the file
	fields map[string]any
}

// dataSource is where a task file says that its documents are.
type dataSource struct {
	dataset.Source
	at  entry // dataset_path
	set *dataset.Set
}

func (s *dataSource) missing() bool { return s.Path == "" }

func (s *dataSource) readPath(e entry) (err error) {
	s.at = e
	s.Path, err = e.text()
	return err
}

func (s *dataSource) readName(e entry) (err error) {
	s.Name, err = e.text()
	return err
}

// readFiles takes dataset_kwargs; files are relative to the task file that names
// them.
func (s *dataSource) readFiles(e entry, dir string) error {
	if s.Dir = dir; e.file != "" {
		s.Dir = filepath.Dir(e.file)
	}
	parts, err := e.mapping()
	if err != nil {
		return err
	}
	for _, p := range parts {
		switch p.key {
		case "data_files":
			err = s.readDataFiles(p)
		case "data_dir":
			s.DataDir, err = p.text()
		case "field":
			s.Field, err = p.text()
		case "sep", "delimiter":
			s.Delimiter, err = p.text()
		case "trust_remote_code": // no code of a data set is run
		default:
			err = p.refuseKey("unknown key", mergesearch.UnknownWord("key", p.key, []string{"data_files", "data_dir", "field", "sep", "delimiter"}).Hint)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *dataSource) readDataFiles(e entry) error {
	s.DataFiles = map[string][]string{}
	if _, splits := e.value.(*ast.MappingNode); !splits {
		files, err := e.texts()
		s.DataFiles["train"] = files
		return err
	}
	parts, err := e.mapping()
	if err != nil {
		return err
	}
	for _, p := range parts {
		if s.DataFiles[p.key], err = p.texts(); err != nil {
			return err
		}
	}
	return nil
}

// read gives the documents of a split.
func (s *dataSource) read(split splitName, dir string) ([]document, error) {
	if s.set == nil {
		if s.Dir == "" {
			s.Dir = dir
		}
		var err error
		if s.set, err = dataset.Open(s.Source); err != nil {
			return nil, s.placed(err)
		}
	}
	known := s.set.Splits()
	if !slices.Contains(known, split.name) {
		return nil, split.at.refuse(fmt.Sprintf("the data has no split %q", split.name), mergesearch.UnknownWord("split", split.name, known).Hint)
	}
	docs, err := s.set.Read(split.name)
	if err != nil {
		return nil, s.placed(err)
	}
	out := make([]document, len(docs))
	for i, d := range docs {
		out[i] = document{d.File, d.Line, d.Place, map[string]any{}}
		for k, v := range d.Fields.All() {
			out[i].fields[k] = templateValue(v)
		}
	}
	return out, nil
}

// placed gives a fault of no file the place of dataset_path.
func (s *dataSource) placed(err error) error {
	var in *mergesearch.InputError
	if !errors.As(err, &in) || in.File != "" {
		return err
	}
	at := s.at.refuse(in.Problem, in.Hint)
	if in.Field != "" && in.Field != "dataset_path" {
		at.Field = "dataset_kwargs." + in.Field
	}
	return at
}

// templateValue gives nested objects the form that templates read.
func templateValue(v any) any {
	switch v := v.(type) {
	case *dataset.Object:
		d := jinja.NewDict()
		for k, x := range v.All() {
			d.Set(k, templateValue(x))
		}
		return d
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = templateValue(x)
		}
		return out
	}
	return v
}

// plainFields gives ported functions a document of plain maps.
func plainFields(fields map[string]any) map[string]any {
	out := make(map[string]any, len(fields))
	for k, v := range fields {
		out[k], _ = jinja.Plain(v) // keys of documents are texts
	}
	return out
}

// cause drops the operation and path of a file error, which the InputError names.
func cause(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
