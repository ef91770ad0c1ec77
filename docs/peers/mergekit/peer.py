"""mergekit in this process, with what is not defined of its results put in order.

Some things of mergekit follow no rule that another program could keep: random masks come
from one global generator, sorts leave the order of equal magnitudes open, and vocabularies
and models are walked in the order of hash tables. Here masks are those of mergesearch, sorts are
stable, vocabularies go by number and models by name, the base first; order=False leaves
all but the masks as it is.
"""

import pathlib

import mergekit.config
import mergekit.merge_methods.easy_define as easy_define
import mergekit.merge_methods.generalized_task_arithmetic as gta
import mergekit.scripts.multimerge as multimerge
import mergekit.tokenizer.build as build
import mergekit.tokenizer.embed as embed
import torch
import transformers
import yaml
from mergekit.config import MergeConfiguration
from mergekit.io.tasks import LoaderCache
from mergekit.merge import run_merge
from mergekit.options import MergeOptions

from masks import draws


def merge(text, out, folder):
    """Merges a recipe as mergekit-yaml does, or as mergekit-multi does where it has stages."""
    documents = list(yaml.safe_load_all(text))
    LoaderCache.loaders.clear()  # by name, and another example's model may have the same
    if len(documents) == 1:
        run_merge(MergeConfiguration.model_validate(documents[0]), str(out), options=MergeOptions(quiet=True, write_model_card=False))
        return
    file = folder / "multi.yaml"
    file.write_text(text)
    target = [] if all("name" in d for d in documents) else ["--out-path", str(out)]
    multimerge.main.main(args=[str(file), "-I", str(folder / "stages"), *target, "--quiet", "--no-write-model-card"], standalone_mode=False)
    if not target:
        (folder / "stages" / documents[-1]["name"]).rename(out)


def arrange(order=True):
    """Puts masks, and unless order is false sorts and vocabularies, in order."""
    gta.get_task_vectors, gta.sparsify = named(gta.get_task_vectors), masked(gta.sparsify)
    torch.bernoulli = draw
    if not order:
        return
    sort, argsort = torch.sort, torch.argsort
    torch.sort = lambda x, dim=-1, descending=False: sort(x, dim=dim, descending=descending, stable=True)
    torch.argsort = lambda x, dim=-1, descending=False: argsort(x, dim=dim, descending=descending, stable=True)
    vocabulary = transformers.PreTrainedTokenizerFast.get_vocab
    transformers.PreTrainedTokenizerFast.get_vocab = lambda self: dict(sorted(vocabulary(self).items(), key=lambda e: e[1]))
    mergekit.config.set = easy_define.set = Listed
    embed.set = lambda models=(): Listed(by_name(models))
    build_tokenizer = build.build_tokenizer
    build.build_tokenizer = lambda referenced_models, **rest: build_tokenizer(referenced_models=by_name(referenced_models), **rest)


class Listed(list):
    """A set in the order in which its members came."""

    def add(self, x):
        if x not in self:
            self.append(x)


def by_name(models):
    return sorted(models, key=lambda m: pathlib.Path(m.model.path).name)


queue, now = [], {}


def named(get_task_vectors):
    def wrapped(weight_info, *args, **kwargs):
        vectors, base = get_task_vectors(weight_info, *args, **kwargs)
        queue[:] = [(pathlib.Path(v["model"].model.path).name, weight_info.name) for v in vectors]
        return vectors, base
    return wrapped


def masked(sparsify):
    def wrapped(tensor, density, **kwargs):
        now["model"], now["tensor"] = queue.pop(0)
        return sparsify(tensor, density=density, **kwargs)
    return wrapped


def draw(p):
    """The elements that mergesearch keeps with mergekit's probabilities, for DARE and seed 0."""
    bounds = (p.double() * 2.0**32).floor().to(torch.int64).numpy().reshape(-1)
    keep = draws(0, now["model"], now["tensor"], p.numel()).astype("int64") < bounds
    return torch.from_numpy(keep).reshape(p.shape).to(p.dtype)
