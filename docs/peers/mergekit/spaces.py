"""Merges exported recipes of a search with mergekit and with mergesearch.

    PYTHONHASHSEED=0 python spaces.py RUN ID... --mergesearch bin/mergesearch

RUN is a run directory, ID a candidate. Each is exported, recipe.yaml is merged by mergekit
(mergekit-multi, where it has several documents) and by mergesearch with and without --compat,
and all tensors are compared: per cent of elements that are equal, one unit in the last place
apart, and further.
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"  # every model is a folder
import mergekit.scripts.multimerge as multimerge
import mergekit.scripts.run_yaml as run_yaml
import torch
from safetensors.torch import load_file


def places(x):
    """Return integers that order like the numbers; neighbours differ by one."""
    i = x.contiguous().view(torch.int16).to(torch.int64)
    return torch.where(i < 0, -1 - (i & 0x7FFF), i)


def merge(text, out, folder):
    """Merges a recipe with mergekit; needs no network and writes no card."""
    file = folder / "recipe.yaml"
    file.write_text(text)
    flags = ["--quiet", "--no-write-model-card"]
    if "\n---\n" not in text:
        run_yaml.main.main(args=[str(file), str(out), *flags], standalone_mode=False)
    else:
        multimerge.main.main(args=[str(file), "-I", str(folder / "stages"), "--out-path", str(out), *flags], standalone_mode=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("ids", nargs="+")
    parser.add_argument("--mergesearch", required=True)
    args = parser.parse_args()
    for candidate in args.ids:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            call = lambda *a: subprocess.run([args.mergesearch, *map(str, a)], check=True, capture_output=True)
            call("export", args.run, candidate, folder / "export")
            text = (folder / "export" / "recipe.yaml").read_text()
            merge(text, folder / "theirs", folder)
            call("merge", folder / "export" / "recipe.yaml", folder / "compat", "--compat")
            theirs = load_file(folder / "theirs" / "model.safetensors")
            layers = json.loads((folder / "theirs" / "config.json").read_text())["num_hidden_layers"]
            print(f"{candidate}: {text.count('merge_method')} documents, {layers} layers")
            for name in ("export", "compat"):
                ours = load_file(folder / name / "model.safetensors")
                assert ours.keys() == theirs.keys(), ours.keys() ^ theirs.keys()
                assert json.loads((folder / name / "config.json").read_text())["num_hidden_layers"] == layers
                equal = near = total = 0
                for tensor, x in theirs.items():
                    apart = (places(ours[tensor]) - places(x)).abs()
                    total += x.numel()
                    equal += int((apart == 0).sum())
                    near += int((apart == 1).sum())
                print(f"  {name}: {100 * equal / total:.3f} % equal, {100 * near / total:.3f} % one place apart, {total - equal - near} elements further")


main()
