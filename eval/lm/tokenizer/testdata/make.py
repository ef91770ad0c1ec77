"""Makes tokenizers.json.gz with the Python package tokenizers.

    python3 -m venv venv && venv/bin/pip install tokenizers
    venv/bin/python make.py

Small tokenizers of every kind that the Go package reads are trained or written
by hand, and each encodes and decodes the same texts, random and chosen.
"""

import gzip
import json
import os
import random

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = ["the quick brown fox jumps over the lazy dog, and the other one's there too: 12345 67 it'll do!",
          "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich — naïve café, 日本語 текст 한국어 😀👍🏽",
          "def main():\n    return  x +  y\n\n\ttabs\tand   spaces  \r\nend"] * 3

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def byte_level(pattern=None, normalizer=None, prefix=False, ignore_merges=False, template=None):
    tok = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        tok.normalizer = normalizer
    if pattern:
        tok.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(pattern), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=False)])
    else:
        tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=420, special_tokens=["<|begin|>", "<|end|>"], show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    tok.add_tokens([AddedToken("<|tool|>", special=False, normalized=False), AddedToken("naïve", special=False, normalized=True),
                    AddedToken("<|wide|>", lstrip=True, rstrip=True, special=True),
                    AddedToken("one", single_word=True, special=False, normalized=False)])
    if template:
        tok.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
            single="<|begin|> $A" + template, special_tokens=[("<|begin|>", 0), ("<|end|>", 1)])])
    return tok


def byte_fallback(metaspace=None, fuse_unk=True, fallback=True, strip=True):
    """Llama 2: characters and byte tokens, spaces written as U+2581."""
    pieces = ["<unk>", "<s>", "</s>"]
    if fallback:
        pieces += [f"<0x{b:02X}>" for b in range(256)]
    vocab = {p: i for i, p in enumerate(pieces)}
    words = "".join(CORPUS[:1]).replace(" ", "\u2581")
    for c in sorted(set(words) | {"\u2581", "é", "日"}):
        vocab.setdefault(c, len(vocab))
    merges = []
    for pair in [("t", "h"), ("th", "e"), ("\u2581", "the"), ("\u2581", "\u2581"), ("o", "n"), ("on", "e"), ("e", "r"),
                 ("\u2581", "t"), ("h", "e"), ("i", "t"), ("l", "l"), ("1", "2"), ("12", "3")]:
        merges.append(pair)
        vocab.setdefault(pair[0] + pair[1], len(vocab))
    tok = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=fuse_unk, byte_fallback=fallback))
    if metaspace:
        tok.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme=metaspace[0], split=metaspace[1])
        tok.decoder = decoders.Sequence([decoders.Metaspace(replacement="\u2581", prepend_scheme=metaspace[0]),
                                         decoders.ByteFallback(), decoders.Fuse()])
    else:
        tok.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
        steps = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
        tok.decoder = decoders.Sequence(steps + ([decoders.Strip(" ", 1, 0)] if strip else []))
    tok.add_special_tokens(["<s>", "</s>", "<unk>"])
    tok.add_tokens([AddedToken("<|tool|>", special=False, normalized=False)])
    tok.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tok


def splitters(behavior, invert):
    tok = byte_level()
    tok.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip()])
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"[aeiou]+|\s"), behavior=behavior, invert=invert),
        pre_tokenizers.Digits(individual_digits=not invert),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return tok


TOKENIZERS = {
    "gpt2": byte_level(),
    "gpt2-prefix": byte_level(prefix=True),
    "llama3": byte_level(LLAMA3, ignore_merges=True, template=""),
    "qwen2": byte_level(QWEN2, normalizer=normalizers.NFC()),
    "template-end": byte_level(LLAMA3, template=" <|end|>"),
    "llama2": byte_fallback(),
    "llama2-no-strip": byte_fallback(strip=False),
    "metaspace-first": byte_fallback(metaspace=("first", False)),
    "metaspace-always": byte_fallback(metaspace=("always", True)),
    "metaspace-never": byte_fallback(metaspace=("never", True)),
    "unknown-fused": byte_fallback(fallback=False),
    "unknown-apart": byte_fallback(fallback=False, fuse_unk=False),
    **{f"split-{b}{'-inverted' if i else ''}": splitters(b, i)
       for b in ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"] for i in [False, True]},
}

CHOSEN = ["", " ", "  ", "a", " a", "a ", "the one", "  the  one  ", "<s>", "<s>the</s>", "the<|tool|>one", "<|begin|> x <|end|>",
          "x  <|wide|>  y", "<|wide|><|wide|>", "one ones one, someone", "naïve nai\u0308ve", "\u2581the", "the\u2581\u2581one",
          "日本語", "😀👍🏽", "\u00a0\u2003\u3000x\u0085y\u1680", "it's IT'S we'Ll o'clock", "1234567890", "a\r\n\r\n b\n\n\n  c\t\t", "\ufffd\u0000\u007f",
          "İstanbul ǅ ﬁ ①", "<0x41>", "e\u0301\u0323", "one<s>", "the" * 30]


def random_text(r):
    pools = ["the one ", "abcdefghij klmnop  ", "0123456789 .,;:!?'\"()[]{}", "\n\r\t \u00a0\u2003", "äöüßéèñçå—“”",
             "日本語한국어текстελ", "😀👍🏽🇩🇪", "\u2581<>|s/_0x", "'s't're've'm'll'd'S"]
    return "".join(r.choice(r.choice(pools)) for _ in range(r.randrange(1, 40)))


def main():
    r = random.Random(7)
    texts = CHOSEN + [random_text(r) for _ in range(170)]
    out = dict(command="python make.py", version=tokenizers.__version__, texts=texts, tokenizers={})
    for name, tok in TOKENIZERS.items():
        size = tok.get_vocab_size()
        ids = [[r.randrange(size) for _ in range(r.randrange(1, 12))] for _ in range(60)]
        out["tokenizers"][name] = dict(
            file=json.loads(tok.to_str()),
            plain=[tok.encode(t, add_special_tokens=False).ids for t in texts],
            special=[tok.encode(t).ids for t in texts[:40]],
            decoded=[tok.decode(tok.encode(t).ids, skip_special_tokens=True) for t in texts],
            ids=ids, text=[tok.decode(i, skip_special_tokens=False) for i in ids],
            skipped=[tok.decode(i, skip_special_tokens=True) for i in ids])
    with gzip.GzipFile(os.path.join(HERE, "tokenizers.json.gz"), "wb", mtime=0) as f:
        f.write(json.dumps(out, separators=(",", ":")).encode())


main()
