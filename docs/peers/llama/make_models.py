"""Makes miniature models with random weights: every architecture and every kind
of tokenizer that mergesearch writes as GGUF.

    python make_models.py OUT        (needs transformers and torch)
"""

import json
import os
import sys

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM,
                          Qwen3Config, Qwen3ForCausalLM)

CORPUS = ["the quick brown fox jumps over the lazy dog, and the other one's there too: 12345 67 it'll do!",
          "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich — naïve café, 日本語 текст 한국어",
          "def main():\n    return  x +  y\n\n\ttabs\tand   spaces  \r\nend HELLO World helloWorld"] * 3

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
LOW, UP = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
TEKKEN = (rf"[^\r\n\p{{L}}\p{{N}}]?{UP}*{LOW}+|[^\r\n\p{{L}}\p{{N}}]?{UP}+{LOW}*|\p{{N}}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIAL = ["<|begin|>", "<|end|>"]


def byte_level(steps, ignore_merges=False, bos=True):
    tok = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tok.pre_tokenizer = pre_tokenizers.Sequence(steps) if len(steps) > 1 else steps[0]
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=400, special_tokens=SPECIAL, show_progress=False,
                                                        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    tok.add_tokens([AddedToken("<|tool|>", special=False, normalized=False)])
    if bos:
        tok.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
            single="<|begin|> $A", special_tokens=[("<|begin|>", 0)])])
    return tok


def split(pattern):
    return [pre_tokenizers.Split(Regex(pattern), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]


def scored(metaspace):
    """Merges as converters derive them from a SentencePiece vocabulary: all ways
    to put a piece together, in the order of the pieces."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    trained.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=160, show_progress=False))
    learnt = sorted(trained.get_vocab().items(), key=lambda kv: kv[1])
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    pieces += [p for p, _ in learnt if len(p) > 1] + [p for p, _ in learnt if len(p) == 1]
    vocab = {p: i for i, p in enumerate(pieces)}
    merges = [(p[:i], p[i:]) for p, _ in learnt if len(p) > 1 for i in range(1, len(p)) if p[:i] in vocab and p[i:] in vocab]
    tok = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if metaspace:
        tok.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="first", split=False)
    else:
        tok.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tok.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
                                     decoders.Strip(" ", 1, 0)])
    tok.add_special_tokens(["<unk>", "<s>", "</s>"])
    tok.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tok


SIZES = dict(hidden_size=64, intermediate_size=160, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=128, initializer_range=0.15)
ROPE = {"rope_type": "llama3", "rope_theta": 500.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32}

MODELS = {
    "llama2": (LlamaForCausalLM, LlamaConfig(**SIZES), scored(False)),
    "llama3": (LlamaForCausalLM, LlamaConfig(**SIZES, rope_parameters=ROPE, tie_word_embeddings=True),
               byte_level(split(LLAMA3), ignore_merges=True)),
    "llama-bias": (LlamaForCausalLM, LlamaConfig(**SIZES, attention_bias=True, mlp_bias=True, head_dim=32),
                   byte_level([pre_tokenizers.ByteLevel(add_prefix_space=False)])),
    "llama-linear": (LlamaForCausalLM, LlamaConfig(**SIZES, rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}),
                     byte_level([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])),
    "mistral": (MistralForCausalLM, MistralConfig(**SIZES, sliding_window=None), scored(True)),
    "mistral-nemo": (MistralForCausalLM, MistralConfig(**SIZES, sliding_window=None, head_dim=32), byte_level(split(TEKKEN), ignore_merges=True)),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**SIZES, tie_word_embeddings=True), byte_level(split(QWEN2), bos=False)),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(**SIZES, head_dim=32), byte_level(split(QWEN2), bos=False)),
}


def main(out):
    for seed, (name, (cls, config, tok)) in enumerate(MODELS.items()):
        torch.manual_seed(seed)
        config.vocab_size = (tok.get_vocab_size() + 15) // 16 * 16  # rows without a token at the end
        bos, eos = (1, 2) if "<s>" in tok.get_vocab() else (0, 1)
        config.bos_token_id, config.eos_token_id = bos, eos
        model = cls(config)
        with torch.no_grad():
            for p in model.parameters():  # biases and norms that show when they are left out
                if p.ndim == 1:
                    p.add_(torch.randn_like(p) * 0.2)
        folder = os.path.join(out, name)
        model.to(torch.bfloat16).save_pretrained(folder)
        tok.save(os.path.join(folder, "tokenizer.json"))
        with open(os.path.join(folder, "tokenizer_config.json"), "w") as f:
            json.dump({"bos_token": tok.id_to_token(bos), "eos_token": tok.id_to_token(eos)}, f)
        print(name, config.vocab_size)


if __name__ == "__main__":
    main(sys.argv[1])
