package failpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
)

// Entry is a line of a journal; one of its fields is set.
type Entry struct {
	At    string `json:"at,omitempty"`    // a place that the process came to
	Asked *Asked `json:"asked,omitempty"` // before a candidate is asked
	Kept  *Kept  `json:"kept,omitempty"`  // after the store said that the answers are on the disk
}

// Asked are the items that a recipe is about to be asked.
type Asked struct {
	Recipe string   `json:"recipe"`
	Items  []string `json:"items"`
}

// Kept are answers that were reported as done: the value of each item.
type Kept struct {
	Recipe string             `json:"recipe"`
	Values map[string]float64 `json:"values"`
}

// Journal is a file to which a process appends what it does. A nil Journal keeps
// nothing.
type Journal struct{ file *os.File }

// OpenJournal opens a journal for appending, nil for an empty path.
func OpenJournal(path string) (*Journal, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	return &Journal{file: f}, nil
}

// Write appends an entry. A journal that cannot be written would prove nothing,
// so that is a panic.
func (j *Journal) Write(e Entry) {
	if j == nil {
		return
	}
	line, err := json.Marshal(e)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err != nil {
		panic("failpoint: journal: " + err.Error())
	}
}

// ReadJournal returns the entries of a journal; none when there is no such file, as
// of a process that was ended before it began.
func ReadJournal(path string) ([]Entry, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var out []Entry
	for line := range bytes.Lines(text) {
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}
