"""Merges the example recipes of mergekit's documentation with mergekit and with mergesearch.

    PYTHONHASHSEED=0 python examples.py CHECKOUT --mergesearch bin/mergesearch [--only multimerge] [--as-it-is]

CHECKOUT is mergekit's repository, of which examples/*.yml and the YAML blocks of README.md
and docs/*.md are read. The models that a recipe names are generated (miniatures.py); blocks
that are a part of a recipe stand in a small one. Every recipe is merged by mergekit, by
mergekit with all arithmetic in float32, and by mergesearch by default and with --compat;
then all tensors are compared (per cent of elements that are equal, one unit in the last place
apart, and further), config.json and the tokenizers, token by token where numbers differ. peer.py says what is put in order in mergekit; with --as-it-is only masks are.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"  # every model is a folder
import torch
import transformers
import yaml
from safetensors.torch import load_file

import miniatures
from compare import places

PARTS = {"tokenizer", "tokenizer_source", "chat_template"}
SHELLS = {
    "linear": "merge_method: linear\ndtype: bfloat16\nmodels:\n" + "{models}",
    "task_arithmetic": "merge_method: task_arithmetic\ndtype: bfloat16\nbase_model: plain_base\nmodels:\n" + "{models}",
}
TALK = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Bye"}]


def sources(checkout):
    """Yields names and texts of all that could be a recipe."""
    for file in sorted(checkout.glob("examples/*.yml")):
        yield f"examples/{file.name}", file.read_text()
    for file in [checkout / "README.md", *sorted(checkout.glob("docs/*.md"))]:
        text = file.read_text()
        for block in re.finditer(r"```ya?ml\n(.*?)```", text, re.S):
            yield f"{file.relative_to(checkout)}:{text[:block.start()].count(chr(10)) + 2}", block[1]


def recipes(checkout):
    """Yields (name, recipe or None, why not)."""
    from mergekit.merge_methods.registry import REGISTERED_MERGE_METHODS as methods
    from mergekit._data import chat_templates
    templates = sorted(f.stem for f in pathlib.Path(chat_templates.__file__).parent.glob("*.jinja"))
    for name, text in sources(checkout):
        try:
            documents = list(yaml.safe_load_all(re.sub(r"^\.\.\.$", "", text, flags=re.M)))
        except yaml.YAMLError:
            yield name, None, "no YAML, as it has dots in place of models"
            continue
        keys = set().union(*documents)
        if keys <= PARTS:
            yield from parts(name, text, templates)
        elif not all("merge_method" in d for d in documents):
            yield name, None, "no recipe of a merge: " + ", ".join(sorted(map(str, keys))[:4])
        elif any(d["merge_method"] not in methods for d in documents):
            yield name, None, "a method that the page defines in Python"
        else:
            yield name, completed(text), ""
            if "or, the equivalent" in text:
                yield f"{name} (commented out)", uncommented(text), ""
            if "Hermes" in text:
                yield f"{name}, own tokens", text, ""
                yield f"{name}, own tokens, union", "\n---\n".join(d + "\ntokenizer_source: union" for d in text.split("\n---\n")), ""


def uncommented(text):
    """The recipe with what stands in its comments in place of its slices."""
    _, rest = text.split("\n# models:", 1)
    return "models:" + re.sub(r"^# ", "", rest, count=0, flags=re.M)


def completed(text):
    """Documents that end in dots get what their methods need, each using the one before."""
    out, last = [], "plain_base"
    for d in text.split("---\n"):
        if not re.search(r"^\.\.\.$", d, re.M):
            return text
        model = "plain_a" if len(out) < 2 else "plain_b"
        more = {"task_arithmetic": f"base_model: {last}\nmodels: [{{model: {model}, parameters: {{weight: 0.6}}}}]",
                "slerp": f"base_model: {last}\nmodels: [{{model: {model}}}]\nparameters: {{t: 0.4}}",
                "linear": f"models: [{{model: {last}}}, {{model: {model}}}]\nparameters: {{weight: 0.5}}"}
        method, last = yaml.safe_load(d.replace("...", ""))["merge_method"], yaml.safe_load(d.replace("...", ""))["name"]
        out.append(re.sub(r"^\.\.\.$", more[method], d, flags=re.M))
    return "---\n".join(out)


def parts(name, text, templates):
    """Yields recipes around a part of one, once for each choice that its comments name."""
    text = text.replace("source: ...", "source: other")
    choices = [("", text)]
    if '"union"' in text and " or " in text:
        choices = [(s, text.replace('"union"', f'"{s}"')) for s in ("union", "base", "other")]
    if '"zero"' in text:
        choices.append(("without zero", re.sub(r"\n[^\n]*\n +<\|unused\|>:.*", "\n", text, flags=re.S)))
    if "token_id: 1234" in text:
        choices.append(("by number", re.sub(r'token: "<\|original_token\|>".*', "token_id: 1234", choices[-1][1])))
    if text.startswith("chat_template"):
        literal = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
        choices = [(s, text.replace('"auto"', json.dumps(s))) for s in ["auto", *templates, literal]]
    for choice, part in choices:
        for method, shell in SHELLS.items():
            names = ["plain_base", "plain_a", "plain_b", *sorted(named(yaml.safe_load(part)) - {"plain_base"})]
            listed = "".join(f"- model: {m}\n  parameters: {{weight: {round(0.3 + 0.2 * i, 1)}}}\n" for i, m in enumerate(names)
                             if method == "linear" or i)
            yield f"{name} {choice[:12]}, {method}".replace(" ,", ","), shell.format(models=listed) + part, ""


def named(node):
    """The names of models in a recipe."""
    out = set()
    if isinstance(node, dict):
        for k, v in node.items():
            if k in ("model", "base_model", "source", "tokenizer_source") and isinstance(v, str) and v not in ("union", "base"):
                out.add(v)
            out |= named(v)
    if isinstance(node, list):
        for v in node:
            out |= named(v)
    return out


def generate(text, root, own):
    """Writes the models that a recipe names, with the tokens that it takes from them; own
    gives those named after Hermes the two tokens more that the real ones have."""
    documents = list(yaml.safe_load_all(text))
    tokens = {}
    for token, rule in [e for d in documents for e in ((d.get("tokenizer") or {}).get("tokens") or {}).items()]:
        source = rule["source"]
        if isinstance(source, str):
            tokens.setdefault(source, []).append(token)
        elif "model" in source:
            tokens.setdefault(source["model"], []).extend([source["token"]] if "token" in source else [])
    aligned = any(d.keys() & {"tokenizer", "tokenizer_source"} for d in documents)
    for i, name in enumerate(sorted(named(documents) - {d.get("name") for d in documents})):
        other = aligned and not own and not name.startswith("plain_")
        if own and "Hermes" in name:
            tokens[name] = ["<|im_start|>", "<|im_end|>"]
        miniatures.write(root, name, i, size=1300 if other else 96, letters="xyzetaoqvw" if other else "etaoinshrdlu",
                         tokens=tokens.get(name, ()), chat="second" if name == "plain_base" else "first")


def in_float32(text, dtype):
    """The recipe with arithmetic in float32 and results in the type they had."""
    documents = text.split("\n---\n")
    return "\n---\n".join(re.sub(r"^dtype:.*\n?", "", d, flags=re.M).rstrip() + f"\ndtype: float32\nout_dtype: {dtype}\n" for d in documents)


def tensors(folder):
    out = {}
    for file in sorted(folder.glob("*.safetensors")):
        out |= load_file(file)
    return out


def numbers(theirs, ours, rows):
    """Compares all tensors: per cent of elements that are equal, one unit apart, and further.
    rows gives the places of mergekit's tokens among ours, where they differ."""
    if theirs.keys() != ours.keys():
        return f"other tensors: {sorted(theirs.keys() ^ ours.keys())[:3]}"
    count = one = more = 0
    types = ""
    for name, x in theirs.items():
        y = ours[name]
        if rows is not None and re.search("embed_tokens|lm_head", name) and x.shape == y.shape:
            y = torch.cat([y[rows], y[len(rows):]])
        if x.shape != y.shape:
            return f"{name}: {tuple(y.shape)}, mergekit {tuple(x.shape)}"
        if x.dtype != y.dtype:
            types, x = f" ({y.dtype}, mergekit {x.dtype})".replace("torch.", ""), x.to(y.dtype)
        apart = (places(x) - places(y)).abs()
        count, one, more = count + apart.numel(), one + int((apart == 1).sum()), more + int((apart > 1).sum())
    return f"{100 * (count - one - more) / count:.3f}, {100 * one / count:.3f}, {100 * more / count:.3f}{types}"


def config(theirs, ours):
    """What differs in config.json."""
    a, b = (json.loads((d / "config.json").read_text()) for d in (theirs, ours))
    for c in (a, b):
        c["dtype"] = c.pop("torch_dtype", None) or c.get("dtype")
        c.pop("transformers_version", None)
    differ = [f"{k}: {b.get(k)!r}, mergekit {a.get(k)!r}" for k in sorted(a.keys() | b.keys()) if a.get(k) != b.get(k)]
    return "; ".join(differ) or f"equal ({a['num_hidden_layers']} layers, {a['dtype']}, {a['vocab_size']} tokens)"


def words(theirs, ours):
    """What differs in the tokenizers, and the places of mergekit's tokens among ours if any moved."""
    a, b = (transformers.AutoTokenizer.from_pretrained(d) for d in (theirs, ours))
    have, want = b.get_vocab(), a.get_vocab()
    if have.keys() != want.keys():
        return f"other tokens: {sorted(have.keys() ^ want.keys())[:3]}", None
    chats = [t.apply_chat_template(TALK, tokenize=False) for t in (a, b)]
    chat = "" if chats[0] == chats[1] else f"; chat {chats[1][:40]!r}, mergekit {chats[0][:40]!r}"
    if have == want:
        return "equal" + chat, None
    moved = sum(have[w] != want[w] for w in want)
    return f"{moved} of {len(want)} tokens have other numbers" + chat, torch.tensor([have[w] for w in sorted(want, key=want.get)])


def attempt(act):
    """What goes wrong, in one line."""
    try:
        act()
    except Exception as e:  # what a program refuses is a line of the table
        return "fails: " + (str(e).strip() or type(e).__name__).splitlines()[0][:160]
    return None


def mergesearch(args, root, out, *flags):
    done = subprocess.run([args.mergesearch, "merge", "recipe.yaml", out, *flags], capture_output=True, text=True, cwd=root)
    return done.stderr.strip().replace("\n", "; ") if done.returncode else None


def run(args, name, text, root):
    """Merges one recipe in each way and prints its line."""
    import peer
    generate(text, root, "own tokens" in name)
    (root / "recipe.yaml").write_text(text)
    os.chdir(root)
    refused = mergesearch(args, root, "default") or mergesearch(args, root, "compat", "--compat")
    failed = attempt(lambda: peer.merge(text, root / "theirs", root))
    if not failed:
        shutil.rmtree(root / "stages", ignore_errors=True)
        c = json.loads((root / "theirs/config.json").read_text())
        failed = attempt(lambda: peer.merge(in_float32(text, c.get("dtype") or c["torch_dtype"]), root / "precise", root))
    if failed or refused:
        print(f"| {name} | mergekit {failed or 'merges'}; mergesearch {refused or 'merges'} |", flush=True)
        return
    cells = []
    for ours, peers in (("compat", "theirs"), ("default", "precise"), ("default", "theirs")):
        token, rows = words(root / peers, root / ours)
        cells.append(numbers(tensors(root / peers), tensors(root / ours), rows))
    print(f"| {name} | {len(tensors(root / 'default'))} | {' | '.join(cells)} | {config(root / 'theirs', root / 'default')} | {token} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=pathlib.Path)
    parser.add_argument("--mergesearch", required=True, type=pathlib.Path)
    parser.add_argument("--only", default="", help="run the examples whose names have this text")
    parser.add_argument("--as-it-is", action="store_true", help="leave the peer's sorts and vocabularies as they are")
    args = parser.parse_args()
    args.mergesearch = args.mergesearch.resolve()
    if os.environ.get("PYTHONHASHSEED") != "0":
        sys.exit("set PYTHONHASHSEED=0: mergekit puts models into sets")
    import peer
    peer.arrange(order=not args.as_it_is)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    print(f"torch {torch.__version__}, transformers {transformers.__version__}", flush=True)
    print("| example | tensors | --compat | default, against float32 | default | config.json | tokenizer |\n|---|---|---|---|---|---|---|")
    for name, text, why in recipes(args.checkout.resolve()):
        if args.only not in name:
            continue
        if text is None:
            print(f"| {name} | {why} |")
            continue
        with tempfile.TemporaryDirectory() as scratch:
            run(args, name, text, pathlib.Path(scratch))


if __name__ == "__main__":
    main()
