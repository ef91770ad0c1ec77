"""Hypervolumes of pymoo's NSGA-II, for docs/log/pareto.md.

    python pymoo_nsga2.py SEEDS [rank] [short] [PROBLEM...]

With "rank" tournaments compare fronts, as in the paper, instead of pymoo's default, dominance;
"short" leaves out the column of 25,000 evaluations. Needs pymoo 0.6.2.
"""

import sys

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.indicators.hv import HV
from pymoo.optimize import minimize
from pymoo.problems import get_problem

PROBLEMS = [
    ("ZDT1", "zdt1", {}),
    ("ZDT2", "zdt2", {}),
    ("ZDT3", "zdt3", {}),
    ("ZDT4", "zdt4", {}),
    ("ZDT6", "zdt6", {}),
    ("DTLZ2-3", "dtlz2", {"n_var": 12, "n_obj": 3}),
]


def volumes(problem, population, checkpoints, seed, tournament):
    indicator = HV(ref_point=np.full(problem.n_obj, 1.1))
    out = {}

    def watch(algorithm):
        if algorithm.evaluator.n_eval in checkpoints:
            out[algorithm.evaluator.n_eval] = float(indicator(algorithm.pop.get("F")))

    algorithm = NSGA2(pop_size=population)
    algorithm.tournament_type = tournament
    minimize(problem, algorithm, ("n_eval", checkpoints[-1]), seed=seed, callback=watch, verbose=False)
    return [out[c] for c in checkpoints]


def main():
    seeds = int(sys.argv[1])
    tournament = "comp_by_rank_and_crowding" if "rank" in sys.argv else "comp_by_dom_and_crowding"
    columns = [(40, [1000, 2000, 5000]), (100, [25000])][: 1 if "short" in sys.argv else 2]
    chosen = set(sys.argv[2:]) - {"rank", "short"}
    for label, name, arguments in PROBLEMS:
        if chosen and label not in chosen:
            continue
        problem = get_problem(name, **arguments)
        cells = []
        for population, checkpoints in columns:
            runs = np.array([volumes(problem, population, checkpoints, s + 1, tournament) for s in range(seeds)])
            for column in runs.T:
                cells.append(f"{np.median(column):.4f} ({column.min():.3f}-{column.max():.3f})")
        print(" | ".join([label, *cells]), flush=True)


main()
