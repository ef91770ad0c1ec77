package kernel

/*
#include "call.h"
#cgo noescape call_rms_norm
#cgo nocallback call_rms_norm
#cgo noescape call_silu_mul
#cgo nocallback call_silu_mul
#cgo noescape call_logit_stats
#cgo nocallback call_logit_stats
#cgo noescape call_exp
#cgo nocallback call_exp
*/
import "C"

import "unsafe"

// RMSNorm sets out[rows][d] = w * (x / sqrt(mean(x²) + eps)), d = len(w).
func RMSNorm(out, x, w []float32, eps float32, rows int) {
	need("out", len(out), rows*len(w))
	need("x", len(x), rows*len(w))
	if rows == 0 || len(w) == 0 {
		return
	}
	C.call_rms_norm(level(), ptr(out), ptr(x), ptr(w), C.float(eps), C.int64_t(rows), C.int64_t(len(w)))
}

// SiLUMul sets out[rows][n] = g / (1 + exp(-g)) * u, where each row of
// gateUp[rows][2n] holds first all g, then all u.
func SiLUMul(out, gateUp []float32, rows, n int) {
	need("out", len(out), rows*n)
	need("gateUp", len(gateUp), rows*2*n)
	if rows == 0 || n == 0 {
		return
	}
	C.call_silu_mul(level(), ptr(out), ptr(gateUp), C.int64_t(rows), C.int64_t(n))
}

// LogitStats is what a row of logits is folded into. The log-probability of
// token t is float64(logit[t]) - (float64(Max) + log(Sum)).
type LogitStats struct {
	Sum  float64 // of exp(logit - Max), over the row
	Max  float32 // the largest logit; NaN when the row holds one
	Best int32   // lowest index whose logit is Max
}

// FoldLogits sets out[rows] from logits[rows][n], n > 0.
func FoldLogits(out []LogitStats, logits []float32, n int) {
	need("logits", len(logits), len(out)*n)
	if n <= 0 {
		panic("kernel: no logits to fold")
	}
	if len(out) == 0 {
		return
	}
	C.call_logit_stats(level(), (*C.lm_logit_stats)(unsafe.Pointer(unsafe.SliceData(out))), ptr(logits),
		C.int64_t(len(out)), C.int64_t(n))
}

// Exp sets out = exp(x), as the other operations compute it: arguments are held
// in [-87, 88].
func Exp(out, x []float32) {
	need("out", len(out), len(x))
	if len(x) == 0 {
		return
	}
	C.call_exp(level(), ptr(out), ptr(x), C.int64_t(len(x)))
}
