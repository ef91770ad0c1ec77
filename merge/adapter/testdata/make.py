"""Makes golden.json.gz: adapters on tiny models, and what PEFT merges them into.

    python make.py      (written with peft 0.21.2, transformers 5.24.0, torch 2.15.0)

For each case the adapter's two files, the tensors of the model that it changes
(and one that it leaves alone), and the same tensors after merge_and_unload.
"""

import base64
import gzip
import json
import os
import tempfile

import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))


def llama():
    return LlamaForCausalLM(LlamaConfig(vocab_size=12, hidden_size=8, intermediate_size=10, num_hidden_layers=2, num_attention_heads=2,
                                        num_key_value_heads=1, attention_bias=True, initializer_range=0.3))


def gpt2():
    return GPT2LMHeadModel(GPT2Config(vocab_size=12, n_embd=8, n_layer=1, n_head=2, n_positions=6, initializer_range=0.3,
                                      bos_token_id=0, eos_token_id=1))


CASES = {
    "plain": (llama, torch.float32, dict(r=3, lora_alpha=5, target_modules=["q_proj", "down_proj"])),
    "plain-bf16": (llama, torch.bfloat16, dict(r=3, lora_alpha=5, target_modules=["q_proj", "down_proj"])),
    "stabilised": (llama, torch.float32, dict(r=3, lora_alpha=5, use_rslora=True, target_modules=".*self_attn.(q|v)_proj")),
    "patterns": (llama, torch.float32, dict(r=3, lora_alpha=5, target_modules=["q_proj", "k_proj", "up_proj"],
                                            rank_pattern={r"layers\.1\.self_attn\.q_proj": 5, "k_proj": 2}, alpha_pattern={"up_proj": 16})),
    "rank-70": (llama, torch.float32, dict(r=70, lora_alpha=9, target_modules=["o_proj"])),
    "embedding": (llama, torch.float32, dict(r=3, lora_alpha=4, target_modules=["embed_tokens", "v_proj"])),
    "saved": (llama, torch.float32, dict(r=2, lora_alpha=4, target_modules=["v_proj"], modules_to_save=["lm_head", "input_layernorm"])),
    "bias-only": (llama, torch.float32, dict(r=2, lora_alpha=4, target_modules=["v_proj"], bias="lora_only")),
    "bias-all": (llama, torch.float32, dict(r=2, lora_alpha=4, target_modules=["v_proj"], bias="all")),
    "bias-lora": (llama, torch.float32, dict(r=2, lora_alpha=4, target_modules=["v_proj", "k_proj"], lora_bias=True)),
    "dora": (llama, torch.float32, dict(r=3, lora_alpha=5, target_modules=["q_proj", "down_proj"], use_dora=True)),
    "gpt2": (gpt2, torch.float32, dict(r=3, lora_alpha=5, target_modules=["c_attn", "c_proj", "wte"], fan_in_fan_out=True)),
    "gpt2-bf16": (gpt2, torch.bfloat16, dict(r=3, lora_alpha=5, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True)),
    "gpt2-dora": (gpt2, torch.float32, dict(r=3, lora_alpha=5, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True, use_dora=True)),
}


def packed(t):
    raw = t.contiguous().view(torch.uint8).numpy().tobytes() if t.dtype == torch.bfloat16 else t.contiguous().numpy().tobytes()
    return {"dtype": {torch.float32: "F32", torch.bfloat16: "BF16"}[t.dtype], "shape": list(t.shape), "data": base64.b64encode(raw).decode()}


def case(seed, make, dtype, settings):
    torch.manual_seed(seed)
    model = make().to(dtype)
    base = {k: v.clone() for k, v in model.state_dict().items()}
    wrapped = get_peft_model(model, LoraConfig(**settings))
    with torch.no_grad():
        for name, p in wrapped.named_parameters():
            if "magnitude" in name:
                p.mul_(1 + 0.3 * torch.rand_like(p))
            elif p.requires_grad:
                p.add_(torch.randn_like(p) * 0.2)
    with tempfile.TemporaryDirectory() as folder:
        wrapped.save_pretrained(folder)
        files = {}
        for name in ["adapter_config.json", "adapter_model.safetensors"]:
            with open(os.path.join(folder, name), "rb") as f:
                files[name] = base64.b64encode(f.read()).decode()
    merged = wrapped.merge_and_unload().state_dict()
    tied = wrapped.config.tie_word_embeddings  # then the head is the embedding and in no checkpoint
    kept = [k for k in base if not torch.equal(base[k], merged[k]) and not (tied and k == "lm_head.weight")]
    kept.append(next(k for k in base if k not in kept and base[k].ndim == 1))
    return {"files": files, "base": {k: packed(base[k]) for k in kept}, "merged": {k: packed(merged[k]) for k in kept}}


def main():
    out = {"versions": f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}", "cases": {}}
    for seed, (name, c) in enumerate(CASES.items()):
        out["cases"][name] = case(seed, *c)
        print(name, sorted(out["cases"][name]["base"]))
    with open(os.path.join(HERE, "golden.json.gz"), "wb") as f:
        f.write(gzip.compress(json.dumps(out, sort_keys=True).encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
