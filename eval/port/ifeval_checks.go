package port

import (
	"regexp"
	"strings"

	"mergesearch/eval/python"
)

// always is a check that cannot fail.
func always(follows func(response string) bool) func(string) (bool, error) {
	return func(response string) (bool, error) { return follows(response), nil }
}

// exactly and least compare how often something is found with an argument.
func exactly(n float64, count func(string) int) func(string) (bool, error) {
	return always(func(response string) bool { return float64(count(response)) == n })
}

func least(n float64, count func(string) int) func(string) (bool, error) {
	return always(func(response string) bool { return float64(count(response)) >= n })
}

func found(r *regexp.Regexp) func(string) int {
	return func(s string) int { return len(r.FindAllStringIndex(s, -1)) }
}

// Fixed patterns are Go's, where leftmost-first matches are Python's; patterns with an
// argument in them are Python's.
var (
	placeholder  = regexp.MustCompile(`\[.*?\]`)
	starBullet   = regexp.MustCompile(`(?m)^[` + space + `]*\*[^*].*$`)
	dashBullet   = regexp.MustCompile(`(?m)^[` + space + `]*-.*$`)
	highlight    = regexp.MustCompile(`\*[^\n*]*\*`)
	doubleLight  = regexp.MustCompile(`\*\*[^\n*]*\*\*`)
	divider      = regexp.MustCompile(`[` + space + `]?\*\*\*[` + space + `]?`)
	postscript   = regexp.MustCompile(`p\.[` + space + `]?s\.`)
	postscript2  = regexp.MustCompile(`p\.[` + space + `]?p\.[` + space + `]?s`)
	doubleAngles = regexp.MustCompile(`<<[^\n]+>>`)
)

// checkers make the check of each instruction from its arguments.
var checkers = map[string]func(*options) func(string) (bool, error){
	"keywords:existence":        keywordsExist,
	"keywords:frequency":        keywordFrequency,
	"keywords:forbidden_words":  forbiddenWords,
	"keywords:letter_frequency": letterFrequency,

	"length_constraints:number_paragraphs": func(o *options) func(string) (bool, error) {
		n := o.number("num_paragraphs")
		return always(func(response string) bool {
			count, ok := dividedParagraphs(response)
			return ok && float64(count) == n
		})
	},
	"length_constraints:number_words": func(o *options) func(string) (bool, error) {
		n, compare := o.number("num_words"), o.relation("relation")
		return always(func(response string) bool { return compare(float64(wordCount(response)), n) })
	},
	"length_constraints:nth_paragraph_first_word": firstWordOfParagraph,

	"detectable_content:number_placeholders": func(o *options) func(string) (bool, error) {
		return least(o.number("num_placeholders"), found(placeholder))
	},
	"detectable_content:postscript": func(o *options) func(string) (bool, error) {
		return hasPostscript(o, python.Strip(o.text("postscript_marker")))
	},

	"detectable_format:number_bullet_lists": func(o *options) func(string) (bool, error) {
		return exactly(o.number("num_bullets"), func(s string) int { return found(starBullet)(s) + found(dashBullet)(s) })
	},
	"detectable_format:constrained_response": func(*options) func(string) (bool, error) {
		return always(func(response string) bool {
			return strings.Contains(response, "My answer is yes.") || strings.Contains(response, "My answer is no.") ||
				strings.Contains(response, "My answer is maybe.")
		})
	},
	"detectable_format:number_highlighted_sections": func(o *options) func(string) (bool, error) {
		return least(o.number("num_highlights"), highlights)
	},
	"detectable_format:multiple_sections": sections,
	"detectable_format:json_format": func(*options) func(string) (bool, error) {
		return always(func(response string) bool { return isJSON(withoutFence(response)) })
	},
	"detectable_format:title": func(*options) func(string) (bool, error) { return always(hasTitle) },

	"combination:two_responses": func(*options) func(string) (bool, error) { return always(twoResponses) },
	"combination:repeat_prompt": func(o *options) func(string) (bool, error) {
		prompt := python.Lower(python.Strip(o.text("prompt_to_repeat")))
		return always(func(response string) bool {
			return strings.HasPrefix(python.Lower(python.Strip(response)), prompt)
		})
	},

	"startend:end_checker": func(o *options) func(string) (bool, error) {
		phrase := python.Lower(python.Strip(o.text("end_phrase")))
		return always(func(response string) bool {
			return strings.HasSuffix(python.Lower(strings.Trim(python.Strip(response), `"`)), phrase)
		})
	},
	"startend:quotation": func(*options) func(string) (bool, error) {
		return always(func(response string) bool {
			s := python.Strip(response)
			return len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"'
		})
	},
	"punctuation:no_comma": func(*options) func(string) (bool, error) {
		return always(func(response string) bool { return !strings.Contains(response, ",") })
	},
}

// keywordsExist: every keyword, a regular expression, is found in any case.
func keywordsExist(o *options) func(string) (bool, error) {
	var all []*python.Regex
	for _, keyword := range o.texts("keywords") {
		all = append(all, o.regex("(?i)"+keyword))
	}
	return func(response string) (bool, error) {
		for _, r := range all {
			if m, err := r.Search(response); m == nil || err != nil {
				return false, err
			}
		}
		return true, nil
	}
}

func keywordFrequency(o *options) func(string) (bool, error) {
	keyword := o.regex("(?i)" + python.Strip(o.text("keyword")))
	n, compare := o.number("frequency"), o.relation("relation")
	return func(response string) (bool, error) {
		matches, err := keyword.FindIter(response)
		return compare(float64(len(matches)), n), err
	}
}

// forbiddenWords: no word, a regular expression, is found as a whole word.
func forbiddenWords(o *options) func(string) (bool, error) {
	var all []*python.Regex
	for _, word := range o.texts("forbidden_words") {
		all = append(all, o.regex(`(?i)\b`+word+`\b`))
	}
	return func(response string) (bool, error) {
		for _, r := range all {
			if m, err := r.Search(response); m != nil || err != nil {
				return false, err
			}
		}
		return true, nil
	}
}

// letterFrequency: the original puts a random letter for what is not one of a to z.
func letterFrequency(o *options) func(string) (bool, error) {
	letter := python.Lower(o.text("letter"))
	if len(letter) != 1 || letter[0] < 'a' || letter[0] > 'z' {
		o.fail("argument letter is %q, and another one would be drawn at random", letter)
	}
	n, compare := o.number("let_frequency"), o.relation("let_relation")
	return always(func(response string) bool {
		return compare(float64(strings.Count(python.Lower(response), letter)), n)
	})
}

// wordCount counts runs of letters, digits and underscores, as NLTK 3.9 does. From 3.10
// on it takes combining marks and joiners for letters too, and fractions for none.
func wordCount(s string) int { return python.Runs(s, python.IsWord) }

// dividedParagraphs counts the paragraphs between dividers ***; ok is false if one
// inside is blank.
func dividedParagraphs(response string) (n int, ok bool) {
	paragraphs := divider.Split(response, -1)
	n = len(paragraphs)
	for i, p := range paragraphs {
		if python.Strip(p) == "" {
			if i > 0 && i < len(paragraphs)-1 {
				return 0, false
			}
			n--
		}
	}
	return n, true
}

// firstWordOfParagraph counts paragraphs between empty lines, but not blank ones; the
// number of the paragraph counts blank ones too, as the original does.
func firstWordOfParagraph(o *options) func(string) (bool, error) {
	n, nth, want := o.number("num_paragraphs"), o.number("nth_paragraph"), python.Lower(o.text("first_word"))
	if nth > n {
		o.fail("argument nth_paragraph is %v of %v, and would be drawn at random", nth, n)
	}
	if nth != float64(int(nth)) {
		o.fail("argument nth_paragraph is %v, want an integer", nth)
	}
	return always(func(response string) bool {
		paragraphs := strings.Split(response, "\n\n")
		count := 0.0
		for _, p := range paragraphs {
			if python.Strip(p) != "" {
				count++
			}
		}
		if nth > count || count != n {
			return false
		}
		fields := python.Split(paragraphs[int(nth)-1])
		return len(fields) > 0 && firstWord(fields[0]) == want
	})
}

// firstWord lowers a word up to its first punctuation mark, after quotes in front.
func firstWord(word string) string {
	word = strings.TrimLeft(strings.TrimLeft(word, "'"), `"`)
	if i := strings.IndexAny(word, `.,?!'"`); i >= 0 {
		word = word[:i]
	}
	var b strings.Builder
	for _, r := range word { // letter by letter: a sigma at the end is no final one
		b.WriteString(python.Lower(string(r)))
	}
	return b.String()
}

func hasPostscript(o *options, marker string) func(string) (bool, error) {
	switch marker {
	case "P.S.":
		return always(func(response string) bool { return postscript.MatchString(python.Lower(response)) })
	case "P.P.S":
		return always(func(response string) bool { return postscript2.MatchString(python.Lower(response)) })
	}
	r := o.regex(`(?m)\s*` + python.Lower(marker) + `.*$`)
	return func(response string) (bool, error) {
		m, err := r.Search(python.Lower(response))
		return m != nil, err
	}
}

// highlights counts what stands between asterisks on a line, and once more what stands
// between double ones.
func highlights(response string) int {
	n := 0
	for _, h := range highlight.FindAllString(response, -1) {
		if python.Strip(strings.Trim(h, "*")) != "" {
			n++
		}
	}
	for _, h := range doubleLight.FindAllString(response, -1) {
		if python.Strip(strings.TrimSuffix(strings.TrimPrefix(h, "**"), "**")) != "" {
			n++
		}
	}
	return n
}

// sections counts what the splitter, a regular expression, and a number divide.
func sections(o *options) func(string) (bool, error) {
	r := o.regex(`\s?` + python.Strip(o.text("section_spliter")) + `\s?\d+\s?`)
	n := o.number("num_sections")
	return func(response string) (bool, error) {
		pieces, err := r.Split(response)
		return float64(len(pieces)-1) >= n, err
	}
}

// withoutFence takes the code fence from around a block.
func withoutFence(s string) string {
	s = python.Strip(s)
	for _, fence := range []string{"```json", "```Json", "```JSON", "```"} {
		s = strings.TrimPrefix(s, fence)
	}
	return python.Strip(strings.TrimSuffix(s, "```"))
}

func hasTitle(response string) bool {
	for _, title := range doubleAngles.FindAllString(response, -1) {
		if python.Strip(strings.TrimRight(strings.TrimLeft(title, "<"), ">")) != "" {
			return true
		}
	}
	return false
}

// twoResponses: two different texts, six asterisks between them.
func twoResponses(response string) bool {
	parts := strings.Split(response, "******")
	var texts []string
	for i, p := range parts {
		if p = python.Strip(p); p != "" {
			texts = append(texts, p)
		} else if i > 0 && i < len(parts)-1 {
			return false
		}
	}
	return len(texts) == 2 && texts[0] != texts[1]
}
