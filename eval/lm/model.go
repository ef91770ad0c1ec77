package lm

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"mergesearch"
	"mergesearch/eval/lm/kernel"
	"mergesearch/eval/lm/tokenizer"
)

// Model is a checkpoint that is ready to run. It is read-only and safe for
// concurrent use until Close.
type Model struct {
	config      *config
	tokenizer   *vocabulary
	fingerprint string
	template    *template

	tensors mergesearch.Tensors
	embed   mergesearch.Tensor // [vocab][hidden], read row by row in its own type
	layers  []layer
	norm    []float32 // [hidden]
	head    kernel.Packed
	arena   []float32 // holds every float above

	close sync.Once
}

// layer is one decoder block. Biases and query and key norms may be nil.
type layer struct {
	inputNorm, postNorm []float32 // [hidden]
	qNorm, kNorm        []float32 // [head]

	qkv    kernel.Packed // [(heads + 2 kvHeads) head][hidden]
	out    kernel.Packed // [hidden][heads head]
	gateUp kernel.Packed // [2 intermediate][hidden]
	down   kernel.Packed // [hidden][intermediate]

	qkvBias, outBias, gateUpBias, downBias []float32

	window int // positions that a query sees, 0 for all
}

// CheckConfig says whether the engine can run a model, from the files beside
// its weights alone: config.json and tokenizer.json. The error is a
// *mergesearch.InputError that names the file and the field. No tensor is read,
// so it can be asked before anything is built.
func CheckConfig(files map[string][]byte) error {
	_, _, err := readModelFiles(files)
	return err
}

func readModelFiles(files map[string][]byte) (*config, *vocabulary, error) {
	c, err := readConfig(files)
	if err != nil {
		return nil, nil, err
	}
	t, err := parsedTokenizer(files["tokenizer.json"])
	if err != nil {
		return nil, nil, err
	}
	if t.Size() > c.vocab {
		return nil, nil, &mergesearch.InputError{
			File: "config.json", Field: "vocab_size",
			Problem: fmt.Sprintf("%d, but tokenizer.json has token id %d", c.vocab, t.Size()-1),
		}
	}
	return c, t, nil
}

// Load makes a model from the files beside its weights (config.json,
// tokenizer.json, generation_config.json, those of the chat template; others are
// ignored) and its tensors.
// Every tensor that the configuration asks for must be there with its shape, in
// BF16, F16 or F32, and no other; the error is a *mergesearch.InputError.
//
// On success the model owns the tensors and releases them in Close; on an error
// they stay the caller's. Weights are copied into the kernels' layout, by all
// processors; the embedding is read in place.
func Load(files map[string][]byte, t mergesearch.Tensors) (*Model, error) {
	c, tok, err := readModelFiles(files)
	if err != nil {
		return nil, err
	}
	l := loader{config: c, tensors: t, wanted: map[string]bool{}}
	m := &Model{config: c, tokenizer: tok, fingerprint: t.Digest(), template: newTemplate(files), tensors: t}
	l.model(m)
	l.refuseOthers()
	if l.err != nil {
		return nil, l.err
	}
	l.fill(m)
	return m, nil
}

// Close gives back the weights and releases the tensors. Nobody may be using
// the model: Instance.Close comes first. Calling it twice is harmless.
func (m *Model) Close() {
	m.close.Do(func() {
		arenas.release(m.arena)
		m.arena, m.layers = nil, nil
		m.tensors.Release()
	})
}

// Fingerprint identifies the weights: the digest of the tensors.
func (m *Model) Fingerprint() string { return m.fingerprint }

// Tokenizer returns the model's tokenizer.
func (m *Model) Tokenizer() *tokenizer.Tokenizer { return m.tokenizer.Tokenizer }

// MaxPositions is the longest sequence that the model was made for, in tokens.
func (m *Model) MaxPositions() int { return m.config.maxPositions }

// Vocab is the number of token ids that have a logit.
func (m *Model) Vocab() int { return m.config.vocab }

// BOS returns the token that begins a text, -1 if the configuration names none.
func (m *Model) BOS() int32 { return m.config.bos }

// EOS returns the tokens that end a completion.
func (m *Model) EOS() []int32 { return slices.Clone(m.config.eos) }

// Architecture is the class that config.json names: "LlamaForCausalLM".
func (m *Model) Architecture() string { return m.config.architecture }

func (m *Model) attentionShape() kernel.AttentionShape {
	c := m.config
	return kernel.AttentionShape{
		Heads: c.heads, KVHeads: c.kvHeads, Head: c.head,
		Scale: attentionScale(c.head), NormEps: c.normEps,
	}
}

// ignorable reports whether a checkpoint may hold a tensor although nothing needs it.
func ignorable(name string, c *config) bool {
	return strings.HasSuffix(name, ".rotary_emb.inv_freq") || c.tied && name == "lm_head.weight"
}
