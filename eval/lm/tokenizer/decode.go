package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// decoder turns tokens into text: a chain of steps on each token, then the
// tokens are joined, then characters are stripped from the ends of the whole.
type decoder struct {
	token        []func(token string, first bool) string
	byteFallback bool // <0x0A> is the byte 0x0A
	byteLevel    bool // GPT-2's alphabet
	fused        bool
	strips       []stripFile // of the whole
}

type stripFile struct {
	Type    string
	Content string
	Start   int
	Stop    int
}

func newDecoder(raw json.RawMessage) (decoder, error) {
	var d decoder
	kind, err := component(raw, "decoder")
	if err == nil && kind == "" {
		err = problem("decoder", "missing: the text of tokens is not known")
	}
	if err == nil {
		err = d.read(raw, "decoder", 0)
	}
	return d, err
}

func (d *decoder) read(raw json.RawMessage, field string, depth int) error {
	kind, err := component(raw, field)
	if err != nil {
		return err
	}
	if d.fused && kind != "Strip" && kind != "Fuse" {
		return problem(field, kind+" after the tokens are joined is not supported")
	}
	if d.byteLevel || d.byteFallback && kind != "Fuse" && !d.fused {
		return problem(field, kind+" after bytes are decoded is not supported")
	}
	var simple struct{ Type string }
	switch kind {
	case "Sequence":
		return d.sequence(raw, field, depth)
	case "ByteLevel":
		var f byteLevelFile
		d.byteLevel = true
		return strict(raw, field, &f)
	case "ByteFallback":
		d.byteFallback = true
		return strict(raw, field, &simple)
	case "Fuse":
		d.fused = true
		return strict(raw, field, &simple)
	case "Replace":
		replace, err := newReplace(raw, field)
		d.token = append(d.token, func(s string, _ bool) string { return replace(s) })
		return err
	case "Strip":
		return d.strip(raw, field)
	case "Metaspace":
		m, err := readMetaspace(raw, field)
		d.token = append(d.token, m.decode)
		return err
	case "":
		return problem(field, "is not an object with a type")
	}
	return unknown(field, kind)
}

func (d *decoder) sequence(raw json.RawMessage, field string, depth int) error {
	var f struct {
		Type     string
		Decoders []json.RawMessage
	}
	if err := strict(raw, field, &f); err != nil {
		return err
	}
	if depth == maxDepth {
		return tooDeep(field)
	}
	for i, part := range f.Decoders {
		if err := d.read(part, fmt.Sprintf("%s.decoders[%d]", field, i), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) strip(raw json.RawMessage, field string) error {
	var f stripFile
	if err := strict(raw, field, &f); err != nil {
		return err
	}
	if utf8.RuneCountInString(f.Content) != 1 || f.Start < 0 || f.Stop < 0 {
		return problem(field, "needs one character and counts that are not negative")
	}
	if d.fused {
		d.strips = append(d.strips, f)
	} else {
		d.token = append(d.token, func(s string, _ bool) string { return f.apply(s) })
	}
	return nil
}

// apply takes up to Start characters from the front and Stop from the back.
func (f stripFile) apply(s string) string {
	for n := 0; n < f.Start && strings.HasPrefix(s, f.Content); n++ {
		s = s[len(f.Content):]
	}
	for n := 0; n < f.Stop && strings.HasSuffix(s, f.Content); n++ {
		s = s[:len(s)-len(f.Content)]
	}
	return s
}

// decode of the first token loses its spaces, because encoding put one in front.
func (m metaspace) decode(token string, first bool) string {
	if first && m.scheme != "never" {
		return strings.ReplaceAll(token, m.replacement, "")
	}
	return strings.ReplaceAll(token, m.replacement, " ")
}

// piece appends what one token contributes, before the whole is stripped and
// its bytes become characters. raw is true for a byte of its own.
func (d *decoder) piece(dst []byte, token string, first bool) (out []byte, raw bool) {
	for _, step := range d.token {
		token = step(token, first)
	}
	if d.byteLevel {
		return append(dst, bytesOf(token)...), true
	}
	if b, ok := byteToken(token); ok && d.byteFallback {
		return append(dst, b), true
	}
	return append(dst, token...), false
}

// byteToken reads "<0xE2>".
func byteToken(token string) (byte, bool) {
	if len(token) != 6 || token[:3] != "<0x" || token[5] != '>' {
		return 0, false
	}
	hi, ok1 := hexDigit(token[3])
	lo, ok2 := hexDigit(token[4])
	return hi<<4 | lo, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// characters appends a run of raw bytes as text. Bytes that are no characters
// become U+FFFD: with byte fallback each byte of a run that is not wholly valid,
// otherwise each longest beginning of a character (Unicode 15, section 3.9).
func (d *decoder) characters(dst, run []byte) []byte {
	if utf8.Valid(run) {
		return append(dst, run...)
	}
	if !d.byteLevel {
		return append(dst, strings.Repeat("\uFFFD", len(run))...)
	}
	for len(run) > 0 {
		r, n := utf8.DecodeRune(run)
		if r == utf8.RuneError && n == 1 {
			n = brokenPrefix(run)
			dst = append(dst, "\uFFFD"...)
		} else {
			dst = append(dst, run[:n]...)
		}
		run = run[n:]
	}
	return dst
}

// brokenPrefix returns the length of the maximal subpart at the front of b, which
// does not begin with a whole character: as many bytes as could begin one.
func brokenPrefix(b []byte) int {
	n := 1
	for n < len(b) && n < 4 && startsRune(b[:n+1]) {
		n++
	}
	return n
}

// startsRune reports whether some character begins with b, 2 or 3 bytes long.
func startsRune(b []byte) bool {
	full := append(append(make([]byte, 0, 4), b...), 0x80, 0x80)
	want := 0
	switch c := b[0]; {
	case c >= 0xc2 && c <= 0xdf:
		want = 2
	case c >= 0xe0 && c <= 0xef:
		want = 3
	case c >= 0xf0 && c <= 0xf4:
		want = 4
	}
	return len(b) <= want && utf8.Valid(full[:want]) && want > 0
}

// Decode returns the text of ids. Ids without a token count for nothing;
// skipSpecial leaves out special tokens.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	s := t.NewStream(skipSpecial, false)
	for _, id := range ids {
		s.Add(id)
	}
	text := s.Text()
	for _, strip := range t.decoder.strips {
		text = strip.apply(text)
	}
	return text
}

// Piece returns the bytes that a token adds in the middle of a text: a leading
// space is kept, and a part of a character is what it is.
func (t *Tokenizer) Piece(id int32) []byte {
	token, ok := t.Token(id)
	if !ok {
		return nil
	}
	b, _ := t.decoder.piece(nil, token, false)
	return b
}

// Stream is the text of tokens as they come.
type Stream struct {
	t           *Tokenizer
	skipSpecial bool
	first       bool
	text        []byte // certain
	run         []byte // bytes that may yet become characters
	joined      []byte // scratch of Text
}

// NewStream returns an empty stream. With continued true the tokens go on from
// a text before them: the first keeps its leading space, as in Piece.
func (t *Tokenizer) NewStream(skipSpecial, continued bool) *Stream {
	return &Stream{t: t, skipSpecial: skipSpecial, first: !continued}
}

// Add appends a token.
func (s *Stream) Add(id int32) {
	token, ok := s.t.Token(id)
	if !ok || s.skipSpecial && s.t.Special(id) {
		return
	}
	d := &s.t.decoder
	before := len(s.run)
	out, raw := d.piece(s.run, token, s.first)
	s.first = false
	if raw {
		s.run = out
		if d.byteLevel { // every token is raw: what is certain need not be looked at again
			whole := len(out) - s.partial()
			s.text = d.characters(s.text, out[:whole])
			s.run = append(out[:0], out[whole:]...)
		}
		return
	}
	s.text = d.characters(s.text, s.run)
	s.text = append(s.text, out[before:]...)
	s.run = out[:0]
}

// Text returns the text so far, with U+FFFD for bytes that are no characters.
func (s *Stream) Text() string {
	if len(s.run) == 0 {
		return string(s.text)
	}
	s.joined = s.t.decoder.characters(append(s.joined[:0], s.text...), s.run)
	return string(s.joined)
}

// Partial reports whether the text ends in bytes that a further token may
// complete to a character.
func (s *Stream) Partial() bool { return s.partial() > 0 }

// partial returns the length of the beginning of a character at the end of the run.
func (s *Stream) partial() int {
	for n := 1; n <= min(3, len(s.run)); n++ {
		if tail := s.run[len(s.run)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
