package architecture

import (
	"slices"
	"strings"
)

// The answers of a nil Architecture. They know the names that most models use and
// are asked where a tensor has no partner of its own name.

var (
	usualEmbeddings = []string{
		"model.embed_tokens.weight", "model.language_model.embed_tokens.weight", "language_model.model.embed_tokens.weight",
		"transformer.wte.weight", "transformer.word_embeddings.weight",
	}
	usualHeads    = []string{"lm_head.weight", "language_model.lm_head.weight"}
	usualStacks   = []string{"model.layers", "layers", "transformer.layers", "encoder.layer"}
	usualPrefixes = []string{"model.", "transformer."}
	usualBuffers  = []string{"rotary_emb.inv_freq", "position_ids", "masked_bias"}
)

func guessLayersKey(stack string) string {
	if slices.Contains(usualStacks, stack) {
		return "num_hidden_layers"
	}
	return ""
}

func guessEmbedding(tensor string) bool {
	if _, _, _, inLayer := Split(tensor); inLayer {
		return false
	}
	if slices.Contains(usualHeads, tensor) {
		return true
	}
	part := tensor[strings.LastIndexByte(strings.TrimSuffix(tensor, ".weight"), '.')+1:]
	return slices.Contains([]string{
		"embed_tokens.weight", "wte.weight", "word_embeddings.weight", "tok_embeddings.weight", "embed_in.weight", "embed_out.weight",
	}, part)
}

func guessTied(tensor string) []string {
	if slices.Contains(usualHeads, tensor) {
		return slices.Clone(usualEmbeddings)
	}
	return nil
}

func guessAliases(tensor string) []string {
	if rest, ok := strings.CutPrefix(tensor, "language_model.model."); ok {
		return []string{"model.language_model." + rest}
	}
	if rest, ok := strings.CutPrefix(tensor, "model.language_model."); ok {
		return []string{"language_model.model." + rest}
	}
	var longer []string
	for _, p := range usualPrefixes {
		if rest, ok := strings.CutPrefix(tensor, p); ok {
			return []string{rest}
		}
		longer = append(longer, p+tensor)
	}
	return longer
}

func guessOptional(tensor string) bool {
	return slices.Contains(usualHeads, tensor) || slices.ContainsFunc(usualBuffers, func(b string) bool {
		_, ok := ends(tensor, b)
		return ok
	})
}
