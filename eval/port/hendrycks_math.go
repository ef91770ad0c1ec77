package port

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"mergesearch/eval/python"
)

// hendrycksMath: MATH (Hendrycks et al. 2021, arXiv:2103.03874), tasks hendrycks_math_*.
// The right answer is the last \boxed{} of the solution, the model's is what stands
// between its first and its last dollar sign; both are brought to one form and compared
// as texts.
var hendrycksMath = family{
	name:  "hendrycks_math",
	tasks: named("hendrycks_math500|hendrycks_math_(?:algebra|counting_and_prob|geometry|intermediate_algebra|num_theory|prealgebra|precalc)"),
	functions: []Function{
		{Name: "utils.process_docs", Docs: mapped(func(r *row) Fields {
			return Fields{"problem": r.value("problem"), "solution": r.value("solution"), "answer": r.boxed("solution")}
		})},
		{Name: "utils.process_results", Results: scored(func(r *row, a Answers) map[string]Mark {
			answer, right := r.generated(a), r.boxed("solution")
			if i, j := strings.Index(answer, "$"), strings.LastIndex(answer, "$"); i < j {
				answer = answer[i+1 : j]
			}
			equal := answer == right
			if x, err := plainTeX(answer); err == nil {
				if y, err := plainTeX(right); err == nil {
					equal = x == y
				}
			}
			if equal {
				return map[string]Mark{"exact_match": {Value: 1}}
			}
			return map[string]Mark{"exact_match": {Value: 0}}
		})},
	},
}

// boxed returns what stands in the last box of a text.
func (r *row) boxed(column string) string {
	text := r.text(column)
	if r.err != nil {
		return ""
	}
	if i := strings.LastIndex(text, `\boxed `); i >= 0 {
		answer, _, _ := strings.Cut(text[i+len(`\boxed `):], "$")
		return answer
	}
	i := strings.LastIndex(text, `\boxed`)
	open := 0
	for j := i; i >= 0 && j < len(text); j++ {
		switch text[j] {
		case '{':
			open++
		case '}':
			if open--; open != 0 {
				continue
			}
			if inside, ok := strings.CutPrefix(text[i:j], `\boxed{`); ok {
				return inside
			}
			j = len(text)
		}
	}
	r.fail(column, `holds no complete \boxed{}`)
	return ""
}

var errTeX = errors.New("not the TeX that is expected")

// plainTeX brings an answer to one form. An error stands for an exception of the
// original, which then compares the answers as they are.
func plainTeX(s string) (string, error) {
	for _, c := range []struct{ what, by string }{
		{"\n", ""},
		{`\!`, ""},
		{`\\`, `\`},
		{"tfrac", "frac"},
		{"dfrac", "frac"},
		{`\left`, ""},
		{`\right`, ""},
		{`^{\circ}`, ""},
		{`^\circ`, ""},
		{`\$`, ""},
	} {
		s = strings.ReplaceAll(s, c.what, c.by)
	}
	units := strings.Split(s, `\text{ `)
	if len(units) > 2 {
		return "", errTeX
	}
	s = units[0]
	s = strings.ReplaceAll(s, `\%`, "")
	s = strings.ReplaceAll(s, " .", " 0.")
	s = strings.ReplaceAll(s, "{.", "{0.")
	if s == "" {
		return s, nil
	}
	if s[0] == '.' {
		s = "0" + s
	}
	if sides := strings.Split(s, "="); len(sides) == 2 && utf8.RuneCountInString(sides[0]) <= 2 {
		s = sides[1]
	}
	s, err := bracedRoots(s)
	if err != nil {
		return "", err
	}
	if s, err = bracedFractions(strings.ReplaceAll(s, " ", "")); err != nil {
		return "", err
	}
	if s == "0.5" {
		s = `\frac{1}{2}`
	}
	return slashAsFraction(s)
}

// cutRune splits off the first character.
func cutRune(s string) (first, rest string) {
	_, n := utf8.DecodeRuneInString(s)
	return s[:n], s[n:]
}

// bracedRoots writes \sqrt3 as \sqrt{3}.
func bracedRoots(s string) (string, error) {
	parts := strings.Split(s, `\sqrt`)
	for i, p := range parts[1:] {
		first, rest := cutRune(p)
		switch first {
		case "":
			return "", errTeX
		case "{":
			parts[i+1] = `\sqrt` + p
		default:
			parts[i+1] = `\sqrt{` + first + "}" + rest
		}
	}
	return strings.Join(parts, ""), nil
}

// bracedFractions writes \frac12 as \frac{1}{2}. One that ends too early leaves the
// whole text as it is.
func bracedFractions(s string) (string, error) {
	parts := strings.Split(s, `\frac`)
	for i, p := range parts[1:] {
		above, rest := cutRune(p)
		if above == "" {
			return "", errTeX
		}
		if above != "{" {
			below, after := cutRune(rest)
			switch below {
			case "":
				return s, nil
			case "{":
				p = "{" + above + "}" + below + after
			default:
				p = "{" + above + "}{" + below + "}" + after
			}
		}
		parts[i+1] = `\frac` + p
	}
	return strings.Join(parts, ""), nil
}

// slashAsFraction writes 1/2 as \frac{1}{2}, if both are integers in plain notation.
func slashAsFraction(s string) (string, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 2 {
		return s, nil
	}
	a, errA := python.Int(parts[0])
	b, errB := python.Int(parts[1])
	if errA != nil || errB != nil {
		return "", errTeX
	}
	if s != fmt.Sprintf("%d/%d", a, b) {
		return s, nil
	}
	return fmt.Sprintf(`\frac{%d}{%d}`, a, b), nil
}
