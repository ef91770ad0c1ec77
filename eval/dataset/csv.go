package dataset

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"mergesearch"
)

// missing are the values that count as missing, as pandas has them.
var missing = map[string]bool{
	"": true, "#N/A": true, "#N/A N/A": true, "#NA": true, "-1.#IND": true, "-1.#QNAN": true, "-NaN": true, "-nan": true, "1.#IND": true,
	"1.#QNAN": true, "<NA>": true, "N/A": true, "NA": true, "NULL": true, "NaN": true, "None": true, "n/a": true, "nan": true, "null": true,
}

// row is one record of a CSV file.
type row struct {
	line  int
	cells []string
}

// readCSV reads a file with a header. The rules are those of pandas.read_csv:
//
//   - A cell may stand in double quotes, doubled inside; elsewhere a quote is a
//     character like others. Records end with \n, \r or \r\n; empty ones are skipped.
//   - A record may have fewer cells than the header, not more. Two columns of one
//     name become NAME and NAME.1, one without a name becomes "Unnamed: N".
//   - A column is of the first type that fits all its cells that are not missing:
//     int64 (and none is missing), float64, bool, string. Quotes do not matter.
//   - Missing cells (empty, NA, null, nan and so on) are nil.
func readCSV(text []byte, delimiter byte) ([]Document, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !utf8.Valid(text) {
		line := 1
		for rest := text; len(rest) > 0; line++ {
			one, after, _ := bytes.Cut(rest, []byte("\n"))
			if !utf8.Valid(one) {
				break
			}
			rest = after
		}
		return nil, &mergesearch.InputError{Line: line, Problem: "not valid UTF-8"}
	}
	rows, err := scanCSV(text, delimiter)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	names := columnNames(rows[0].cells)
	rows = rows[1:]
	for _, r := range rows {
		if len(r.cells) > len(names) {
			return nil, &mergesearch.InputError{Line: r.line, Problem: fmt.Sprintf("%d cells, and the header names %d columns", len(r.cells), len(names)), Hint: "put cells with a delimiter inside in double quotes"}
		}
	}
	docs := make([]Document, len(rows))
	for i, r := range rows {
		docs[i] = Document{Line: r.line, Place: r.line, Fields: new(Object)}
	}
	cells := make([]string, len(rows))
	for c, name := range names {
		for i, r := range rows {
			cells[i] = ""
			if c < len(r.cells) {
				cells[i] = r.cells[c]
			}
		}
		convert, problem := typeOf(cells)
		if problem >= 0 {
			return nil, &mergesearch.InputError{Line: rows[problem].line, Field: name, Problem: fmt.Sprintf("the whole number %s does not fit 64 bits", strings.TrimSpace(cells[problem]))}
		}
		for i := range docs {
			if missing[cells[i]] {
				docs[i].Fields.Set(name, nil)
			} else {
				docs[i].Fields.Set(name, convert(cells[i]))
			}
		}
	}
	return docs, nil
}

// columnNames gives every column a name of its own.
func columnNames(header []string) []string {
	names := slices.Clone(header)
	taken := map[string]bool{}
	for i, n := range names {
		if n == "" {
			n = fmt.Sprintf("Unnamed: %d", i)
		}
		name := n
		for k := 1; taken[name] || k > 1 && slices.Contains(header, name); k++ {
			name = fmt.Sprintf("%s.%d", n, k)
		}
		names[i] = name
		taken[name] = true
	}
	return names
}

// typeOf returns how the cells of a column are converted, or the place of a whole
// number that is too large; -1 for none.
func typeOf(cells []string) (convert func(string) any, tooLarge int) {
	whole, float, boolean, empty, large := true, true, true, false, -1
	for i, s := range cells {
		if missing[s] {
			empty = true
			continue
		}
		if n := wholeNumber(s); n == "" {
			whole = false
		} else if _, err := strconv.ParseInt(n, 10, 64); err != nil && large < 0 {
			large = i
		}
		if _, ok := floatNumber(s); !ok {
			float = false
		}
		if _, ok := booleans[s]; !ok {
			boolean = false
		}
	}
	switch {
	case whole && !empty && large >= 0:
		return nil, large
	case whole && !empty:
		return func(s string) any { n, _ := strconv.ParseInt(wholeNumber(s), 10, 64); return n }, -1
	case float:
		return func(s string) any { x, _ := floatNumber(s); return x }, -1
	case boolean:
		return func(s string) any { return booleans[s] }, -1
	}
	return func(s string) any { return s }, -1
}

var booleans = map[string]bool{"True": true, "TRUE": true, "true": true, "False": false, "FALSE": false, "false": false}

// wholeNumber returns the digits of a whole number with its sign, or "".
func wholeNumber(s string) string {
	s = strings.Trim(s, " \t\n\v\f\r")
	digits := strings.TrimPrefix(s, "-")
	if digits == s {
		digits = strings.TrimPrefix(s, "+")
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	return s
}

// floatNumber reads decimal notation and infinity.
func floatNumber(s string) (float64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	switch strings.ToLower(strings.TrimPrefix(s, "+")) {
	case "inf", "infinity":
		return math.Inf(1), true
	case "-inf", "-infinity":
		return math.Inf(-1), true
	}
	if s == "" || strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, false
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(x, 0) {
		return 0, false
	}
	return x, true
}

// scanCSV cuts the text into records and cells.
func scanCSV(text []byte, delimiter byte) ([]row, error) {
	var rows []row
	var cell []byte
	line := 1
	at := 0
	for at < len(text) {
		r := row{line: line}
		quotedAny := false
		start := at
		for { // one cell
			cell = cell[:0]
			if at < len(text) && text[at] == '"' {
				quotedAny = true
				opened := line
				at++
				for {
					if at == len(text) {
						return nil, &mergesearch.InputError{Line: opened, Problem: "a quoted cell has no end"}
					}
					c := text[at]
					at++
					if c == '"' {
						if at == len(text) || text[at] != '"' {
							break
						}
						at++
					}
					if c == '\n' || c == '\r' && (at == len(text) || text[at] != '\n') {
						line++
					}
					cell = append(cell, c)
				}
			}
			for at < len(text) && text[at] != delimiter && text[at] != '\n' && text[at] != '\r' {
				cell = append(cell, text[at])
				at++
			}
			r.cells = append(r.cells, string(cell))
			if at < len(text) && text[at] == delimiter {
				at++
				continue
			}
			break
		}
		blank := !quotedAny && len(bytes.Trim(text[start:at], " \t")) == 0 && len(r.cells) == 1
		if at < len(text) { // the end of the record
			if text[at] == '\r' && at+1 < len(text) && text[at+1] == '\n' {
				at++
			}
			at++
			line++
		}
		if !blank {
			rows = append(rows, r)
		}
	}
	return rows, nil
}
