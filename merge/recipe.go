package merge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mergesearch"
)

// ReadRecipe reads a recipe file. Errors are *mergesearch.InputError.
func ReadRecipe(file string) (mergesearch.Recipe, error) {
	f, err := os.Open(file)
	if err != nil {
		return mergesearch.Recipe{}, &mergesearch.InputError{File: file, Problem: cause(err)}
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		return mergesearch.Recipe{}, &mergesearch.InputError{File: file, Problem: "not a regular file"}
	}
	if err == nil && st.Size() > maxRecipeBytes {
		return mergesearch.Recipe{}, mergesearch.InFile(tooLong(st.Size()), file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return mergesearch.Recipe{}, &mergesearch.InputError{File: file, Problem: cause(err)}
	}
	r, err := ParseRecipe(text)
	return r, mergesearch.InFile(err, file)
}

// FormatRecipe writes a recipe as mergekit's YAML. What mergekit has no word for
// stands under mergesearch. ParseRecipe gives an equal recipe back.
func FormatRecipe(r mergesearch.Recipe) []byte {
	var b bytes.Buffer
	line := func(indent int, format string, args ...any) {
		b.WriteString(strings.Repeat("  ", indent))
		fmt.Fprintf(&b, format+"\n", args...)
	}
	line(0, "merge_method: %s", yamlString(r.Method))
	if r.Base != "" {
		line(0, "base_model: %s", yamlString(r.Base))
	}
	line(0, "models:")
	for _, in := range r.Models {
		line(1, "- model: %s", yamlString(in.Model))
		if len(in.Parameters) > 0 {
			line(2, "parameters:")
			writeParameters(line, 3, in.Parameters)
		}
	}
	if len(r.Parameters) > 0 {
		line(0, "parameters:")
		writeParameters(line, 1, r.Parameters)
	}
	if r.DType != "" {
		line(0, "dtype: %s", yamlString(r.DType))
	}
	if r.OutDType != "" {
		line(0, "out_dtype: %s", yamlString(r.OutDType))
	}
	if r.Seed != 0 {
		line(0, "mergesearch:")
		line(1, "seed: %d", r.Seed)
	}
	return b.Bytes()
}

func writeParameters(line func(int, string, ...any), indent int, set map[string]mergesearch.Setting) {
	for _, name := range sortedKeys(set) {
		s := set[name]
		if len(s) == 1 && s[0].Filter == "" {
			line(indent, "%s: %s", yamlString(name), yamlValues(name, s[0].Values))
			continue
		}
		line(indent, "%s:", yamlString(name))
		for _, c := range s {
			if c.Filter == "" {
				line(indent+1, "- value: %s", yamlValues(name, c.Values))
				continue
			}
			line(indent+1, "- filter: %s", yamlString(c.Filter))
			line(indent+2, "value: %s", yamlValues(name, c.Values))
		}
	}
}

// yamlValues writes one number, true or false for a flag, or a gradient.
func yamlValues(name string, v []float64) string {
	if len(v) == 1 {
		if isFlag(name) && (v[0] == 0 || v[0] == 1) {
			return strconv.FormatBool(v[0] == 1)
		}
		return yamlNumber(v[0])
	}
	parts := make([]string, len(v))
	for i, x := range v {
		parts[i] = yamlNumber(x)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func isFlag(name string) bool {
	return slices.Contains([]string{"normalize", "rescale", "int8_mask"}, name)
}

// yamlNumber writes a number so that every YAML reader takes it for one: Python's
// wants a dot before an exponent.
func yamlNumber(x float64) string {
	if x == 0 {
		return "0"
	}
	if a := math.Abs(x); a >= 1e-6 && a < 1e15 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	s := strconv.FormatFloat(x, 'e', -1, 64)
	if !strings.Contains(s, ".") {
		s = strings.Replace(s, "e", ".0e", 1)
	}
	return s
}

var (
	plainString = regexp.MustCompile(`^(\.{0,2}/)?[A-Za-z_][A-Za-z0-9_./-]*$`)
	notAString  = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null|nan|inf|infinity)$`)
)

// yamlString writes a string plainly where no reader can take it for anything
// else, and in double quotes elsewhere.
func yamlString(s string) string {
	if plainString.MatchString(s) && !notAString.MatchString(s) {
		return s
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b) // JSON's quoted strings are YAML's
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic("merge: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}
