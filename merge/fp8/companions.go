package fp8

import (
	"fmt"
	"strings"

	"mergesearch"
)

// Companions returns the scales of a checkpoint's tensors of 8 bits: the name of
// a tensor to that of its scale. Info returns a tensor's type and shape.
func Companions(names []string, info func(name string) (mergesearch.DType, []int)) map[string]string {
	have := map[string]bool{}
	for _, n := range names {
		have[n] = true
	}
	scales := map[string]string{}
	for _, n := range names {
		if dtype, _ := info(n); !dtype.Eight() {
			continue
		}
		for _, suffix := range []string{"_scale_inv", "_scale"} {
			if have[n+suffix] {
				scales[n] = n + suffix
				break
			}
		}
	}
	return scales
}

// Consumed returns the names that do not go into a merge: the scales of
// companions, and what the same checkpoints say of activations and caches.
func Consumed(names []string, companions map[string]string) map[string]bool {
	consumed := map[string]bool{}
	if len(companions) == 0 {
		return consumed
	}
	for _, scale := range companions {
		consumed[scale] = true
	}
	for _, n := range names {
		for _, suffix := range []string{".input_scale", ".output_scale", ".k_scale", ".v_scale", ".q_scale", ".input_scale_ub", ".activation_scale"} {
			if strings.HasSuffix(n, suffix) {
				consumed[n] = true
			}
		}
	}
	return consumed
}

// quantised are the ends of tensor names by which other formats are known.
var quantised = []struct{ suffix, format string }{
	{".qweight", "GPTQ or AWQ"},
	{".qzeros", "GPTQ or AWQ"},
	{".g_idx", "GPTQ"},
	{".absmax", "bitsandbytes 4-bit"},
	{".quant_map", "bitsandbytes 4-bit"},
	{".SCB", "bitsandbytes 8-bit"},
	{".weight_packed", "compressed-tensors of fewer than 8 bits"},
	{".W_q", "HQQ"},
	{".codebooks", "AQLM"},
	{"_proj_blocks", "MXFP4"},
}

// Refuse returns an error if the names are those of a checkpoint that is
// quantised in a way that cannot be read.
func Refuse(names []string) error {
	for _, n := range names {
		for _, q := range quantised {
			if strings.HasSuffix(n, q.suffix) || strings.Contains(n, ".quant_state.bitsandbytes") {
				format := q.format
				if strings.Contains(n, "bitsandbytes") {
					format = "bitsandbytes 4-bit"
				}
				return refused(n, "a tensor of a %s checkpoint, whose weights cannot be merged", format)
			}
		}
	}
	return nil
}

func refused(field, format string, args ...any) error {
	return &mergesearch.InputError{
		Field: field, Problem: fmt.Sprintf(format, args...),
		Hint: "use the model that it was quantised from, or dequantise it first",
	}
}
