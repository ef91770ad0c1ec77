"""Times the same merge by mergekit and by mergesearch, directory to directory.

    python speed.py make /dev/shm/models            # four models of 1.1 billion parameters
    python speed.py time /dev/shm/models --mergesearch bin/mergesearch --mergekit PATH/mergekit-yaml [...]

Memory-backed storage keeps the disk out of it. Each row is one recipe: three experts in
bfloat16 (two models for slerp), both programs with two threads, mergesearch before and after
mergekit so that other load on the machine meets both. Needs torch and safetensors for `make`,
and any number of installed mergekits for `time`; mergesearch's own tests do not need this
script.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import time

LAYERS, HIDDEN, INNER, VOCAB, KEYS = 22, 2048, 5632, 32000, 256
EXPERTS = ["a", "b", "c"]
SPARSE = {"weight": 0.5, "density": 0.5}
RECIPES = {
    "linear": {"parameters": {"weight": 0.5}},
    "slerp": {"parameters": {"t": 0.3}, "base_model": "base", "models": ["a"]},
    "task_arithmetic": {"parameters": {"weight": 0.5}, "base_model": "base"},
    "ties": {"parameters": SPARSE, "base_model": "base"},
    "dare_ties": {"parameters": SPARSE, "base_model": "base"},
    "della": {"parameters": SPARSE | {"epsilon": 0.1}, "base_model": "base"},
    "breadcrumbs": {"parameters": SPARSE | {"gamma": 0.01}, "base_model": "base"},
}


def shapes():
    yield "model.embed_tokens.weight", (VOCAB, HIDDEN)
    for layer in range(LAYERS):
        at = f"model.layers.{layer}."
        yield at + "input_layernorm.weight", (HIDDEN,)
        yield at + "post_attention_layernorm.weight", (HIDDEN,)
        for name, rows in (("q", HIDDEN), ("k", KEYS), ("v", KEYS), ("o", HIDDEN)):
            yield f"{at}self_attn.{name}_proj.weight", (rows, HIDDEN)
        for name, shape in (("gate", (INNER, HIDDEN)), ("up", (INNER, HIDDEN)), ("down", (HIDDEN, INNER))):
            yield f"{at}mlp.{name}_proj.weight", shape
    yield "model.norm.weight", (HIDDEN,)
    yield "lm_head.weight", (VOCAB, HIDDEN)


def make(root):
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(1)

    def normal(shape, spread):
        return torch.empty(shape, dtype=torch.bfloat16).normal_(0, spread, generator=generator)

    base = {name: normal(shape, 0.02) for name, shape in shapes()}
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": VOCAB, "hidden_size": HIDDEN,
        "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": 32, "num_key_value_heads": 4,
        "head_dim": 64, "hidden_act": "silu", "rms_norm_eps": 1e-5, "max_position_embeddings": 2048,
        "tie_word_embeddings": False, "torch_dtype": "bfloat16",
    }
    for model in ["base", *EXPERTS]:
        out = root / model
        out.mkdir(parents=True, exist_ok=True)
        weights = base if model == "base" else {n: w + normal(w.shape, 0.002) for n, w in base.items()}
        save_file(weights, out / "model.safetensors", {"format": "pt"})
        (out / "config.json").write_text(json.dumps(config))


def write_recipe(root, method):
    r = RECIPES[method]
    recipe = {"merge_method": method, "dtype": "bfloat16", "parameters": r["parameters"],
              "models": [{"model": str(root / m)} for m in r.get("models", EXPERTS)]}
    if "base_model" in r:
        recipe["base_model"] = str(root / r["base_model"])
    path = root / f"{method}.json"
    path.write_text(json.dumps(recipe))  # JSON is YAML
    return path


def seconds(command, out):
    shutil.rmtree(out, ignore_errors=True)
    began = time.monotonic()
    done = subprocess.run([str(c) for c in command], env=os.environ | {"OMP_NUM_THREADS": "2"}, capture_output=True, text=True)
    took = time.monotonic() - began
    shutil.rmtree(out, ignore_errors=True)
    return took if done.returncode == 0 else (done.stderr.strip().splitlines() or ["failed"])[-1]


def measure(root, ours, peers, methods):
    out = root / "out"
    for method in methods:
        recipe = write_recipe(root, method)
        own = lambda: seconds([ours, "merge", recipe, out, "--threads", 2], out)
        for peer in peers:
            times = [own()]
            theirs = seconds([peer, recipe, out, "--no-copy-tokenizer", "-j", 2, "--random-seed", 1], out)
            times += [own(), own()]
            if isinstance(theirs, str) or any(isinstance(t, str) for t in times):
                print(f"{method:16} {peer}: {theirs} {times}", flush=True)
                continue
            mine = statistics.median(times)
            print(f"{method:16} mergesearch {mine:6.2f} s  mergekit {theirs:7.1f} s  {theirs / mine:6.1f} times  {peer}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["make", "time"])
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("--mergesearch")
    parser.add_argument("--mergekit", nargs="*", default=[])
    parser.add_argument("--methods", default=",".join(RECIPES))
    args = parser.parse_args()
    if args.what == "make":
        make(args.root)
    else:
        measure(args.root, args.mergesearch, args.mergekit, args.methods.split(","))


if __name__ == "__main__":
    main()
