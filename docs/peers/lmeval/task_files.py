#!/usr/bin/env python3
"""Compares the task files of this repository with the harness's own, key by key.

Made with lm_eval 0.4.12:

    python -m venv venv && venv/bin/pip install lm_eval==0.4.12
    venv/bin/python docs/peers/lmeval/task_files.py configs/tasks

Both are read by the harness's loader, so includes are followed. Templates that differ in
their text are compared by what they render.
"""

import glob
import os
import sys

import jinja2
import lm_eval
from lm_eval.tasks._yaml_loader import load_yaml

THEIRS = os.path.join(os.path.dirname(lm_eval.__file__), "tasks")
NAMES = {"winogrande/winogrande.yaml": "winogrande/default.yaml"}
JINJA = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)


def normal(key, value):
    if key == "tag":
        return [value] if isinstance(value, str) else value
    if isinstance(value, str) and key.startswith(("process_", "doc_to_")):
        return value.rsplit("/", 1)[-1] if os.path.isabs(value) else value  # a function
    return value


def same(key, ours, theirs):
    if ours == theirs or key != "doc_to_text":
        return ours == theirs
    questions = ["plain", " {{ braces }} \"quotes\" 'single' é\\n\n", ""]
    return all(JINJA.from_string(ours).render(question=q) == JINJA.from_string(theirs).render(question=q) for q in questions)


def main():
    root, files, differences = sys.argv[1], 0, 0
    for path in sorted(glob.glob(os.path.join(root, "**", "*.yaml"), recursive=True)):
        name = os.path.relpath(path, root)
        theirs = NAMES.get(name, name.replace("mmlu/", "mmlu/default/"))
        a = load_yaml(os.path.abspath(path), resolve_func=False)
        b = load_yaml(os.path.join(THEIRS, theirs), resolve_func=False)
        files += 1
        for key in sorted(a.keys() | b.keys()):
            x, y = normal(key, a.get(key)), normal(key, b.get(key))
            if not same(key, x, y):
                differences += 1
                print(f"{name}: {key}: {x!r}, theirs {y!r}")
    print(f"{files} files, {differences} differences")
    sys.exit(differences > 0)


if __name__ == "__main__":
    main()
