package merge

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Licence is what the models' own cards say of their licences, taken together.
type Licence struct {
	Of      map[string]string // by model; "" where no card says one
	Common  string            // of the merge: the strictest; "" when it cannot be told
	Problem string            // what stands against a common licence; "" if nothing does
}

// Kinds of licences, the strictest last. The list holds what the cards of the Hugging
// Face Hub use most; it is no legal advice.
const (
	permissive = iota
	shareAlike
	community // with conditions of its own, so that two of them do not go together
	nonCommercial
	noDerivatives
)

var licenceKinds = []struct {
	kind  int
	start string
}{
	{permissive, "mit"},
	{permissive, "bsd"},
	{permissive, "isc"},
	{permissive, "unlicense"},
	{permissive, "cc0"},
	{permissive, "cc-by-2"},
	{permissive, "cc-by-3"},
	{permissive, "cc-by-4"},
	{permissive, "apache-2.0"},
	{permissive, "odc-by"},
	{shareAlike, "cc-by-sa"},
	{shareAlike, "mpl"},
	{shareAlike, "lgpl"},
	{shareAlike, "gpl"},
	{shareAlike, "agpl"},
	{shareAlike, "odbl"},
	{community, "llama"},
	{community, "gemma"},
	{community, "openrail"},
	{community, "bigscience"},
	{community, "creativeml"},
	{community, "qwen"},
	{community, "tongyi"},
	{community, "deepseek"},
	{community, "falcon"},
	{community, "apple"},
	{community, "bigcode"},
	{nonCommercial, "cc-by-nc"},
	{nonCommercial, "mnpl"},
	{nonCommercial, "mrl"},
	{nonCommercial, "qwen-research"},
	{noDerivatives, "cc-by-nd"},
	{noDerivatives, "cc-by-nc-nd"},
}

// kindOf returns the kind of a licence by the longest start that it has, its place
// in the list, and false for one that is not in it.
func kindOf(licence string) (kind, place int, known bool) {
	longest := 0
	for i, k := range licenceKinds {
		if strings.HasPrefix(strings.ToLower(licence), k.start) && len(k.start) > longest {
			kind, place, known, longest = k.kind, i, true, len(k.start)
		}
	}
	return kind, place, known
}

// CommonLicence returns the strictest of the models' licences, under which a merge of
// them may stand, or says why there is none that this program could name.
func CommonLicence(of map[string]string) Licence {
	l := Licence{Of: of}
	strictest, last := -1, -1
	var silent, strange []string
	conditions := map[string]bool{} // those that ask for a licence of their own
	for _, model := range sortedKeys(of) {
		licence := of[model]
		if licence == "" {
			silent = append(silent, model)
			continue
		}
		kind, place, known := kindOf(licence)
		switch {
		case !known:
			strange = append(strange, licence)
		case kind == noDerivatives:
			l.Problem = fmt.Sprintf("%s is under %s, which allows no derived work", model, licence)
			return l
		case kind != permissive:
			conditions[licence] = true
		}
		if kind > strictest || kind == strictest && place > last {
			strictest, last, l.Common = kind, place, licence
		}
	}
	switch {
	case len(silent) > 0:
		l.Common, l.Problem = "", "the card of "+strings.Join(silent, ", ")+" states no licence"
	case len(strange) > 0:
		l.Common, l.Problem = "", "what "+strings.Join(slices.Compact(strange), ", ")+" allows is not known here"
	case len(conditions) > 1:
		l.Common, l.Problem = "", "the conditions of "+strings.Join(sortedKeys(conditions), " and ")+" hold together, and each may rule the other out"
	}
	return l
}

// Licences reads what the cards of the opened models say.
func (e *Engine) Licences() map[string]string { return licencesOf(e.models) }

func licencesOf(models []*model) map[string]string {
	out := map[string]string{}
	for _, m := range models {
		if m.checkpoint == nil {
			continue
		}
		out[m.name] = "" // as long as no card says otherwise
		if card, err := m.checkpoint.ReadFile("README.md", maxCardBytes); err == nil {
			out[m.name] = licenceOf(card)
		}
	}
	return out
}

// front is what the front matter of the merge's card says: the common licence, as the
// Hub spells it, or nothing.
func (l Licence) front() string {
	if l.Common == "" {
		return ""
	}
	if hubLicence.MatchString(l.Common) {
		return "license: " + yamlString(strings.ToLower(l.Common)) + "\n"
	}
	return "license: other\nlicense_name: " + yamlString(l.Common) + "\n"
}

// hubLicence matches the licences that the Hub knows by name.
var hubLicence = regexp.MustCompile(`(?i)^(mit|apache-2\.0|bsd(-[23]-clause)?|isc|unlicense|cc0-1\.0|cc-by(-nc)?(-sa)?-[234]\.[05]|mpl-2\.0|a?gpl-3\.0|gpl-2\.0|lgpl-3\.0|odc-by|odbl|llama(2|3(\.[123])?|4)|gemma|openrail|bigscience-openrail-m|creativeml-openrail-m)$`)

// note is what the text of the merge's card says.
func (l Licence) note() string {
	var b strings.Builder
	b.WriteString("\n## Licence\n\n")
	switch {
	case l.Common != "":
		fmt.Fprintf(&b, "The strictest of the models' licences is %s.", code(l.Common))
	default:
		fmt.Fprintf(&b, "No licence is stated here: %s.", prose(l.Problem))
	}
	b.WriteString(" As the models' cards state them:\n\n")
	for _, model := range sortedKeys(l.Of) {
		says := "none stated"
		if l.Of[model] != "" {
			says = code(l.Of[model])
		}
		fmt.Fprintf(&b, "- %s: %s\n", code(model), says)
	}
	b.WriteString("\nThis is what the cards say, not legal advice.\n")
	return b.String()
}
