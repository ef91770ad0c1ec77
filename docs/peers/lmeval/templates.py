"""Writes what lm-evaluation-harness and Jinja2 make of templates, for the tests of eval/jinja.

    python templates.py ../../../eval/jinja/testdata

Needs lm_eval (pip install "lm_eval[api]==0.4.12", which brings Jinja2 and PyYAML);
mergesearch's own tests do not need this script. It writes two files of JSON lines, gzip:

  templates.jsonl.gz  every distinct doc_to_text, doc_to_target, doc_to_choice, description and
                      gen_prefix of the harness's task files, with synthetic documents and
                      what the harness's own Jinja2 environment renders for them
  probes.jsonl.gz     templates that this script makes up, for the parts of the language that
                      task files use and their neighbours, rendered in the same environment;
                      and texts with what ast.literal_eval reads

The first line of a file names the versions and the command, and the document of all probes. A
case of the templates is [document, result]. A result is the text, {"h": first half of its SHA-256, "n": code points} for a long one, or
{"e": the exception}. Everything is drawn from seeds: a second run writes the same bytes.
"""

import argparse
import ast
import copy
import gzip
import hashlib
import json
import pathlib
import platform
import random
import re
import warnings

import jinja2
import yaml
from jinja2 import nodes

import lm_eval
from lm_eval.utils import env

import probes
import shapes

FIELDS = ("doc_to_text", "doc_to_target", "doc_to_choice", "description", "gen_prefix")
# The harness's environment without the optimizer, which turns some errors of constant
# expressions, such as a slice of a number, into undefined values. Probes where that shows are
# left out.
plain = env.overlay(optimized=False)

LONG = 64  # code points from which a result is stored as a hash


class Loader(yaml.CSafeLoader):
    """YAML of the task files, whose !function values are Python and no templates."""


Loader.add_constructor("!function", lambda loader, node: None)


def task_templates():
    """Return {template: the fields it stands in}, over all task files of the installed harness."""
    found = {}
    for path in sorted((pathlib.Path(lm_eval.__file__).parent / "tasks").rglob("*yaml")):
        if not path.is_file():
            continue
        task = yaml.load(path.read_bytes(), Loader=Loader)
        if not isinstance(task, dict):
            continue
        shots = task.get("fewshot_config")
        for part in (task, shots if isinstance(shots, dict) else {}):
            for field in FIELDS:
                if isinstance(part.get(field), str):
                    found.setdefault(part[field], set()).add(field)
    return dict(sorted(found.items()))


def render(template, document, env=env):
    """Render as the harness does; return the text, or {"e": the exception's name}."""
    try:
        return env.from_string(template).render(**document)
    except RecursionError:
        raise
    except Exception as e:
        return {"e": type(e).__name__}


def compact(result):
    if isinstance(result, str) and len(result) > LONG:
        return {"h": hashlib.sha256(result.encode()).hexdigest()[:32], "n": len(result)}
    return result


def literal(text):
    """What ast.literal_eval makes of a text, printed, or the exception."""
    try:
        return repr(ast.literal_eval(text))
    except Exception as e:
        return {"e": type(e).__name__}


def fresh(template):
    """The document of the probes; a copy where the template would change it."""
    return copy.deepcopy(probes.DOCUMENT) if ".append(" in template else probes.DOCUMENT


def write(path, lines):
    """Write JSON lines, compressed without a time stamp."""
    text = "".join(json.dumps(x, ensure_ascii=False, separators=(",", ":")) + "\n" for x in lines)
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{path.name}: {path.stat().st_size} bytes")


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("out", type=pathlib.Path, help="the folder to write to")
    out = args.parse_args().out
    warnings.simplefilter("ignore")  # literals with unknown escapes
    head = {
        "peer": f"lm-evaluation-harness {lm_eval.__version__}",
        "license": "MIT, EleutherAI and the authors of its task files",
        "jinja2": jinja2.__version__,
        "python": platform.python_version(),
        "command": "python docs/peers/lmeval/templates.py eval/jinja/testdata",
    }

    lines, literals, counts = [], set(), dict.fromkeys(("templates", "constant", "cases", "errors", "rejected"), 0)
    for template, fields in task_templates().items():
        try:
            tree = env.parse(template)
        except jinja2.TemplateSyntaxError:
            counts["rejected"] += 1
            continue
        constant = all(isinstance(n, nodes.TemplateData) for o in tree.body for n in getattr(o, "nodes", [o]))
        documents = [{}] if constant else shapes.documents(template, tree)
        cases = [[d, render(template, d)] for d in documents]
        for _, result in cases:
            if isinstance(result, str) and ("doc_to_choice" in fields or result[:1] + result[-1:] == "[]"):
                literals.add(result)
        counts["templates"] += 1
        counts["constant"] += constant
        counts["cases"] += len(cases)
        counts["errors"] += sum(isinstance(r, dict) for _, r in cases)
        lines.append({"t": template, "f": sorted(fields), "c": [[d, compact(r)] for d, r in cases]})
    write(out / "templates.jsonl.gz", [head | counts] + lines)
    print(counts)

    made = []
    for template in dict.fromkeys(probes.templates()):
        result = render(template, fresh(template))
        unfolded = re.sub(r"^\{\{ (.*) \}\}$", r"{% set result = \1 %}{{ result }}", template, flags=re.S)
        if result == render(unfolded, fresh(template), plain) and not probes.unrepeatable(result):
            made.append({"t": template, "r": compact(result)})
    kept = random.Random("literals").sample(sorted(literals), min(len(literals), 600))
    texts = [{"l": s, "r": compact(literal(s))} for s in [*kept, *probes.literals(kept)]]
    write(out / "probes.jsonl.gz", [head | {"templates": len(made), "literals": len(texts), "document": probes.DOCUMENT}] + made + texts)
    print(len(made), "probes,", len(texts), "literals")


if __name__ == "__main__":
    main()
