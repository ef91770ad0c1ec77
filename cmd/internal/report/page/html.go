package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"math"
	"path/filepath"
	"strings"

	"mergesearch/cmd/internal/evidence"
	"mergesearch/cmd/internal/report"
)

//go:embed page.html
var pageText string

//go:embed style.css
var style string

// Formats are the ways in which the page writes a number, by name.
var Formats = map[string]func(v float64) string{
	"points":  func(v float64) string { return fmt.Sprintf("%+.1f", 100*v) },
	"fitness": func(v float64) string { return fmt.Sprintf("%.3f", v) },
	"share":   percent,
	"whole":   func(v float64) string { return report.Thousands(int(v)) },
	"p":       pValue,
	"coef":    func(v float64) string { return fmt.Sprintf("%.2f", v) },
	"tokens":  func(v float64) string { return fmt.Sprintf("%.1f", v) },
	"seconds": duration,
	"bytes":   bytesOf,
	"plain":   func(v float64) string { return fmt.Sprintf("%.4g", v) },
}

func pValue(v float64) string {
	if v < 0.001 {
		return "< 0.001"
	}
	return fmt.Sprintf("%.3f", v)
}

func bytesOf(v float64) string {
	switch {
	case v >= 1e9:
		return fmt.Sprintf("%.1f GB", v/1e9)
	case v >= 1e6:
		return fmt.Sprintf("%.1f MB", v/1e6)
	}
	return fmt.Sprintf("%.0f kB", v/1e3)
}

// tree is report.json as any program sees it.
type tree struct{ root any }

// at follows a path of names and indices, written verdict.gain or parents[2].name.
func (t tree) at(path ...any) (any, string, error) {
	v, place := t.root, ""
	for _, step := range path {
		switch s := step.(type) {
		case string:
			for name := range strings.SplitSeq(s, ".") {
				o, ok := v.(map[string]any)
				if !ok {
					return nil, place, fmt.Errorf("report.json: %s is no object", place)
				}
				v = o[name]
				place = strings.TrimPrefix(place+"."+name, ".")
			}
		case int:
			l, ok := v.([]any)
			if !ok || s >= len(l) {
				return nil, place, fmt.Errorf("report.json: %s has no element %d", place, s)
			}
			v = l[s]
			place += fmt.Sprintf("[%d]", s)
		default:
			return nil, place, fmt.Errorf("a step of type %T", step)
		}
	}
	return v, place, nil
}

// number writes the number at a place of report.json.
func (t tree) number(format string, path ...any) (template.HTML, error) {
	v, place, err := t.at(path...)
	if err != nil {
		return "", err
	}
	n, ok := v.(json.Number)
	if !ok {
		return "", fmt.Errorf("report.json: %s is no number", place)
	}
	x, err := n.Float64()
	if err != nil {
		return "", err
	}
	return template.HTML(fmt.Sprintf(`<data value="%s" data-from="%s" data-as="%s">%s</data>`, n, template.HTMLEscapeString(place), format, Formats[format](x))), nil
}

// text writes the text at a place of report.json.
func (t tree) text(path ...any) (template.HTML, error) {
	v, place, err := t.at(path...)
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("report.json: %s is no text", place)
	}
	return template.HTML(fmt.Sprintf(`<span data-from="%s">%s</span>`, template.HTMLEscapeString(place), template.HTMLEscapeString(report.Plain(s)))), nil
}

// JSON returns report.json.
func (d Document) JSON() ([]byte, error) {
	var b bytes.Buffer
	err := report.Write(&b, d)
	return b.Bytes(), err
}

// HTML renders report.json as a page.
func HTML(reportJSON []byte) ([]byte, error) {
	var d Document
	if err := json.Unmarshal(reportJSON, &d); err != nil {
		return nil, fmt.Errorf("report.json: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(reportJSON))
	decoder.UseNumber()
	var t tree
	if err := decoder.Decode(&t.root); err != nil {
		return nil, fmt.Errorf("report.json: %w", err)
	}
	page, err := template.New("page").Funcs(template.FuncMap{
		"num": t.number, "text": t.text, "plain": report.Plain, "level": level, "words": words,
		"curve": func() template.HTML { return curveChart(d) }, "gains": func() template.HTML { return gainsChart(d) },
		"lines": plainLines,
	}).Parse(pageText)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(style))
	var b bytes.Buffer
	err = page.Execute(&b, struct {
		D     Document
		Style template.CSS
		Hash  string
	}{d, template.CSS(style), base64.StdEncoding.EncodeToString(sum[:])})
	return b.Bytes(), err
}

// plainLines is report.Plain of each line.
func plainLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = report.Plain(lines[i])
	}
	return strings.Join(lines, "\n")
}

// level is the class of a cell of the map: how strong its colour is, 0 to 8, and for
// negative numbers the other colour.
func level(v *float64, most float64) string {
	if v == nil {
		return "none"
	}
	n := 0
	if most > 0 {
		n = int(math.Round(8 * min(1, math.Abs(*v)/most)))
	}
	if *v < 0 {
		return fmt.Sprintf("n%d", n)
	}
	return fmt.Sprintf("h%d", n)
}

// Write writes report.json and report.html, or under the name of out and with .json
// instead of its extension. Each is complete or absent; secrets are blanked.
func Write(d Document, out string) (files []string, err error) {
	text, err := d.JSON()
	if err != nil {
		return nil, err
	}
	text = evidence.Blank(text)
	page, err := HTML(text)
	if err != nil {
		return nil, err
	}
	data := strings.TrimSuffix(out, filepath.Ext(out)) + ".json"
	if data == out {
		return nil, errors.New("the page cannot have the name of its JSON: " + out)
	}
	if err := evidence.WriteFile(data, text); err != nil {
		return nil, err
	}
	return []string{out, data}, evidence.WriteFile(out, page)
}
