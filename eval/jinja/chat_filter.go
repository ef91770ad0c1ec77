package jinja

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// chatFilters are those of chat templates alone, filled in by init.
var chatFilters map[string]filter

func init() {
	chatFilters = map[string]filter{
		"tojson":   {run: toJSON},
		"safe":     {run: printed(func(s string) any { return s })}, // nothing is ever escaped
		"dictsort": {run: dictSort},
		"indent":   {run: indent},
		"sum":      {run: sum},
	}
}

// dictSort lists keys and values by key.
func dictSort(r *rendering, of any, a values) (any, error) {
	args, err := a.bind(0, "case_sensitive", "by", "reverse")
	if err != nil {
		return nil, err
	}
	by, err := textOr(args[1], "key")
	if err != nil {
		return nil, err
	}
	at := slices.Index([]string{"key", "value"}, by)
	if at < 0 {
		return nil, fmt.Errorf("sorts by key or by value, not by %q", by)
	}
	d, err := r.ordered(of)
	if err != nil {
		return nil, err
	}
	return sorted(r, pairs(d), values{keywords: []string{"case_sensitive", "reverse", "attribute"}, named: []any{args[0], args[2], int64(at)}})
}

// indent puts white space in front of the lines of a text, but the first.
func indent(r *rendering, of any, a values) (any, error) {
	args, err := a.bind(0, "width", "first", "blank")
	if err != nil {
		return nil, err
	}
	s, err := r.print(of)
	if err != nil {
		return nil, err
	}
	pad, ok := args[0].(string)
	if !ok {
		n, err := wholeOr(args[0], 4)
		if err != nil {
			return nil, err
		}
		if pad, err = r.spaces(n); err != nil {
			return nil, err
		}
	}
	var first, blank bool
	for i, flag := range []*bool{&first, &blank} {
		if given(args[i+1]) {
			if *flag, err = truth(args[i+1]); err != nil {
				return nil, err
			}
		}
	}
	v, err := splitLines(r, s+"\n", values{})
	if err != nil {
		return nil, err
	}
	lines := v.([]any)
	if err := r.charge(len(lines) * (1 + len(pad))); err != nil {
		return nil, err
	}
	var b strings.Builder
	for i, v := range lines {
		line := v.(string)
		if i > 0 {
			b.WriteByte('\n')
		}
		if i == 0 && first || i > 0 && (blank || line != "") {
			b.WriteString(pad)
		}
		b.WriteString(line)
	}
	return b.String(), nil
}

func (r *rendering) spaces(n int64) (string, error) {
	if n > budget {
		return "", errBudget
	}
	n = max(n, 0)
	return strings.Repeat(" ", int(n)), r.charge(int(n))
}

// sum adds numbers up.
func sum(r *rendering, of any, a values) (any, error) {
	args, err := a.bind(0, "attribute", "start")
	if err != nil {
		return nil, err
	}
	path, err := attributePath(args[0])
	if err != nil {
		return nil, err
	}
	items, err := r.items(of)
	if err != nil {
		return nil, err
	}
	total := any(int64(0))
	if given(args[1]) {
		total = args[1]
	}
	for _, x := range items {
		if x, err = r.follow(x, path); err != nil {
			return nil, err
		}
		if total, err = r.arithmetic("+", total, x); err != nil {
			return nil, err
		}
	}
	return total, nil
}

// toJSON is json.dumps, with ensure_ascii off.
func toJSON(r *rendering, of any, a values) (any, error) {
	args, err := a.bind(0, "ensure_ascii", "indent", "separators", "sort_keys")
	if err != nil {
		return nil, err
	}
	w := jsonWriter{r: r, item: ", ", key: ": "}
	for i, flag := range map[int]*bool{0: &w.ascii, 3: &w.sort} {
		if given(args[i]) {
			if *flag, err = truth(args[i]); err != nil {
				return nil, err
			}
		}
	}
	if given(args[1]) && args[1] != nil {
		w.lines, w.item = true, ","
		if pad, ok := args[1].(string); ok {
			w.pad = pad
		} else if n, ok := whole(args[1]); !ok {
			return nil, fmt.Errorf("indent: want a whole number, found %s", typeName(args[1]))
		} else if w.pad, err = r.spaces(n); err != nil {
			return nil, err
		}
	}
	if given(args[2]) && args[2] != nil {
		parts, err := r.items(args[2])
		if err != nil || len(parts) != 2 {
			return nil, fmt.Errorf("separators: want two texts")
		}
		for i, to := range []*string{&w.item, &w.key} {
			if *to, err = textOr(parts[i], ""); err != nil {
				return nil, err
			}
		}
	}
	err = w.value(of)
	return w.b.String(), err
}

// jsonWriter writes values as Python's json module does.
type jsonWriter struct {
	r                  *rendering
	b                  strings.Builder
	item, key          string // separators
	ascii, sort, lines bool
	pad                string // of one level, with lines
	level              int
}

func (w *jsonWriter) value(v any) error {
	if err := w.r.enter(); err != nil {
		return err
	}
	defer w.r.leave()
	switch v := v.(type) {
	case nil:
		w.b.WriteString("null")
	case bool:
		w.b.WriteString(strconv.FormatBool(v))
	case int64:
		w.b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		w.b.WriteString(jsonFloat(v))
	case string:
		return w.text(v)
	case []any:
		return w.list(v)
	case Tuple:
		return w.list(v)
	case map[string]any, *Dict:
		d, err := w.r.ordered(v)
		if err != nil {
			return err
		}
		return w.dict(d)
	case *undefined:
		return v.fault
	default:
		return fmt.Errorf("%s cannot be written as JSON", typeName(v))
	}
	return nil
}

func jsonFloat(x float64) string {
	switch {
	case math.IsNaN(x):
		return "NaN"
	case math.IsInf(x, 1):
		return "Infinity"
	case math.IsInf(x, -1):
		return "-Infinity"
	}
	return floatRepr(x)
}

// each writes n elements between brackets.
func (w *jsonWriter) each(open, shut string, n int, one func(i int) error) error {
	w.b.WriteString(open)
	w.level++
	for i := range n {
		if i > 0 {
			if err := w.separator(w.item); err != nil {
				return err
			}
		}
		if err := w.newline(); err != nil {
			return err
		}
		if err := one(i); err != nil {
			return err
		}
	}
	w.level--
	if n > 0 {
		if err := w.newline(); err != nil {
			return err
		}
	}
	w.b.WriteString(shut)
	return nil
}

func (w *jsonWriter) separator(s string) error {
	if err := w.r.charge(len(s)); err != nil {
		return err
	}
	w.b.WriteString(s)
	return nil
}

func (w *jsonWriter) newline() error {
	if !w.lines {
		return nil
	}
	if err := w.r.charge(1 + w.level*len(w.pad)); err != nil {
		return err
	}
	w.b.WriteString("\n" + strings.Repeat(w.pad, w.level))
	return nil
}

func (w *jsonWriter) list(items []any) error {
	return w.each("[", "]", len(items), func(i int) error { return w.value(items[i]) })
}

func (w *jsonWriter) dict(d *Dict) error {
	order := make([]int, d.Len())
	names := make([]string, d.Len())
	for i, k := range d.keys {
		order[i] = i
		switch k := k.(type) {
		case string:
			names[i] = k
		case nil:
			names[i] = "null"
		case bool:
			names[i] = strconv.FormatBool(k)
		case int64:
			names[i] = strconv.FormatInt(k, 10)
		case float64:
			names[i] = jsonFloat(k)
		default:
			return fmt.Errorf("%s cannot be a key in JSON", typeName(k))
		}
	}
	if w.sort {
		slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(names[a], names[b]) })
	}
	return w.each("{", "}", len(order), func(i int) error {
		if err := w.text(names[order[i]]); err != nil {
			return err
		}
		if err := w.separator(w.key); err != nil {
			return err
		}
		return w.value(d.values[order[i]])
	})
}

var jsonEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}

func (w *jsonWriter) text(s string) error {
	if err := w.r.charge(len(s)); err != nil {
		return err
	}
	w.b.WriteByte('"')
	for _, c := range s {
		escape, known := jsonEscapes[c]
		switch {
		case known:
			w.b.WriteString(escape)
		case c < ' ', w.ascii && c >= 0x7f && c <= 0xffff:
			fmt.Fprintf(&w.b, `\u%04x`, c)
		case w.ascii && c > 0xffff:
			c -= 0x10000
			fmt.Fprintf(&w.b, `\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		default:
			w.b.WriteRune(c)
		}
	}
	w.b.WriteByte('"')
	return nil
}

// layouts are the directives of strftime as time.Format has them.
var layouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'd': "02", 'm': "01", 'y': "06", 'Y': "2006",
	'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'j': "002", 'F': "2006-01-02", 'T': "15:04:05",
	'f': "000000", 'e': "_2", 'D': "01/02/06", 'R': "15:04",
}

// strftime writes a time as Python's strftime does in the C locale.
func strftime(r *rendering, t time.Time, format string) (string, error) {
	if err := r.charge(elementCost * len(format)); err != nil {
		return "", err
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		c := format[i]
		pad := true
		if c == '-' && i+1 < len(format) { // without the leading zero
			i++
			c, pad = format[i], false
		}
		layout, ok := layouts[c]
		switch {
		case c == '%' && pad:
			b.WriteByte('%')
		case !ok:
			return "", refuse("the directive %%%c", c)
		case c == 'f':
			fmt.Fprintf(&b, "%06d", t.Nanosecond()/1000)
		case pad:
			b.WriteString(t.Format(layout))
		default:
			s := strings.TrimLeft(t.Format(layout), "0 ")
			if s == "" {
				s = "0"
			}
			b.WriteString(s)
		}
	}
	return b.String(), nil
}
