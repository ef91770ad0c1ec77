package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// newNormalizer returns the function of a normalizer, nil for none.
func newNormalizer(raw json.RawMessage, field string, depth int) (func(string) string, error) {
	kind, err := component(raw, field)
	if err != nil || kind == "" {
		return nil, err
	}
	switch kind {
	case "Sequence":
		return normalizerSequence(raw, field, depth)
	case "Prepend":
		var f struct{ Type, Prepend string }
		err := strict(raw, field, &f)
		return func(s string) string {
			if s == "" {
				return s
			}
			return f.Prepend + s
		}, err
	case "Replace":
		return newReplace(raw, field)
	case "Strip":
		var f struct {
			Type       string
			StripLeft  bool `json:"strip_left"`
			StripRight bool `json:"strip_right"`
		}
		err := strict(raw, field, &f)
		return func(s string) string {
			if f.StripLeft {
				s = strings.TrimLeftFunc(s, unicode.IsSpace)
			}
			if f.StripRight {
				s = strings.TrimRightFunc(s, unicode.IsSpace)
			}
			return s
		}, err
	}
	simple := map[string]func(string) string{
		"NFC": norm.NFC.String, "NFD": norm.NFD.String, "NFKC": norm.NFKC.String, "NFKD": norm.NFKD.String,
		"Lowercase": lowercase,
	}
	if do, ok := simple[kind]; ok {
		var f struct{ Type string }
		return do, strict(raw, field, &f)
	}
	return nil, unknown(field, kind)
}

func normalizerSequence(raw json.RawMessage, field string, depth int) (func(string) string, error) {
	var f struct {
		Type        string
		Normalizers []json.RawMessage
	}
	if err := strict(raw, field, &f); err != nil {
		return nil, err
	}
	if depth == maxDepth {
		return nil, tooDeep(field)
	}
	var all []func(string) string
	for i, part := range f.Normalizers {
		do, err := newNormalizer(part, fmt.Sprintf("%s.normalizers[%d]", field, i), depth+1)
		if err != nil {
			return nil, err
		}
		if do != nil {
			all = append(all, do)
		}
	}
	return func(s string) string {
		for _, do := range all {
			s = do(s)
		}
		return s
	}, nil
}

func newReplace(raw json.RawMessage, field string) (func(string) string, error) {
	var f struct {
		Type    string
		Pattern patternFile
		Content string
	}
	if err := strict(raw, field, &f); err != nil {
		return nil, err
	}
	p, err := f.Pattern.compile(field + ".pattern")
	if err == nil && f.Pattern.String != nil { // the same, without closures: decoders do it for every token
		return func(s string) string { return strings.ReplaceAll(s, *f.Pattern.String, f.Content) }, nil
	}
	return func(s string) string { return p.replace(s, f.Content) }, err
}

// lowercase maps character by character. Only U+0130 becomes two.
func lowercase(s string) string {
	return strings.ReplaceAll(strings.ToLower(strings.ReplaceAll(s, "\u0130", "i\u0307")), "\u0130", "i\u0307")
}
