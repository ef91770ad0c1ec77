#!/usr/bin/env python3
"""Measure merges of the tiny family: every parent, the usual recipes, and a short search.

    python3 measure_merges.py [--candidates 250] [--refine 300] [--json FILE] [--expected FILE]
    python3 measure_merges.py --ceiling      # how good linear merges can get, by gradient

Prints Markdown tables. Scores are those of the task files: greedy exact match (answer and </s>)
for arithmetic and reverse, for the atlas the share of items whose right choice has the largest
log-probability, without </s>. Arithmetic is float32, on the parents' bfloat16 weights; merged
weights stay in float32 unless stated. The search sees only the search split; validation picks
among its ten best; held-out is read once at the end.
"""
import argparse, json, math, random, time
import make_data as md
import train_family as tf
import torch

SK = md.SKILLS
HELD_OUT = "held-out"


# --------------------------------------------------------------------------- merge methods
def deltas(base, experts):
    return [{k: e[k] - base[k] for k in base} for e in experts]


def group(name):
    """One of nine groups: embed, then attn and mlp of each layer. A norm goes with the block
    it feeds; the last norm goes with the last mlp."""
    if "embed" in name:
        return "embed"
    if ".layers." not in name:
        return "mlp%d" % (tf.LAYERS - 1)
    return ("attn" if "self_attn" in name or "input_layernorm" in name else "mlp") + name.split(".")[2]


GROUPS = ["embed"] + ["%s%d" % (b, l) for l in range(tf.LAYERS) for b in ("attn", "mlp")]


def weights_of(w, name):
    return w[group(name)] if isinstance(w, dict) else w


def keep_largest(t, density):
    if density >= 1:
        return t
    k = max(1, int(density * t.numel()))
    return t * (t.abs() >= t.abs().flatten().topk(k).values[-1])


def consensus(ts, ws, normalize):
    """Sign election by weighted sum, then the weighted sum (or mean) of the agreeing entries."""
    wt = torch.tensor(ws).view(-1, *[1] * (ts.dim() - 1))
    wd = ts * wt
    sign = torch.where(wd.sum(0) >= 0, 1.0, -1.0)
    mask = (wd.sign() == sign).float()
    v = (wd * mask).sum(0)
    if normalize:
        d = (wt * mask).sum(0)
        v = v / torch.where(d.abs() < 1e-8, torch.ones_like(d), d)
    return v


def merge(base, T, method, w, density=1.0, lam=1.0, normalize=False, seed=0):
    """method: linear (= task_arithmetic with weights that sum to 1), task_arithmetic, ties, dare_linear, dare_ties."""
    g, out = torch.Generator().manual_seed(seed), {}
    for k in base:
        ws, ts = weights_of(w, k), [t[k] for t in T]
        if method == "ties":
            ts = [keep_largest(t, density) for t in ts]
        elif method.startswith("dare"):
            ts = [t * (torch.rand(t.shape, generator=g) < density) / density for t in ts]
        if method in ("ties", "dare_ties"):
            v = consensus(torch.stack(ts), ws, normalize)
        else:
            v = sum(a * t for a, t in zip(ws, ts))
            if normalize:
                v = v / sum(ws)
        out[k] = base[k] + lam * v
    return out


def slerp(a, b, t):
    out = {}
    for k in a:
        x, y = a[k].flatten(), b[k].flatten()
        c = float((x @ y) / (x.norm() * y.norm()))
        if abs(c) > 0.9995:
            out[k] = (1 - t) * a[k] + t * b[k]
        else:
            th = math.acos(max(-1, min(1, c)))
            out[k] = (math.sin((1 - t) * th) * a[k] + math.sin(t * th) * b[k]) / math.sin(th)
    return out


# --------------------------------------------------------------------------- helpers
def row(name, *scores):
    print("| %s | %s |" % (name, " | ".join(" | ".join("%.3f" % e[k] for k in SK + ["mean"]) for e in scores)), flush=True)


def head(first, *splits):
    cols = [k if len(splits) == 1 else "%s, %s" % (k, s) for s in splits for k in SK + ["**mean**"]]
    print("\n| %s | %s |\n|%s" % (first, " | ".join(cols), "---|" * (len(cols) + 1)))


def spearman(a, b):
    def rank(x):
        o = sorted(range(len(x)), key=lambda i: x[i])
        r, i = [0.0] * len(x), 0
        while i < len(o):
            j = i
            while j + 1 < len(o) and x[o[j + 1]] == x[o[i]]:
                j += 1
            for q in range(i, j + 1):
                r[o[q]] = (i + j) / 2
            i = j + 1
        return r
    a, b = rank(a), rank(b)
    ma, mb = sum(a) / len(a), sum(b) / len(b)
    return sum((x - ma) * (y - mb) for x, y in zip(a, b)) / math.sqrt(
        sum((x - ma) ** 2 for x in a) * sum((y - mb) ** 2 for y in b))


_PACKED = {}


def packed_choices(skill, split):
    """Every choice of every item as one row: tokens, targets, first scored position, choices per item, labels."""
    if (skill, split) not in _PACKED:
        rows = md.rows(skill, split)
        ids, y, first = tf.pack([(d["prompt"], c) for d in rows for c in d["choices"]])
        y[torch.arange(len(y)), (y != -100).int().cumsum(1).argmax(1)] = -100      # drop </s>
        _PACKED[skill, split] = ids, y, first, len(rows[0]["choices"]), torch.tensor([d["label"] for d in rows])
    return _PACKED[skill, split]


@torch.no_grad()
def choice(P, skill, split):
    """Per item, whether the right choice has the largest total log-probability."""
    ids, y, first, n, label = packed_choices(skill, split)
    ll = []
    for a in range(0, len(ids), 600):
        lp, t = tf.forward(P, ids[a:a + 600], first).log_softmax(-1), y[a:a + 600]
        ll.append((lp.gather(-1, t.clamp(min=0).unsqueeze(-1)).squeeze(-1) * (t != -100)).sum(-1))
    return torch.cat(ll).view(-1, n).argmax(-1) == label


def right(P, skill, split):
    """Per-item outcome of the skill's task."""
    return choice(P, skill, split) if skill == "atlas" else tf.exact_match(P, skill, split)


def evaluate(P, split="search", how=right):
    s = {k: how(P, k, split).float().mean().item() for k in SK}
    s["mean"] = sum(s.values()) / len(SK)
    return s


def show(c):
    w = c["w"]
    if isinstance(w, dict):
        s = "; ".join("%s %s" % (g, "/".join("%.2f" % x for x in w[g])) for g in GROUPS)
    else:
        s = "/".join("%.2f" % x for x in w)
    return "%s%s, weights %s" % (c["method"], "" if c["method"] == "task_arithmetic" else " density %.2f" % c["density"], s)


# --------------------------------------------------------------------------- search
def draw(r):
    w = [r.uniform(0.2, 1.4) for _ in SK]
    if r.random() < 0.5:
        w = {g: [x * r.uniform(0.6, 1.4) for x in w] for g in GROUPS}
    return {"method": r.choice(["task_arithmetic", "ties", "dare_linear", "dare_ties"]), "w": w,
            "density": r.choice([0.2, 0.35, 0.5, 0.65, 0.8, 0.9]), "seed": r.randrange(10 ** 6)}


def mutate(c, r):
    """Scale some of the 27 weights: one expert everywhere, or in one kind of block, or in one group, or all a little."""
    w = c["w"]
    w = {g: list(w[g]) if isinstance(w, dict) else list(w) for g in GROUPS}
    s, q, how = r.choice([0.1, 0.2, 0.4]), r.randrange(3), r.random()
    kind, g1 = r.choice(["embed", "attn", "mlp"]), r.choice(GROUPS)
    f = math.exp(r.gauss(0, s))
    for g in GROUPS:
        for i in range(3):
            if how < 0.2 and i == q or 0.2 <= how < 0.5 and i == q and g.startswith(kind) or 0.5 <= how < 0.75 and i == q and g == g1:
                w[g][i] *= f
            elif how >= 0.75:
                w[g][i] *= math.exp(r.gauss(0, s / 2))
    d = min(1.0, max(0.1, c["density"] + r.gauss(0, 0.05))) if r.random() < 0.3 else c["density"]
    return {"method": c["method"], "w": w, "density": d, "seed": c["seed"]}


def ceiling(base, T, steps=100):
    """Fit the coefficients of a linear merge by gradient descent on fresh training examples: not a
    search a user could run on a real model, but it shows how much each level of detail can give."""
    levels = [("one weight per expert", lambda k: "all"),
              ("embedding apart", lambda k: "embed" if "embed" in k else "rest"),
              ("embedding, attention, mlp", lambda k: group(k).rstrip("0123")),
              ("by layer", lambda k: "layer 0" if "embed" in k else "layer " + group(k)[-1]),
              ("nine groups (those of the search)", group),
              ("every tensor", lambda k: k)]
    head("coefficients", "search", HELD_OUT)
    notes = []
    for name, g in levels:
        keys = sorted({str(g(k)) for k in base})
        C = {q: torch.full((3,), 0.75, requires_grad=True) for q in keys}
        opt, r = torch.optim.Adam(list(C.values()), lr=0.03), random.Random(0)
        for s in range(steps):
            opt.param_groups[0]["lr"] = 0.03 * (1 - s / steps) + 0.001
            P = {k: base[k] + sum(C[str(g(k))][i] * T[i][k] for i in range(3)) for k in base}
            loss = 0
            for sk in SK:
                ids, y, first = tf.pack([md.sample(sk, r) for _ in range(64)])
                lo = tf.forward(P, ids, first)
                loss = loss + torch.nn.functional.cross_entropy(lo.reshape(-1, tf.VOCAB), y.reshape(-1), ignore_index=-100)
            opt.zero_grad()
            loss.backward()
            opt.step()
        with torch.no_grad():
            P = {k: base[k] + sum(C[str(g(k))][i] * T[i][k] for i in range(3)) for k in base}
        row("%d: %s" % (3 * len(keys), name), evaluate(P, "search"), evaluate(P, HELD_OUT))
        if len(keys) <= 9:
            notes.append("* %s: %s" % (name, "; ".join("%s %s" % (q, "/".join("%.2f" % x for x in C[q].tolist())) for q in keys)))
    print("\nFitted weights (arithmetic/reverse/atlas):\n\n" + "\n".join(notes))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--family", default=md.QUICKSTART, help="folder with models/")
    ap.add_argument("--candidates", type=int, default=250)
    ap.add_argument("--refine", type=int, default=300)
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--json", default="", help="write all candidates here")
    ap.add_argument("--expected", default="", help="write expected_scores.json here")
    ap.add_argument("--ceiling", action="store_true", help="only fit linear merges by gradient")
    ap.add_argument("--quick", action="store_true", help="parents and recipes on the search split only")
    a = ap.parse_args()
    M = {m: tf.load_model(a.family, m) for m in tf.MODELS}
    base, ex = M["base"], [M[m] for m in tf.MODELS[1:]]
    T = deltas(base, ex)
    norm = lambda d: math.sqrt(sum(float((v ** 2).sum()) for v in d.values()))
    dot = lambda x, y: sum(float((x[k] * y[k]).sum()) for k in x) / norm(x) / norm(y)
    print("Base norm %.2f; task-vector norms %s; cosines %s\n" % (
        norm(base), ", ".join("%s %.2f" % (k, norm(t)) for k, t in zip(SK, T)),
        ", ".join("%s-%s %.3f" % (SK[i], SK[j], dot(T[i], T[j])) for i, j in ((0, 1), (0, 2), (1, 2)))))
    if a.ceiling:
        return ceiling(base, T)
    splits = ("search",) if a.quick else ("search", HELD_OUT)
    ev = lambda P: [evaluate(P, s) for s in splits]

    print("### Parents")
    head("model", *splits)
    parents = {m: ev(M[m]) for m in tf.MODELS}
    for m, e in parents.items():
        row(m, *e)
    if not a.quick:
        for what, how in (("exact match", tf.exact_match), ("choice (four for arithmetic and reverse, six for the atlas)", choice)):
            print("\nThe same, every skill by %s, held-out split:" % what)
            head("model", HELD_OUT)
            for m in tf.MODELS:
                row(m, evaluate(M[m], HELD_OUT, how))

    print("\n### Recipes with no search: the settings people start from")
    head("recipe", *splits)
    third, one = [1 / 3] * 3, [1.0] * 3
    rec = {}
    def add(name, P):
        rec[name] = ev(P)
        row(name, *rec[name])
    add("linear, uniform soup", merge(base, T, "linear", third))
    add("task arithmetic, weights 0.5", merge(base, T, "task_arithmetic", [0.5] * 3))
    add("task arithmetic, weights 1", merge(base, T, "task_arithmetic", one))
    for d in (0.2, 0.5, 0.8):
        add("TIES, density %.1f, weights 1, normalised" % d, merge(base, T, "ties", one, d, normalize=True))
    add("DARE linear, density 0.5, weights 1/3", merge(base, T, "dare_linear", third, 0.5, seed=1))
    add("DARE linear, density 0.5, weights 1", merge(base, T, "dare_linear", one, 0.5, seed=1))
    add("DARE-TIES, density 0.5, weights 1, normalised", merge(base, T, "dare_ties", one, 0.5, normalize=True, seed=1))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        add("SLERP %s + %s, t 0.5" % (SK[i], SK[j]), slerp(ex[i], ex[j], 0.5))

    print("\n### One shared coefficient, swept by hand")
    head("recipe", *splits)
    grid = {}
    def addg(name, P):
        grid[name] = ev(P)
        row(name, *grid[name])
    for l in (0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1.1, 1.3):
        addg("task arithmetic, weights %.1f" % l, merge(base, T, "task_arithmetic", [l] * 3))
    for d in (0.2, 0.5, 0.8):
        for l in (0.6, 0.8, 1.0, 1.2):
            addg("TIES summed, density %.1f, weights %.1f" % (d, l), merge(base, T, "ties", [l] * 3, d))
    for d in (0.5, 0.8):
        for l in (0.6, 0.8):
            addg("DARE linear, density %.1f, weights %.1f" % (d, l), merge(base, T, "dare_linear", [l] * 3, d, seed=1))
    if a.quick:
        return

    build = lambda c: merge(base, T, c["method"], c["w"], c["density"], seed=c["seed"])
    r, pool, t0 = random.Random(a.seed), [], time.time()
    for i in range(a.candidates):
        c = draw(r)
        P = build(c)
        c["search"], c[HELD_OUT], c["kind"] = evaluate(P, "search"), evaluate(P, HELD_OUT), "random"
        pool.append(c)
    t1 = time.time()
    rnd = sorted(pool, key=lambda c: -c["search"]["mean"])
    elite, curve = rnd[:5], []
    for i in range(a.refine):                            # a plain (5+1) evolution strategy from the best five
        c = mutate(r.choice(elite), r)
        P = build(c)
        c["search"], c["kind"] = evaluate(P, "search"), "refined"
        pool.append(c)
        elite = sorted(elite + [c], key=lambda x: -x["search"]["mean"])[:5]
        if (i + 1) % 25 == 0:
            curve.append("%d: %.3f" % (i + 1, elite[0]["search"]["mean"]))
    t2 = time.time()

    print("\n### Random search, %d candidates (search and held-out scored, %.0f s)" % (a.candidates, t1 - t0))
    n = len(rnd)
    print("\nSearch-split mean, by quantile: " + ", ".join("%s %.3f" % (q, rnd[min(n - 1, int(f * n))]["search"]["mean"]) for q, f in (
        ("best", 0), ("top 1%", .01), ("top 5%", .05), ("top 10%", .1), ("top 25%", .25), ("median", .5), ("75%", .75), ("worst", 1))))
    for nm, sel in (("one weight per expert", lambda c: not isinstance(c["w"], dict)), ("weights by group", lambda c: isinstance(c["w"], dict))):
        v = [c["search"]["mean"] for c in rnd if sel(c)]
        print("\n%s: %d candidates, best %.3f, median %.3f" % (nm, len(v), v[0], v[len(v) // 2]))
    head("method", "search (candidate with the best mean)")
    for m in ("task_arithmetic", "ties", "dare_linear", "dare_ties"):
        v = [c for c in rnd if c["method"] == m]
        row("%s (%d drawn, median %.3f)" % (m, len(v), v[len(v) // 2]["search"]["mean"]), v[0]["search"])
    print("\nBest ten by the search split:")
    head("candidate", "search", HELD_OUT)
    for c in rnd[:10]:
        row(show(c), c["search"], c[HELD_OUT])
    s, t = [c["search"]["mean"] for c in rnd], [c[HELD_OUT]["mean"] for c in rnd]
    top = rnd[:max(10, n // 5)]
    st, tt = [c["search"]["mean"] for c in top], [c[HELD_OUT]["mean"] for c in top]
    print("\nRank agreement between search and held-out split (Spearman): all candidates %.3f; top fifth %.3f." % (spearman(s, t), spearman(st, tt)))
    print("Mean absolute difference search - held-out %.3f, signed %.3f; in the top ten signed %.3f (selection bias)." % (
        sum(abs(x - y) for x, y in zip(s, t)) / n, sum(x - y for x, y in zip(s, t)) / n,
        sum(c["search"]["mean"] - c[HELD_OUT]["mean"] for c in rnd[:10]) / 10))
    print("Held-out score of the search winner %.3f (rank %d of %d there); best held-out score of any candidate %.3f." % (
        rnd[0][HELD_OUT]["mean"], 1 + sum(x > rnd[0][HELD_OUT]["mean"] for x in t), n, max(t)))
    so = lambda vals: sum(vals) / len(vals)
    for thin in (30, 60, 120):
        ids = list(range(thin))
        sub = []
        for c in rnd[:40]:
            P = build(c)
            sub.append(so([right(P, k, "search")[ids].float().mean().item() for k in SK]))
        print("Top 40 ranked with %d items for each skill: Spearman with held-out %.3f." % (thin, spearman(sub, [c[HELD_OUT]["mean"] for c in rnd[:40]])))

    print("\n### Refinement, %d more candidates (%.0f s)" % (a.refine, t2 - t1))
    print("\nBest search-split mean after n candidates: " + ", ".join(curve))
    ten = sorted(pool, key=lambda c: -c["search"]["mean"])[:10]
    for c in ten:
        c["validation"] = evaluate(build(c), "validation")
    ten.sort(key=lambda c: -(2 * c["search"]["mean"] + c["validation"]["mean"]))
    for c in ten:
        c.setdefault(HELD_OUT, evaluate(build(c), HELD_OUT))
    print("\nBest ten of both stages, ordered by search and validation together:")
    head("candidate", "search", "validation", HELD_OUT)
    for c in ten:
        row("%s: %s" % (c["kind"], show(c)), c["search"], c["validation"], c[HELD_OUT])
    best = ten[0]
    P = build(best)
    b16 = tf.round_bf16(P)
    per = [right(P, k, HELD_OUT).float() for k in SK]
    items = sum(len(x) for x in per)
    se = math.sqrt(sum(float(x.mean() * (1 - x.mean())) / len(x) for x in per)) / 3
    print("\nChosen: %s" % json.dumps({k: best[k] for k in ("method", "w", "density", "seed")}))
    print("\nAfter rounding the merge to bfloat16, held-out mean %.3f (float32 %.3f)." % (evaluate(b16, HELD_OUT)["mean"], best[HELD_OUT]["mean"]))
    for what, how in (("exact match", tf.exact_match), ("choice", choice)):
        print("Every skill of the chosen merge by %s, held-out: %s" % (
            what, ", ".join("%s %.3f" % kv for kv in evaluate(P, HELD_OUT, how).items())))

    print("\n### Landscape: one weight of the chosen merge scaled, the rest kept (search-split mean)\n")
    fs = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0)
    print("| scaled | %s |\n|%s" % (" | ".join("x%.2f" % f for f in fs), "---|" * (len(fs) + 1)))
    W = best["w"] if isinstance(best["w"], dict) else {g: list(best["w"]) for g in GROUPS}
    for i in list(range(3)) + [None]:
        v = []
        for f in fs:
            c = dict(best, w={g: [x * (f if i is None or q == i else 1) for q, x in enumerate(W[g])] for g in W})
            v.append(evaluate(build(c), "search")["mean"])
        print("| %s | %s |" % ("all three" if i is None else SK[i], " | ".join("%.3f" % x for x in v)))
    print("\nDARE mask seeds: the chosen weights under dare_linear density 0.5, ten seeds, search mean: " + " ".join(
        "%.3f" % evaluate(merge(base, T, "dare_linear", best["w"], 0.5, seed=q), "search")["mean"] for q in range(10)))

    bp = max(parents, key=lambda m: parents[m][0]["mean"])
    bd = max(rec, key=lambda m: rec[m][0]["mean"])
    bg = max(grid, key=lambda m: grid[m][0]["mean"])
    print("\n### Summary\n\n| what | picked by | search mean | held-out mean |\n|---|---|---|---|")
    for nm, key, e in (("best parent", bp, parents[bp]), ("uniform soup", "-", rec["linear, uniform soup"]), ("best recipe without search", bd, rec[bd]),
                       ("best shared coefficient", bg, grid[bg]), ("best of random search", "search split", (rnd[0]["search"], rnd[0][HELD_OUT])),
                       ("chosen after refinement", "search and validation", (best["search"], best[HELD_OUT]))):
        print("| %s | %s | %.3f | %.3f |" % (nm, key, e[0]["mean"], e[1]["mean"]))
    print("\nStandard error of the chosen merge's held-out mean (%d items): %.3f." % (items, se))
    if a.json:
        with open(a.json, "w") as f:
            json.dump({"parents": parents, "recipes": rec, "grid": grid, "random": rnd, "chosen": best}, f, default=str)
    if a.expected:
        write_expected(a.expected, parents, {**rec, **grid}, best)


def write_expected(path, parents, recipes, chosen):
    """The scores that another implementation should reproduce: of merges without a random mask."""
    splits = lambda e: {s: {k: round(v, 6) for k, v in x.items()} for s, x in zip(("search", HELD_OUT), e)}
    out = {
        "about": "Scores by the task files (float32 arithmetic on the bfloat16 weights): exact match of answer and </s> for "
                 "arithmetic and reverse, the likeliest of six choices for the atlas. Merged weights are not rounded. Parents, and "
                 "merges that involve no random mask. Recipes: all three experts in the order arithmetic, reverse, atlas; TIES "
                 "trims each tensor to its largest entries by magnitude, elects signs by weighted sum, and 'normalised' divides by "
                 "the sum of agreeing weights, 'summed' does not; SLERP works tensor by tensor on the flattened weights. Allow two "
                 "or three items of difference for another order of summation, more where many trimmed entries tie.",
        "parents": {m: splits(e) for m, e in parents.items()},
        "recipes": {n: splits(e) for n, e in recipes.items() if "DARE" not in n}}
    if not chosen["method"].startswith("dare"):
        w = chosen["w"]
        out["chosen"] = {
            "method": chosen["method"], "density": chosen["density"],
            "weights": {g: [round(x, 6) for x in v] for g, v in w.items()} if isinstance(w, dict) else w,
            **{s: {k: round(v, 6) for k, v in chosen[s].items()} for s in ("search", "validation", HELD_OUT)},
            "groups": "embed = model.embed_tokens; attnN = layer N self_attn and input_layernorm; mlpN = layer N mlp and "
                      "post_attention_layernorm; model.norm goes with mlp%d" % (tf.LAYERS - 1)}
    with open(path, "w") as f:
        json.dump(out, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
