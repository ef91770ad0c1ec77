package port

import (
	"strings"

	"mergesearch/eval/metric"
	"mergesearch/eval/python"
)

// BIG-Bench Hard (Suzgun et al. 2022, arXiv:2210.09261), tasks bbh_zeroshot_* and
// bbh_cot_zeroshot_*: four filters that look for an answer in what a model wrote. Where
// the original raises an exception because of what the model wrote, there is no match.
var (
	bbhZeroShot    = bbh("zeroshot")
	bbhCoTZeroShot = bbh("cot_zeroshot")
)

func bbh(dir string) family {
	return family{
		name:  "bbh/" + dir,
		tasks: named("bbh_" + dir + "_[a-z_]+"),
		functions: []Function{
			{Name: "utils.MapRegexFilter", Filter: mapRegexFilter},
			{Name: "utils.MultiChoiceRegexFilter", Filter: multiChoiceFilter},
			{Name: "utils.NumberParseRegexFilter", Filter: numberFilter},
			{Name: "utils.WordSortFilter", Filter: wordSortFilter},
		},
	}
}

// finder is what the filters share: a pattern, which of its matches counts, and what is
// taken from a text before it is compared.
type finder struct {
	pattern  *python.Regex
	group    int // of the matches; negative ones count from the end
	fallback string
	plain    metric.Normalizer // of answers and choices before they are compared
}

// readFinder reads the arguments that the filters share. pattern is empty where it is an
// argument.
func readFinder(a *arguments, pattern string) *finder {
	if pattern == "" {
		pattern = a.text("regex_pattern", `#### (\-?[0-9\.\,]+)`)
	}
	f := &finder{
		pattern:  a.regex(pattern),
		group:    int(a.integer("group_select", 0)),
		fallback: a.text("fallback", "[invalid]"),
		plain:    metric.Normalizer{IgnoreCase: a.truth("ignore_case"), IgnoreMarks: a.truth("ignore_punctuation")},
	}
	for _, ignored := range a.texts("regexes_to_ignore") {
		f.plain.Ignore = append(f.plain.Ignore, a.regex(ignored))
	}
	return f
}

// find returns the match that counts, trimmed: its first group that is not empty. Empty
// means that there is none.
func (f *finder) find(r *python.Regex, s string) (string, error) {
	matches, err := r.FindAll(s)
	i := f.group
	if i < 0 {
		i += len(matches)
	}
	if err != nil || i < 0 || i >= len(matches) {
		return "", err
	}
	for _, group := range matches[i] {
		if group != "" {
			return python.Strip(group), nil
		}
	}
	return "", nil
}

// eachAnswer filters answers one by one; what is empty becomes the fallback.
func (f *finder) eachAnswer(find func(answer string) (string, error)) func([]string) ([]string, error) {
	return func(answers []string) ([]string, error) {
		out := make([]string, len(answers))
		for i, answer := range answers {
			found, err := find(answer)
			if err != nil {
				return nil, err
			}
			if out[i] = found; found == "" {
				out[i] = f.fallback
			}
		}
		return out, nil
	}
}

// mapRegexFilter: several patterns, each with the answer that it stands for. The match
// of any of them is looked for first, and then the first pattern that matches it.
func mapRegexFilter(given map[string]any) (func(Fields, []string) ([]string, error), error) {
	a := newArguments(given)
	pairs := a.pairs("regex_pattern_to_value")
	var names []string
	var patterns []*python.Regex
	for _, p := range pairs {
		names, patterns = append(names, p.Key), append(patterns, a.regex(p.Key))
	}
	f := readFinder(a, "(?:)"+strings.Join(names, "|"))
	if err := a.end(); err != nil {
		return nil, err
	}
	find := f.eachAnswer(func(answer string) (string, error) {
		plain, err := f.plain.Normal(answer)
		if err != nil {
			return "", err
		}
		whole, err := f.find(f.pattern, plain)
		if whole == "" || err != nil {
			return "", err
		}
		if whole, err = f.plain.Normal(whole); err != nil {
			return "", err
		}
		for i, r := range patterns {
			if part, err := f.find(r, whole); part != "" || err != nil {
				return pairs[i].Value.(string), err
			}
		}
		return "", nil
	})
	return func(_ Fields, answers []string) ([]string, error) { return find(answers) }, nil
}

var optionText = python.MustCompile(`\([A-Z]\)([^\n^(]*)`)

// multiChoiceFilter: a letter in parentheses, else the text of one of the options in
// the document's input, else a letter after a colon.
func multiChoiceFilter(given map[string]any) (func(Fields, []string) ([]string, error), error) {
	a := newArguments(given)
	f := readFinder(a, "")
	if err := a.end(); err != nil {
		return nil, err
	}
	return func(d Fields, answers []string) ([]string, error) {
		r := &row{fields: d}
		options, err := optionText.FindAll(r.text("input"))
		if r.err != nil || err != nil {
			return nil, firstError(r.err, err)
		}
		var texts, letters []string
		letterOf := map[string]string{}
		for i, option := range options {
			text, err := f.plain.Normal(python.Strip(option[0]))
			if err != nil {
				return nil, err
			}
			letter := string(rune('A' + i))
			letterOf[text] = "(" + letter + ")"
			texts, letters = append(texts, python.Escape(text)), append(letters, letter)
		}
		byText, err := python.Compile(strings.Join(texts, "|"))
		if err != nil {
			return nil, err
		}
		byLetter, err := python.Compile(`:[\s]*(` + strings.Join(letters, "|") + `)`)
		if err != nil {
			return nil, err
		}
		return f.eachAnswer(func(answer string) (string, error) {
			if found, err := f.find(f.pattern, answer); found != "" || err != nil {
				return found, err
			}
			plain, err := f.plain.Normal(answer)
			if err != nil {
				return "", err
			}
			found, err := f.find(byText, plain)
			if letter, ok := letterOf[found]; ok && found != "" {
				found = letter
			}
			if found != "" || err != nil {
				return found, err
			}
			if found, err = f.find(byLetter, answer); found == "" || err != nil {
				return "", err
			}
			return "(" + found + ")", nil
		})(answers)
	}, nil
}

// numberFilter: digits, else a number in English words.
func numberFilter(given map[string]any) (func(Fields, []string) ([]string, error), error) {
	a := newArguments(given)
	f := readFinder(a, "")
	if err := a.end(); err != nil {
		return nil, err
	}
	find := f.eachAnswer(func(answer string) (string, error) {
		if found, err := f.find(f.pattern, answer); found != "" || err != nil {
			return found, err
		}
		words := englishNumbers.FindAllString(python.Lower(answer), -1)
		i := f.group
		if i < 0 {
			i += len(words)
		}
		if i < 0 || i >= len(words) {
			return "", nil
		}
		return numberOfWords(words[i]), nil
	})
	return func(_ Fields, answers []string) ([]string, error) { return find(answers) }, nil
}

// wordSortFilter: the words of the document's list, in the order in which the answer
// names each for the last time. It takes any argument and uses none.
func wordSortFilter(map[string]any) (func(Fields, []string) ([]string, error), error) {
	return func(d Fields, answers []string) ([]string, error) {
		r := &row{fields: d}
		parts := strings.Split(r.text("input"), "List:")
		if len(parts) < 2 {
			r.fail("input", `has no "List:"`)
			return nil, r.err
		}
		words := python.Split(parts[1])
		for i, w := range words {
			words[i] = `\b` + w + `\b`
		}
		pattern, err := python.Compile(strings.Join(words, "|"))
		if err != nil || pattern.Groups() > 1 {
			r.fail("input", "the words of its list are no regular expression with at most one group")
			return nil, r.err
		}
		out := make([]string, len(answers))
		for i, answer := range answers {
			matches, err := pattern.FindAll(answer)
			if err != nil {
				return nil, err
			}
			last := map[string]int{}
			for k, m := range matches {
				last[m[0]] = k
			}
			var order []string
			for k, m := range matches {
				if last[m[0]] == k {
					order = append(order, m[0])
				}
			}
			out[i] = strings.Join(order, " ")
		}
		return out, nil
	}, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
