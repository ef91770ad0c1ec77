"""Makes the checkpoints and golden values of this directory with transformers.

    python3 -m venv venv && venv/bin/pip install torch transformers tokenizers safetensors
    venv/bin/python make.py

Every variant is a tiny random checkpoint in one of the four layouts, with the
options of the layout toggled. Weights are drawn from a seed, rounded to the type
on disk and run in float32 on a CPU without a cache; 64 greedy tokens follow each
prompt. The answers, the versions and the settings go to <variant>/golden.json.gz.
"""

import gzip
import json
import os
import shutil
import sys

import safetensors
import tokenizers
import torch
import transformers
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
VOCAB, STEPS = 290, 64
LENGTHS, PER_LENGTH = [3, 7, 13, 24], 26

SHARED = dict(vocab_size=VOCAB, num_hidden_layers=2, max_position_embeddings=128,
              bos_token_id=0, eos_token_id=1, pad_token_id=None, attention_dropout=0.0)

VARIANTS = {
    "llama-untied-gqa2-llama3": (
        "Llama", torch.bfloat16,
        dict(hidden_size=48, intermediate_size=80, num_attention_heads=4, num_key_value_heads=2,
             tie_word_embeddings=False, attention_bias=False, mlp_bias=False, rms_norm_eps=1e-5,
             rope_parameters=dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0,
                                  high_freq_factor=4.0, original_max_position_embeddings=32))),
    "llama-tied-bias-headdim": (
        "Llama", torch.float16,
        dict(hidden_size=40, intermediate_size=72, num_attention_heads=4, num_key_value_heads=4, head_dim=16,
             tie_word_embeddings=True, attention_bias=True, mlp_bias=True, rms_norm_eps=1e-6,
             rope_parameters=dict(rope_type="default", rope_theta=500000.0))),
    "mistral-untied-mqa": (
        "Mistral", torch.bfloat16,
        dict(hidden_size=48, intermediate_size=80, num_attention_heads=4, num_key_value_heads=1, head_dim=24,
             tie_word_embeddings=False, sliding_window=None,
             rope_parameters=dict(rope_type="default", rope_theta=1000000.0))),
    "mistral-tied-window": (
        "Mistral", torch.float32,
        dict(hidden_size=32, intermediate_size=56, num_attention_heads=4, num_key_value_heads=2,
             tie_word_embeddings=True, sliding_window=16,
             rope_parameters=dict(rope_type="default", rope_theta=10000.0))),
    "qwen2-tied": (
        "Qwen2", torch.bfloat16,
        dict(hidden_size=48, intermediate_size=80, num_attention_heads=6, num_key_value_heads=2,
             tie_word_embeddings=True, use_sliding_window=False,
             rope_parameters=dict(rope_type="default", rope_theta=1000000.0))),
    "qwen2-untied-window": (
        "Qwen2", torch.float16,
        dict(hidden_size=32, intermediate_size=56, num_attention_heads=2, num_key_value_heads=2,
             tie_word_embeddings=False, use_sliding_window=True, sliding_window=12, max_window_layers=1,
             rope_parameters=dict(rope_type="default", rope_theta=10000.0))),
    "qwen3-tied-headdim": (
        "Qwen3", torch.bfloat16,
        dict(hidden_size=48, intermediate_size=80, num_attention_heads=4, num_key_value_heads=2, head_dim=20,
             tie_word_embeddings=True, attention_bias=False,
             rope_parameters=dict(rope_type="default", rope_theta=1000000.0))),
    "qwen3-untied-bias-linear": (
        "Qwen3", torch.bfloat16,
        dict(hidden_size=40, intermediate_size=72, num_attention_heads=4, num_key_value_heads=4, head_dim=16,
             tie_word_embeddings=False, attention_bias=True,
             rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0))),
}


def draw(model, dtype, generator):
    """Weights that give neither flat nor certain distributions, rounded to dtype."""
    tied = model.config.tie_word_embeddings
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            x = torch.randn(p.shape, generator=generator)
            if "norm" in name:
                x = 1 + 0.2 * x
            elif name.endswith(".bias"):
                x = 0.3 * x
            elif "embed_tokens" in name:
                x = x * (0.5 if tied else 1.0)
            elif "lm_head" in name:
                x = x * 3.5 / p.shape[1] ** 0.5
            else:
                x = x * 1.2 / p.shape[1] ** 0.5
            p.copy_(x.to(dtype).float())


def golden(model, generator):
    cases = []
    for length in LENGTHS:
        ids = torch.randint(2, VOCAB, (PER_LENGTH, length), generator=generator)
        ids[:, 0] = 0
        first, rows, ties = None, [], []
        for step in range(STEPS):
            with torch.no_grad():
                logits = model(input_ids=ids, use_cache=False).logits.float()
            logp = torch.log_softmax(logits.double(), dim=-1)
            if first is None:
                first = logp[:, :-1].gather(2, ids[:, 1:, None])[..., 0]
            best = logp[:, -1].topk(2)
            rows.append(best.values[:, 0])
            ties.append(best.values[:, 0] - best.values[:, 1] < 1e-4)
            ids = torch.cat([ids, best.indices[:, :1]], dim=1)
        for i in range(PER_LENGTH):
            cases.append(dict(
                prompt=ids[i, :length].tolist(), tokens=ids[i, length:].tolist(),
                prompt_logprobs=[round(x, 5) for x in first[i].tolist()],
                logprobs=[round(r[i].item(), 5) for r in rows],
                ties=[s for s in range(STEPS) if ties[s][i]]))
    return cases


def make_tokenizer():
    """A byte-level tokenizer with a few merges; the goldens themselves use ids."""
    tok = tokenizers.Tokenizer(tokenizers.models.BPE())
    tok.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=VOCAB, special_tokens=["<s>", "</s>"], show_progress=False,
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()))
    tok.train_from_iterator(["the quick brown fox jumps over the lazy dog and then the other one"] * 3, trainer)
    tok.save(os.path.join(HERE, "tokenizer.json"))


def main():
    make_tokenizer()
    for seed, (name, (family, dtype, options)) in enumerate(VARIANTS.items()):
        out = os.path.join(HERE, name)
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(out)
        config = getattr(transformers, family + "Config")(**SHARED, **options, attn_implementation="eager")
        model = getattr(transformers, family + "ForCausalLM")(config).float().eval()
        generator = torch.Generator().manual_seed(seed)
        draw(model, dtype, generator)
        state = {k: v.to(dtype).contiguous() for k, v in model.state_dict().items()}
        if config.tie_word_embeddings:
            state.pop("lm_head.weight", None)
        save_file(state, os.path.join(out, "model.safetensors"), metadata={"format": "pt"})
        config.architectures = [family + "ForCausalLM"]
        config.save_pretrained(out)
        answer = dict(
            command="python make.py",
            versions=dict(python=sys.version.split()[0], torch=torch.__version__, transformers=transformers.__version__,
                          tokenizers=tokenizers.__version__, safetensors=safetensors.__version__),
            cases=golden(model, generator))
        with gzip.GzipFile(os.path.join(out, "golden.json.gz"), "wb", mtime=0) as f:
            f.write(json.dumps(answer, separators=(",", ":")).encode())
        logp = [x for c in answer["cases"] for x in c["logprobs"]]
        distinct = sum(len(set(c["tokens"])) for c in answer["cases"]) / len(answer["cases"])
        print(name, len(answer["cases"]), "cases, mean greedy log-probability", round(sum(logp) / len(logp), 3),
              "distinct tokens of 64:", round(distinct, 1))


main()
