"""Merges random miniatures with mergekit and with mergesearch and compares every tensor.

    python compare.py --mergesearch bin/mergesearch [--methods linear,ties] [--dtypes bfloat16]

Needs mergekit (which brings torch and safetensors); mergesearch's own tests do not need
this script. For each method, type and setting it runs both programs, directory to
directory, mergesearch with and without --compat, and prints how many elements have equal
bits, how many are one unit in the last place apart, how many are further apart, and the
largest difference relative to the largest magnitude of the tensor. Methods with random
masks are compared with density 1 here; with masks injected, in merge/compat.
"""

import argparse
import itertools
import json
import pathlib
import shutil
import subprocess
import tempfile

import torch
import yaml
from safetensors.torch import load_file, save_file

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 67, "hidden_size": 32,
    "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 8, "hidden_act": "silu", "rms_norm_eps": 1e-5, "max_position_embeddings": 128,
    "tie_word_embeddings": False,
}


def shapes():
    hidden, inner, vocab = CONFIG["hidden_size"], CONFIG["intermediate_size"], CONFIG["vocab_size"]
    yield "model.embed_tokens.weight", (vocab, hidden)
    for layer in range(CONFIG["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        yield at + "input_layernorm.weight", (hidden,)
        yield at + "post_attention_layernorm.weight", (hidden,)
        for name, rows in (("q", hidden), ("k", hidden // 2), ("v", hidden // 2), ("o", hidden)):
            yield f"{at}self_attn.{name}_proj.weight", (rows, hidden)
        for name, shape in (("gate", (inner, hidden)), ("up", (inner, hidden)), ("down", (hidden, inner))):
            yield f"{at}mlp.{name}_proj.weight", shape
    yield "model.norm.weight", (hidden,)
    yield "lm_head.weight", (vocab, hidden)


def write_family(root, dtype):
    generator = torch.Generator().manual_seed(1)
    base = {n: torch.randn(s, generator=generator) * 0.05 + (1.0 if len(s) == 1 else 0.0) for n, s in shapes()}
    for model in ("base", "a", "b", "c"):
        weights = base if model == "base" else {
            n: x + 0.01 * torch.randn(x.shape, generator=generator) for n, x in base.items()}
        out = root / model
        out.mkdir(parents=True)
        save_file({n: x.to(dtype).contiguous() for n, x in weights.items()}, out / "model.safetensors", {"format": "pt"})
        (out / "config.json").write_text(json.dumps(CONFIG | {"torch_dtype": str(dtype).removeprefix("torch.")}))


# method: (needs a base model, models, settings of each model, settings of the recipe)
GRID = {
    "linear": (False, "abc", [{"weight": 0.5}, {"weight": [0.2, 1.0]}], [{}, {"normalize": False}]),
    "slerp": (True, "a", [{}], [{"t": 0.3}, {"t": [0, 0.5, 1]}]),
    "nuslerp": (True, "ab", [{"weight": 0.7}], [{}, {"nuslerp_flatten": False}, {"nuslerp_flatten": False, "nuslerp_row_wise": True}]),
    "multislerp": (True, "abc", [{"weight": 0.4}], [{}]),
    "karcher": (False, "abc", [{}], [{}]),
    "task_arithmetic": (True, "abc", [{"weight": 0.4}], [{}, {"lambda": 0.8, "normalize": True}]),
    "ties": (True, "abc", [{"weight": 0.6, "density": 0.5}, {"weight": 1, "density": 0.2}], [{}, {"normalize": False, "lambda": 1.2}]),
    "dare_linear": (True, "abc", [{"weight": 0.4, "density": 1}], [{}]),
    "dare_ties": (True, "abc", [{"weight": 0.4, "density": 1}], [{}]),
    "breadcrumbs": (True, "abc", [{"weight": 0.5, "density": 0.6, "gamma": 0.1}], [{}]),
    "breadcrumbs_ties": (True, "abc", [{"weight": 0.5, "density": 0.6, "gamma": 0.1}], [{}]),
    "della_linear": (True, "abc", [{"weight": 0.4, "density": 1}], [{}]),
    "della": (True, "abc", [{"weight": 0.4, "density": 1}], [{}]),
    "model_stock": (True, "abc", [{}], [{}, {"filter_wise": True}]),
    "nearswap": (True, "a", [{}], [{"t": 0.001}]),
    "arcee_fusion": (True, "a", [{}], [{}]),
    "sce": (True, "abc", [{}], [{}, {"select_topk": 0.5}]),
    "ram": (True, "abc", [{}], [{"epsilon": 0.005}]),
    "ramplus_tl": (True, "abc", [{}], [{"epsilon": 0.005}]),
    "passthrough": (False, "a", [{}, {"scale": 0.7}], [{}]),
}


def recipes(method, root, dtype):
    base, models, own, shared = GRID[method]
    for mine, ours in itertools.product(own, shared):
        listed = [{"model": str(root / m), "parameters": mine} if mine else {"model": str(root / m)} for m in models]
        recipe = {"merge_method": method, "models": listed, "dtype": dtype}
        if base:
            recipe["base_model"] = str(root / "base")
        if ours:
            recipe["parameters"] = ours
        yield recipe


def ulps(a, b):
    """Distance in units in the last place, as integers that order like the numbers."""
    kind = {2: torch.int16, 4: torch.int32}[a.element_size()]
    def key(x):
        i = x.contiguous().view(kind).to(torch.int64)
        return torch.where(i < 0, -(i & (2 ** (8 * x.element_size() - 1) - 1)), i)
    return (key(a) - key(b)).abs()


def compare(theirs, ours):
    count, one, more, worst = 0, 0, 0, 0.0
    if theirs.keys() != ours.keys():
        return f"other tensors: {sorted(theirs.keys() ^ ours.keys())[:3]}"
    for name, x in theirs.items():
        y = ours[name]
        if x.shape != y.shape:
            return f"{name}: shape {tuple(y.shape)}, mergekit {tuple(x.shape)}"
        if x.dtype != y.dtype:
            x = x.to(y.dtype)
        apart = ulps(x, y)
        count += apart.numel()
        one += int((apart == 1).sum())
        more += int((apart > 1).sum())
        scale = float(x.float().abs().max()) or 1.0
        worst = max(worst, float((x.float() - y.float()).abs().max()) / scale)
    return f"{100 * (count - one - more) / count:7.3f} % equal, {100 * one / count:7.3f} % one unit, {100 * more / count:7.3f} % more, worst {worst:.1e}"


def main():
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions
    import mergekit

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mergesearch", required=True)
    parser.add_argument("--methods", default=",".join(GRID))
    parser.add_argument("--dtypes", default="float32,bfloat16,float16")
    args = parser.parse_args()
    print("mergekit", getattr(mergekit, "__version__", "of unknown version"), "torch", torch.__version__)
    for dtype in args.dtypes.split(","):
        with tempfile.TemporaryDirectory() as scratch:
            root = pathlib.Path(scratch)
            write_family(root, getattr(torch, dtype))
            for method in args.methods.split(","):
                for recipe in recipes(method, root, dtype):
                    text = yaml.safe_dump(json.loads(json.dumps(recipe)))  # without anchors
                    setting = json.dumps([recipe["models"][0].get("parameters", {}), recipe.get("parameters", {})])
                    outs = {k: root / k for k in ("theirs", "default", "compat")}
                    for out in outs.values():
                        shutil.rmtree(out, ignore_errors=True)
                    try:
                        run_merge(MergeConfiguration.model_validate(recipe), str(outs["theirs"]),
                                  options=MergeOptions(copy_tokenizer=False, write_model_card=False, quiet=True))
                        theirs = load_file(outs["theirs"] / "model.safetensors")
                    except Exception as e:  # what the peer refuses is a line of the table too
                        print(f"{dtype} {method} {setting}: mergekit: {str(e).splitlines()[0][:100]}")
                        continue
                    (root / "recipe.yaml").write_text(text)
                    for mode in ("default", "compat"):
                        done = subprocess.run([args.mergesearch, "merge", root / "recipe.yaml", outs[mode]] + (["--compat"] if mode == "compat" else []),
                                              capture_output=True, text=True)
                        line = done.stderr.strip() if done.returncode else compare(theirs, load_file(outs[mode] / "model.safetensors"))
                        print(f"{dtype:9} {method:16} {mode:8} {line}  {setting}", flush=True)


if __name__ == "__main__":
    main()
