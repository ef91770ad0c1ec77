"""What lm-eval's aggregations and standard errors say, for the tests of eval/metric.

    DISABLE_MULTIPROC=1 python docs/peers/lmeval/golden_metric.py eval/metric/testdata/golden.json

needs CPython 3.11, lm_eval 0.4.12, sacrebleu 2.6.0, scikit-learn 1.9.1, numpy 2.4.6.
"""

import contextlib
import io
import json
import math
import os
import random
import sys
import warnings

os.environ["DISABLE_MULTIPROC"] = "1"
warnings.simplefilter("ignore")

import numpy as np
from lm_eval.api import metrics
from lm_eval.filters.selection import MajorityVoteFilter
from lm_eval.utils import softmax

# sacrebleu.corpus_ter is what the aggregation calls.
rnd = random.Random(11)

WORDS = "the a cat dog sat on mat . , ; It's 3.14 1,000 10-20 well-known (yes) \"quoted\" naïve café 日本 &amp; &lt;b&gt; U.S.A. end... x/y $5 100% -5 a.b,c <skipped> don't The Cat – é".split()


def sentence(n):
    return " ".join(rnd.choice(WORDS) for _ in range(n))


def edited(s):
    w = s.split(" ")
    for _ in range(rnd.randint(0, 3)):
        k = rnd.randrange(4)
        i = rnd.randrange(len(w) + 1)
        if k == 0:
            w.insert(i, rnd.choice(WORDS))
        elif k == 1 and i < len(w) and len(w) > 1:
            del w[i]
        elif k == 2 and i < len(w):
            w[i] = rnd.choice(WORDS)
        elif len(w) > 4:
            j = rnd.randrange(len(w) - 2)
            part = w[j : j + 2]
            del w[j : j + 2]
            i = rnd.randrange(len(w) + 1)
            w[i:i] = part
    return " ".join(w)


def stderr(f, xs, iters):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return metrics.bootstrap_stderr(f, xs, iters)


def numbers():
    out = []
    for n, iters in [(1, 0), (2, 1000), (7, 2500), (20, 1000), (20, 2000), (20, 10), (113, 3000), (50, 100000)]:
        xs = [-0.1 * (i + 1) for i in range(n)] if n == 20 else [-rnd.expovariate(0.5) for _ in range(n)]
        sizes = [rnd.randint(1, 50) for _ in xs]
        case = {"xs": xs, "sizes": sizes, "iters": iters, "mean": metrics.mean(xs), "median": metrics.median(xs), "perplexity": metrics.perplexity(xs),
                "weighted": metrics.weighted_perplexity(list(zip(xs, sizes))), "bits": metrics.bits_per_byte(list(zip(xs, sizes)))}
        gaps = [x if i % 5 else math.nan for i, x in enumerate(xs)]
        if iters:
            case["mean_stderr"] = metrics.mean_stderr(xs)
            case["perplexity_stderr"] = stderr(metrics.perplexity, xs, iters)
            if iters < 100000:
                case["median_stderr"] = stderr(metrics.median, xs, iters)
            if n > 100:  # a draw of missing values alone has no mean
                case["nanmean"] = float(metrics.nanmean(gaps))
                case["nanmean_stderr"] = float(stderr(metrics.nanmean, gaps, 1000))
        out.append(case)
    return out


def labels():
    out = []
    for n, k in [(5, 2), (40, 2), (60, 3), (30, 7), (4, 1), (12, 2)]:
        gold = [rnd.randrange(k) for _ in range(n)]
        predicted = [g if rnd.random() < 0.6 else rnd.randrange(k) for g in gold]
        if n == 5:
            gold, predicted = [1, 1, 0, 0, 1], [1, 0, 0, 1, 1]
        if n == 12:
            gold = [0] * 12
        items = list(zip(gold, predicted))
        case = {"gold": gold, "predicted": predicted, "mcc": float(metrics.matthews_corrcoef(items))}
        if k <= 2:
            case["f1"] = float(metrics.f1_score(items))
        if n == 40:
            case["f1_stderr"] = stderr(metrics.f1_score, items, 300)
        if n in (40, 60):
            case["mcc_stderr"] = stderr(metrics.matthews_corrcoef, items, 300)
        if k > 1:
            ll = [[rnd.gauss(-5, 3) for _ in range(k)] for _ in gold]
            case["loglikelihoods"] = ll
            case["brier"] = float(metrics.brier_score([(g, softmax(np.array(x))) for g, x in zip(gold, ll)]))
        out.append(case)
    return out


def texts():
    out = []
    shapes = [(1, 1, 12), (1, 3, 6), (20, 1, 10), (12, 2, 15), (10, "mixed", 9), (8, 1, 2), (1, 1, 1), (3, 1, 90)]
    for n, refs, length in shapes:
        items = []
        for i in range(n):
            base = sentence(rnd.randint(1, length) if n > 1 else length)
            count = refs if refs != "mixed" else rnd.randint(1, 4)
            items.append(([edited(base) for _ in range(count)], edited(base)))
        out.append(items)
    out.append([(["the cat sat on the mat"], ""), (["the cat sat"], "the cat sat")])
    out.append([([""], "some words"), (["x"], "x")])
    out.append([(["a b c d e"], "v w x y z")])
    out.append([(["A cat-\nnap\nhere &quot;now&quot;  "], " a cat nap here \"now\"\t\n")])
    out.append([(["1.5,2 3-4 a-b .5 x. 5."], "1.5,2 3-4 a-b ..5 ,x,, 5.")])
    out.append([(["a b c d e f g h i j"], "f g h i j a b c d e"), (["one two three four"], "four one two three")])
    cases = []
    for items in out:
        case = {"answers": [p for _, p in items], "references": [r for r, _ in items]}
        for name, f in [("bleu", metrics.bleu), ("chrf", metrics.chrf), ("ter", metrics.ter)]:
            case[name] = f(items)
            if len(items) > 3:
                case[name + "_stderr"] = stderr(f, items, 100)
        cases.append(case)
    return cases


def matches():
    options = [{}, {"ignore_case": True}, {"ignore_punctuation": True}, {"ignore_numbers": True}, {"regexes_to_ignore": [",", "\\$", "(?s).*#### ", "\\.$"]},
               {"regexes_to_ignore": [r"\bthe\b", r"\s+$"], "ignore_case": True, "ignore_punctuation": True, "ignore_numbers": True}]
    texts = ["The answer", "the Answer.", "#### 1,018.", "1018", "$1,018", "the 3 cats", " cats", "THE cats!", "ÉTÉ", "été", "ΟΔΟΣ", "οδος", "οδοσ", "x\n#### 5", "5", "5.\n", "answer ", "", "¡hola!", "hola"]
    out = []
    for o in options:
        rows = [[float(metrics.exact_match_hf_evaluate([a], [b], **o)["exact_match"]) for b in texts] for a in texts]
        out.append({"options": o, "rows": ["".join(str(int(x)) for x in r) for r in rows]})
    return {"texts": texts, "cases": out}


def votes():
    out = []
    for _ in range(30):
        answers = [rnd.choice("abc") for _ in range(rnd.randint(1, 7))]
        out.append([answers, list(MajorityVoteFilter().apply([answers], []))[0][0]])
    return out


def clean(x):
    if isinstance(x, float) and math.isnan(x):
        return None
    if isinstance(x, dict):
        return {k: clean(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [clean(v) for v in x]
    return x


if __name__ == "__main__":
    golden = {
        "numbers": numbers(), "labels": labels(), "texts": texts(), "matches": matches(), "votes": votes(),
        "pooled": [[ses, sizes, float(metrics.pooled_sample_stderr(ses, sizes))] for ses, sizes in [([0.02, 0.03, 0.05], [100, 200, 50]), ([0.1], [2]), ([0.0, 0.2], [1, 9])]],
        "groups": [[v, s, metrics.aggregate_subtask_metrics(v, s)] for v, s in [([0.1, 0.5, 0.9], [10, 3, 7]), ([1.0], [1])]],
        "softmax": [[x, softmax(np.array(x)).tolist()] for x in [[-1.0, -2.0, -3.0], [0.0], [-1000.0, -1.0]]],
    }
    with open(sys.argv[1], "w") as f:
        json.dump(clean(golden), f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")
    print(os.path.getsize(sys.argv[1]), "bytes")
