"""Check what the quickstart printed: check_quickstart.py FIRST.json AGAIN.json"""
import json
import sys

first, again = (json.load(open(path, encoding="utf-8")) for path in sys.argv[1:3])
verdict, best = first["verdict"], first["best"]
held_out = best["heldout"]["fitness"]
rivals = {f["name"]: f["heldout"]["fitness"] for f in first["baselines"]}
parents = {f["name"]: f["heldout"]["fitness"] for f in first["parents"]}
checks = {
    "the run is done": first["status"] == "done",
    "the winner beats the best parent": verdict["beats_best_parent"] is True,
    "the interval of the gain is above zero": verdict["ci_low"] > 0,
    "a parent's mean is below 0.5": max(parents.values()) < 0.5,
    "the winner is above every usual recipe": held_out > max(rivals.values()),
    "every held-out item was answered in pairs": verdict["items"] == best["heldout"]["items"] == 900,
    "at least 150 candidates were tried": first["candidates"] >= 150,
    "at least 40 of them reached the top rung, of 100 items a task or more": any(
        rung["items"] >= 300 and rung["reached"] >= 40 for rung in first["rungs"]),
    "the second run says the same": all(
        first[key] == again[key] for key in ("population_hash", "verdict", "best", "item_answers")),
}
print("winner %s: %.3f on held-out items, gain over the best parent %.3f [%.3f, %.3f], best usual recipe %.3f" % (
    best["candidate"], held_out, verdict["gain"], verdict["ci_low"], verdict["ci_high"], max(rivals.values())))
print("%d candidates, %d answers, population %s" % (first["candidates"], first["item_answers"], first["population_hash"]))
for name, passed in checks.items():
    print("%s %s" % ("ok  " if passed else "FAIL", name))
print("%d passed, %d failed" % (sum(checks.values()), len(checks) - sum(checks.values())))
sys.exit(not all(checks.values()))
