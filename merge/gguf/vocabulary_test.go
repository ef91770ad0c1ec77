package gguf

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mergesearch"
)

// byteLevelJSON is a byte-level tokenizer of 261 tokens with one merge.
func byteLevelJSON(words string, ignoreMerges bool) string {
	vocab := map[string]int{"AB": 259, "BA": 260}
	for b := range 256 { // the spelling of bytes does not matter here
		if b > 32 && b < 127 {
			vocab[string(rune(b))] = b
		} else {
			vocab[string(rune(0x100+b))] = b
		}
	}
	v, err := json.Marshal(vocab)
	if err != nil {
		panic(err)
	}
	pattern, err := json.Marshal(words)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"added_tokens":[{"id":256,"content":"<|end|>","special":true},{"id":257,"content":"<|turn|>","special":true},
		{"id":258,"content":"<|tool|>","special":false}],"normalizer":{"type":"NFC"},
		"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":%s},"behavior":"Isolated","invert":false},
		{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":false}]},
		"post_processor":{"type":"ByteLevel"},"model":{"type":"BPE","ignore_merges":%v,"vocab":%s,"merges":["A B",%q]}}`, pattern, ignoreMerges, v, "B A")
}

func read1(t *testing.T, tokenizer string, rows int) (*vocabulary, error) {
	t.Helper()
	return readVocabulary(map[string][]byte{"tokenizer.json": []byte(tokenizer)}, rows)
}

func TestPreTokenizers(t *testing.T) {
	for _, p := range preTokenizers {
		words, found := strings.CutPrefix(p.steps[0], "Split ")
		if !found {
			continue
		}
		for _, ignore := range []bool{false, true} {
			v, err := read1(t, byteLevelJSON(words, ignore), 261)
			if ignore != p.ignoreMerges {
				if err == nil {
					t.Errorf("%s with ignore_merges %v became %s", p.name, ignore, v.pre)
				}
				continue
			}
			if err != nil || v.pre != p.name || !slices.Equal(v.merges, []string{"A B", "B A"}) {
				t.Errorf("%s became %+v, %v", p.name, v, err)
			}
		}
	}
	for steps, want := range map[string]string{
		`{"type":"ByteLevel","add_prefix_space":false}`: "gpt-2",
		`{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}]}`: "smollm",
		`{"type":"ByteLevel","add_prefix_space":true}`: "",
		`{"type":"Whitespace"}`:                        "",
		`{"type":"Sequence"}`:                          "",
		`[]`:                                           "",
	} {
		text := byteLevelJSON("x", false)
		from, to := strings.Index(text, `"pre_tokenizer":`), strings.Index(text, `"post_processor"`)
		v, err := read1(t, text[:from]+`"pre_tokenizer":`+steps+","+text[to:], 261)
		if want == "" {
			if err == nil {
				t.Errorf("%s became %s", steps, v.pre)
			}
			continue
		}
		if err != nil || v.pre != want {
			t.Errorf("%s: %v, want %s", steps, err, want)
		}
	}
}

// scoredJSON is a tokenizer with byte fallback whose pieces and merges are given.
func scoredJSON(pieces, merges []string, parts string) string {
	vocab := map[string]int{"<unk>": 0, "<s>": 1}
	for b := range 256 {
		vocab[fmt.Sprintf("<0x%02X>", b)] = b + 2
	}
	for _, p := range pieces {
		vocab[p] = len(vocab)
	}
	v, err := json.Marshal(vocab)
	if err != nil {
		panic(err)
	}
	if merges == nil {
		merges = []string{}
	}
	m, err := json.Marshal(merges)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"added_tokens":[{"id":1,"content":"<s>","special":true}],%s,
		"model":{"type":"BPE","unk_token":"<unk>","byte_fallback":true,"vocab":%s,"merges":%s}}`, parts, v, m)
}

const prepend = `"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]},
	"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
	"special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}}`

func TestScores(t *testing.T) {
	pieces := []string{"▁", "a", "b", "c", "ab", "bc", "abc", "▁a"}
	v, err := read1(t, scoredJSON(pieces, []string{"b c", "a b", "a bc", "ab c", "▁ a"}, prepend), 266)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float32{"bc": 0, "ab": -1, "abc": -2, "▁a": -3, "a": -4, "<0x41>": -4}
	for token, score := range want {
		if id, ok := v.id(token); !ok || v.scores[id] != score {
			t.Errorf("%s has score %v, want %v", token, v.scores[id], score)
		}
	}
	if !v.spacePrefix || !v.addBOS || v.addEOS || v.special["bos"] != 1 || v.special["unknown"] != 0 || v.types[0] != unknownToken || v.types[2] != byteToken {
		t.Errorf("read as %+v", v)
	}
}

func TestScoresRefuse(t *testing.T) {
	pieces := []string{"▁", "a", "b", "c", "ab", "bc", "abc", "b▁"}
	all := []string{"b c", "a b", "a bc", "ab c", "b ▁"}
	meta := func(rest string) string {
		return `"pre_tokenizer":{"type":"Metaspace","replacement":"▁",` + rest + `}`
	}
	for name, c := range map[string]struct {
		merges []string
		parts  string
		want   string
	}{
		"as it should be":     {all, prepend, ""},
		"a split is no merge": {all[:3], prepend, "no merge"},
		"merges apart":        {[]string{"b c", "a bc", "a b", "ab c", "b ▁"}, prepend, "do not stand together"},
		"words are split":     {all, meta(`"prepend_scheme":"first","split":true`), "space inside"},
		"words are whole":     {all, meta(`"prepend_scheme":"first","split":false`), ""},
		"spaces stay":         {all, `"normalizer":null`, "spaces are not written"},
		"lowercase":           {all, `"normalizer":{"type":"Lowercase"}`, "Lowercase"},
		"two tokens before":   {all, strings.Replace(prepend, `{"Sequence"`, `{"SpecialToken":{"id":"<s>"}},{"Sequence"`, 1), "more than one token"},
	} {
		v, err := read1(t, scoredJSON(pieces, c.merges, c.parts), 266)
		var in *mergesearch.InputError
		switch {
		case c.want == "" && (err != nil || !v.spacePrefix):
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (!errors.As(err, &in) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want one about %q", name, err, c.want)
		}
	}
}

func TestChatTemplates(t *testing.T) {
	for config, want := range map[string][]template{
		`{}`:                      nil,
		`{"chat_template": "T"}`:  {{"", "T"}},
		`{"chat_template": null}`: nil,
		`{"chat_template": [{"name": "default", "template": "D"}, {"name": "tool use", "template": "U"}]}`: {{"", "D"}, {"tool_use", "U"}},
	} {
		got, err := readTemplates(map[string][]byte{"tokenizer_config.json": []byte(config)})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", config, got, err, want)
		}
	}
}

// Whatever the files say, there is a vocabulary that fits the rows, or a refusal.
func FuzzFiles(f *testing.F) {
	_, files := qwen3(mergesearch.F32)
	f.Add(files["config.json"], files["tokenizer.json"], []byte(`{"bos_token": {"content": "A"}, "chat_template": [{"name": "x", "template": "y"}]}`))
	f.Add([]byte(`{"architectures": ["LlamaForCausalLM"], "rope_scaling": {"type": "llama3"}}`), []byte(scoredJSON([]string{"▁", "a"}, nil, prepend)), []byte(`{}`))
	f.Fuzz(func(t *testing.T, config, tokenizer, more []byte) {
		files := map[string][]byte{"config.json": config, "tokenizer.json": tokenizer, "tokenizer_config.json": more}
		var in *mergesearch.InputError
		if c, err := readConfig(files); err == nil {
			if c.layers < 1 || c.heads%c.kvHeads != 0 || c.head%2 != 0 {
				t.Errorf("accepted %+v", c)
			}
			_ = header{metadata: c.metadata()}.encode()
		} else if !errors.As(err, &in) {
			t.Errorf("%v is no InputError", err)
		}
		const rows = 300
		v, err := readVocabulary(files, rows)
		if err != nil {
			if !errors.As(err, &in) {
				t.Errorf("%v is no InputError", err)
			}
			return
		}
		_ = header{metadata: v.metadata()}.encode()
		for id := range rows {
			if v.types[id] == 0 || v.kind == "llama" && len(v.scores) != rows {
				t.Errorf("token %d of %q is nothing", id, v.kind)
			}
		}
		for name, id := range v.special {
			if id < 0 || id >= rows {
				t.Errorf("%s is %d", name, id)
			}
		}
	})
}
