package architecture

import (
	"regexp"
	"slices"
	"strings"
)

// Parts are the answers of Part.
var Parts = []string{"attention", "mlp", "norms", "embeddings", "head"}

var (
	normName      = regexp.MustCompile(`norm|(^|[._])ln(_|\d)`)
	attentionName = regexp.MustCompile(`attn|attention`)
	mlpName       = regexp.MustCompile(`mlp|ffn|feed_forward|moe|experts|densereludense|^fc\d|^intermediate\.|^output\.`)
	embeddingName = regexp.MustCompile(`embed|(^|\.)(wte|wpe|shared)(\.|$)`)
	headNames     = []string{"lm_head", "embed_out", "output", "score"}
)

// Part returns which kind of part of a transformer a tensor belongs to, one of
// Parts; "" for what is none of them. A norm is a norm wherever it stands; the head
// is what comes after the layers but for norms. Of a nil Architecture only the
// usual heads come after the layers.
func (a *Architecture) Part(tensor string) string {
	_, _, rest, layered := a.Layer(tensor)
	name := strings.ToLower(tensor)
	if layered {
		name = strings.ToLower(rest)
	}
	switch {
	case normName.MatchString(name):
		return "norms"
	case layered && attentionName.MatchString(name):
		return "attention"
	case layered && mlpName.MatchString(name):
		return "mlp"
	case layered:
		return ""
	case a.After(tensor), a == nil && slices.ContainsFunc(headNames, func(h string) bool { _, ok := begins(tensor, h); return ok }):
		return "head"
	case embeddingName.MatchString(name):
		return "embeddings"
	}
	return ""
}
