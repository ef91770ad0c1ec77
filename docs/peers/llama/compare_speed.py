"""The embedded engine and libllama in turn, the best of each, and their ratio.

    python compare_speed.py BENCH LIBRARIES TEST MODEL_DIR MODEL.gguf THREADS [TURNS]

BENCH is bench.c compiled, TEST the compiled tests of eval/lm (go test -c). Two rounds a
turn, three turns unless told otherwise. Other work on the machine takes wall-clock time
from either, processor time hardly, which is why both are printed.
"""

import collections
import os
import subprocess
import sys


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def libllama(bench, libraries, gguf, threads):
    for line in output(bench, libraries, gguf, threads, "2").splitlines():
        words = line.split()
        yield words[0], {unit: float(value) for value, unit in zip(words[1::2], words[2::2])}


def engine(test, model, threads):
    for line in output(test, "-test.run", "-", "-test.bench", "Peer", "-test.benchtime", "2x", "-test.cpu", threads,
                       "-peer-model", model, "-peer-threads", threads).splitlines():
        words = line.split()
        if words and words[0].startswith("BenchmarkPeer/"):
            name = words[0].removeprefix("BenchmarkPeer/").removesuffix("-" + threads if threads != "1" else "")
            yield name, {unit: float(value) for value, unit in zip(words[2::2], words[3::2])}


def main(bench, libraries, test, model, gguf, threads, turns="3"):
    best, load = collections.defaultdict(float), []
    for _ in range(int(turns)):
        load.append(os.getloadavg()[0])
        for program, lines in ("libllama", libllama(bench, libraries, gguf, threads)), ("engine", engine(test, model, threads)):
            for work, values in lines:
                for unit, value in values.items():
                    best[work, unit, program] = max(best[work, unit, program], value)
    print(f"load average {min(load):.1f} to {max(load):.1f}\n\n| {os.path.basename(model)}, threads {threads} | | libllama | engine | ratio |\n"
          "|---|---|---|---|---|")
    for work in "prefill", "decode-1", "decode-16":
        for unit in "tokens/s", "tokens/cpu-s":
            a, b = best[work, unit, "libllama"], best[work, unit, "engine"]
            print(f"| {work} | {unit} | {a:.0f} | {b:.0f} | {b / a:.2f} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
