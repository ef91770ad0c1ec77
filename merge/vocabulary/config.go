package vocabulary

import (
	"cmp"
	"slices"
	"strconv"

	"mergesearch/merge/jsonscan"
)

// Files that belong to a tokenizer.
const (
	tokenizerFile = "tokenizer.json"
	configFile    = "tokenizer_config.json"
	specialFile   = "special_tokens_map.json"
	addedFile     = "added_tokens.json"
	templateFile  = "chat_template.jinja"
	templatesFile = "chat_template.json" // of a processor
)

// slowFiles write a vocabulary in a format that transformers converts when there
// is no tokenizer.json.
var slowFiles = []string{"vocab.json", "merges.txt", "vocab.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model"}

// roles are the keys of special tokens, in the order in which transformers adds
// those that the vocabulary lacks.
var roles = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// extras are keys of lists, or objects, of more special tokens.
var extras = []string{"extra_special_tokens", "additional_special_tokens"}

// named returns the tokens that transformers adds to a tokenizer.json because
// the files beside it name them, in its order. Each has its settings; ids are not
// set.
func named(files map[string][]byte) ([]added, error) {
	config, err := readObject(files, configFile)
	if err != nil {
		return nil, err
	}
	var out []added
	legacy := true
	for _, m := range config.members {
		if m.Key == "added_tokens_decoder" {
			legacy = false
			if out, err = decoder(config.text, m.Span); err != nil {
				return nil, damagedFile(configFile, m.Key, err)
			}
		}
	}
	from := []object{config}
	if legacy {
		more, err := readObject(files, specialFile)
		if err != nil {
			return nil, err
		}
		from = append(from, more)
		late, err := legacyAdded(files)
		if err != nil {
			return nil, err
		}
		out = append(out, late...)
	}
	for _, key := range roles {
		out = from[len(from)-1].named(key, from[0], out)
	}
	for _, key := range extras {
		for _, o := range from {
			if at, ok := find(o.members, key); ok {
				for _, text := range o.texts(at) {
					out = append(out, added{token: token{text: text}, settings: special})
				}
			}
		}
	}
	return out, nil
}

// object is a file that is one JSON object; the zero value has no members.
type object struct {
	text    string
	members []member
}

func readObject(files map[string][]byte, name string) (object, error) {
	data, ok := files[name]
	if !ok {
		return object{}, nil
	}
	if len(data) > maxFile {
		return object{}, damagedFile(name, "", (&scanner{}).Fail("more than %d bytes", maxFile))
	}
	o := object{text: string(data)}
	var err error
	if o.members, err = jsonscan.Document(o.text); err != nil {
		return o, damagedFile(name, "", err)
	}
	return o, nil
}

// named appends the token of a role, which o says or else the second object.
func (o object) named(key string, or object, out []added) []added {
	at, ok := find(o.members, key)
	if !ok {
		o = or
		at, ok = find(o.members, key)
	}
	if !ok {
		return out
	}
	if text := o.content(at); text != "" {
		out = append(out, added{token: token{text: text}, settings: special})
	}
	return out
}

// content returns the text of a token written as "text" or {"content": "text"},
// "" where it is neither.
func (o object) content(at span) string {
	s := scan(o.text, at)
	text := ""
	switch s.Peek() {
	case '"':
		text, _ = s.Text()
	case '{':
		members, _ := s.Members()
		if at, ok := find(members, "content"); ok && o.text[at.Begin] == '"' {
			text = o.content(at)
		}
	}
	if len(text) > maxToken {
		return ""
	}
	return text
}

// texts returns the tokens of a list, or of the values of an object.
func (o object) texts(at span) []string {
	var out []string
	item := func(s *scanner) error {
		at, err := s.Skip()
		if text := o.content(at); err == nil && text != "" {
			out = append(out, text)
		}
		return err
	}
	s := scan(o.text, at)
	switch s.Peek() {
	case '[':
		_ = s.Array(func(int) error { return item(s) })
	case '{':
		_ = s.Object(func(string) error { return item(s) })
	}
	return out
}

// decoder reads {"id": {"content": ..., ...}}, ordered by id.
func decoder(text string, at span) ([]added, error) {
	var out []added
	s := scan(text, at)
	err := s.Object(func(key string) error {
		id, err := strconv.ParseUint(key, 10, 31)
		if err != nil || id > maxID || len(out) >= maxTokens {
			return s.Fail("%.20q is not the id of a token", key)
		}
		from := s.At
		where, err := s.Skip()
		if err != nil {
			return err
		}
		o := object{text: text}
		content := o.content(where)
		if content == "" || o.text[where.Begin] != '{' {
			s.At = from
			return s.Fail("want a token with its content")
		}
		out = append(out, added{token: token{content, int32(id)}, settings: o.settings(where)})
		return nil
	})
	slices.SortStableFunc(out, func(a, b added) int { return cmp.Compare(a.id, b.id) })
	return out, err
}

// settings reads the flags of a token in tokenizer_config.json, where a flag may
// be missing: it is false then, and normalized is what special is not.
func (o object) settings(at span) string {
	members, _ := scan(o.text, at).Members()
	var words [len(flags)]string
	for i, name := range flags {
		words[i] = "false"
		if v, ok := find(members, name); ok && v.Of(o.text) == "true" {
			words[i] = "true"
		}
	}
	if _, ok := find(members, "normalized"); !ok && words[4] == "false" {
		words[3] = "true"
	}
	out, _ := (&scanner{}).settings(words)
	return out
}

// legacyAdded reads added_tokens.json, {"token": id}, ordered by id.
func legacyAdded(files map[string][]byte) ([]added, error) {
	o, err := readObject(files, addedFile)
	if err != nil {
		return nil, err
	}
	var out []added
	for _, m := range o.members {
		s := scan(o.text, m.Span)
		id, err := s.id()
		if err != nil {
			return nil, damagedFile(addedFile, shown(m.Key), err)
		}
		if m.Key != "" && len(m.Key) <= maxToken {
			out = append(out, added{token: token{m.Key, id}, settings: plain})
		}
	}
	slices.SortStableFunc(out, func(a, b added) int { return cmp.Compare(a.id, b.id) })
	return out, nil
}
