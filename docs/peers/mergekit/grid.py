"""The recipes: for each method whether it has a base, how many experts, and settings of models and of the recipe."""

import itertools
import math

from families import EXPERTS

# A tuple holds one value for each expert; a list is a gradient over the layers.
W, FEW, SAME = (0.7, 0.3, 0.45, 1.1, 0.13), (0.5, 0.31, 0.77, 0.4, 1), [{}]
WEIGHTS = [{"weight": W}, {"weight": (1.2, -0.4, 0.3, 0.2, 0.1)}]
SPARSE = [{"weight": W, "density": FEW}, {"weight": 0.6, "density": 0.2}]
BAND = [{"weight": W, "density": FEW, "gamma": 0.02}, {"weight": 0.5, "density": 0.95, "gamma": 0.2}]
RANKED = [{"weight": W, "density": FEW, "epsilon": (0.15, 0.1, 0.2, 0.05, 0.1)}, {"weight": 0.6, "density": 0.3, "epsilon": 0.25}]
SHARED = [{}, {"lambda": 1.3, "normalize": True}, {"normalize": False, "rescale": True}, {"rescale": False, "lambda": 0.5, "int8_mask": True}]
LINES = [{}, {"nuslerp_flatten": False}, {"nuslerp_flatten": False, "nuslerp_row_wise": True}]

# method: (base, numbers of experts, settings of each model, settings of the recipe)
GRID = {
    "linear": (0, (2, 3, 5), [*WEIGHTS, {"weight": [0.2, 1.0]}], [{}, {"normalize": False}]),
    "slerp": (1, (1,), SAME, [{"t": 0.3}, {"t": 0}, {"t": 1}, {"t": 1.4}, {"t": [0, 0.5, 1]}]),
    "nuslerp": ((0, 1), (2,), [{"weight": W}, {"weight": (0.2, 1)}], LINES),
    "multislerp": ((0, 1), (2, 3, 5), [{"weight": W}], [{}, {"normalize_weights": False}, {"eps": 1e-6}]),
    "karcher": (0, (2, 3, 5), SAME, [{}, {"max_iter": 2}, {"tol": 1e-9, "max_iter": 30}]),
    "task_arithmetic": (1, (1, 3, 5), WEIGHTS, [{}, {"lambda": 0.8, "normalize": True}]),
    "ties": (1, (1, 3, 5), SPARSE, SHARED),
    "dare_linear": (1, (1, 3, 5), SPARSE, SHARED),
    "dare_ties": (1, (1, 3, 5), SPARSE, SHARED),
    "della_linear": (1, (1, 3, 5), RANKED, SHARED),
    "della": (1, (1, 3, 5), RANKED, SHARED),
    "breadcrumbs": (1, (1, 3, 5), BAND, SHARED),
    "breadcrumbs_ties": (1, (1, 3, 5), BAND, SHARED),
    "model_stock": (1, (2, 3, 5), SAME, [{}, {"filter_wise": True}]),
    "nearswap": (1, (1,), SAME, [{"t": 0.0001}, {"t": 0.003}, {"t": 0.03}]),
    "arcee_fusion": (1, (1,), SAME, [{}]),
    "sce": (1, (2, 3, 5), SAME, [{}, {"select_topk": 0.5}, {"select_topk": 0.1}]),
    "ram": (1, (1, 3, 5), SAME, [{}, {"epsilon": 0.005}, {"epsilon": 0.015}]),
    "ramplus_tl": (1, (1, 3, 5), SAME, [{}, {"epsilon": 0.005}, {"epsilon": 0.01, "r": 0.3, "alpha": 3}]),
    "passthrough": (0, (1,), [{}, {"scale": 0.7}, {"scale": [0.5, 1.0]}], SAME),
}


def recipes(method):
    """Yield recipes whose models are named by their folders."""
    bases, counts, own, shared = GRID[method]
    for base, count, mine, ours in itertools.product((bases,) if isinstance(bases, int) else bases, counts, own, shared):
        models = []
        for i, name in enumerate(EXPERTS[:count]):
            p = {k: v[i] if isinstance(v, tuple) else v for k, v in mine.items()}
            models.append({"model": name, "parameters": p} if p else {"model": name})
        recipe = {"merge_method": method, "models": models}
        if base:
            recipe["base_model"] = "base"
        if ours:
            recipe["parameters"] = dict(ours)
        yield recipe


def values(recipe):
    """Yield every parameter of a recipe."""
    for p in [recipe.get("parameters", {}), *(m.get("parameters", {}) for m in recipe["models"])]:
        yield from p.items()


def documented(recipe, tensor, shape, what, dtype):
    """Name the row of docs/mergekit-differences.md by which a tensor differs, or return an empty text."""
    method, shared = recipe["merge_method"], recipe.get("parameters", {})
    if method == "arcee_fusion":
        return "importances at the threshold"
    if what == "compat":
        return "functions" if method in ("slerp", "nuslerp") and dtype == "float32" else ""
    if method == "sce" and shared.get("select_topk", 1) < 1:
        return "variances at the threshold"
    if tensor in ("lm_head.weight", "model.norm.weight") and any(isinstance(v, list) for _, v in values(recipe)):
        return "gradients at the head"
    if method.startswith("breadcrumbs") and no_outliers(recipe, shape):
        return "no outliers"
    if method.startswith("della") and len(shape) > 2:
        return "rows of della"
    if len(shape) > 1 and min(shape[0], shape[-1]) < SHORT:
        if method == "nuslerp" and shared.get("nuslerp_flatten") is False:
            return "nearly opposite"
        if method == "model_stock" and shared.get("filter_wise"):
            return "nearly cancelling"
    return ""


SHORT = 8  # elements of a row; longer random ones are never nearly opposite


def no_outliers(recipe, shape):
    """Tell whether gamma drops no element for some model, so that mergekit drops all."""
    n = math.prod(shape)
    for p in (m["parameters"] for m in recipe["models"]):
        top = int(p["gamma"] * n)
        top += min(0, n - int(p["density"] * n) - top)
        if p["density"] < 1 and top == 0:
            return True
    return False
