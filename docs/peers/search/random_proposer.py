"""A proposer for `algorithm: {name: external}`: random search around the best.

The protocol is described in docs/design/proposers.md. Standard library only. What
it proposes depends on the messages alone, so that runs can be resumed.

    algorithm: {name: external, command: [python3, random_proposer.py]}
"""

import json
import random
import sys


def say(message):
    print(json.dumps(message), flush=True)


def draw(gene, rng):
    if gene["kind"] == "choice":
        return rng.choice(gene["options"])
    return rng.uniform(gene["min"], gene["max"])


def step(gene, value, rng):
    """Moves a gene a little; a choice stays four times in five."""
    if gene["kind"] == "choice":
        return value if rng.random() < 0.8 else draw(gene, rng)
    moved = value + rng.gauss(0, 0.1) * (gene["max"] - gene["min"])
    return min(max(moved, gene["min"]), gene["max"])


def main():
    genes, rng, best = [], None, None  # best is the trial with the highest fitness
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "hello":
            genes = message["space"]["genes"]
            rng = random.Random(message["seed"])
            say({"type": "hello", "name": "random around the best"})
        elif message["type"] == "tell":
            for trial in message["trials"]:
                if trial["genome"] is None or trial["fitness"] is None:
                    continue
                if best is None or trial["fitness"] > best["fitness"]:
                    best = trial
        elif message["type"] == "ask":
            proposals = []
            for _ in range(message["count"]):
                known = best["genome"] if best else {}
                # Genes that the best one's method does not use are drawn.
                genome = {g["name"]: step(g, known[g["name"]], rng) if g["name"] in known else draw(g, rng) for g in genes}
                proposals.append({"genome": genome, "operator": "around the best" if best else "draw", "parents": [best["candidate"]] if best else []})
            say({"type": "proposals", "proposals": proposals})
        elif message["type"] == "bye":
            return


if __name__ == "__main__":
    main()
