"""The merges of a 7B model written plainly in torch on a GPU, for BenchmarkDevice7B.

    python3 docs/peers/torch_gpu.py

Three experts and a base of random bfloat16 weights stay on the device. Each merge goes
tensor by tensor in float32 and rounds once; times are medians of five, with the device
waited for. It needs torch with CUDA, and 60 GB of the device's memory.
"""

import statistics
import time

import torch

LAYERS, HIDDEN, INNER, VOCABULARY = 32, 4096, 11008, 32000


def shapes():
    yield VOCABULARY, HIDDEN
    for _ in range(LAYERS):
        for _ in range(4):
            yield HIDDEN, HIDDEN
        yield INNER, HIDDEN
        yield INNER, HIDDEN
        yield HIDDEN, INNER
    yield VOCABULARY, HIDDEN


def model(seed, base=None):
    generator = torch.Generator("cuda").manual_seed(seed)
    out = []
    for i, shape in enumerate(shapes()):
        x = torch.empty(shape, dtype=torch.bfloat16, device="cuda").normal_(0, 0.02 if base is None else 0.001, generator=generator)
        out.append(x if base is None else base[i] + x)
    return out


def ties(base, experts, density=0.5, weight=1.0):
    base = base.float()
    terms = []
    for x in experts:
        d = x.float() - base
        k = int(density * d.numel())
        threshold = d.abs().flatten().kthvalue(d.numel() - k + 1).values
        terms.append(weight * torch.where(d.abs() >= threshold, d, 0))
    terms = torch.stack(terms)
    sign = terms.sum(0).sign()
    agree = terms.sign() == sign
    total = torch.where(agree, terms, 0).sum(0) / (weight * agree.sum(0)).clamp(min=1e-8)
    return (base + total).bfloat16()


def slerp(a, b, t=0.5):
    a, b = a.float(), b.float()
    cosine = (a.double().flatten() @ b.double().flatten()) / (a.double().norm() * b.double().norm())
    angle = torch.arccos(cosine)
    return ((torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)).bfloat16()


def dare_linear(base, experts, density=0.5, weight=1.0):
    base = base.float()
    total = torch.zeros_like(base)
    for x in experts:
        d = x.float() - base
        total += weight * d * torch.bernoulli(torch.full_like(d, density)) / density
    return (base + total).bfloat16()


def main():
    base = model(0)
    experts = [model(i, base) for i in (1, 2, 3)]
    read = sum(x.numel() * 2 for x in base)
    for name, models, merge in (
        ("ties", 4, lambda i: ties(base[i], [e[i] for e in experts])),
        ("slerp", 2, lambda i: slerp(experts[0][i], experts[1][i])),
        ("dare_linear", 4, lambda i: dare_linear(base[i], [e[i] for e in experts])),
    ):
        times = []
        for _ in range(5):
            torch.cuda.synchronize()
            began = time.perf_counter()
            for i in range(len(base)):
                merge(i)
            torch.cuda.synchronize()
            times.append(time.perf_counter() - began)
        seconds = statistics.median(times)
        print(f"torch {torch.__version__} {name}: {1e3 * seconds:.1f} ms, {(models + 1) * read / seconds / 1e9:.0f} GB/s")


if __name__ == "__main__":
    main()
