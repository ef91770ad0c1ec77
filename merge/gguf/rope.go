package gguf

import (
	"encoding/json"
	"fmt"
	"math"
)

// rope is the settings of rotary positions.
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
	f.decode(field, &raw)
	s := &fields{file: f.file, raw: raw}
	r.kind = s.text("rope_type", s.text("type", r.kind))
	r.theta = s.number("rope_theta", r.theta)
	r.factor = s.number("factor", 1)
	r.lowFreq, r.highFreq = s.number("low_freq_factor", 0), s.number("high_freq_factor", 0)
	r.originalMaxPosition = s.number("original_max_position_embeddings", 0)
	switch {
	case s.err != nil:
		f.fail(field, s.err.Error())
	case r.kind != "default" && r.kind != "linear" && r.kind != "llama3":
		f.fail(field, fmt.Sprintf("type %.40q cannot be written as GGUF; known: default, linear, llama3", r.kind))
	case r.kind == "llama3" && !(r.lowFreq > 0 && r.highFreq > r.lowFreq && r.originalMaxPosition > 0):
		f.fail(field, "llama3 needs low_freq_factor below high_freq_factor and original_max_position_embeddings")
	case s.number("partial_rotary_factor", 1) != 1:
		f.fail(field, "partial_rotary_factor cannot be written as GGUF")
	case !(r.theta > 0) || math.IsInf(r.theta, 0):
		f.fail("rope_theta", "must be a positive number")
	case !(r.factor >= 1) || math.IsInf(r.factor, 0):
		f.fail(field, "factor must be a number of at least 1")
	}
	return r
}

// divisors returns what llama.cpp divides each of the head/2 frequencies by:
// the llama3 scaling, which leaves short waves alone, stretches long ones by
// factor and goes over from one to the other between two wavelengths.
func (r rope) divisors() []float32 {
	out := make([]float32, r.head/2)
	for i := range out {
		wave := 2 * math.Pi * math.Pow(r.theta, float64(2*i)/float64(r.head))
		switch ratio := r.originalMaxPosition / wave; {
		case ratio < r.lowFreq:
			out[i] = float32(r.factor)
		case ratio > r.highFreq:
			out[i] = 1
		default:
			smooth := (ratio - r.lowFreq) / (r.highFreq - r.lowFreq)
			out[i] = float32(1 / ((1-smooth)/r.factor + smooth))
		}
	}
	return out
}
