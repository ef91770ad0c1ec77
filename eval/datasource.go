package eval

import (
	"fmt"
	"path/filepath"
	"slices"

	"mergesearch"
)

// dataSource is where a task file says that its documents are.
type dataSource struct {
	path, name string
	at         entry
	files      map[string]string // split name to path
}

func (s *dataSource) missing() bool { return len(s.files) == 0 }

func (s *dataSource) readPath(e entry) (err error) {
	s.at = e
	s.path, err = e.text()
	if err == nil && s.path != "json" {
		return e.refuse(fmt.Sprintf("%q is not a local data set", s.path), "write dataset_path: json and name the files under dataset_kwargs: {data_files: {...}}")
	}
	return err
}

func (s *dataSource) readName(e entry) (err error) {
	s.name, err = e.text()
	return err
}

func (s *dataSource) readFiles(e entry, dir string) error {
	if e.file != "" {
		dir = filepath.Dir(e.file)
	}
	parts, err := e.mapping()
	if err != nil {
		return err
	}
	for _, p := range parts {
		if p.key != "data_files" {
			return p.refuseKey("unknown key", mergesearch.UnknownWord("key", p.key, []string{"data_files"}).Hint)
		}
		files, err := p.mapping()
		if err != nil {
			return err
		}
		s.files = map[string]string{}
		for _, f := range files {
			path, err := f.text()
			if err != nil {
				return err
			}
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			s.files[f.key] = path
		}
	}
	return nil
}

// read gives the documents of a split.
func (s *dataSource) read(split splitName) ([]document, error) {
	file, ok := s.files[split.name]
	if !ok {
		var known []string
		for k := range s.files {
			known = append(known, k)
		}
		slices.Sort(known)
		return nil, split.at.refuse(fmt.Sprintf("data_files has no split %q", split.name), mergesearch.UnknownWord("split", split.name, known).Hint)
	}
	return readDocuments(file)
}
