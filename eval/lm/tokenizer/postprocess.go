package tokenizer

import (
	"encoding/json"
	"fmt"
)

// templatePiece is a part of an encoded text: the text itself, or special tokens.
type templatePiece struct {
	sequence bool
	ids      []int32
}

type templateFile struct {
	Type   string
	Single []struct {
		SpecialToken *struct {
			ID     string
			TypeID int `json:"type_id"`
		}
		Sequence *struct {
			ID     string
			TypeID int `json:"type_id"`
		}
	}
	Pair          json.RawMessage // for two texts at once, which nobody here encodes
	SpecialTokens map[string]struct {
		ID     string
		IDs    []int32
		Tokens []string
	} `json:"special_tokens"`
}

// readTemplate returns what surrounds a text, nil for nothing.
func (t *Tokenizer) readTemplate(raw json.RawMessage, field string, depth int) ([]templatePiece, error) {
	kind, err := component(raw, field)
	if err != nil || kind == "" {
		return nil, err
	}
	switch kind {
	case "ByteLevel": // changes offsets only
		var f byteLevelFile
		return nil, strict(raw, field, &f)
	case "TemplateProcessing":
		return t.template1(raw, field)
	case "Sequence":
		var f struct {
			Type       string
			Processors []json.RawMessage
		}
		if err := strict(raw, field, &f); err != nil {
			return nil, err
		}
		if depth == maxDepth {
			return nil, tooDeep(field)
		}
		var found []templatePiece
		for i, part := range f.Processors {
			inner := fmt.Sprintf("%s.processors[%d]", field, i)
			pieces, err := t.readTemplate(part, inner, depth+1)
			if err != nil {
				return nil, err
			}
			if pieces != nil && found != nil {
				return nil, problem(inner, "a second template is not supported")
			}
			if pieces != nil {
				found = pieces
			}
		}
		return found, nil
	}
	return nil, unknown(field, kind)
}

func (t *Tokenizer) template1(raw json.RawMessage, field string) ([]templatePiece, error) {
	var f templateFile
	if err := strict(raw, field, &f); err != nil {
		return nil, err
	}
	pieces := make([]templatePiece, 0, len(f.Single))
	sequences := 0
	for i, p := range f.Single {
		at := fmt.Sprintf("%s.single[%d]", field, i)
		switch {
		case p.Sequence != nil && p.SpecialToken == nil && p.Sequence.ID == "A":
			pieces = append(pieces, templatePiece{sequence: true})
			sequences++
		case p.SpecialToken != nil && p.Sequence == nil:
			special, ok := f.SpecialTokens[p.SpecialToken.ID]
			if !ok {
				return nil, problem(at, fmt.Sprintf("special token %q is not defined", p.SpecialToken.ID))
			}
			for _, id := range special.IDs {
				if _, ok := t.Token(id); !ok {
					return nil, problem(at, fmt.Sprintf("id %d is not in the vocabulary", id))
				}
			}
			pieces = append(pieces, templatePiece{ids: special.IDs})
		default:
			return nil, problem(at, "is neither the sequence A nor a special token")
		}
	}
	if sequences != 1 {
		return nil, problem(field+".single", "must hold the sequence once")
	}
	return pieces, nil
}
