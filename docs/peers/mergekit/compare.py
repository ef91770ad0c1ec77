"""Merges random miniatures with mergekit and with mergesearch and compares every tensor.

    python compare.py --mergesearch bin/mergesearch [--methods linear,ties] [--dtypes bfloat16] [--families llama]

Needs mergekit (which brings torch, transformers and safetensors); mergesearch's own tests do
not need this script. decided.py says what of mergekit is fixed, grid.py holds the settings.
Three comparisons for each recipe:

  compat   mergesearch --compat with mergekit, both computing in the models' type
  default  mergesearch with mergekit computing in float32 (dtype: float32, out_dtype: the
           models' type) on the models in the order of their names, which is what the default
           promises
  rounding mergesearch's default with mergekit computing in the models' 16-bit type: the
           difference of method, for information

Counted are elements of equal bits, one unit in the last place apart, further apart by no
more than 1e-6 of the largest magnitude of mergekit's tensor (`scale`), and beyond. `worst`
is the largest difference divided by that magnitude.
"""

import argparse
import collections
import json
import pathlib
import shutil
import subprocess
import tempfile

import torch
import yaml
from safetensors.torch import load_file

import grid
import decided
import families

CLOSE = 1e-6
FIELDS = ("tensors", "elements", "equal", "one", "close", "beyond")


def places(x):
    """Return integers that order like the numbers; neighbours differ by one, and so do the two zeros."""
    kind = {2: torch.int16, 4: torch.int32}[x.element_size()]
    i = x.contiguous().view(kind).to(torch.int64)
    return torch.where(i < 0, -1 - (i & (2 ** (8 * x.element_size() - 1) - 1)), i)


def compare(x, y):
    """Count how far y is from mergekit's x."""
    apart = (places(x.to(y.dtype)) - places(y)).abs()
    difference, scale = (x.double() - y.double()).abs(), float(x.abs().max()) or 1.0
    far = apart > 1
    beyond = far & ~(difference <= CLOSE * scale)
    return {"tensors": 1, "elements": x.numel(), "equal": int((apart == 0).sum()), "one": int((apart == 1).sum()),
            "close": int((far & ~beyond).sum()), "beyond": int(beyond.sum()), "worst": float(difference.max()) / scale}


class Table:
    """Sums by method, type, comparison and documented difference; every tensor goes to a file."""

    def __init__(self, log):
        self.refused = collections.Counter()
        self.log, self.rows = log, collections.defaultdict(lambda: dict.fromkeys(FIELDS, 0) | {"worst": 0.0})

    def add(self, family, recipe, dtype, what, theirs, ours):
        if theirs.keys() != ours.keys():
            raise SystemExit(f"other tensors: {sorted(theirs.keys() ^ ours.keys())[:3]} in {recipe}")
        for name, x in theirs.items():
            if x.shape != ours[name].shape:
                self.refuse(recipe, dtype, f"mergekit writes {len(x.shape)} dimensions instead of {len(ours[name].shape)}")
                continue
            c = compare(x, ours[name])
            why = grid.documented(recipe, name, x.shape, what, dtype)
            row = self.rows[recipe["merge_method"], dtype, what, why]
            for f in FIELDS:
                row[f] += c[f]
            row["worst"] = max(row["worst"], c["worst"])
            if self.log and c["equal"] < c["elements"]:
                print(json.dumps({"family": family, "dtype": dtype, "what": what, "why": why, "tensor": name, "shape": list(x.shape), "recipe": recipe, **c}), file=self.log, flush=True)

    def refuse(self, recipe, dtype, why):
        self.refused[recipe["merge_method"], dtype, why] += 1

    def print(self):
        print("| method | type | comparison | tensors | elements | equal % | one unit | within 1e-6 of the scale | beyond | worst | |")
        print("|---|---|---|---|---|---|---|---|---|---|---|")
        for (method, dtype, what, why), r in self.rows.items():
            share = 100 * r["equal"] / r["elements"]
            inside = {"compat": share >= 99.9 and r["close"] + r["beyond"] == 0, "default": r["beyond"] == 0 and (dtype != "float32" or r["worst"] <= CLOSE), "rounding": True}[what]
            note = " ".join(filter(None, [why, "" if inside else "outside"]))
            print(f"| {method} | {dtype} | {what} | {r['tensors']} | {r['elements']} | {share:.4f} | {r['one']} | {r['close']} | {r['beyond']} | {r['worst']:.1e} | {note} |")
        print("\n| method | type | not compared | times |\n|---|---|---|---|")
        for (method, dtype, why), n in self.refused.items():
            print(f"| {method} | {dtype} | {why} | {n} |")


class Harness:
    def __init__(self, binary, root, family, dtype, table):
        self.binary, self.root, self.family, self.dtype, self.table = binary, root, family, dtype, table
        self.peer = decided.Peer()
        families.write(root, family, getattr(torch, dtype))

    def ours(self, recipe, *flags):
        path, out = self.root / "recipe.yaml", self.root / "ours"
        path.write_text(yaml.safe_dump(json.loads(json.dumps(recipe | {"mergesearch": {"seed": decided.SEED}}))))
        shutil.rmtree(out, ignore_errors=True)
        done = subprocess.run([self.binary, "merge", path, out, *flags], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(" ".join(done.stderr.split()))
        return load_file(out / "model.safetensors")

    def theirs(self, recipe):
        out = self.root / "theirs"
        shutil.rmtree(out, ignore_errors=True)
        return self.peer.merge(recipe, out)

    def run(self, recipe):
        at = lambda name: str(self.root / name)
        recipe = recipe | {"models": [m | {"model": at(m["model"])} for m in recipe["models"]]}
        if "base_model" in recipe:
            recipe["base_model"] = at(recipe["base_model"])
        native = recipe | {"dtype": self.dtype}
        # By default models are added in the order of their names: so must the peer, or elections
        # whose sums cancel but for rounding go the other way.
        named = sorted(recipe["models"], key=lambda m: m["model"])
        add = lambda what, theirs, ours: self.table.add(self.family, recipe, self.dtype, what, theirs, ours)
        ours = self.ours(native)
        wide = recipe | {"dtype": "float32", "out_dtype": self.dtype}
        for r, what in ((native, "rounding"), (wide | {"models": named}, "default")):
            try:
                theirs = self.theirs(r)
            except Exception as e:
                self.table.refuse(recipe, self.dtype, f"mergekit: {e!r:.120}")
                continue
            if what == "default" or self.dtype != "float32":
                add(what, theirs, ours)
            if what == "default":
                continue
            try:
                add("compat", theirs, self.ours(r, "--compat"))
            except RuntimeError as e:
                self.table.refuse(recipe, self.dtype, f"--compat: {str(e)[-120:]}")


def kept(args):
    """Print how many elements one model changes where mergekit's sorts are left as they are."""
    print("\n| method | type | settings | tensors | elements | kept by both | tensors with another number |\n|---|---|---|---|---|---|---|")
    for method in ("ties", "breadcrumbs", "breadcrumbs_ties"):
        for dtype in args.dtypes.split(","):
            with tempfile.TemporaryDirectory() as scratch:
                harness = Harness(args.mergesearch, pathlib.Path(scratch), "llama", dtype, None)
                harness.peer = decided.Peer(stable=False)
                base = load_file(harness.root / "base" / "model.safetensors")
                for density in (0.2, 0.5, 0.77):
                    at = lambda name: str(harness.root / name)
                    p = {"weight": 1, "density": density} | ({"gamma": 0.02} if method != "ties" else {})
                    recipe = {"merge_method": method, "models": [{"model": at("a"), "parameters": p}], "base_model": at("base"), "dtype": "float32"}
                    both = [harness.theirs(recipe), harness.ours(recipe)]
                    counts = [{n: int((x[n] != base[n].float()).sum()) for n in base} for x in both]
                    print(f"| {method} | {dtype} | density {density} | {len(base)} | {sum(x.numel() for x in base.values())} | {sum(counts[0].values())} | {sum(counts[0][n] != counts[1][n] for n in base)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mergesearch", required=True)
    parser.add_argument("--methods", default=",".join(grid.GRID))
    parser.add_argument("--dtypes", default="float32,bfloat16,float16")
    parser.add_argument("--families", default=",".join(families.FAMILIES))
    parser.add_argument("--exact", action="store_true", help="give mergekit correctly rounded functions (see decided.py)")
    parser.add_argument("--kept", action="store_true", help="count what is kept where ties are left to mergekit")
    parser.add_argument("--log", type=argparse.FileType("w"), help="a line of JSON for each tensor that is not equal")
    args = parser.parse_args()
    table = Table(args.log)
    for dtype in args.dtypes.split(","):
        for family in args.families.split(","):
            with tempfile.TemporaryDirectory() as scratch:
                harness = Harness(args.mergesearch, pathlib.Path(scratch), family, dtype, table)
                if args.exact:
                    decided.exact_functions()
                for method in args.methods.split(","):
                    for recipe in grid.recipes(method):
                        if family == "llama" or not any(isinstance(v, list) for _, v in grid.values(recipe)):
                            harness.run(recipe)
    table.print()
    if args.kept:
        kept(args)


if __name__ == "__main__":
    main()
