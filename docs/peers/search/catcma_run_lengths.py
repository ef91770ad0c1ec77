"""Run lengths of CatCMA with margin, as cmaes has it, on mixed functions: evaluations to 1e-8.

    pip install cmaes numpy scipy
    python docs/peers/search/catcma_run_lengths.py SEEDS N...

N is the number of coordinates of each kind. Means start uniform in [1, 4] for continuous
and in [2, 8] for integer coordinates, deviations are 10/12 and 20/10.
"""
import sys
import warnings

import numpy as np
from cmaes import CatCMAwM

warnings.filterwarnings("ignore")


def sphere(x):
    return np.sum(x**2)


def ellipsoid(x, condition):
    return np.sum(condition ** (np.arange(len(x)) / max(1, len(x) - 1)) * x**2)


def onemax(c):
    return len(c) - np.sum(c[:, 0])


def leadingones(c):
    wrong = np.flatnonzero(~c[:, 0])
    return 0 if len(wrong) == 0 else len(c) - wrong[0]


FUNCTIONS = {
    "ellipsoid+integers": (1, 1, 0, lambda x, z, c: ellipsoid(np.concatenate([x, z]), 1e4)),
    "ellipsoid+leadingones": (1, 0, 1, lambda x, z, c: ellipsoid(x, 1e6) + leadingones(c)),
    "sphere+integers": (1, 1, 0, lambda x, z, c: sphere(x) + sphere(z)),
    "sphere+integers+onemax": (1, 1, 1, lambda x, z, c: sphere(x) + sphere(z) + onemax(c)),
    "sphere+onemax": (1, 0, 1, lambda x, z, c: sphere(x) + onemax(c)),
}

seeds = int(sys.argv[1])
for name, (reals, ints, choices, f) in FUNCTIONS.items():
    for n in map(int, sys.argv[2:]):
        lengths = []
        for seed in range(1, seeds + 1):
            rng = np.random.RandomState(seed)
            mean = np.concatenate([rng.uniform(1, 4, n * reals), rng.uniform(2, 8, n * ints)])
            deviation = np.concatenate([np.full(n * reals, 10 / 12), np.full(n * ints, 2.0)])
            es = CatCMAwM(
                x_space=[[-5, 5]] * n if reals else None,
                z_space=[list(range(-10, 11))] * n if ints else None,
                c_space=[5] * n if choices else None,
                mean=mean, cov=np.diag(deviation**2), sigma=1.0, seed=seed)
            count, solved = 0, False
            while count < 300000 and not solved:
                told = []
                for _ in range(es.population_size):
                    s = es.ask()
                    cost = f(s.x, s.z, s.c)
                    count += 1
                    told.append((s, cost))
                    if cost <= 1e-8:
                        solved = True
                        break
                if not solved:
                    es.tell(told)
            if solved:
                lengths.append(count)
        q = np.percentile(lengths, [25, 50, 75]) if lengths else [np.nan] * 3
        print("| %s | %d | %.0f (%.0f-%.0f), %d of %d |" % (name, n, q[1], q[0], q[2], len(lengths), seeds), flush=True)
