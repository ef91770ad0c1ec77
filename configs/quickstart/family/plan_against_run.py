"""Compares `mergesearch plan --calibrate` with the run that follows it, for ten run files.

    go build -o /tmp/mergesearch ./cmd/mergesearch
    python3 configs/quickstart/family/plan_against_run.py /tmp/mergesearch

The run files are those of the quickstart with other algorithms, budgets, races, items
and workers. Each is calibrated immediately before it runs. Prints a table in Markdown.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

QUICKSTART = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# name, replacements of whole lines by key, workers
CASES = [
    ("ga", {"budget": "{candidates: 96}"}, 2),
    ("ga, 1 worker", {"budget": "{candidates: 48}"}, 1),
    ("ga, no race", {"race": "{rungs: [60]}", "budget": "{candidates: 72}"}, 2),
    ("ga, three rungs", {"race": "{rungs: [12, 40, 120], keep: 0.4}", "budget": "{candidates: 120}"}, 2),
    ("ga, answers", {"budget": "{answers: 24000}"}, 2),
    ("random, tokens", {"algorithm": "{name: random}", "budget": "{tokens: 900000}"}, 2),
    ("cmaes, 3 workers", {"algorithm": "{name: cmaes}", "budget": "{candidates: 80}"}, 3),
    ("m2n2", {"algorithm": "{name: m2n2}", "race": "{rungs: [40]}", "budget": "{candidates: 90}"}, 2),
    ("auto", {"algorithm": "{name: auto}", "race": None, "budget": "{answers: 20000}"}, 2),
    ("random, hours", {"algorithm": "{name: random}", "budget": "{hours: 0.005}"}, 2),
]


def run_file(name, changes, folder):
    text = open(os.path.join(QUICKSTART, "run.yaml")).read()
    for key, value in changes.items():
        line = "" if value is None else f"{key}: {value}"
        text = re.sub(rf"(?m)^{key}:.*$", lambda _: line, text)
    text = re.sub(r"(?m)^name:.*$", "name: case", text)
    for path in ("models", "tasks"):
        text = text.replace(path + "/", os.path.join(QUICKSTART, path) + "/")
    path = os.path.join(folder, re.sub(r"\W+", "-", name) + ".yaml")
    with open(path, "w") as f:
        f.write(text)
    return path


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 5):  # a budget of time or tokens ends with 5
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return json.loads(done.stdout)


def main():
    program = os.path.abspath(sys.argv[1])
    print("| run file | workers | answers | planned | | seconds | planned (P90) | | MB on disk | planned | | load |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    good = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, changes, workers) in enumerate(CASES):
            path = run_file(name, changes, folder)
            flags = ["--workers", str(workers), "--json"]
            plan = output(program, "plan", path, "--calibrate", "--runs", folder, *flags)["estimate"]
            took = output(program, "run", path, "--dir", os.path.join(folder, f"run-{number}"), *flags)["planned"]["actual"]
            cells, within = [name, str(workers)], True
            for actual, planned, show in [
                (took["answers"], plan["answers"], lambda x: f"{x:,.0f}"),
                (took["seconds_p50"], plan["seconds_p50"], lambda x: f"{x:.1f}"),
                (took["disk_bytes"] / 1e6, plan["disk_bytes"] / 1e6, lambda x: f"{x:.2f}"),
            ]:
                miss = planned / actual - 1
                within = within and abs(miss) <= 0.2
                text = show(planned)
                if planned == plan["seconds_p50"]:
                    text += f" ({plan['seconds_p90']:.1f})"
                cells += [show(actual), text, f"{100 * miss:+.0f} %"]
            cells.append(f"{os.getloadavg()[0]:.1f}")
            good += within
            print("| " + " | ".join(cells) + " |", flush=True)
    print(f"\n{good} of {len(CASES)} within 20 % in all three")


if __name__ == "__main__":
    main()
