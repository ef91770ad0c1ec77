"""Writes eval/testdata/filters.json: what lm-evaluation-harness's filters make of answers.

    python docs/peers/lmeval/golden_filters.py eval/testdata/filters.json

Needs: pip install "lm_eval==0.4.12"
"""

import importlib.metadata
import json
import sys

from lm_eval.filters import build_filter_ensemble

CHOICES = ["the cat", "A dog.", "Ωmega", "the cat sat"]
ANSWERS = [
    ["The answer is (B)."], ["It must be: C"], ["I think a dog"], ["A dog. or the cat"], ["#### 1,234.5 and #### 7"],
    ["no idea"], [""], ["  spaced\u2003 "], ["ΩMEGA it is", "Ωmega"], ["x", "y", "y", "x", "z"], ["(D) : A"], ["Answer:\n D"],
    ["İstanbul ẞ"], ["the CAT SAT", "THE cat"], ["#### -5."], ["a|b"], ["::B"],
]
PIPELINES = [
    [["take_first", None]],
    [["regex", {"regex_pattern": r"answer is \(?([A-D])\)?"}], ["take_first", None]],
    [["regex", {"group_select": -1, "regex_pattern": r"(-?[$0-9.,]{2,})|(-?[0-9]+)"}], ["take_first", None]],
    [["regex", {"regex_pattern": r"(x)?(y)?", "fallback": "none"}], ["take_first", None]],
    [["regex", {"regex_pattern": r"\b(\w)", "group_select": 1}], ["take_first", None]],
    [["regex", None], ["take_first", None]],
    [["remove_whitespace", None], ["take_first", None]],
    [["lowercase", None], ["take_first", None]],
    [["uppercase", None], ["take_first", None]],
    [["lowercase", None], ["majority_vote", None], ["take_first", None]],
    [["majority_vote", None]],
    [["map", {"mapping_dict": {"x": "1", "no idea": "?"}, "default_value": "other"}], ["take_first", None]],
    [["map", {"mapping_dict": {"x": "1"}}], ["take_first", None]],
    [["multi_choice_regex", {"group_select": 0, "ignore_case": True, "ignore_punctuation": True, "regex_pattern": r"(\([A-Z]\))"}], ["take_first", None]],
    [["multi_choice_regex", {"group_select": -1, "regex_pattern": r"answer is (\([A-Z]\))", "regexes_to_ignore": ["the ", "sat"]}], ["take_first", None]],
]

cases = []
for steps in PIPELINES:
    for answers in ANSWERS:
        out = answers
        ensemble = build_filter_ensemble("x", steps)
        docs = [{"choices": CHOICES}]
        resps = [answers]
        try:
            for f in ensemble.filters:
                resps = list(f().apply(resps, docs))
        except IndexError:  # group_select beyond the last match ends the harness
            continue
        cases.append({"steps": [{"function": n, **(k or {})} for n, k in steps], "answers": answers, "left": resps[0]})
json.dump({"peer": "lm_eval " + importlib.metadata.version("lm_eval"), "command": "docs/peers/lmeval/golden_filters.py", "choices": CHOICES, "cases": cases}, open(sys.argv[1], "w", encoding="utf-8"), ensure_ascii=False, indent=0)
print(len(cases))
