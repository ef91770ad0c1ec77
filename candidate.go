package mergesearch

import "fmt"

// CandidateID names a candidate within its run, in the order of asking: c0000, c0001, ...
type CandidateID string

// CandidateOf returns the ID of the trial with this index.
func CandidateOf(index int) CandidateID { return CandidateID(fmt.Sprintf("c%04d", index)) }

// Candidate is a built model: tensors in memory, a directory, or both.
type Candidate struct {
	ID     CandidateID
	Recipe RecipeID

	// Tensors holds the weights in memory. Nil when only Dir is set.
	Tensors Tensors

	// Dir is a complete Hugging Face directory with the weights. Empty when they
	// are only in memory.
	Dir string

	// Files holds the small files beside the weights by base name: config.json,
	// tokenizer.json, tokenizer_config.json, generation_config.json and so on.
	// Read-only, shared between candidates.
	Files map[string][]byte

	// Fingerprint identifies the weights and is what an endpoint must prove to be
	// serving before an answer counts. It is Tensors.Digest().
	Fingerprint string
}

// Release gives back the tensors, if they are held in memory.
func (c Candidate) Release() {
	if c.Tensors != nil {
		c.Tensors.Release()
	}
}
