package jinja

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// filter is an operation with what it takes.
type filter struct {
	run       operation
	undefined bool // also takes a value that is undefined
	lazy      bool // also takes arguments that are undefined
}

// filters by name. It is filled in by init, since map looks filters up.
var filters map[string]filter

func init() {
	filters = map[string]filter{
		"length":        {run: length},
		"count":         {run: length},
		"string":        {run: printed(func(s string) any { return s })},
		"lower":         {run: printed(func(s string) any { return lower(s) })},
		"upper":         {run: printed(func(s string) any { return upper(s) })},
		"capitalize":    {run: printed(func(s string) any { return capitalize(s) })},
		"title":         {run: printed(func(s string) any { return titleWords(s) })},
		"trim":          {run: trimFilter},
		"replace":       {run: replaceFilter},
		"int":           {run: toInt, lazy: true},
		"float":         {run: toFloat, lazy: true},
		"round":         {run: round},
		"abs":           {run: abs},
		"list":          {run: list},
		"join":          {run: joinFilter},
		"first":         {run: firstOf},
		"last":          {run: lastOf},
		"reverse":       {run: reverse},
		"sort":          {run: sorted},
		"unique":        {run: unique},
		"min":           {run: extreme(-1)},
		"max":           {run: extreme(1)},
		"map":           {run: mapFilter},
		"select":        {run: choosing(true, false)},
		"reject":        {run: choosing(false, false)},
		"selectattr":    {run: choosing(true, true)},
		"rejectattr":    {run: choosing(false, true)},
		"items":         {run: itemsFilter, undefined: true},
		"default":       {run: defaultFilter, undefined: true, lazy: true},
		"d":             {run: defaultFilter, undefined: true, lazy: true},
		"regex_replace": {run: regexReplace},
	}
}

func length(_ *rendering, of any, a values) (any, error) {
	if _, err := a.bind(0); err != nil {
		return nil, err
	}
	switch v := of.(type) {
	case string:
		return int64(utf8.RuneCountInString(v)), nil
	case *loopState:
		return int64(len(v.items)), nil
	}
	if n, ok := size(of); ok {
		return int64(n), nil
	}
	return nil, fmt.Errorf("it has no length")
}

// printed makes a filter of a function over the printed value.
func printed(f func(string) any) operation {
	return func(r *rendering, of any, a values) (any, error) {
		if _, err := a.bind(0); err != nil {
			return nil, err
		}
		s, err := r.print(of)
		if err != nil {
			return nil, err
		}
		return f(s), nil
	}
}

func trimFilter(r *rendering, of any, a values) (any, error) {
	args, err := a.bind(0, "chars")
	if err != nil {
		return nil, err
	}
	s, err := r.print(of)
	if err != nil {
		return nil, err
	}
	return trim(strings.TrimFunc)(r, s, values{positional: args})
}

func replaceFilter(r *rendering, of any, a values) (any, error) {
	args, err := a.bind(2, "old", "new", "count")
	if err != nil {
		return nil, err
	}
	var texts [3]string
	for i, v := range []any{of, args[0], args[1]} {
		if texts[i], err = r.print(v); err != nil {
			return nil, err
		}
	}
	if args[2] == nil {
		args[2] = omitted{}
	}
	n, err := wholeOr(args[2], -1)
	if err != nil {
		return nil, err
	}
	return r.replace(texts[0], texts[1], texts[2], n)
}

// replace charges for the result before it makes it.
func (r *rendering) replace(s, from, to string, n int64) (any, error) {
	count := int64(strings.Count(s, from))
	if n >= 0 {
		count = min(count, n)
	}
	if grown := len(to) - len(from); grown > 0 {
		if count > budget/int64(grown) {
			return nil, errBudget
		}
		if err := r.charge(int(count) * grown); err != nil {
			return nil, err
		}
	}
	return strings.Replace(s, from, to, int(count)), nil
}

// toInt gives the default, 0, for what is no number.
func toInt(_ *rendering, of any, a values) (any, error) {
	args, err := a.bind(0, "default", "base")
	if err != nil {
		return nil, err
	}
	otherwise := any(int64(0))
	if given(args[0]) {
		otherwise = args[0]
	}
	if n, err := wholeOr(args[1], 10); err != nil || n != 10 {
		return nil, refuse("a base other than 10")
	}
	if s, ok := of.(string); ok {
		if n, ok, err := parseInt(s); ok || err != nil {
			return n, err
		}
	}
	if u, ok := of.(*undefined); ok {
		return nil, u.fault
	}
	x, ok := asFloat(of)
	if n, isWhole := whole(of); isWhole {
		return n, nil
	}
	switch {
	case !ok || math.IsNaN(x):
		return otherwise, nil
	case math.IsInf(x, 0):
		if _, isText := of.(string); isText {
			return otherwise, nil
		}
		// int(inf) raises OverflowError outside Jinja's reach
		return nil, fmt.Errorf("infinity is no whole number")
	case math.Abs(x) >= 1<<63:
		return nil, errWide
	}
	return int64(x), nil
}

// parseInt reads what Python's int() reads from text: digits of any script with
// single underscores between them, a sign, and white space around.
func parseInt(s string) (n int64, ok bool, err error) {
	digits, ok := asciiDigits(strings.TrimFunc(s, IsSpace))
	unsigned := strings.TrimLeft(digits, "+-")
	if !ok || len(digits)-len(unsigned) > 1 || unsigned == "" || strings.Trim(unsigned, "0123456789") != "" {
		return 0, false, nil
	}
	if n, err = strconv.ParseInt(digits, 10, 64); err != nil {
		return 0, false, errWide
	}
	return n, true, nil
}

// asciiDigits writes decimal digits of every script as those of ASCII and takes
// single underscores between digits out; ok is false when one stands elsewhere.
func asciiDigits(s string) (string, bool) {
	var b strings.Builder
	afterDigit, underscore := false, false
	for _, r := range s {
		d, isDigit := digitValue(r)
		switch {
		case r == '_' && afterDigit && !underscore:
			underscore = true
			continue
		case r == '_' || underscore && !isDigit:
			return "", false
		case isDigit:
			b.WriteByte('0' + d)
		default:
			b.WriteRune(r)
		}
		afterDigit, underscore = isDigit, false
	}
	return b.String(), !underscore
}

// asFloat is Python's float().
func asFloat(v any) (float64, bool) {
	if _, x, _, ok := number(v); ok {
		return x, true
	}
	s, ok := v.(string)
	if !ok {
		return 0, false
	}
	text, ok := asciiDigits(strings.TrimFunc(s, IsSpace))
	if !ok {
		return 0, false
	}
	bare := strings.ToLower(strings.TrimLeft(text, "+-"))
	if strings.Trim(bare, "0123456789.e+-") != "" && bare != "inf" && bare != "infinity" && bare != "nan" {
		return 0, false // such as a hexadecimal number, which only Go reads
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(x, 0) {
		if bare == "nan" && len(text)-len(bare) <= 1 { // Go reads no sign there
			return math.NaN(), true
		}
		return 0, false
	}
	return x, true
}

func toFloat(_ *rendering, of any, a values) (any, error) {
	args, err := a.bind(0, "default")
	if err != nil {
		return nil, err
	}
	if u, ok := of.(*undefined); ok {
		return nil, u.fault
	}
	if x, ok := asFloat(of); ok {
		return x, nil
	}
	if given(args[0]) {
		return args[0], nil
	}
	return 0.0, nil
}

func round(_ *rendering, of any, a values) (any, error) {
	args, err := a.bind(0, "precision", "method")
	if err != nil {
		return nil, err
	}
	n, err := wholeOr(args[0], 0)
	if err != nil {
		return nil, err
	}
	how, err := textOr(args[1], "common")
	if err != nil {
		return nil, err
	}
	i, x, isWhole, ok := number(of)
	switch {
	case !ok:
		return nil, fmt.Errorf("want a number")
	case n < 0 || n > 22:
		return nil, refuse("a precision of %d digits", n)
	case how == "common" && isWhole:
		return i, nil
	case how == "common" && (math.IsInf(x, 0) || math.IsNaN(x)):
		return x, nil
	case how == "common": // the decimal nearest to x, ties to even, as Python's round finds it
		return strconv.ParseFloat(strconv.FormatFloat(x, 'f', int(n), 64), 64)
	case how != "ceil" && how != "floor":
		return nil, fmt.Errorf("the method must be common, ceil or floor")
	case isWhole:
		return float64(i), nil
	case math.IsInf(x, 0) || math.IsNaN(x):
		return nil, fmt.Errorf("it is not finite")
	}
	scale := math.Pow10(int(n))
	x *= scale
	if how == "ceil" {
		x = math.Ceil(x)
	} else {
		x = math.Floor(x)
	}
	if x == 0 {
		x = 0 // Python's whole number in between has no sign
	}
	return x / scale, nil
}

func abs(_ *rendering, of any, a values) (any, error) {
	if _, err := a.bind(0); err != nil {
		return nil, err
	}
	i, x, isWhole, ok := number(of)
	switch {
	case !ok:
		return nil, fmt.Errorf("want a number")
	case !isWhole:
		return math.Abs(x), nil
	case i == math.MinInt64:
		return nil, errWide
	case i < 0:
		return -i, nil
	}
	return i, nil
}

func list(r *rendering, of any, a values) (any, error) {
	if _, err := a.bind(0); err != nil {
		return nil, err
	}
	return r.copied(of)
}

// copied gives the elements of a value as a list of their own, never nil.
func (r *rendering) copied(of any) ([]any, error) {
	items, err := r.items(of)
	if err != nil {
		return nil, err
	}
	return append(make([]any, 0, len(items)), items...), r.charge(elementCost * len(items))
}

func joinFilter(r *rendering, of any, a values) (any, error) {
	args, err := a.bind(0, "d", "attribute")
	if err != nil {
		return nil, err
	}
	sep := ""
	if given(args[0]) {
		if sep, err = r.print(args[0]); err != nil {
			return nil, err
		}
	}
	items, err := r.items(of)
	if err != nil {
		return nil, err
	}
	path, err := attributePath(args[1])
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for i, x := range items {
		if x, err = r.follow(x, path); err != nil {
			return nil, err
		}
		s, err := r.print(x)
		if err != nil {
			return nil, err
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

func (r *rendering) nothing(what string) *undefined {
	return r.undefined(fault(r.at, what+": it is empty"))
}

func firstOf(r *rendering, of any, a values) (any, error) {
	if _, err := a.bind(0); err != nil {
		return nil, err
	}
	if g, ok := of.(*generator); ok && len(g.items) > 0 {
		x := g.items[0]
		g.items = g.items[1:]
		return x, nil
	}
	items, err := r.items(of)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return r.nothing("there is no first element"), nil
	}
	return items[0], nil
}

func lastOf(r *rendering, of any, a values) (any, error) {
	if _, err := a.bind(0); err != nil {
		return nil, err
	}
	if _, ok := of.(*generator); ok {
		return nil, fmt.Errorf("its end cannot be seen")
	}
	items, err := r.items(of)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return r.nothing("there is no last element"), nil
	}
	return items[len(items)-1], nil
}

func reverse(r *rendering, of any, a values) (any, error) {
	if _, err := a.bind(0); err != nil {
		return nil, err
	}
	items, err := r.copied(of)
	if err != nil {
		return nil, err
	}
	slices.Reverse(items)
	if _, ok := of.(string); !ok {
		if _, ok := of.(*generator); ok {
			return items, nil // Jinja makes a list where it cannot go backwards
		}
		return &generator{items}, nil
	}
	var b strings.Builder
	for _, x := range items {
		b.WriteString(x.(string))
	}
	return b.String(), nil
}

func itemsFilter(r *rendering, of any, a values) (any, error) {
	if _, err := a.bind(0); err != nil {
		return nil, err
	}
	if _, ok := of.(*undefined); ok {
		return &generator{}, nil
	}
	d, err := r.ordered(of)
	if err != nil {
		return nil, err
	}
	return &generator{pairs(d)}, r.charge(2 * weight(d))
}

func pairs(d *Dict) []any {
	out := make([]any, 0, d.Len())
	for k, v := range d.All() {
		out = append(out, Tuple{k, v})
	}
	return out
}

func defaultFilter(_ *rendering, of any, a values) (any, error) {
	args, err := a.bind(0, "default_value", "boolean")
	if err != nil {
		return nil, err
	}
	otherwise := any("")
	if given(args[0]) {
		otherwise = args[0]
	}
	if _, ok := of.(*undefined); ok {
		return otherwise, nil
	}
	if given(args[1]) {
		strict, err := truth(args[1])
		if err != nil {
			return nil, err
		}
		if ok, _ := truth(of); strict && !ok {
			return otherwise, nil
		}
	}
	return of, nil
}
