"""Evaluations that differential evolution of SciPy and pymoo needs, for docs/log/pareto.md.

    python scipy_de.py SEEDS [scipy|pymoo]

Population 50, F 0.5, CR 0.7, best/1/bin and rand/1/bin, uniform start in [-5, 5]^10, at most
50,000 evaluations. pymoo also mutates a tenth of its genomes, which is switched off here.
"""

import sys

import numpy as np
from pymoo.algorithms.soo.nonconvex.de import DE
from pymoo.core.problem import Problem
from pymoo.optimize import minimize
from scipy.optimize import differential_evolution

N, POPULATION, BUDGET = 10, 50, 50_000


def exponents(n):
    return np.arange(n) / (n - 1)


FUNCTIONS = {
    "sphere": lambda x: np.sum(x**2, axis=-1),
    "ellipsoid": lambda x: np.sum(1e6 ** exponents(N) * x**2, axis=-1),
    "rosenbrock": lambda x: np.sum(
        100 * (x[..., :-1] ** 2 - x[..., 1:]) ** 2 + (x[..., :-1] - 1) ** 2, axis=-1
    ),
    "different powers": lambda x: np.sum(np.abs(x) ** (2 + 10 * exponents(N)), axis=-1),
}


class Counted:
    def __init__(self, f):
        self.f, self.n, self.reached, self.lowest = f, 0, None, np.inf

    def __call__(self, x):
        values = np.atleast_1d(self.f(x))
        for v in values:
            self.n += 1
            self.lowest = min(self.lowest, v)
            if v < 1e-8 and self.reached is None:
                self.reached = self.n
        return values if np.ndim(x) > 1 else values[0]


def scipy_run(f, variant, seed):
    counted = Counted(f)
    rng = np.random.default_rng(seed)
    differential_evolution(
        counted, [(-5, 5)] * N, strategy=f"{variant}1bin", mutation=0.5, recombination=0.7, tol=0, atol=0,
        init=rng.uniform(-5, 5, (POPULATION, N)), maxiter=BUDGET // POPULATION - 1, polish=False,
        updating="deferred", rng=rng, callback=lambda *_: counted.reached is not None,
    )
    return counted


def pymoo_run(f, variant, seed):
    counted = Counted(f)

    class Wrapped(Problem):
        def __init__(self):
            super().__init__(n_var=N, n_obj=1, xl=-5.0, xu=5.0)

        def _evaluate(self, x, out, *args, **kwargs):
            out["F"] = counted(x)[:, None]

    algorithm = DE(pop_size=POPULATION, variant=f"DE/{variant}/1/bin", F=0.5, CR=0.7, jitter=False, prob_mut=0.0)
    algorithm.setup(Wrapped(), termination=("n_eval", BUDGET), seed=seed, verbose=False)
    while algorithm.has_next() and counted.reached is None:
        algorithm.next()
    return counted


def main():
    seeds = int(sys.argv[1])
    for library, run in (("scipy", scipy_run), ("pymoo", pymoo_run)):
        if sys.argv[2:] and library not in sys.argv:
            continue
        for variant in ("best", "rand"):
            for name, f in FUNCTIONS.items():
                runs = [run(f, variant, s + 1) for s in range(seeds)]
                reached = sorted(r.reached for r in runs if r.reached)
                line = f"{library}, {variant}, {name}: {len(reached)} of {seeds} reach 1e-8"
                if reached:
                    line += f", median {reached[len(reached) // 2]} ({reached[0]}-{reached[-1]})"
                print(f"{line}; lowest cost, median {np.median([r.lowest for r in runs]):.2g}", flush=True)


main()
