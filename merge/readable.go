package merge

import (
	"mergesearch"
	"mergesearch/merge/fp8"
	"mergesearch/merge/safetensors"
)

// checkReadable refuses a checkpoint whose stored numbers are not its weights:
// quantised ones, and those of 8 bits with scales beside them.
func checkReadable(c *safetensors.Checkpoint) error {
	if err := fp8.Refuse(c.Names()); err != nil {
		return mergesearch.InDir(err, c.Dir())
	}
	scales := fp8.Companions(c.Names(), func(name string) (mergesearch.DType, []int) {
		info, _ := c.Info(name)
		return info.DType, info.Shape
	})
	for _, name := range c.Names() {
		if scale, ok := scales[name]; ok {
			return &mergesearch.InputError{
				File: c.File(name), Field: name, Problem: "weights of 8 bits with scales (" + scale + ") are not read yet", Hint: "dequantise the model first",
			}
		}
	}
	return nil
}
