package lm

import (
	"encoding/json"
	"fmt"
	"math"
	"sync"

	"mergesearch/eval/lm/kernel"
)

// rope is the settings of rotary positions. It is comparable: models with equal
// settings share their tables.
type rope struct {
	head                int
	theta               float64
	kind                string // "default", "linear" or "llama3"
	factor              float64
	lowFreq, highFreq   float64 // llama3
	originalMaxPosition float64 // llama3
}

// rope reads rope_theta and rope_scaling, or rope_parameters, which newer
// configurations have instead.
func (f *fields) rope(head int) rope {
	r := rope{head: head, kind: "default", factor: 1, theta: f.number("rope_theta", 10000)}
	field := "rope_scaling"
	if _, ok := f.raw["rope_parameters"]; ok {
		field = "rope_parameters"
	}
	var raw map[string]json.RawMessage
	if !f.decode(field, &raw) || raw == nil {
		return r.checked(f)
	}
	s := &fields{file: f.file, raw: raw}
	r.kind = s.text("rope_type", s.text("type", "default"))
	r.theta = s.number("rope_theta", r.theta)
	r.factor = s.number("factor", 1)
	if p := s.number("partial_rotary_factor", 1); p != 1 {
		f.fail(field, fmt.Sprintf("partial_rotary_factor %v: %s", p, cannotRun))
	}
	switch r.kind {
	case "default":
		r.factor = 1
	case "linear":
	case "llama3":
		r.lowFreq, r.highFreq = s.number("low_freq_factor", 0), s.number("high_freq_factor", 0)
		r.originalMaxPosition = s.number("original_max_position_embeddings", 0)
		if !(r.lowFreq > 0 && r.highFreq > r.lowFreq && r.originalMaxPosition > 0) {
			f.fail(field, "llama3 needs low_freq_factor below high_freq_factor and original_max_position_embeddings")
		}
	default:
		f.fail(field, fmt.Sprintf("type %q: %s", r.kind, cannotRun))
	}
	if s.err != nil && f.err == nil {
		f.fail(field, s.err.Error())
	}
	return r.checked(f)
}

func (r rope) checked(f *fields) rope {
	if !(r.theta > 0) || math.IsInf(r.theta, 0) {
		f.fail("rope_theta", "must be a positive number")
	}
	if !(r.factor >= 1) || math.IsInf(r.factor, 0) {
		f.fail("rope_scaling", "factor must be a number of at least 1")
	}
	return r
}

// inverse returns the inverse frequencies, head/2 of them: theta^(-2i/head),
// scaled.
func (r rope) inverse() []float32 {
	inv := make([]float32, r.head/2)
	for i := range inv {
		f := float32(1 / math.Pow(r.theta, float64(2*i)/float64(r.head)))
		inv[i] = r.scaled(f)
	}
	return inv
}

// scaled stretches a frequency: linear all alike, llama3 only those with long
// waves, with a ramp between the two wavelengths.
func (r rope) scaled(f float32) float32 {
	switch r.kind {
	case "linear":
		return f / float32(r.factor)
	case "llama3":
		wave := 2 * math.Pi / float64(f)
		switch {
		case wave > r.originalMaxPosition/r.lowFreq:
			return float32(float64(f) / r.factor)
		case wave >= r.originalMaxPosition/r.highFreq:
			smooth := (r.originalMaxPosition/wave - r.lowFreq) / (r.highFreq - r.lowFreq)
			return float32((1-smooth)*float64(f)/r.factor + smooth*float64(f))
		}
	}
	return f
}

// rotaryTables holds one table per setting, as long as was ever needed.
var rotaryTables struct {
	sync.Mutex
	byRope map[rope][]float32
}

// table returns cosines and sines for at least n positions, made once per
// process. Tables grow by doubling, up to most positions.
func (r rope) table(n, most int) []float32 {
	t := &rotaryTables
	t.Lock()
	defer t.Unlock()
	have := t.byRope[r]
	if len(have) >= n*r.head {
		return have
	}
	if t.byRope == nil || len(t.byRope) > 16 { // settings that nobody uses any more
		t.byRope = map[rope][]float32{}
	}
	length := 128
	for length < n {
		length *= 2
	}
	t.byRope[r] = kernel.RotaryTable(min(length, max(most, n)), r.inverse())
	return t.byRope[r]
}
