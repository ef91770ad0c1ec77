"""A proposer for `algorithm: {name: external}`: Optuna's TPE.

The protocol is described in docs/design/proposers.md. Needs optuna. The sampler is
seeded and told in a fixed order, so that a run that is started again gets the same
proposals.

    algorithm: {name: external, command: [python3, optuna_proposer.py]}
"""

import json
import sys
import warnings

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial


def say(message):
    print(json.dumps(message), flush=True)


def distribution(gene):
    if gene["kind"] == "choice":
        return CategoricalDistribution(gene["options"])
    return FloatDistribution(gene["min"], gene["max"])


def genome_of(trial, space):
    """Suggests the genes that the chosen method uses: Optuna's conditional space."""
    genome = {}
    method = None
    for gene in space["genes"]:
        if method is not None and gene.get("methods") and method not in gene["methods"]:
            continue
        if gene["kind"] == "choice":
            genome[gene["name"]] = trial.suggest_categorical(gene["name"], gene["options"])
        else:
            genome[gene["name"]] = trial.suggest_float(gene["name"], gene["min"], gene["max"])
        if gene["name"] == "method":
            method = genome["method"]
    return genome


def main():
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = space = None
    waiting = []  # trials of the study that were proposed and not told, in order
    baselines = True  # the first tell carries parents and usual recipes
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "hello":
            space = message["space"]
            sampler = optuna.samplers.TPESampler(
                seed=message["seed"] % 2**32, multivariate=True, group=True, n_startup_trials=10,
                constant_liar=message["lookahead"] > 1, warn_independent_sampling=False,
            )
            study = optuna.create_study(direction="maximize", sampler=sampler)
            say({"type": "hello", "name": "optuna " + optuna.__version__ + " TPE"})
        elif message["type"] == "tell" and baselines:
            baselines = False
            for t in message["trials"]:
                if t["genome"] is None or t["fitness"] is None:
                    continue
                genes = [g for g in space["genes"] if g["name"] in t["genome"]]
                study.add_trial(create_trial(
                    params={g["name"]: t["genome"][g["name"]] for g in genes},
                    distributions={g["name"]: distribution(g) for g in genes}, value=t["fitness"],
                ))
        elif message["type"] == "tell":
            for t in message["trials"]:
                trial = waiting.pop(0)
                if t["fitness"] is None:
                    study.tell(trial, state=TrialState.FAIL)
                else:
                    study.tell(trial, t["fitness"])
        elif message["type"] == "ask":
            proposals = []
            for _ in range(message["count"]):
                trial = study.ask()
                waiting.append(trial)
                proposals.append({"genome": genome_of(trial, space), "operator": "tpe"})
            say({"type": "proposals", "proposals": proposals})
        elif message["type"] == "bye":
            return


if __name__ == "__main__":
    main()
