package safetensors

import (
	"math"
	"strings"

	"mergesearch"
	"mergesearch/merge/jsonscan"
)

// shortReader reads what a header says of a tensor where nothing is unusual about it, in
// a third of readInfo's time. Whatever it does not know it leaves to readInfo, which has
// the rules and the words for what is wrong: what it accepts, readInfo accepts too, with
// the same result.
type shortReader struct {
	text  string
	at    int
	bad   bool  // something is unusual
	shape []int // room for the shapes of many tensors
}

// read reads the value of a tensor's name. If it reports false, nothing has been read.
func (r *shortReader) read(s *jsonscan.Scanner, name string) (Info, bool) {
	r.text, r.at, r.bad = s.Source, s.At, false
	t := Info{Name: name}
	if len(name) == 0 || len(name) > MaxNameBytes || !isPrintable(name) || !r.takes('{') {
		return Info{}, false
	}
	for have := 0; !r.bad; {
		field := 0
		switch r.key() {
		case infoFields[0]:
			field, t.DType = 1, r.dtype()
		case infoFields[1]:
			field, t.Shape = 2, r.shapeOf()
		case infoFields[2]:
			field = 4
			r.want('[')
			t.Begin = r.number(math.MaxInt64)
			r.want(',')
			t.End = r.number(math.MaxInt64)
			r.want(']')
		}
		if field == 0 || have&field != 0 {
			return Info{}, false
		}
		if have |= field; have == 7 {
			r.want('}')
			break
		}
		r.want(',')
	}
	if r.bad || t.checkBytes() != nil {
		return Info{}, false
	}
	s.At = r.at
	return t, true
}

func (r *shortReader) skipSpace() {
	for r.at < len(r.text) && (r.text[r.at] == ' ' || r.text[r.at] == '\t' || r.text[r.at] == '\n' || r.text[r.at] == '\r') {
		r.at++
	}
}

// takes skips space and takes c, if it comes next.
func (r *shortReader) takes(c byte) bool {
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	r.skipSpace()
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *shortReader) want(c byte) {
	if !r.takes(c) {
		r.bad = true
	}
}

// word returns a string of at most 12 bytes as it stands, escapes included.
func (r *shortReader) word() string {
	r.want('"')
	rest := r.text[r.at:]
	n := strings.IndexByte(rest[:min(len(rest), 13)], '"')
	if n < 0 {
		r.bad = true
		return ""
	}
	r.at += n + 1
	return rest[:n]
}

func (r *shortReader) key() string {
	key := r.word()
	r.want(':')
	return key
}

func (r *shortReader) dtype() mergesearch.DType {
	d := mergesearch.DType(r.word())
	if d.Size() == 0 {
		r.bad = true
	}
	return d
}

// number reads a whole number of at most 18 digits.
func (r *shortReader) number(most int64) int64 {
	r.skipSpace()
	from, n := r.at, int64(0)
	for ; r.at < len(r.text) && r.text[r.at]-'0' <= 9; r.at++ {
		n = 10*n + int64(r.text[r.at]-'0')
	}
	digits := r.at - from
	if digits == 0 || digits > 18 || digits > 1 && r.text[from] == '0' || n > most {
		r.bad = true
	}
	return n
}

func (r *shortReader) shapeOf() []int {
	if cap(r.shape)-len(r.shape) < MaxRank {
		r.shape = make([]int, 0, 4096)
	}
	r.want('[')
	from := len(r.shape)
	if r.takes(']') {
		return r.shape[from:from:from]
	}
	for !r.bad {
		if len(r.shape)-from == MaxRank {
			r.bad = true
			break
		}
		r.shape = append(r.shape, int(r.number(math.MaxInt32*1024)))
		if r.takes(']') {
			break
		}
		r.want(',')
	}
	return r.shape[from:len(r.shape):len(r.shape)]
}
