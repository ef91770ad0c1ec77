#!/usr/bin/env python3
"""Compare search algorithms on the quickstart family, real merges, at equal item answers.

    python3 compare_algorithms.py OUT --program mergesearch --answers 54000 --seeds 1 2 3 4 5 \\
        [--against DIR...]

Runs every algorithm with every seed (each run resumes if OUT has it already), then scores all
winners, and those of the runs in --against, on fresh items, and prints one line for each run and
one for each algorithm. Fresh are 500 sums and 500 made-up words that are in no split, and the
300 held-out facts of the atlas, which has no more. Needs nothing but Python 3.8 or later.
"""
import argparse, json, os, random, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
QUICKSTART = os.path.dirname(HERE)
sys.path.insert(0, HERE)
import make_data

# Settings beside the run file's own; None takes its races, [120] asks every candidate everything.
ALGORITHMS = {
    "auto": ("{name: auto}", "auto"),
    "ga": ("{name: ga, population: 24, islands: 2}", None),
    "cmaes": ("{name: cmaes, sigma: 0.1667, population: 15}", [120]),
    "nsga2": ("{name: nsga2}", None),
    "random": ("{name: random}", None),
}
FRESH = 500


def fresh_items():
    """{skill: [(prompt, answer)]} of questions in no split."""
    r = random.Random(20261)
    sums = [s for s in make_data.TRAIN_SUMS]
    r.shuffle(sums)
    out = {"arithmetic": [("%d+%d=" % s, str(sum(s))) for s in sums[:FRESH]], "reverse": [], "atlas": []}
    seen = set()
    while len(out["reverse"]) < FRESH:
        prompt, answer = make_data.sample("reverse", r)
        if prompt not in seen and answer != prompt.split()[1].rstrip("="):
            seen.add(prompt)
            out["reverse"].append((prompt, answer))
    return out


def write_fresh(folder):
    """Write the fresh items with their task files; return the files."""
    os.makedirs(os.path.join(folder, "data"), exist_ok=True)
    os.makedirs(os.path.join(folder, "tasks"), exist_ok=True)
    files = []
    for skill, items in fresh_items().items():
        task = open(os.path.join(QUICKSTART, "tasks", skill + ".yaml")).read()
        held_out = os.path.join(QUICKSTART, "data", skill + ".held-out.jsonl")
        if items:
            held_out = os.path.join(folder, "data", skill + ".jsonl")
            with open(held_out, "w") as f:
                for i, (prompt, answer) in enumerate(items):
                    f.write(json.dumps({"id": "%s-fresh-%03d" % (skill, i + 1), "skill": skill, "prompt": prompt, "answer": answer}) + "\n")
        task = task.replace("../data/%s.held-out.jsonl" % skill, held_out)
        task = task.replace("../data/", os.path.join(QUICKSTART, "data") + "/")
        files.append(os.path.join(folder, "tasks", skill + ".yaml"))
        with open(files[-1], "w") as f:
            f.write(task)
    return files


def run_file(folder, name, answers):
    """Write a run file that differs from the quickstart's in algorithm, race and budget."""
    algorithm, race = ALGORITHMS[name]
    out = []
    for line in open(os.path.join(QUICKSTART, "run.yaml")):
        key = line.split(":")[0]
        if key == "name":
            line = "name: %s\n" % name
        elif key == "algorithm":
            line = "algorithm: %s\n" % algorithm
        elif key == "budget":
            line = "budget: {answers: %d}\n" % answers
        elif key == "race" and race == "auto":
            line = ""
        elif key == "race" and race:
            line = "race: {rungs: %s}\n" % race
        line = line.replace("models/", QUICKSTART + "/models/").replace("tasks/", QUICKSTART + "/tasks/")
        out.append(line)
    path = os.path.join(folder, name + ".yaml")
    with open(path, "w") as f:
        f.writelines(out)
    return path


def score(program, model, tasks):
    args = [program, "eval", model, "--json"]
    for t in tasks:
        args += ["--task", t]
    result = json.loads(subprocess.run(args, check=True, stdout=subprocess.PIPE).stdout)
    values = {t["task"]: next(iter(t["metrics"].values()))["value"] for t in result["tasks"]}
    return values


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out")
    p.add_argument("--program", default="mergesearch")
    p.add_argument("--answers", type=int, default=54000)
    p.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    p.add_argument("--algorithms", nargs="+", default=list(ALGORITHMS))
    p.add_argument("--against", nargs="*", default=[])
    a = p.parse_args()
    out = os.path.abspath(a.out)
    os.makedirs(out, exist_ok=True)
    tasks = write_fresh(os.path.join(out, "fresh"))
    rows = []

    def add(name, seed, directory):
        shown = json.loads(subprocess.run([a.program, "show", directory, "--json"], check=True, stdout=subprocess.PIPE).stdout)
        fresh = score(a.program, os.path.join(directory, "best"), tasks)
        mean = sum(fresh.values()) / len(fresh)
        rows.append((name, mean))
        print("%-8s %4s  answers %7d  search %.3f  held-out %.3f  fresh %.4f  %s" % (
            name, seed, shown["item_answers"], shown["best"]["search_score"]["fitness"], shown["best"]["heldout"]["fitness"], mean,
            " ".join("%s %.3f" % kv for kv in sorted(fresh.items()))), flush=True)

    for directory in a.against:
        add(os.path.basename(directory), "-", directory)
    for seed in a.seeds:
        for name in a.algorithms:
            directory = os.path.join(out, "%s-s%d" % (name, seed))
            subprocess.run([a.program, "run", run_file(out, name, a.answers), "--seed", str(seed), "--dir", directory],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            add(name, seed, directory)
    for name in dict.fromkeys(n for n, _ in rows):
        values = [v for n, v in rows if n == name]
        mean = sum(values) / len(values)
        spread = (sum((v - mean) ** 2 for v in values) / max(1, len(values) - 1)) ** 0.5
        print("%-8s mean %.4f  standard error %.4f  least %.4f  of %d" % (name, mean, spread / len(values) ** 0.5, min(values), len(values)))


if __name__ == "__main__":
    main()
