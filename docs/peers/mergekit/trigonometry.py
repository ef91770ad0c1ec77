"""torch's arc cosine, sine and cosine in float32 beside the formulas of merge/compat/trigonometry.go.

    python docs/peers/mergekit/trigonometry.py                  compares 4 million numbers of each range
    python docs/peers/mergekit/trigonometry.py --write FILE     writes what TestTrigonometry compares with
"""

import argparse
import json

import numpy
import torch

RANGES = [("acos", -0.5, 0.5), ("acos", 0.5, 1), ("acos", -1, -0.5), ("sin", -3.2, 3.2), ("sin", 3.2, 1000), ("cos", -3.2, 3.2), ("cos", 3.2, 1000)]
EXACT = {"acos": numpy.arccos, "sin": numpy.sin, "cos": numpy.cos}
EDGES = {
    "acos": [0, -0.0, 1, -1, 0.5, -0.5, 0.50000006, -0.50000006, 0.49999997, 1e-30, 0.99999994, -0.99999994, 1e-45],
    "sin": [0, 1e-45, 1e-8, 3.1415927, 1.5707964, -3.1415927, 0.78539819, 9999.5],
    "cos": [0, 1e-45, 1e-8, 3.1415927, 1.5707964, -3.1415927, 0.78539819, 9999.5],
}
ARC_SINE = numpy.array([0x3E2AAAFF, 0x3D997C12, 0x3D3A9AB4, 0x3CC32A6B, 0x3D2EDC07], numpy.uint32).view(numpy.float32)
SINE = [-0.16666659550564267, 0.008333066249193905, -0.00019809603118188608, 2.6057810962130975e-06]
PI = numpy.longdouble(3.141592653589793) + numpy.longdouble(1.2246467991473532e-16)


def inputs(low, high, n):
    """Numbers of a range that any language draws alike."""
    k = numpy.arange(n, dtype=numpy.uint64) * numpy.uint64(2654435761) % numpy.uint64(1 << 32)
    return (low + (high - low) * (k.astype(numpy.float64) / (1 << 32))).astype(numpy.float32)


def peer(name, x):
    return getattr(torch, name)(torch.from_numpy(x)).numpy()


def parts(x):
    high = numpy.float32(x)
    return high, numpy.float32(x - high)


def acos(x):
    size = abs(x)
    small = size <= 0.5
    z = numpy.where(small, x * x, (1 - size) * numpy.float32(0.5)).astype(numpy.float32)
    c = ARC_SINE
    terms = z * (((c[4] * z + c[3]) * (z * z) + (c[2] * z + c[1])) * z + c[0])
    half, half_rest = parts(PI / 2)
    whole, whole_rest = parts(PI)
    root = numpy.sqrt(z.astype(numpy.float64))
    high = (root.astype(numpy.float32).view(numpy.uint32) & numpy.uint32(0xFFFFE000)).view(numpy.float32)
    rest = 2 * (root - high).astype(numpy.float32)
    above = 2 * (terms * root.astype(numpy.float32))
    large = numpy.where(x > 0, 2 * high + (rest + above), whole - (2 * high + (above + (rest - whole_rest))))
    return numpy.where(small, half - (x + (terms * x - half_rest)), large).astype(numpy.float32)


def sine(x, half_turns, shift):
    r = (x.astype(numpy.longdouble) - (half_turns + shift) * PI).astype(numpy.float64)
    z, c = r * r, SINE
    s = r + r * z * (c[0] + z * (c[1] + z * (c[2] + z * c[3])))
    return numpy.where(half_turns % 2 == 0, s, -s).astype(numpy.float32)


def ours(name, x):
    if name == "acos":
        return acos(x)
    if name == "sin":
        return sine(x, numpy.rint(x.astype(numpy.float64) / numpy.pi), 0)
    return sine(x, numpy.rint(x.astype(numpy.float64) / numpy.pi - 0.5) + 1, -0.5)


def steps(a, b):
    """How many numbers of float32 lie between a and b of one sign."""
    return a.view(numpy.int32).astype(int) - b.view(numpy.int32)


def golden(n):
    samples, edges = [], []
    for name, low, high in RANGES:
        x = inputs(low, high, n)
        nearest = EXACT[name](x.astype(numpy.float64)).astype(numpy.float32)
        off = numpy.abs(peer(name, x)).view(numpy.int32) - numpy.abs(nearest).view(numpy.int32)
        samples.append({"Function": name, "Low": low, "High": high, "Off": "".join("-0+"[d + 1] for d in off)})
    for name, x in EDGES.items():
        x = numpy.array(x, numpy.float32)
        edges.append({"Function": name, "Input": x.view(numpy.uint32).tolist(), "Want": peer(name, x).view(numpy.uint32).tolist()})
    return {"Origin": {"Torch": torch.__version__, "Command": "docs/peers/mergekit/trigonometry.py --write FILE"}, "Samples": samples, "Edges": edges}


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--write", metavar="FILE")
    args = args.parse_args()
    torch.set_num_threads(1)
    if args.write:
        with open(args.write, "w") as f:
            f.write(json.dumps(golden(4096)) + "\n")
        return
    print("torch", torch.__version__)
    for name, low, high in RANGES:
        x = numpy.unique(inputs(low, high, 4_000_000))
        want, got = peer(name, x), ours(name, x)
        nearest = EXACT[name](x.astype(numpy.float64)).astype(numpy.float32)
        print(f"{name} from {low} to {high}: {len(x)} numbers, {(want != got).sum()} differ, by {abs(steps(want, got)).max()};",
              f"{(want != nearest).mean():.2%} are not the nearest")


if __name__ == "__main__":
    main()
