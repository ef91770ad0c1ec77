"""Run lengths of pycma and cmaes on plain functions: evaluations to 1e-8, no restarts.

    pip install cma cmaes numpy
    python docs/peers/search/cma_run_lengths.py SEEDS DIM...

Starts are uniform in [1, 5]^n with sigma 2, populations are the default ones.
"""
import sys
import warnings

import numpy as np

warnings.filterwarnings("ignore")
import cma  # noqa: E402
import cmaes  # noqa: E402


def part(n):
    return np.arange(n) / (n - 1)


FUNCTIONS = {
    "sphere": lambda x: np.sum(x**2),
    "ellipsoid": lambda x: np.sum(1e6 ** part(len(x)) * x**2),
    "rosenbrock": lambda x: np.sum(100 * (x[:-1] ** 2 - x[1:]) ** 2 + (x[:-1] - 1) ** 2),
    "bent cigar": lambda x: x[0] ** 2 + 1e6 * np.sum(x[1:] ** 2),
    "different powers": lambda x: np.sum(np.abs(x) ** (2 + 10 * part(len(x)))),
}


def run(ask, tell, stop, f, size, budget):
    n = 0
    while n < budget and not stop():
        points, costs = [], []
        for x in ask(size):
            n += 1
            points.append(x)
            costs.append(f(np.asarray(x)))
            if costs[-1] < 1e-8:
                return n
        tell(points, costs)
    return None


def pycma(f, x0, seed):
    es = cma.CMAEvolutionStrategy(x0, 2, {"seed": seed, "verbose": -9})
    return run(lambda size: es.ask(), es.tell, es.stop, f, es.popsize, 10**6)


def cyber(f, x0, seed):
    es = cmaes.CMA(mean=x0.copy(), sigma=2, seed=seed)
    return run(lambda size: [es.ask() for _ in range(size)],
               lambda points, costs: es.tell(list(zip(points, costs))),
               es.should_stop, f, es.population_size, 10**6)


seeds = int(sys.argv[1])
for name, f in FUNCTIONS.items():
    for n in map(int, sys.argv[2:]):
        row = "| %s | %d " % (name, n)
        for peer in (cyber, pycma):
            lengths = []
            for seed in range(1, seeds + 1):
                x0 = np.random.RandomState(seed).uniform(1, 5, n)
                lengths.append(peer(f, x0, seed))
            solved = [v for v in lengths if v is not None]
            q = np.percentile(solved, [25, 50, 75])
            row += "| %.0f (%.0f-%.0f), %d of %d " % (q[1], q[0], q[2], len(solved), seeds)
        print(row + "|", flush=True)
