"""mergekit, with what it leaves undefined decided: ties, the order of sets, random draws.

Of equal magnitudes the lowest element numbers count as larger, for della's ranks as smaller,
as they do in mergesearch; methods that keep models in a set get them in the recipe's order;
Bernoulli draws are mergesearch's (Philox4x32-7 by seed, model, tensor and element), compared
with mergekit's own probabilities.
"""

import collections
import pathlib

import numpy
import torch
from safetensors.torch import load_file

import mergekit.merge_methods.easy_define as easy_define
import mergekit.merge_methods.generalized_task_arithmetic as gta
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions

from masks import draws

SEED = 7
argsort, sort, topk, method = torch.argsort, torch.sort, torch.topk, torch.Tensor.argsort
vectors, sparsify = gta.get_task_vectors, gta.sparsify


def exact_functions():
    """Replace logarithm, exponential and numpy's functions, right to within a unit, by correctly rounded ones."""
    def exact(f):
        return lambda x: f(x.double()).to(torch.float32).to(x.dtype)

    def softmax(x, dim):
        x = x.float()
        y = torch.exp(x - x.amax(dim, keepdim=True))
        return y / y.sum(dim, keepdim=True)

    for name in ("log", "exp"):
        setattr(torch, name, exact(getattr(torch, name)))
    for name in ("arccos", "sin"):  # of numpy, which slerp uses
        f = getattr(numpy, name)
        setattr(numpy, name, lambda x, f=f: numpy.float32(f(numpy.float64(x))))
    torch.nn.functional.softmax = lambda x, dim: softmax(x, dim).to(x.dtype)


class Listed(list):
    """A set in the order in which its members came."""


Sorted = collections.namedtuple("Sorted", "values indices")


def largest_last(x, descending=False):
    """Sort a vector so that of equal numbers those that stand first count as larger."""
    values, places = sort(x, descending=True, stable=True)
    return Sorted(values, places) if descending else Sorted(values.flip(0), places.flip(0))


class Peer:
    def __init__(self, stable=True):
        """stable decides ties of magnitude by element number."""
        self.tensor, self.models, self.model = "", iter(()), ""
        torch.set_num_threads(1)
        easy_define.set = Listed

        def named(weight_info, base_model, tensors, tensor_parameters):
            found, base = vectors(weight_info, base_model, tensors, tensor_parameters)
            self.tensor, self.models = weight_info.name, iter([str(v["model"].model.path) for v in found])
            return found, base

        def next_model(*args, **kwargs):
            self.model = pathlib.Path(next(self.models)).name
            return sparsify(*args, **kwargs)

        gta.get_task_vectors, gta.sparsify, torch.bernoulli = named, next_model, self.bernoulli
        torch.sort, torch.argsort, torch.topk, torch.Tensor.argsort = sort, argsort, topk, method
        if stable:
            torch.sort = largest_last
            torch.argsort = lambda x, dim=-1, descending=False: argsort(x, dim=dim, descending=descending, stable=True)
            torch.topk = lambda x, k, dim=-1, largest=True: (None, torch.argsort(x, dim=dim, descending=largest)[:k])
            torch.Tensor.argsort = lambda x, dim=-1, descending=False: torch.argsort(x, dim=dim, descending=descending)

    def bernoulli(self, p):
        bounds = numpy.floor(p.double().numpy().reshape(-1) * 2.0**32)
        kept = draws(SEED, self.model, self.tensor, p.numel()) < bounds.astype(numpy.uint64)
        return torch.from_numpy(kept).reshape(p.shape).to(p.dtype)

    def merge(self, recipe, out):
        """Return the tensors that mergekit writes."""
        run_merge(MergeConfiguration.model_validate(recipe), str(out),
                  options=MergeOptions(copy_tokenizer=False, write_model_card=False, quiet=True))
        return load_file(out / "model.safetensors")
