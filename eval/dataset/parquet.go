package dataset

import (
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"mergesearch"
)

// readParquet reads every record of a parquet file. What the file declares is checked
// before anything is decoded.
func readParquet(file io.ReaderAt, size int64) (docs []Document, err error) {
	column := ""
	defer func() { // the decoder panics on some damaged files
		if r := recover(); r != nil {
			docs, err = nil, damaged(len(docs), column, fmt.Errorf("%v", r))
		}
	}()
	if err := checkFooter(file, size); err != nil {
		return nil, err
	}
	f, err := parquet.OpenFile(file, size, parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return nil, &mergesearch.InputError{Problem: "not a parquet file, or damaged: " + err.Error()}
	}
	columns, err := schemaOf(f.Metadata().Schema)
	if err != nil {
		return nil, err
	}
	if err := checkSizes(f.Metadata(), file, size); err != nil {
		return nil, err
	}
	r := &recordReader{column: &column, left: decodedLimit(size)}
	for _, c := range columns {
		r.leaves = max(r.leaves, c.lastLeaf()+1)
	}
	r.values = make([][]parquet.Value, r.leaves)
	buffer := make([]parquet.Row, 64)
	for _, group := range f.RowGroups() {
		rows := group.Rows()
		for {
			n, readErr := rows.ReadRows(buffer)
			for _, row := range buffer[:n] {
				fields, err := r.record(columns, row)
				if err != nil {
					_ = rows.Close()
					return nil, damaged(len(docs), column, err)
				}
				docs = append(docs, Document{Place: len(docs) + 1, Fields: fields})
			}
			if errors.Is(readErr, io.EOF) {
				break
			}
			if readErr != nil || n == 0 {
				_ = rows.Close()
				if readErr == nil {
					readErr = io.ErrUnexpectedEOF
				}
				return nil, damaged(len(docs), "", readErr)
			}
		}
		if err := rows.Close(); err != nil {
			return nil, damaged(len(docs), "", err)
		}
	}
	if int64(len(docs)) != f.NumRows() {
		return nil, damaged(len(docs), "", fmt.Errorf("the file declares %d records and holds %d", f.NumRows(), len(docs)))
	}
	return docs, nil
}

func damaged(before int, column string, cause error) error {
	var in *mergesearch.InputError
	if errors.As(cause, &in) {
		return cause
	}
	return &mergesearch.InputError{Field: column, Problem: fmt.Sprintf("record %d: %v", before+1, cause)}
}

// schemaNode is a column, or a part of one.
type schemaNode struct {
	name               string
	optional, repeated bool
	definition         int // level of a value that is there
	repetition         int // level at which it repeats
	leaf               int // number among the leaves; -1 for groups
	kids               []*schemaNode
	list, mapping      bool
	element            format.SchemaElement
}

func (n *schemaNode) firstLeaf() int {
	for n.leaf < 0 {
		n = n.kids[0]
	}
	return n.leaf
}

func (n *schemaNode) lastLeaf() int {
	for n.leaf < 0 {
		n = n.kids[len(n.kids)-1]
	}
	return n.leaf
}

// schemaOf builds the tree of columns from the flat list in the footer.
func schemaOf(elements []format.SchemaElement) ([]*schemaNode, error) {
	bad := func(problem string) error {
		return &mergesearch.InputError{Problem: "the schema is damaged: " + problem}
	}
	next, leaves := 0, 0
	var build func(parent *schemaNode, depth int) (*schemaNode, error)
	build = func(parent *schemaNode, depth int) (*schemaNode, error) {
		if next == len(elements) {
			return nil, bad("elements are missing")
		}
		if depth > maxDepth {
			return nil, bad("too deep")
		}
		e := elements[next]
		next++
		n := &schemaNode{name: e.Name, leaf: -1, element: e}
		if parent != nil {
			n.definition, n.repetition = parent.definition, parent.repetition
			n.optional = e.RepetitionType.Valid && e.RepetitionType.V == format.Optional
			n.repeated = e.RepetitionType.Valid && e.RepetitionType.V == format.Repeated
			if n.optional || n.repeated {
				n.definition++
			}
			if n.repeated {
				n.repetition++
			}
		}
		if e.Type.Valid {
			n.leaf = leaves
			leaves++
			return n, nil
		}
		switch e.LogicalType.Value.(type) {
		case *format.ListType:
			n.list = true
		case *format.MapType:
			n.mapping = true
		}
		if e.ConvertedType.Valid {
			n.list = n.list || e.ConvertedType.V == deprecated.List
			n.mapping = n.mapping || e.ConvertedType.V == deprecated.Map || e.ConvertedType.V == deprecated.MapKeyValue && depth < 2
		}
		for range max(e.NumChildren.V, 0) {
			kid, err := build(n, depth+1)
			if err != nil {
				return nil, err
			}
			n.kids = append(n.kids, kid)
		}
		if len(n.kids) == 0 {
			return nil, bad("a group without columns")
		}
		if wrapped := len(n.kids) == 1 && n.kids[0].repeated; n.list || n.mapping {
			n.list, n.mapping = n.list && wrapped, n.mapping && wrapped && len(n.kids[0].kids) == 2
		}
		return n, nil
	}
	root, err := build(nil, 0)
	if err != nil {
		return nil, err
	}
	if next != len(elements) {
		return nil, bad("elements are left over")
	}
	return root.kids, nil
}

// recordReader puts records together from the values of their leaves, by definition
// and repetition levels (Melnik et al. 2010, Dremel, section 4.1).
type recordReader struct {
	leaves int
	values [][]parquet.Value // of the record at hand, by leaf; taken from the front
	column *string           // the top-level column at work
	left   int64             // bytes that may still be decoded
}

var (
	errTooMuch = errors.New("the values take far more room than a file of this size should hold")
	errLevels  = errors.New("the levels of its values contradict each other")
)

func (r *recordReader) record(columns []*schemaNode, row parquet.Row) (*Object, error) {
	for i := range r.values {
		r.values[i] = r.values[i][:0]
	}
	for _, v := range row {
		c := v.Column()
		if c < 0 || c >= r.leaves {
			return nil, errLevels
		}
		r.values[c] = append(r.values[c], v)
	}
	fields := new(Object)
	for _, c := range columns {
		*r.column = c.name
		v, err := r.field(c)
		if err != nil {
			return nil, err
		}
		fields.Set(c.name, v)
	}
	*r.column = ""
	for _, left := range r.values {
		if len(left) > 0 {
			return nil, errLevels
		}
	}
	return fields, nil
}

// peek returns the next value of the first leaf below n.
func (r *recordReader) peek(n *schemaNode) (parquet.Value, error) {
	left := r.values[n.firstLeaf()]
	if len(left) == 0 {
		return parquet.Value{}, errLevels
	}
	return left[0], nil
}

// skip takes the placeholder of something absent from every leaf below n.
func (r *recordReader) skip(n *schemaNode) error {
	for leaf := n.firstLeaf(); leaf <= n.lastLeaf(); leaf++ {
		if len(r.values[leaf]) == 0 {
			return errLevels
		}
		r.values[leaf] = r.values[leaf][1:]
	}
	return nil
}

// field reads n, all its repetitions included.
func (r *recordReader) field(n *schemaNode) (any, error) {
	if !n.repeated {
		return r.value(n)
	}
	v, err := r.peek(n)
	if err != nil {
		return nil, err
	}
	out := []any{}
	if v.DefinitionLevel() < n.definition {
		return out, r.skip(n)
	}
	for {
		item, err := r.present(n)
		if err != nil {
			return nil, err
		}
		out = append(out, item)
		if left := r.values[n.firstLeaf()]; len(left) == 0 || left[0].RepetitionLevel() != n.repetition {
			return out, nil
		}
	}
}

// value reads one n that does not repeat, which may be absent.
func (r *recordReader) value(n *schemaNode) (any, error) {
	v, err := r.peek(n)
	if err != nil {
		return nil, err
	}
	if n.optional && v.DefinitionLevel() < n.definition {
		return nil, r.skip(n)
	}
	return r.present(n)
}

// present reads one n that is there.
func (r *recordReader) present(n *schemaNode) (any, error) {
	switch {
	case n.leaf >= 0:
		left := r.values[n.leaf]
		if len(left) == 0 {
			return nil, errLevels
		}
		r.values[n.leaf] = left[1:]
		return r.scalar(n, left[0])
	case n.list:
		items, err := r.field(n.kids[0])
		if err != nil || !wrapsElement(n, n.kids[0]) {
			return items, err
		}
		list := items.([]any)
		for i, item := range list {
			list[i], _ = item.(*Object).Get(n.kids[0].kids[0].name)
		}
		return list, nil
	case n.mapping: // as pyarrow hands it out: pairs
		items, err := r.field(n.kids[0])
		if err != nil {
			return nil, err
		}
		list := items.([]any)
		for i, item := range list {
			k, _ := item.(*Object).Get(n.kids[0].kids[0].name)
			v, _ := item.(*Object).Get(n.kids[0].kids[1].name)
			list[i] = []any{k, v}
		}
		return list, nil
	}
	out := new(Object)
	for _, k := range n.kids {
		v, err := r.field(k)
		if err != nil {
			return nil, err
		}
		out.Set(k.name, v)
	}
	return out, nil
}

// wrapsElement says whether the repeated part of a list wraps its elements in a group
// of one (LogicalTypes.md, backward compatibility rules).
func wrapsElement(list, repeated *schemaNode) bool {
	return len(repeated.kids) == 1 && repeated.name != "array" && repeated.name != list.name+"_tuple"
}

// scalar converts a value as pyarrow's to_pylist does, dates and times to text.
func (r *recordReader) scalar(n *schemaNode, v parquet.Value) (any, error) {
	if r.left -= 24; r.left < 0 {
		return nil, errTooMuch
	}
	if v.IsNull() {
		return nil, errLevels // absent values do not come here
	}
	logical, converted := n.element.LogicalType.Value, deprecated.ConvertedType(-1)
	if n.element.ConvertedType.Valid {
		converted = n.element.ConvertedType.V
	}
	unsupported := func(what string) (any, error) { return nil, errors.New(what + " is not supported") }
	if _, ok := logical.(*format.DecimalType); ok || converted == deprecated.Decimal {
		return unsupported("a decimal number")
	}
	switch v.Kind() {
	case parquet.Boolean:
		return v.Boolean(), nil
	case parquet.Int32, parquet.Int64:
		return wholeScalar(logical, converted, v)
	case parquet.Float:
		return float64(v.Float()), nil
	case parquet.Double:
		return v.Double(), nil
	case parquet.ByteArray:
		b := v.ByteArray()
		if r.left -= int64(len(b)); r.left < 0 {
			return nil, errTooMuch
		}
		if !utf8.Valid(b) {
			return unsupported("binary data (bytes that are no UTF-8)")
		}
		return string(b), nil
	}
	return unsupported("a value of type " + v.Kind().String())
}

func wholeScalar(logical format.LogicalTypeValue, converted deprecated.ConvertedType, v parquet.Value) (any, error) {
	x := v.Int64()
	if v.Kind() == parquet.Int32 {
		x = int64(v.Int32())
	}
	switch t := logical.(type) {
	case *format.DateType:
		return day(x), nil
	case *format.TimestampType:
		unit := time.Second
		switch t.Unit.Value.(type) {
		case *format.MilliSeconds:
			unit = time.Millisecond
		case *format.MicroSeconds:
			unit = time.Microsecond
		case *format.NanoSeconds:
			unit = time.Nanosecond
		}
		return moment(x, unit, t.IsAdjustedToUTC), nil
	case *format.TimeType:
		return nil, errors.New("a time of day is not supported")
	case *format.IntType:
		if !t.IsSigned {
			return unsigned(v, x)
		}
	}
	switch converted {
	case deprecated.Date:
		return day(x), nil
	case deprecated.TimestampMillis:
		return moment(x, time.Millisecond, true), nil
	case deprecated.TimestampMicros:
		return moment(x, time.Microsecond, true), nil
	case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
		return unsigned(v, x)
	}
	return x, nil
}

func unsigned(v parquet.Value, x int64) (any, error) {
	if v.Kind() == parquet.Int32 {
		return int64(uint32(x)), nil
	}
	if x < 0 {
		return nil, fmt.Errorf("the whole number %d does not fit 63 bits", uint64(x))
	}
	return x, nil
}

func day(days int64) string { return time.Unix(days*86400, 0).UTC().Format(time.DateOnly) }

// moment prints a time as str of a Python datetime: microseconds if there are any,
// +00:00 if it is one of UTC.
func moment(x int64, unit time.Duration, utc bool) string {
	perSecond := int64(time.Second / unit)
	seconds, rest := x/perSecond, x%perSecond
	if rest < 0 {
		seconds, rest = seconds-1, rest+perSecond
	}
	layout := time.DateTime
	if micros := rest * int64(unit) / 1000; micros > 0 {
		layout += ".000000"
	}
	if utc {
		layout += "+00:00"
	}
	return time.Unix(seconds, rest*int64(unit)).UTC().Format(layout)
}
