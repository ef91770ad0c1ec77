package jinja

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// methods by type and name. They are those that read; what changes a value, such as
// append, is refused, since a document is never changed.
var (
	textMethods = map[string]operation{
		"strip":        trim(strings.TrimFunc),
		"lstrip":       trim(strings.TrimLeftFunc),
		"rstrip":       trim(strings.TrimRightFunc),
		"lower":        onText(func(s string) any { return lower(s) }),
		"upper":        onText(func(s string) any { return upper(s) }),
		"capitalize":   onText(func(s string) any { return capitalize(s) }),
		"title":        onText(func(s string) any { return title(s) }),
		"replace":      replaceMethod,
		"split":        split(false),
		"rsplit":       split(true),
		"splitlines":   splitLines,
		"partition":    partition(strings.Index),
		"rpartition":   partition(strings.LastIndex),
		"join":         joinMethod,
		"index":        find(strings.Index, true),
		"rindex":       find(strings.LastIndex, true),
		"find":         find(strings.Index, false),
		"rfind":        find(strings.LastIndex, false),
		"count":        countText,
		"startswith":   affix(strings.HasPrefix),
		"endswith":     affix(strings.HasSuffix),
		"removeprefix": removeAffix(strings.TrimPrefix),
		"removesuffix": removeAffix(strings.TrimSuffix),
		"isalpha":      every(unicode.IsLetter),
		"isalnum":      every(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }),
		"isdigit":      every(isDigitRune),
		"isdecimal":    every(func(r rune) bool { return unicode.Is(unicode.Nd, r) }),
		"isspace":      every(IsSpace),
		"islower":      onText(func(s string) any { return oneCase(s, isLower) }),
		"isupper":      onText(func(s string) any { return oneCase(s, isUpper) }),
		"zfill":        zeroFill,
	}
	listMethods = map[string]operation{
		"index": listIndex,
		"count": listCount,
	}
	dictMethods = map[string]operation{
		"get":    dictGet,
		"keys":   dictView("keys", func(d *Dict) []any { return d.keys }),
		"values": dictView("values", func(d *Dict) []any { return d.values }),
		"items":  dictView("items", pairs),
	}

	// refusedMethods are Python's other methods and attributes of each type: in
	// Jinja they come before a key of the same name.
	refusedText = words(`casefold center encode expandtabs format format_map isascii isidentifier isnumeric isprintable
		istitle ljust maketrans rjust swapcase translate`)
	refusedList   = words("append clear copy extend insert pop remove reverse sort")
	refusedDict   = words("clear copy fromkeys pop popitem setdefault update")
	refusedRange  = words("start step stop")
	refusedView   = words("isdisjoint mapping")
	refusedNumber = words(`real imag numerator denominator conjugate bit_length bit_count to_bytes from_bytes
		as_integer_ratio is_integer hex fromhex`)

	// knownMethods are the names that can be called on something.
	knownMethods = map[string]bool{"cycle": true}
)

func init() {
	for _, of := range []map[string]operation{textMethods, listMethods, dictMethods} {
		for name := range of {
			knownMethods[name] = true
		}
	}
}

func words(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(s) {
		out[w] = true
	}
	return out
}

func methodsOf(v any) map[string]operation {
	switch v.(type) {
	case string:
		return textMethods
	case []any, Tuple, span:
		return listMethods
	case map[string]any, *Dict:
		return dictMethods
	}
	return nil
}

func pythonMethods(v any) map[string]bool {
	switch v.(type) {
	case string:
		return refusedText
	case []any:
		return refusedList
	case map[string]any, *Dict:
		return refusedDict
	case span:
		return refusedRange
	case view:
		return refusedView
	case bool, int64, float64:
		return refusedNumber
	}
	return nil
}

// textsOf takes a text and the arguments of one of its methods.
func textsOf(of any, a values, required int, names ...string) (string, []any, error) {
	if len(a.named) > 0 {
		return "", nil, fmt.Errorf("takes no named arguments")
	}
	args, err := a.bind(required, names...)
	return of.(string), args, err
}

func onText(f func(string) any) operation {
	return func(_ *rendering, of any, a values) (any, error) {
		s, _, err := textsOf(of, a, 0)
		return f(s), err
	}
}

// every reports whether a text is not empty and all of it satisfies ok.
func every(ok func(rune) bool) operation {
	return onText(func(s string) any {
		return s != "" && strings.IndexFunc(s, func(r rune) bool { return !ok(r) }) < 0
	})
}

func trim(cut func(string, func(rune) bool) string) operation {
	return func(r *rendering, of any, a values) (any, error) {
		s, args, err := textsOf(of, a, 0, "chars")
		if err != nil {
			return nil, err
		}
		if !given(args[0]) || args[0] == nil {
			return cut(s, IsSpace), nil
		}
		chars, ok := args[0].(string)
		if !ok {
			return nil, fmt.Errorf("want the characters to remove, found %s", typeName(args[0]))
		}
		set := map[rune]bool{}
		for _, c := range chars {
			set[c] = true
		}
		return cut(s, func(c rune) bool { return set[c] }), nil
	}
}

func replaceMethod(r *rendering, of any, a values) (any, error) {
	s, args, err := textsOf(of, a, 2, "old", "new", "count")
	if err != nil {
		return nil, err
	}
	from, err := textOr(args[0], "")
	if err != nil {
		return nil, err
	}
	to, err := textOr(args[1], "")
	if err != nil {
		return nil, err
	}
	n, err := wholeOr(args[2], -1)
	if err != nil {
		return nil, err
	}
	return r.replace(s, from, to, n)
}

// split is split, and rsplit when it is backwards.
func split(backwards bool) operation {
	return func(r *rendering, of any, a values) (any, error) {
		args, err := a.bind(0, "sep", "maxsplit")
		if err != nil {
			return nil, err
		}
		most, err := wholeOr(args[1], -1)
		if err != nil {
			return nil, err
		}
		s := of.(string)
		var parts []string
		if !given(args[0]) || args[0] == nil {
			parts = splitSpace(s, most, backwards)
		} else if sep, err := textOr(args[0], ""); err != nil {
			return nil, err
		} else if sep == "" {
			return nil, fmt.Errorf("the separator is empty")
		} else {
			parts = splitAt(s, sep, most, backwards)
		}
		return texts(parts), nil
	}
}

func texts(parts []string) []any {
	out := make([]any, len(parts))
	for i, p := range parts {
		out[i] = p
	}
	return out
}

func splitAt(s, sep string, most int64, backwards bool) []string {
	parts := strings.Split(s, sep)
	switch {
	case most < 0 || most >= int64(len(parts)-1):
		return parts
	case backwards && strings.Count(s, sep) > 0:
		return splitFromEnd(s, sep, int(most))
	}
	return strings.SplitN(s, sep, int(most)+1)
}

func splitFromEnd(s, sep string, most int) []string {
	var back []string
	for range most {
		i := strings.LastIndex(s, sep)
		back = append(back, s[i+len(sep):])
		s = s[:i]
	}
	out := []string{s}
	for i := len(back) - 1; i >= 0; i-- {
		out = append(out, back[i])
	}
	return out
}

// splitSpace splits at white space; what is left after the last split keeps its
// inner and far white space.
func splitSpace(s string, most int64, backwards bool) []string {
	parts := strings.FieldsFunc(s, IsSpace)
	if most < 0 || most >= int64(len(parts)) {
		return parts
	}
	n := int(most)
	if backwards {
		for range n {
			s = strings.TrimRightFunc(s, IsSpace)
			s = s[:len(s)-len(lastWord(s))]
		}
		return append([]string{strings.TrimRightFunc(s, IsSpace)}, parts[len(parts)-n:]...)
	}
	for range n {
		s = strings.TrimLeftFunc(s, IsSpace)
		s = strings.TrimLeftFunc(s, func(r rune) bool { return !IsSpace(r) })
	}
	return append(parts[:n:n], strings.TrimLeftFunc(s, IsSpace))
}

// lastWord is what follows the last white space.
func lastWord(s string) string {
	rest := strings.TrimRightFunc(s, func(r rune) bool { return !IsSpace(r) })
	return s[len(rest):]
}

func lineEnd(r rune) bool {
	return r >= '\n' && r <= '\r' || r >= 0x1c && r <= 0x1e || r == 0x85 || r == 0x2028 || r == 0x2029
}

func splitLines(_ *rendering, of any, a values) (any, error) {
	args, err := a.bind(0, "keepends")
	if err != nil {
		return nil, err
	}
	keep := false
	if given(args[0]) {
		if keep, err = truth(args[0]); err != nil {
			return nil, err
		}
	}
	out := []any{}
	for s := of.(string); s != ""; {
		end := strings.IndexFunc(s, lineEnd)
		if end < 0 {
			return append(out, s), nil
		}
		_, width := utf8.DecodeRuneInString(s[end:])
		if strings.HasPrefix(s[end:], "\r\n") {
			width = 2
		}
		if keep {
			out = append(out, s[:end+width])
		} else {
			out = append(out, s[:end])
		}
		s = s[end+width:]
	}
	return out, nil
}

func partition(search func(s, sub string) int) operation {
	fromEnd := search("aa", "a") == 1
	return func(_ *rendering, of any, a values) (any, error) {
		s, args, err := textsOf(of, a, 1, "sep")
		if err != nil {
			return nil, err
		}
		sep, err := textOr(args[0], "")
		switch i := search(s, sep); {
		case err != nil:
			return nil, err
		case sep == "":
			return nil, fmt.Errorf("the separator is empty")
		case i >= 0:
			return Tuple{s[:i], sep, s[i+len(sep):]}, nil
		case fromEnd:
			return Tuple{"", "", s}, nil
		}
		return Tuple{s, "", ""}, nil
	}
}

func joinMethod(r *rendering, of any, a values) (any, error) {
	sep, args, err := textsOf(of, a, 1, "iterable")
	if err != nil {
		return nil, err
	}
	items, err := r.items(args[0])
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for i, x := range items {
		s, ok := x.(string)
		if !ok {
			return nil, fmt.Errorf("element %d is %s, not text", i, typeName(x))
		}
		if i > 0 {
			b.WriteString(sep)
		}
		if err := r.charge(len(sep) + len(s)); err != nil {
			return nil, err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// bounded cuts a text by the arguments start and end. It returns the part, the code
// points before it, and false when start lies behind the end.
func bounded(s string, start, end any) (part string, before int, ok bool, err error) {
	if !given(start) && !given(end) {
		return s, 0, true, nil
	}
	runes := []rune(s)
	n := int64(len(runes))
	bounds := [2]int64{0, n}
	for i, v := range []any{start, end} {
		if !given(v) || v == nil {
			continue
		}
		if bounds[i], err = wholeOr(v, 0); err != nil {
			return "", 0, false, err
		}
		if bounds[i] < 0 {
			bounds[i] = max(bounds[i]+n, 0)
		}
	}
	from, to := bounds[0], min(bounds[1], n)
	if from > to {
		return "", 0, false, nil
	}
	return string(runes[from:to]), int(from), true, nil
}

func find(search func(s, sub string) int, must bool) operation {
	return func(_ *rendering, of any, a values) (any, error) {
		s, args, err := textsOf(of, a, 1, "sub", "start", "end")
		if err != nil {
			return nil, err
		}
		sub, err := textOr(args[0], "")
		if err != nil {
			return nil, err
		}
		part, before, ok, err := bounded(s, args[1], args[2])
		if err != nil {
			return nil, err
		}
		if ok {
			if i := search(part, sub); i >= 0 {
				return int64(before + utf8.RuneCountInString(part[:i])), nil
			}
		}
		if must {
			return nil, fmt.Errorf("%q is not in the text", sub)
		}
		return int64(-1), nil
	}
}

func countText(_ *rendering, of any, a values) (any, error) {
	s, args, err := textsOf(of, a, 1, "sub", "start", "end")
	if err != nil {
		return nil, err
	}
	sub, err := textOr(args[0], "")
	if err != nil {
		return nil, err
	}
	part, _, ok, err := bounded(s, args[1], args[2])
	if !ok {
		return int64(0), err
	}
	return int64(strings.Count(part, sub)), nil
}

func affix(has func(s, affix string) bool) operation {
	return func(_ *rendering, of any, a values) (any, error) {
		s, args, err := textsOf(of, a, 1, "affix", "start", "end")
		if err != nil {
			return nil, err
		}
		candidates, many := args[0].(Tuple)
		if !many {
			candidates = Tuple{args[0]}
		}
		part, _, ok, err := bounded(s, args[1], args[2])
		if err != nil {
			return nil, err
		}
		for _, c := range candidates {
			text, err := textOr(c, "")
			if err != nil {
				return nil, err
			}
			if ok && has(part, text) {
				return true, nil
			}
		}
		return false, nil
	}
}

func removeAffix(remove func(s, affix string) string) operation {
	return func(_ *rendering, of any, a values) (any, error) {
		s, args, err := textsOf(of, a, 1, "affix")
		if err != nil {
			return nil, err
		}
		text, err := textOr(args[0], "")
		return remove(s, text), err
	}
}

func zeroFill(r *rendering, of any, a values) (any, error) {
	s, args, err := textsOf(of, a, 1, "width")
	if err != nil {
		return nil, err
	}
	width, err := wholeOr(args[0], 0)
	n := int64(utf8.RuneCountInString(s))
	switch {
	case err != nil:
		return nil, err
	case width <= n:
		return s, nil
	case width > budget:
		return nil, errBudget
	}
	sign := ""
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign, s = s[:1], s[1:]
	}
	return sign + strings.Repeat("0", int(width-n)) + s, r.charge(int(width))
}

func listIndex(r *rendering, of any, a values) (any, error) {
	if len(a.named) > 0 {
		return nil, fmt.Errorf("takes no named arguments")
	}
	args, err := a.bind(1, "value", "start", "stop")
	if err != nil {
		return nil, err
	}
	if _, ok := of.(span); ok && len(a.positional) > 1 {
		return nil, fmt.Errorf("takes one argument")
	}
	items, err := r.items(of)
	if err != nil {
		return nil, err
	}
	n := int64(len(items))
	bounds := [2]int64{0, n}
	for i, v := range args[1:] {
		if bounds[i], err = wholeOr(v, bounds[i]); err != nil {
			return nil, err
		}
		if bounds[i] < 0 {
			bounds[i] = max(bounds[i]+n, 0)
		}
	}
	for i := bounds[0]; i < min(bounds[1], n); i++ {
		if same, err := r.equal(items[i], args[0]); err != nil {
			return nil, err
		} else if same {
			return i, nil
		}
	}
	return nil, fmt.Errorf("%s is not in the list", scalar(args[0]))
}

func listCount(r *rendering, of any, a values) (any, error) {
	args, err := a.bind(1, "value")
	if err != nil {
		return nil, err
	}
	items, err := r.items(of)
	if err != nil {
		return nil, err
	}
	n := int64(0)
	for _, x := range items {
		same, err := r.equal(x, args[0])
		if err != nil {
			return nil, err
		}
		if same {
			n++
		}
	}
	return n, nil
}

func dictGet(r *rendering, of any, a values) (any, error) {
	args, err := a.bind(1, "key", "default")
	if err != nil {
		return nil, err
	}
	v, ok, err := r.entry(of, args[0])
	switch {
	case ok || err != nil:
		return v, err
	case given(args[1]):
		return args[1], nil
	}
	return nil, nil
}

func dictView(name string, items func(*Dict) []any) operation {
	return func(r *rendering, of any, a values) (any, error) {
		if _, err := a.bind(0); err != nil {
			return nil, err
		}
		d, err := r.ordered(of)
		if err != nil {
			return nil, err
		}
		return view{name: name, items: items(d)}, nil
	}
}
