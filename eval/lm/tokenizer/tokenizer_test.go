package tokenizer_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"mergesearch"
	"mergesearch/eval/lm/tokenizer"
)

// lossless lists golden tokenizers that keep every text.
var lossless = []string{"gpt2", "llama3", "llama2", "metaspace-never"}

func parse(tb testing.TB, g golden, name string) *tokenizer.Tokenizer {
	tb.Helper()
	tok, err := tokenizer.Parse(g.Tokenizers[name].File)
	if err != nil {
		tb.Fatal(err)
	}
	return tok
}

// TestRoundTrip: what is encoded is decoded again, and a stream says the same
// as Decode. Texts with added tokens that take white space along are left out.
func TestRoundTrip(t *testing.T) {
	g := readGolden(t)
	for _, name := range lossless {
		tok := parse(t, g, name)
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				text := rapid.StringMatching(`[ -;=-~\näöü日本語😀]{0,40}`).Draw(t, "text")
				ids := tok.Encode(text, false)
				if got := tok.Decode(ids, false); got != text {
					t.Fatalf("%q became %q by way of %v", text, got, ids)
				}
				continued := tok.NewStream(false, true)
				var pieces []byte
				for _, id := range ids {
					if int(id) >= tok.Size() {
						t.Fatalf("id %d of %d", id, tok.Size())
					}
					continued.Add(id)
					pieces = append(pieces, tok.Piece(id)...)
				}
				if got := continued.Text(); got != string(pieces) || !strings.HasSuffix(got, text) {
					t.Fatalf("stream %q, pieces %q, text %q", got, pieces, text)
				}
			})
		})
	}
}

// TestStream: the certain part of a text never changes.
func TestStream(t *testing.T) {
	tok := parse(t, readGolden(t), "gpt2")
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOf(rapid.Int32Range(-1, int32(tok.Size()))).Draw(t, "ids")
		s, before := tok.NewStream(true, true), ""
		for _, id := range ids {
			s.Add(id)
			now := s.Text()
			if !utf8.ValidString(now) {
				t.Fatalf("%q is not UTF-8", now)
			}
			if !strings.HasPrefix(now, before) {
				t.Fatalf("%q does not go on from %q", now, before)
			}
			if before = now; s.Partial() {
				before = strings.TrimSuffix(now, "\uFFFD")
			}
		}
		if got := tok.Decode(ids, true); got != s.Text() {
			t.Fatalf("stream %q, decode %q", s.Text(), got)
		}
	})
}

func TestVocabulary(t *testing.T) {
	tok := parse(t, readGolden(t), "llama2")
	for token, special := range map[string]bool{"<s>": true, "</s>": true, "<|tool|>": false, "\u2581the": false, "<0x41>": false} {
		id, ok := tok.ID(token)
		if !ok {
			t.Fatalf("no id for %q", token)
		}
		if got, _ := tok.Token(id); got != token || tok.Special(id) != special {
			t.Errorf("token %d is %q, special %v; want %q, %v", id, got, tok.Special(id), token, special)
		}
	}
	if _, ok := tok.Token(int32(tok.Size())); ok {
		t.Error("a token beyond the vocabulary")
	}
	if got := string(tok.Piece(4)); got != "\x01" {
		t.Errorf("piece of <0x01> is %q", got)
	}
}

// TestRefuses: each change of a good file is refused by the name of the part.
func TestRefuses(t *testing.T) {
	g := readGolden(t)
	for name, c := range map[string]struct {
		base, path, value string // the part at path becomes value
		field             string
	}{
		"unigram":            {"llama2", "model", `{"type":"Unigram","vocab":[]}`, "model"},
		"dropout":            {"llama2", "model.dropout", `0.1`, "model.dropout"},
		"suffix":             {"llama2", "model.end_of_word_suffix", `"</w>"`, "model.end_of_word_suffix"},
		"prefix":             {"llama2", "model.continuing_subword_prefix", `"##"`, "model.continuing_subword_prefix"},
		"model key":          {"llama2", "model.cleverness", `1`, "model"},
		"no vocabulary":      {"llama2", "model.vocab", `{}`, "model.vocab"},
		"negative id":        {"llama2", "model.vocab", `{"a":-1}`, "model.vocab"},
		"huge id":            {"llama2", "model.vocab", `{"<unk>":0,"a":4000000000}`, "model.vocab"},
		"double id":          {"llama2", "model.vocab", `{"<unk>":0,"a":0}`, "model.merges[0]"},
		"merge type":         {"llama2", "model.merges", `[1]`, "model.merges"},
		"merge of three":     {"llama2", "model.merges", `[["a","b","c"]]`, "model.merges[0]"},
		"merge of none":      {"llama2", "model.merges", `["ab"]`, "model.merges[0]"},
		"merge of strangers": {"llama2", "model.merges", `[["\u0001","b"]]`, "model.merges[0]"},
		"unknown token":      {"llama2", "model.unk_token", `"nobody"`, "model.unk_token"},
		"normalizer":         {"llama2", "normalizer", `{"type":"Precompiled"}`, "normalizer"},
		"nested normalizer":  {"llama2", "normalizer", `{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Nmt"}]}`, "normalizer.normalizers[1]"},
		"normalizer key":     {"llama2", "normalizer", `{"type":"Prepend","prepend":"x","append":"y"}`, "normalizer"},
		"expression":         {"llama2", "normalizer", `{"type":"Replace","pattern":{"Regex":"("},"content":""}`, "normalizer.pattern"},
		"two patterns":       {"llama2", "normalizer", `{"type":"Replace","pattern":{"Regex":"a","String":"a"},"content":""}`, "normalizer.pattern"},
		"pre-tokenizer":      {"llama2", "pre_tokenizer", `{"type":"BertPreTokenizer"}`, "pre_tokenizer"},
		"behaviour":          {"gpt2", "pre_tokenizer", `{"type":"Split","pattern":{"String":"a"},"behavior":"Odd","invert":false}`, "pre_tokenizer.behavior"},
		"scheme":             {"metaspace-first", "pre_tokenizer.prepend_scheme", `"last"`, "pre_tokenizer.prepend_scheme"},
		"not an object":      {"gpt2", "pre_tokenizer", `5`, "pre_tokenizer"},
		"post-processor":     {"gpt2", "post_processor", `{"type":"RobertaProcessing"}`, "post_processor"},
		"template":           {"llama2", "post_processor.special_tokens", `{}`, "post_processor.single[0]"},
		"no sequence":        {"llama2", "post_processor.single", `[]`, "post_processor.single"},
		"no decoder":         {"gpt2", "decoder", `null`, "decoder"},
		"decoder":            {"gpt2", "decoder", `{"type":"CTC"}`, "decoder"},
		"order":              {"llama2", "decoder", `{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"ByteFallback"}]}`, "decoder.decoders[1]"},
		"added token":        {"gpt2", "added_tokens", `[{"id":5,"content":""}]`, "added_tokens[0]"},
		"contradiction":      {"gpt2", "added_tokens", `[{"id":5,"content":"<|new|>"}]`, "added_tokens[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tokenizer.Parse(changed(t, g.Tokenizers[c.base].File, strings.Split(c.path, "."), c.value))
			var in *mergesearch.InputError
			if !errors.As(err, &in) || in.Field != c.field {
				t.Fatalf("error %v, want one about %s", err, c.field)
			}
		})
	}
}

func changed(t *testing.T, file json.RawMessage, path []string, value string) json.RawMessage {
	t.Helper()
	if len(path) == 0 {
		return json.RawMessage(value)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(file, &object); err != nil {
		t.Fatal(err)
	}
	object[path[0]] = changed(t, object[path[0]], path[1:], value)
	out, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDeepNesting(t *testing.T) {
	g := readGolden(t)
	deep := strings.Repeat(`{"type":"Sequence","normalizers":[`, 50) + strings.Repeat(`]}`, 50)
	if _, err := tokenizer.Parse(changed(t, g.Tokenizers["gpt2"].File, []string{"normalizer"}, deep)); err == nil {
		t.Error("fifty sequences within each other were accepted")
	}
}

// FuzzParse: no file makes Parse, or what comes of it, panic.
func FuzzParse(f *testing.F) {
	model := `"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"<0x41>":3,"\u0120":4,"\u2581":5},"merges":["a b"],"byte_fallback":true}`
	for _, rest := range []string{
		`"decoder":{"type":"ByteLevel"},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true}`,
		`"decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"\u2581"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":999999999999,"stop":1}]},"normalizer":{"type":"Prepend","prepend":"\u2581"}`,
		`"decoder":{"type":"Metaspace","replacement":"\u2581","prepend_scheme":"first"},"pre_tokenizer":{"type":"Metaspace","replacement":"\u2581","prepend_scheme":"first","split":true}`,
		`"decoder":{"type":"Fuse"},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"\\s+(?!\\S)|\\p{L}+"},"behavior":"Isolated","invert":false},"added_tokens":[{"id":9,"content":"<s>","special":true,"lstrip":true}]`,
		`"decoder":{"type":"Fuse"},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"a","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"a":{"id":"a","ids":[0],"tokens":["a"]}}}`,
	} {
		f.Add([]byte("{"+model+","+rest+"}"), "abba <s> 日本\xff語")
	}
	f.Fuzz(func(t *testing.T, file []byte, text string) {
		tok, err := tokenizer.Parse(file)
		if err != nil {
			var in *mergesearch.InputError
			if !errors.As(err, &in) {
				t.Fatalf("%v is not about the input", err)
			}
			return
		}
		if len(text) > 200 {
			return
		}
		for _, id := range tok.Encode(text, true) {
			if id < 0 || int(id) >= tok.Size() {
				t.Fatalf("id %d of %d", id, tok.Size())
			}
		}
		tok.Decode(append(tok.Encode(text, false), -1, 0, 1<<30), true)
	})
}

func BenchmarkEncode(b *testing.B) {
	g := readGolden(b)
	text := strings.Repeat("the quick brown fox jumps over the lazy dog ", 20)
	for _, name := range lossless {
		tok := parse(b, g, name)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				tok.Encode(text, true)
			}
		})
	}
}
