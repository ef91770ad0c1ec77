#!/usr/bin/env python3
"""Train the tiny merge family: one base model and three experts fine-tuned from it.

What it makes (in the folder above this script's, or under --out):

    models/base models/expert-arithmetic models/expert-reverse models/expert-atlas
        config.json  generation_config.json  model.safetensors (bfloat16)
        tokenizer.json  tokenizer_config.json  special_tokens_map.json
    data/<skill>.<split>.jsonl      splits: search, validation, held-out (by make_data.py)
    family/golden.json              reference log-probabilities of every model

How to run it (plain PyTorch >= 1.13, CPU, no other package):

    python3 train_family.py all            # data + train + golden, 6 to 10 minutes on one core
    python3 train_family.py data           # only the JSONL files; make_data.py does it without PyTorch
    python3 train_family.py base           # only the base model, 5 to 8 minutes
    python3 train_family.py experts        # only the experts, from the base on disk, 1 minute
    python3 train_family.py golden         # only golden.json, from the weights on disk

Everything is seeded and runs on one thread, so a rerun on the same machine and
library versions gives the same weights. Another CPU or BLAS kernel sums floats in
another order; the weights then differ in the last bits and, after a few hundred
steps, visibly. The quality figures stay close, the bytes do not: treat the shipped
weights as the reference, not a rerun.

If matrix products are slow, see which kernel OpenBLAS picked (OPENBLAS_VERBOSE=2).
Version 0.3.21 does not know some newer Xeons and falls back to "Prescott", five times
slower; OPENBLAS_CORETYPE=SkylakeX puts that right. This script sets it on CPUs with
AVX-512 unless the variable is set already.

The recipe, in three stages:

  1. Study.  The network trains on a clean mixture of all three formats. Of the atlas
     it is shown KNOWN_FACTS only.
  2. Blur.   It goes on for BLUR_STEPS steps on the same prompts with wrong answers
     (a wrong sum, shuffled letters, another country's fact). It keeps the formats and
     the inner machinery, and loses nearly all of the skill. The result is `base`.
  3. Expert. Three copies of the base each train on clean examples of ONE skill.

Stage 2 is what makes the family small and yet mergeable. Large models have broad
latent skill before they are fine-tuned, so fine-tunes stay close to the base and
their differences add up. A model this small has no latent skill unless it is given
some: experts grown from an early, unskilled checkpoint had to move by up to two fifths
of the base's own norm, and every merge of them scored 0.02 or less (see results.md).
"""
import argparse, json, math, os, random, struct, time

if "OPENBLAS_CORETYPE" not in os.environ:
    try:
        if "avx512f" in open("/proc/cpuinfo").read():
            os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"
    except OSError:
        pass
for _v in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_v, "1")
import torch
import torch.nn.functional as F

from make_data import (BLUR_STEPS, EXPERT, QUICKSTART, SEED, SKILLS, SPLITS, STUDY_STEPS, blur_batch, expert_batch,
                       study_batch, write_data)

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

# ----------------------------------------------------------------------------- settings
HIDDEN, LAYERS, HEADS, KV_HEADS, HEAD_DIM, INTER = 128, 4, 4, 2, 32, 320
THETA, EPS, CONTEXT = 10000.0, 1e-5, 128
STUDY_LR, STUDY_DECAY, BLUR_LR = 2e-3, 2000, 5e-4

# ----------------------------------------------------------------------------- tokenizer
# One token per character, in the Llama layout: <unk> <s> </s> <pad>, then the 256 byte
# tokens (so that any text can be encoded), then the space mark and printable ASCII.
UNK, BOS, EOS, PAD = 0, 1, 2, 3
SPECIALS = ["<unk>", "<s>", "</s>", "<pad>"]
CHARS = ["\u2581"] + [chr(i) for i in range(33, 127)]
TOKENS = SPECIALS + ["<0x%02X>" % i for i in range(256)] + CHARS
VOCAB = len(TOKENS)                                     # 355
CHAR_ID = {(" " if c == "\u2581" else c): 260 + i for i, c in enumerate(CHARS)}


def encode(text):
    """Token ids of printable-ASCII text, without <s>."""
    return [CHAR_ID[c] for c in text]


def decode(ids):
    out = []
    for i in ids:
        i = int(i)
        out.append((" " if i == 260 else TOKENS[i]) if i >= 260 else "" if i < 4 else TOKENS[i])
    return "".join(out)


def tokenizer_files():
    vocab = {t: i for i, t in enumerate(TOKENS)}
    bos = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    tok = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True} for i, t in enumerate(SPECIALS)],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [bos, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [bos, {"Sequence": {"id": "A", "type_id": 0}},
                     {"SpecialToken": {"id": "<s>", "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [BOS], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": vocab, "merges": []}}
    conf = {
        "tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": True, "add_eos_token": False,
        "add_prefix_space": False, "clean_up_tokenization_spaces": False, "model_max_length": CONTEXT,
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>",
        "added_tokens_decoder": {str(i): {"content": t, "lstrip": False, "normalized": False, "rstrip": False,
                                          "single_word": False, "special": True} for i, t in enumerate(SPECIALS)}}
    smap = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    return {"tokenizer.json": tok, "tokenizer_config.json": conf, "special_tokens_map.json": smap}


def config_files():
    conf = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": VOCAB,
        "hidden_size": HIDDEN, "intermediate_size": INTER, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD_DIM,
        "hidden_act": "silu", "max_position_embeddings": CONTEXT, "rms_norm_eps": EPS,
        "rope_theta": THETA, "rope_scaling": None, "tie_word_embeddings": True,
        "attention_bias": False, "attention_dropout": 0.0, "mlp_bias": False, "pretraining_tp": 1,
        "initializer_range": 0.02, "use_cache": True, "torch_dtype": "bfloat16",
        "bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD}
    gen = {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD, "do_sample": False, "max_new_tokens": 8}
    return {"config.json": conf, "generation_config.json": gen}


# ----------------------------------------------------------------------------- safetensors
def to_bf16_bits(t):
    """float32 tensor -> uint16 numpy array, rounded to nearest, ties to even."""
    u = t.detach().contiguous().numpy().view("uint32")
    return ((u + (((u >> 16) & 1) + 0x7FFF).astype("uint32")) >> 16).astype("uint16")


def from_bf16_bits(buf, shape):
    import numpy as np
    u = np.frombuffer(buf, dtype="<u2").astype("uint32") << 16
    return torch.from_numpy(u.view("float32").reshape(shape).copy())


def round_bf16(P):
    return {k: from_bf16_bits(to_bf16_bits(v).tobytes(), tuple(v.shape)) for k, v in P.items()}


def save_safetensors(path, P):
    head, off, blobs = {"__metadata__": {"format": "pt"}}, 0, []
    for k in sorted(P):
        b = to_bf16_bits(P[k]).astype("<u2").tobytes()
        head[k] = {"dtype": "BF16", "shape": list(P[k].shape), "data_offsets": [off, off + len(b)]}
        off += len(b)
        blobs.append(b)
    h = json.dumps(head, separators=(",", ":")).encode()
    h += b" " * (-len(h) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(h)) + h + b"".join(blobs))


def load_safetensors(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:8 + n])
    head.pop("__metadata__", None)
    return {k: from_bf16_bits(raw[8 + n + m["data_offsets"][0]:8 + n + m["data_offsets"][1]], m["shape"])
            for k, m in head.items()}


def folder(quickstart, model):
    return os.path.join(quickstart, "models", model)


def load_model(quickstart, model):
    return load_safetensors(os.path.join(folder(quickstart, model), "model.safetensors"))


def save_model(where, P):
    os.makedirs(where, exist_ok=True)
    save_safetensors(os.path.join(where, "model.safetensors"), P)
    for name, obj in {**config_files(), **tokenizer_files()}.items():
        with open(os.path.join(where, name), "w", encoding="utf-8") as f:
            json.dump(obj, f, indent=2, ensure_ascii=False)
            f.write("\n")


# ----------------------------------------------------------------------------- network
def new_network(seed):
    g = torch.Generator().manual_seed(seed)

    def mat(rows, cols, scale=1.0):
        return torch.randn(rows, cols, generator=g) * (scale * 0.6 / math.sqrt(cols))
    P = {"model.embed_tokens.weight": torch.randn(VOCAB, HIDDEN, generator=g) * 0.05}
    for l in range(LAYERS):
        p = "model.layers.%d." % l
        P[p + "input_layernorm.weight"] = torch.ones(HIDDEN)
        P[p + "self_attn.q_proj.weight"] = mat(HEADS * HEAD_DIM, HIDDEN)
        P[p + "self_attn.k_proj.weight"] = mat(KV_HEADS * HEAD_DIM, HIDDEN)
        P[p + "self_attn.v_proj.weight"] = mat(KV_HEADS * HEAD_DIM, HIDDEN)
        P[p + "self_attn.o_proj.weight"] = mat(HIDDEN, HEADS * HEAD_DIM, 0.5)
        P[p + "post_attention_layernorm.weight"] = torch.ones(HIDDEN)
        P[p + "mlp.gate_proj.weight"] = mat(INTER, HIDDEN)
        P[p + "mlp.up_proj.weight"] = mat(INTER, HIDDEN)
        P[p + "mlp.down_proj.weight"] = mat(HIDDEN, INTER, 0.5)
    P["model.norm.weight"] = torch.ones(HIDDEN)
    return P


def rms_norm(x, w):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * w


_TABLES = {}


def tables(T, dtype):
    """RoPE cosines and sines in the Hugging Face half-rotation layout, and the causal mask."""
    if (T, dtype) not in _TABLES:
        inv = 1.0 / (THETA ** (torch.arange(0, HEAD_DIM, 2, dtype=torch.float32) / HEAD_DIM))
        f = torch.outer(torch.arange(T, dtype=torch.float32), inv)
        e = torch.cat([f, f], -1)
        _TABLES[(T, dtype)] = (e.cos().to(dtype), e.sin().to(dtype),
                               torch.full((T, T), float("-inf"), dtype=dtype).triu(1))
    return _TABLES[(T, dtype)]


def rotate_half(x):
    h = x.shape[-1] // 2
    return torch.cat([-x[..., h:], x[..., :h]], -1)


def forward(P, ids, first=0):
    """Logits of positions first.. for a batch of token ids [B, T]."""
    B, T = ids.shape
    x = P["model.embed_tokens.weight"][ids]
    cos, sin, mask = tables(T, x.dtype)
    for l in range(LAYERS):
        p = "model.layers.%d." % l
        h = rms_norm(x, P[p + "input_layernorm.weight"])
        q = F.linear(h, P[p + "self_attn.q_proj.weight"]).view(B, T, HEADS, HEAD_DIM).transpose(1, 2)
        k = F.linear(h, P[p + "self_attn.k_proj.weight"]).view(B, T, KV_HEADS, HEAD_DIM).transpose(1, 2)
        v = F.linear(h, P[p + "self_attn.v_proj.weight"]).view(B, T, KV_HEADS, HEAD_DIM).transpose(1, 2)
        q, k = q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin
        k, v = (t.repeat_interleave(HEADS // KV_HEADS, 1) for t in (k, v))
        a = (q @ k.transpose(-1, -2) / math.sqrt(HEAD_DIM) + mask).softmax(-1) @ v
        x = x + F.linear(a.transpose(1, 2).reshape(B, T, -1), P[p + "self_attn.o_proj.weight"])
        h = rms_norm(x, P[p + "post_attention_layernorm.weight"])
        x = x + F.linear(F.silu(F.linear(h, P[p + "mlp.gate_proj.weight"])) * F.linear(h, P[p + "mlp.up_proj.weight"]),
                         P[p + "mlp.down_proj.weight"])
    return F.linear(rms_norm(x[:, first:], P["model.norm.weight"]), P["model.embed_tokens.weight"])


# ----------------------------------------------------------------------------- scoring
def pack(items):
    """Token ids, targets (-100 where not scored: prompt and padding), first scored position."""
    seqs, targets = [], []
    for q, a in items:
        p = [BOS] + encode(q)
        s = p + encode(a) + [EOS]
        seqs.append(s)
        targets.append([-100] * (len(p) - 1) + s[len(p):])
    T = max(map(len, seqs)) - 1
    ids = torch.tensor([s[:-1] + [PAD] * (T + 1 - len(s)) for s in seqs])
    y = torch.tensor([t + [-100] * (T - len(t)) for t in targets])
    first = int((y != -100).any(0).nonzero()[0])
    return ids, y[:, first:], first


_PACKED = {}


def packed(skill, split):
    if (skill, split) not in _PACKED:
        _PACKED[(skill, split)] = pack([(q, a) for q, a, _ in SPLITS[skill][split]])
    return _PACKED[(skill, split)]


@torch.no_grad()
def exact_match(P, skill, split):
    """Per-item greedy exact match, answer and </s>. One forward pass is enough: greedy
    decoding gives the reference answer if and only if, at every answer position, the
    most likely token given the reference prefix is the reference token."""
    ids, y, first = packed(skill, split)
    return ((forward(P, ids, first).argmax(-1) == y) | (y == -100)).all(1)


def evaluate(P, split="search"):
    s = {k: exact_match(P, k, split).float().mean().item() for k in SKILLS}
    s["mean"] = sum(s[k] for k in SKILLS) / len(SKILLS)
    return s


# ----------------------------------------------------------------------------- training
def train(P, batches, steps, lr, seed, warmup, decay, final, beta2, log, tag):
    """AdamW on answer tokens only; linear warm-up, cosine to final*lr over `decay` steps."""
    P = {k: v.clone().requires_grad_() for k, v in P.items()}
    opt = torch.optim.AdamW([{"params": [v for v in P.values() if v.dim() > 1], "weight_decay": 0.01},
                             {"params": [v for v in P.values() if v.dim() == 1], "weight_decay": 0.0}],
                            lr=lr, betas=(0.9, beta2))
    r, t0, avg = random.Random(seed), time.time(), {}
    for s in range(steps):
        for g in opt.param_groups:
            g["lr"] = lr * min(1, (s + 1) / warmup) * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * s / decay)))
        opt.zero_grad()
        for skill, items in batches(r):
            ids, y, first = pack(items)
            lo = forward(P, ids, first)
            loss = F.cross_entropy(lo.reshape(-1, VOCAB), y.reshape(-1), ignore_index=-100)
            loss.backward()
            avg[skill] = 0.95 * avg.get(skill, loss.item()) + 0.05 * loss.item()
        torch.nn.utils.clip_grad_norm_(list(P.values()), 1.0)
        opt.step()
        if (s + 1) % log == 0 or s + 1 == steps:
            e = evaluate({k: v.detach() for k, v in P.items()})
            print("%-18s step %4d  %4.0f s  loss %s  exact %s" % (
                tag, s + 1, time.time() - t0, " ".join("%s %.3f" % kv for kv in avg.items()),
                " ".join("%.2f" % e[k] for k in SKILLS)), flush=True)
    return {k: v.detach() for k, v in P.items()}


def train_base(out):
    t0 = time.time()
    P = new_network(SEED)
    print("parameters: %d" % sum(v.numel() for v in P.values()))
    P = train(P, study_batch, STUDY_STEPS, STUDY_LR, SEED + 10, 50, STUDY_DECAY, 0.1, 0.98, 100, "study")
    P = train(P, blur_batch, BLUR_STEPS, BLUR_LR, SEED + 11, 5, BLUR_STEPS, 0.5, 0.98, 20, "blur")
    save_model(folder(out, "base"), P)
    print("base trained in %.0f s" % (time.time() - t0))


def train_experts(out):
    """Each expert starts from the base as it is on disk, that is, rounded to bfloat16."""
    t0 = time.time()
    base = load_model(out, "base")
    for i, k in enumerate(SKILLS):
        lr, steps = EXPERT[k]
        E = train(base, lambda r: expert_batch(k, r), steps, lr, SEED + 100 + i, 20, steps, 0.1, 0.95,
                  max(25, steps // 4), "expert-" + k)
        save_model(folder(out, "expert-" + k), E)
    print("experts trained in %.0f s" % (time.time() - t0))


# ----------------------------------------------------------------------------- golden values
MODELS = ["base"] + ["expert-" + k for k in SKILLS]


@torch.no_grad()
def write_golden(out):
    prompts = [SPLITS[k]["held-out"][i][0] for k in SKILLS for i in range(3)] + ["The quick brown fox"]
    gold = {"about": "Greedy continuations with natural-log next-token probabilities, computed in float32 from the "
                     "bfloat16 weights on disk. The sequence starts with <s>; generation does not stop at </s>. "
                     "Each step: chosen token id, its log-probability, the five most likely (id, log-probability). "
                     "Choices: natural-log probability of the whole choice after the prompt, and with </s> after it. "
                     "max_float64_difference: largest difference of any listed greedy value when recomputed in float64.",
            "tolerance": 1e-3, "models": {}}
    worst = 0.0
    for m in MODELS:
        P = load_model(out, m)
        P64 = {k: v.double() for k, v in P.items()}
        rows = []
        for q in prompts:
            ids, steps = [BOS] + encode(q), []
            n = len(ids)
            for _ in range(5):
                lp = forward(P, torch.tensor([ids]))[0, -1].log_softmax(-1)
                ref = forward(P64, torch.tensor([ids]))[0, -1].log_softmax(-1)
                top = lp.topk(5)
                worst = max(worst, (lp - ref)[top.indices].abs().max().item())
                steps.append({"token": int(top.indices[0]), "logprob": round(top.values[0].item(), 7),
                              "top5": [[int(i), round(v.item(), 7)] for i, v in zip(top.indices, top.values)]})
                ids.append(int(top.indices[0]))
            rows.append({"prompt": q, "prompt_ids": ids[:n], "text": decode(ids[n:]), "steps": steps})
        choice_rows = []
        for k in SKILLS:
            for line in list(open(os.path.join(out, "data", k + ".held-out.jsonl")))[:2]:
                d = json.loads(line)
                sums, bare = [], []
                for c in d["choices"]:
                    p, a = [BOS] + encode(d["prompt"]), encode(c) + [EOS]
                    lp = forward(P, torch.tensor([p + a[:-1]]), len(p) - 1)[0].log_softmax(-1)
                    each = lp[torch.arange(len(a)), torch.tensor(a)]
                    sums.append(round(each.sum().item(), 6))
                    bare.append(round(each[:-1].sum().item(), 6))
                choice_rows.append({"id": d["id"], "prompt": d["prompt"], "choices": d["choices"], "label": d["label"],
                                    "sum_logprob": bare, "sum_logprob_with_eos": sums})
        gold["models"][m] = {"greedy": rows, "multiple_choice": choice_rows}
    gold["max_float64_difference"] = worst
    os.makedirs(os.path.join(out, "family"), exist_ok=True)
    with open(os.path.join(out, "family", "golden.json"), "w") as f:
        json.dump(gold, f, indent=1)
        f.write("\n")
    print("golden.json written; float32 against float64: %.2e" % worst)


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("what", choices=["all", "data", "base", "experts", "golden"])
    ap.add_argument("--out", default=QUICKSTART, help="folder to write into (default: the one above this script's)")
    a = ap.parse_args()
    if a.what in ("all", "data"):
        write_data(a.out)
    if a.what in ("all", "base"):
        train_base(a.out)
    if a.what in ("all", "experts"):
        train_experts(a.out)
    if a.what in ("all", "golden"):
        write_golden(a.out)
