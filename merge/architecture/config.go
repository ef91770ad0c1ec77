package architecture

import "strings"

// LayersKey returns the dotted key in config.json of the number of layers of a
// stack, which is named by what stands before the layer's number in any spelling
// ("model.layers"); "" when unknown. Nil guesses "num_hidden_layers" for the usual
// names; check that the config has the key.
func (a *Architecture) LayersKey(stack string) string {
	if a == nil {
		return guessLayersKey(stack)
	}
	l := a.layers(stack)
	if l == nil {
		return ""
	}
	return a.present(l.Count)
}

// LayerLists returns the dotted keys in config.json of lists that have an item for
// each layer of a stack, such as layer_types. Only those that the config has.
func (a *Architecture) LayerLists(stack string) []string {
	if a == nil || a.layers(stack) == nil {
		return nil
	}
	var out []string
	for _, key := range a.layers(stack).Lists {
		if _, ok := at(a.config, key).([]any); ok {
			out = append(out, key)
		}
	}
	return out
}

// ExtraLayers returns how many layers a checkpoint may store behind those that
// LayersKey counts: layers for the prediction of further tokens, by which training
// goes and inference does without.
func (a *Architecture) ExtraLayers(stack string) int {
	if a == nil || a.layers(stack) == nil {
		return 0
	}
	for _, key := range a.layers(stack).Extra {
		if n, ok := at(a.config, key).(float64); ok && n == float64(int(n)) && n > 0 {
			return int(n)
		}
	}
	return 0
}

// VocabKeys returns the dotted keys in config.json that hold the size of the
// vocabulary: those that the config has, or the usual one. The embedding may have
// more rows.
func (a *Architecture) VocabKeys() []string {
	if a == nil {
		return []string{"vocab_size"}
	}
	var out []string
	for _, key := range a.family.Vocabulary {
		if at(a.config, key) != nil {
			out = append(out, key)
		}
	}
	if out == nil {
		out = a.family.Vocabulary[:1:1]
	}
	return out
}

// TieKey returns the dotted key in config.json that says whether head and
// embedding are one tensor. Where it says so, a head that is stored all the same
// is ignored by transformers.
func (a *Architecture) TieKey() string {
	if a == nil || len(a.family.Tie) == 0 {
		return "tie_word_embeddings"
	}
	return a.present(a.family.Tie)
}

// ExpertsKey returns the dotted key in config.json of the number of routed experts
// of a layer, "" for models without experts and for nil.
func (a *Architecture) ExpertsKey() string {
	if a == nil || len(a.family.Experts) == 0 {
		return ""
	}
	return a.present(a.family.Experts)
}

// present returns the first key that the config has, or the first.
func (a *Architecture) present(keys []string) string {
	for _, key := range keys {
		if at(a.config, key) != nil {
			return key
		}
	}
	return keys[0]
}

// at returns what a config has at a dotted key; nil for null and for nothing.
func at(config map[string]any, key string) any {
	for {
		part, rest, more := strings.Cut(key, ".")
		if !more {
			return config[part]
		}
		config, _ = config[part].(map[string]any)
		key = rest
	}
}
