// Package tokenizer turns text into token ids and back, by the tokenizer.json
// of a checkpoint (the format of Hugging Face tokenizers).
//
// Text passes through added tokens (split out first), normalizer,
// pre-tokenizer, byte-pair encoding and post-processor; ids come back through
// the decoder. What is read:
//
//   - model: BPE, byte-level (GPT-2, Llama 3, Qwen) or with byte fallback
//     (Llama 2, Mistral), merges as "a b" or as pairs, ignore_merges, fuse_unk
//   - normalizer: Sequence, Prepend, Replace, NFC, NFD, NFKC, NFKD, Lowercase, Strip
//   - pre_tokenizer: Sequence, Split, ByteLevel, Metaspace, Digits, WhitespaceSplit
//   - post_processor: Sequence, TemplateProcessing, ByteLevel
//   - decoder: Sequence, Replace, ByteFallback, Fuse, Strip, ByteLevel, Metaspace
//
// Anything else is refused by name, never skipped. The file's truncation and
// padding are not applied: they belong to training and batching, and other
// programs switch them off too.
//
// Types to know: Tokenizer (immutable, safe for concurrent use) and Stream (the
// text of a completion as it grows).
//
// Invariants. Encode and Decode never panic, whatever the text or the ids; ids
// come out below Size. With a byte-level or byte-fallback vocabulary, and a
// normalizer that loses nothing, Decode gives back the text of Encode.
//
// Regular expressions are those of the file, run by regexp2, whose case folding
// is simpler than that of the original in one known place: (?i:s) does not match
// U+017F.
//
// Not here: chat templates (eval/chat); the ids of beginning and end of a text (lm
// reads them from the configuration).
//
// Sources: byte-pair encoding, Sennrich et al. 2016 (arXiv 1508.07909);
// byte-level alphabet, Radford et al. 2019 (GPT-2); byte fallback, Kudo and
// Richardson 2018 (arXiv 1808.06226).
package tokenizer
