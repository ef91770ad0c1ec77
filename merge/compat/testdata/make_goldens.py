"""Write what mergekit gives for small tensors: goldens.json beside this file.

Needs mergekit at the commit below and torch (2.15 was used, with one thread, on a
processor of AMD with AVX2). The inputs come from a generator that the test repeats.
Of a small tensor all values are stored; of others, whose names and shapes are those
that transformers gives the miniatures of docs/peers/mergekit, a hash, or 64 values
where bits need not agree. Three things of the peer are fixed so that the result is
defined: of equal magnitudes those that stand first count as larger (for
della's ranks as smaller), methods that keep models in a set get them in the recipe's
order, and random masks keep what the generator puts below mergekit's probabilities.

usage: make_goldens.py [OUT]
"""

import base64
import collections
import hashlib
import json
import os
import sys

import numpy
import torch

import mergekit.merge_methods.easy_define as easy_define
from mergekit.architecture import WeightInfo
from mergekit.common import ImmutableMap, ModelPath, ModelReference
from mergekit.io.tasks import GatherTensors
from mergekit.merge_methods.registry import REGISTERED_MERGE_METHODS

COMMIT = "a6e402884ba9bc30da7f23e8304a35f19485de95"
SMALL = ("", [7, 11])
MINIATURES = [
    ("model.layers.0.self_attn.k_proj.weight", [36, 72]),
    ("model.layers.0.input_layernorm.weight", [72]),
    ("model.encoder.conv1.weight", [40, 12, 3]),
]
SAMPLES = 64
INEXACT = {("slerp", "F32")}  # by functions that are not rounded to the nearest
TYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
WEIGHTS, DENSITIES = (0.7, 0.3, 0.45, 1.1, 0.13), (0.5, 0.31, 0.77, 0.4, 1)
GTA = {"lambda": 0.83, "int8_mask": 0, "rescale": 0}
# Method, models besides the base, is there a base, global parameters.
CASES = [
    ("linear", 2, False, {"normalize": 1}), ("linear", 5, False, {"normalize": 1}), ("linear", 5, False, {"normalize": 0}),
    ("passthrough", 1, False, {}),
    ("nearswap", 1, True, {"t": 0.003}),
    ("slerp", 1, True, {"t": 0.35}), ("slerp", 1, True, {"t": 0.35, "far": 1}),
    ("nuslerp", 2, False, {"nuslerp_flatten": 1, "nuslerp_row_wise": 0}),
    ("nuslerp", 2, True, {"nuslerp_flatten": 1, "nuslerp_row_wise": 0}),
    ("nuslerp", 2, True, {"nuslerp_flatten": 0, "nuslerp_row_wise": 0}),
    ("nuslerp", 2, True, {"nuslerp_flatten": 0, "nuslerp_row_wise": 1}),
    ("multislerp", 3, False, {"normalize_weights": 1, "eps": 1e-8}),
    ("multislerp", 5, True, {"normalize_weights": 1, "eps": 1e-8}), ("multislerp", 3, True, {"normalize_weights": 0, "eps": 1e-8}),
    ("karcher", 3, False, {"max_iter": 10, "tol": 1e-5}), ("karcher", 3, False, {"max_iter": 10, "tol": 1e-5, "far": 1}),
    ("task_arithmetic", 5, True, {"normalize": 0, **GTA}), ("task_arithmetic", 3, True, {"normalize": 1, **GTA}),
    ("ties", 3, True, {"normalize": 1, **GTA}), ("ties", 5, True, {"normalize": 0, **GTA, "rescale": 1}),
    ("breadcrumbs", 3, True, {"normalize": 0, **GTA}), ("breadcrumbs_ties", 5, True, {"normalize": 0, **GTA}),
    ("dare_linear", 3, True, {"normalize": 0, **GTA, "rescale": 1}), ("dare_linear", 5, True, {"normalize": 0, **GTA}),
    ("dare_ties", 3, True, {"normalize": 0, **GTA, "rescale": 1}),
    ("della", 3, True, {"normalize": 1, **GTA, "rescale": 1}), ("della_linear", 5, True, {"normalize": 0, **GTA, "rescale": 1}),
    ("model_stock", 2, True, {"filter_wise": 0}), ("model_stock", 4, True, {"filter_wise": 0}), ("model_stock", 3, True, {"filter_wise": 1}),
    ("sce", 3, True, {"int8_mask": 0, "select_topk": 1}), ("sce", 5, True, {"int8_mask": 0, "select_topk": 0.3}),
    ("ram", 3, True, {"epsilon": 0.004}), ("ram", 5, True, {"epsilon": 0.004}),
    ("ramplus_tl", 3, True, {"r": 0.1, "alpha": 0.2, "epsilon": 0.004}), ("ramplus_tl", 3, True, {"r": 0.1, "alpha": 3, "epsilon": 0.004}),
    ("arcee_fusion", 1, True, {}),
]


class Generator:
    """A linear congruential generator; numbers are the upper 24 bits, from -1 to 1."""

    def __init__(self, seed):
        self.state = seed

    def take(self, n):
        out = numpy.empty(n)
        for i in range(n):
            self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
            out[i] = (self.state >> 40) / 2**23 - 1
        return out


class Listed(list):
    """A set in the order in which its members came."""


easy_define.set = Listed
sort, argsort = torch.sort, torch.argsort


def largest_last(x, descending=False):
    """Sort so that of equal numbers those that stand first count as larger."""
    values, places = sort(x, descending=True, stable=True)
    return Sorted(values, places) if descending else Sorted(values.flip(0), places.flip(0))


Sorted = collections.namedtuple("Sorted", "values indices")
torch.sort = largest_last
torch.argsort = lambda x, dim=-1, descending=False: argsort(x, dim=dim, descending=descending, stable=True)
torch.topk = lambda x, k, largest=True: (None, argsort(x, descending=largest, stable=True)[:k])


def reference(name):
    return ModelReference(model=ModelPath(path=name))


def run(seed, method, dtype, shape, count, has_base, parameters):
    """Return the peer's result; the order of draws is part of the goldens."""
    g, n = Generator(seed), int(numpy.prod(shape))
    typed = lambda x: torch.from_numpy(x.astype(numpy.float32)).to(TYPES[dtype]).reshape(shape)
    base = typed(0.05 * g.take(n))
    shift = 0.05 if "far" in parameters else 0.01
    models = [typed(base.double().numpy().reshape(-1) + shift * g.take(n)) for _ in range(count)]
    densities = DENSITIES[:count]
    # Draws are made for every model, used or not.
    drawn = [(g.take(n) + 1) / 2 for _ in densities]
    draws = iter([u for u, d in zip(drawn, densities) if d < 1])
    torch.bernoulli = lambda p: (torch.from_numpy(next(draws)).reshape(p.shape) < p.double()).to(p.dtype)
    per_model = [dict(weight=w, density=d, gamma=0.013, epsilon=0.15, scale=0.7) for w, d in zip(WEIGHTS, densities)]
    tensors = {reference(f"m{i}"): m for i, m in enumerate(models)}
    maps = {reference(f"m{i}"): ImmutableMap(p) for i, p in enumerate(per_model)}
    if has_base:
        tensors = {reference("b"): base, **tensors}
        maps[reference("b")] = ImmutableMap({})
    if method.startswith("della"):
        per_model = [dict(p, epsilon=min(p["density"], 1 - p["density"]) / 2) for p in per_model]
        maps.update({reference(f"m{i}"): ImmutableMap(p) for i, p in enumerate(per_model)})
    task = REGISTERED_MERGE_METHODS[method].make_task(
        output_weight=WeightInfo(name="w"),
        tensors=GatherTensors(weight_info=ImmutableMap({})),
        base_model=reference("b") if has_base else None,
        parameters=ImmutableMap({k: int(v) if k in ("max_iter",) else v for k, v in parameters.items()}),
        tensor_parameters=ImmutableMap(maps),
    )
    return task.execute(tensors=tensors)


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "goldens.json")
    torch.set_num_threads(1)
    lines = []
    for i, (method, count, has_base, parameters) in enumerate(CASES):
        for dtype in TYPES:
            for name, shape in [SMALL, *MINIATURES]:
                n = int(numpy.prod(shape))
                seed = 10000 * i + n
                result = run(seed, method, dtype, shape, count, has_base, parameters)
                raw = result.contiguous().view({4: torch.int32, 2: torch.int16}[result.element_size()]).numpy().reshape(-1)
                text = lambda x: base64.b64encode(x.tobytes()).decode()
                if not name:
                    stored = {"want": text(raw)}
                elif (method, dtype) in INEXACT:
                    stored = {"tensor": name, "sample": text(raw[[k * n // SAMPLES for k in range(SAMPLES)]])}
                else:
                    stored = {"tensor": name, "hash": base64.b64encode(hashlib.sha256(raw.tobytes()).digest()).decode()}
                lines.append(json.dumps({
                    "method": method, "dtype": dtype, "shape": shape, "seed": seed, "models": count, "base": has_base,
                    "global": parameters, "type": {v: k for k, v in TYPES.items()}[result.dtype], **stored,
                }))
    origin = {"mergekit": COMMIT, "torch": torch.__version__, "numpy": numpy.__version__, "command": "python make_goldens.py"}
    with open(out, "w") as f:
        f.write(json.dumps({"origin": origin})[:-1] + ',\n"goldens": [\n' + ",\n".join(lines) + "\n]}\n")


main()
