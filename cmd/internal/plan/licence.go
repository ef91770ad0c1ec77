package plan

import (
	"bytes"
	"slices"
	"strings"
)

// Licence is what a model card says, and what it means for a merge.
type Licence struct {
	ID    string `json:"id"` // in the hub's words; "" where there is none
	Class Class  `json:"class"`
}

// Class orders licences by how much they ask of a merge.
type Class int

// The classes, from free to closed. Unknown is a class of its own: it allows nothing.
const (
	Permissive Class = iota
	Attribution
	ShareAlike
	Community // terms of its own, such as limits of use and names
	NonCommercial
	Unknown
)

// String says what the class asks for.
func (c Class) String() string {
	return [...]string{
		"may be used for anything, with its notice", "the authors must be named", "merges must have the same licence",
		"has terms of its own on use and names", "no commercial use", "unknown: nobody said what is allowed",
	}[c]
}

// MarshalText is the class as one word.
func (c Class) MarshalText() ([]byte, error) {
	return []byte([...]string{"permissive", "attribution", "share_alike", "community", "non_commercial", "unknown"}[c]), nil
}

var classes = []struct {
	class Class
	with  []string // beginnings of identifiers
}{
	{NonCommercial, []string{"cc-by-nc", "cc-by-nd", "deepfloyd", "fair-noncommercial", "research"}},
	{ShareAlike, []string{"gpl", "agpl", "lgpl", "cc-by-sa", "mpl", "osl", "eupl", "odbl"}},
	{Attribution, []string{"cc-by-", "odc-by"}},
	{Permissive, []string{"apache", "mit", "bsd", "cc0", "unlicense", "isc", "wtfpl", "zlib", "ms-pl", "artistic", "pddl", "ecl-", "ncsa", "postgresql", "afl-"}},
	{Community, []string{"llama", "gemma", "qwen", "openrail", "bigscience", "creativeml", "bigcode", "tii-falcon", "falcon", "deepseek", "mistral", "apple", "other"}},
}

// ClassOf returns the class of a licence by the hub's identifier.
func ClassOf(id string) Class {
	id = strings.ToLower(strings.TrimSpace(id))
	for _, c := range classes {
		if slices.ContainsFunc(c.with, func(b string) bool { return strings.HasPrefix(id, b) }) {
			if c.class == Attribution && strings.Contains(id, "nc") {
				return NonCommercial
			}
			return c.class
		}
	}
	return Unknown
}

// ReadLicence finds the licence in the front matter of a model card. A name of a
// licence that is "other" is taken for it.
func ReadLicence(card []byte) Licence {
	none := Licence{Class: Unknown}
	card = bytes.TrimPrefix(card, []byte("\xef\xbb\xbf"))
	text := strings.ReplaceAll(string(card), "\r\n", "\n")
	if !strings.HasPrefix(text, "---\n") {
		return none
	}
	front, _, closed := strings.Cut(text[4:], "\n---")
	if !closed || len(front) > 1<<16 {
		return none
	}
	var id, name string
	lines := strings.Split(front, "\n")
	for i, line := range lines { // line by line: a card with one bad line still says its licence
		key, value, ok := strings.Cut(line, ":")
		if !ok || key != "license" && key != "license_name" {
			continue
		}
		if strings.TrimSpace(value) == "" && i+1 < len(lines) {
			value, _ = strings.CutPrefix(strings.TrimSpace(lines[i+1]), "- ")
		}
		value, _, _ = strings.Cut(value, " #")
		word := strings.Trim(value, " \t\"'[]")
		if len(word) > 100 || strings.ContainsAny(word, ":{},") {
			continue
		}
		if key == "license" {
			id = word
		} else {
			name = word
		}
	}
	if id == "" {
		return none
	}
	l := Licence{ID: id, Class: ClassOf(id)}
	if id == "other" && name != "" {
		l.ID = name
		l.Class = max(Community, ClassOf(name))
	}
	return l
}

// Strictest returns the class that a merge of all falls under.
func Strictest(of []Licence) Class {
	worst := Permissive
	for _, l := range of {
		worst = max(worst, l.Class)
	}
	return worst
}
