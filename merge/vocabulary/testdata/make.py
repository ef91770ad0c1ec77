"""Makes golden.json.gz with mergekit, tokenizers and transformers.

    python3 -m venv venv
    venv/bin/pip install "git+https://github.com/arcee-ai/mergekit@a6e402884ba9bc30da7f23e8304a35f19485de95"
    venv/bin/python make.py             # writes golden.json.gz
    venv/bin/python make.py --check DIR # loads what `go test -run TestGolden -write DIR` wrote

Tiny tokenizers of every kind are trained or written by hand. mergekit plans the
common vocabulary of families of them and rebuilds their embeddings, of which
the elements are a formula (see matrix). Two things of mergekit follow the hash
seed and are put in order here: iteration over a vocabulary goes by number, and
the models of a family by name, the base first.
"""

import gzip
import importlib.metadata
import json
import os
import random
import sys
import tempfile

import tokenizers
import torch
import transformers
from mergekit.common import ImmutableMap, ModelReference
from mergekit.graph import Task
from mergekit.io.tasks import GatherTensors
from mergekit.tokenizer.build import BuildTokenizer, build_tokenizer
from mergekit.tokenizer.config import TokenizerConfig
from mergekit.tokenizer.embed import PermutedEmbeddings
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
COLUMNS = 3

Fast = transformers.PreTrainedTokenizerFast
unordered = Fast.get_vocab
Fast.get_vocab = lambda self: dict(sorted(unordered(self).items(), key=lambda e: e[1]))

LETTERS = "the quick brown fox jumps over a lazy dog and then models merge in one vocabulary of many rows".split()
OTHERS = "größe <b>tag</b> naïve Ω≈ç√ 你好 世界 1234 5678 def main(): return x + y ; \\n {} [] => \"q\" & 'r'".split()


def corpus(words, seed):
    draw = random.Random(seed)
    return [" ".join(draw.choices(words, k=8)) for _ in range(200)]


def special(text, **settings):
    return AddedToken(text, special=True, normalized=False, **settings)


def bpe(words, size, seed, added=(), specials=("<s>", "</s>")):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(corpus(words, seed), trainers.BpeTrainer(vocab_size=size, special_tokens=list(specials), show_progress=False))
    t.add_tokens(list(added))
    return t


def word_level(words, added=()):
    t = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["<unk>", "<pad>", *dict.fromkeys(words)])}, unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    t.add_tokens(list(added))
    return t


def word_piece(words, size, seed):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.Lowercase()
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    t.train_from_iterator(corpus(words, seed), trainers.WordPieceTrainer(vocab_size=size, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False))
    return t


def unigram(words, size, seed):
    t = Tokenizer(models.Unigram())
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.train_from_iterator(corpus(words, seed), trainers.UnigramTrainer(vocab_size=size, special_tokens=["<s>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False))
    return t


def model(tokenizer, rows, config=None, indent=True):
    size = tokenizer.get_vocab_size()
    return {
        "tokenizer.json": tokenizer.to_str(pretty=indent),
        "tokenizer_config.json": json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **(config or {})}, indent=2),
        "rows": size + rows,
    }


def families():
    """name -> (base or None, models, specs)"""
    chat = [special("<|im_start|>"), special("<|im_end|>"), AddedToken("<tool>", lstrip=True, normalized=False)]
    a = bpe(LETTERS, 70, 1)
    b = bpe(OTHERS + LETTERS[:5], 90, 2, added=[special("<|im_end|>"), AddedToken("quick", single_word=True)])
    same = bpe(LETTERS, 70, 1, added=chat)
    role = {"bos_token": "<s>", "eos_token": "</s>"}
    three = {
        "a": model(a, 0, role),
        "b": model(b, 5, {**role, "pad_token": "<pad>"}, indent=False),
        "c": model(same, 13, {"bos_token": "<s>", "eos_token": "<|im_end|>"}),
    }
    cut = {"a": model(same, -2, role), "b": model(b, -4)}
    # A base that loses ordinary tokens: those that no merge makes come last.
    tail = bpe(LETTERS, 70, 1)
    tail = json.loads(tail.to_str())
    n = len(tail["model"]["vocab"])
    tail["model"]["vocab"]["Zz"] = n
    tail["model"]["vocab"]["Zq"] = n + 1
    stripped = {"a": model(Tokenizer.from_str(json.dumps(tail)), -1, role), "b": three["b"]}
    words = {
        "x": model(word_level(LETTERS), 0, {"pad_token": "<pad>"}),
        "y": model(word_level(OTHERS + LETTERS[3:8], added=["extra words", special("<pad>")]), 2, {"pad_token": "<pad>", "additional_special_tokens": ["<late>"]}),
    }
    pieces = {"x": model(word_piece(LETTERS, 60, 3), 0), "y": model(word_piece(OTHERS, 70, 4), 1)}
    scores = {"x": model(unigram(LETTERS, 60, 5), 0), "y": model(unigram(OTHERS, 100, 6), 1)}

    rules = {
        "<|im_start|>": {"source": {"kind": "model_token", "model": "a", "token": "<s>"}},
        "quick": {"source": {"kind": "model_token", "model": "b", "token_id": 7}, "force": True},
        "<new>": {"source": {"kind": "model_token", "model": "c", "token_id": 3}},
        "<new2>": {"source": {"kind": "model_token", "model": "b", "token": "t"}, "force": True},
        "<|im_end|>": {"source": "c"},
    }
    specs = [
        {"source": "union"},
        {"source": "base"},
        {"source": "b"},
        {"source": "union", "pad_to_multiple_of": 64},
        {"source": "union", "tokens": rules, "pad_to_multiple_of": 16},
        {"source": "base", "tokens": {"<new>": {"source": {"kind": "model_token", "model": "b", "token": "<s>"}}}},
    ]
    two = [{"source": "union"}, {"source": "base"}]
    return {
        "three": ("a", three, specs),
        "three without base": (None, three, [{"source": "union"}, {"source": "b"}]),
        "three on b": ("b", three, [{"source": "union"}, {"source": "base", "pad_to_multiple_of": 7}]),
        "cut": ("a", cut, two),
        "stripped": ("a", stripped, two),
        "words": ("x", words, two),
        "pieces": ("x", pieces, two),
        "scores": ("x", scores, two),
    }


def matrix(name, rows):
    """element (r, c) of the model with this name"""
    m = ord(name[0]) - ord("a") + 1
    return torch.tensor([[m * 1024 + r + c / 8 for c in range(COLUMNS)] for r in range(rows)], dtype=torch.float32)


TEXTS = ["the quick brown fox", "a lazy dog, and then\n<|im_start|>user models<|im_end|>", "größe 你好 <tool>1234 <pad> x", " extra words <new> Zz <late>", ""]


class Ordered(dict):
    """inputs whose set of keys keeps their order"""


def align(base, names, spec, directory):
    refs = {n: ModelReference.model_validate(os.path.join(directory, n)) for n in names}
    order = sorted(names, key=lambda n: (n != base, n))
    text = json.dumps(spec)
    config = json.loads(text)
    if config["source"] in refs:
        config["source"] = os.path.join(directory, config["source"])
    for t in config.get("tokens", {}).values():
        if isinstance(t["source"], str):
            t["source"] = os.path.join(directory, t["source"])
        else:
            t["source"]["model"] = os.path.join(directory, t["source"]["model"])
    config = TokenizerConfig.model_validate(config)
    info = build_tokenizer(
        base_model=refs[base] if base else None,
        referenced_models=[refs[n] for n in order],
        tokenizer_source=config.source,
        trust_remote_code=False,
        add_tokens=list(config.tokens or {}),
    )
    # A token that a model names beyond its rows is left out of its permutation,
    # on which the rebuilding of matrices breaks: it is absent.
    ids = info.tokenizer.get_vocab().values()
    for p in info.permutations.values():
        for i in ids:
            p.setdefault(i, -1)
    gather = GatherTensors(weight_info=ImmutableMap(data={}))
    build = BuildTokenizer(base_model=None, referenced_models=(), tokenizer_source="base", add_tokens=(), trust_remote_code=False)
    task = PermutedEmbeddings(
        gather_tensors=gather, tokenizer_task=build, tokens=ImmutableMap(data=config.tokens) if config.tokens else None,
        pad_to_multiple_of=config.pad_to_multiple_of, base_model=refs[base] if base else None,
    )
    rows = {n: json.load(open(os.path.join(directory, n, "config.json")))["vocab_size"] for n in names}
    out = task.execute(info, {refs[n]: matrix(n, rows[n]) for n in order})
    return info.tokenizer, {n: out[refs[n]].tolist() for n in order}


def write(directory, files):
    os.makedirs(directory, exist_ok=True)
    for name, text in files.items():
        if name != "rows":
            with open(os.path.join(directory, name), "w", encoding="utf-8") as f:
                f.write(text)
    with open(os.path.join(directory, "config.json"), "w") as f:
        json.dump({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": files["rows"]}, f)


def reloaded(tokenizer):
    """the vocabulary, added tokens and encodings of a tokenizer as it is found again"""
    with tempfile.TemporaryDirectory() as d:
        tokenizer.save_pretrained(d)
        t = transformers.AutoTokenizer.from_pretrained(d)
        return described(t)


def described(t):
    vocab = t.get_vocab()
    keys = ("content", "id", "single_word", "lstrip", "rstrip", "normalized", "special")
    return {
        "vocab": list(vocab),
        "added": [[a[k] for k in keys] for a in json.loads(t._tokenizer.to_str())["added_tokens"]],
        "ids": [t.encode(x, add_special_tokens=False) for x in TEXTS],
    }


def make():
    out = {"versions": {n: importlib.metadata.version(n) for n in ("mergekit", "tokenizers", "transformers", "torch")}, "commit": "a6e402884ba9bc30da7f23e8304a35f19485de95",
           "command": "python make.py", "columns": COLUMNS, "texts": TEXTS, "families": []}
    for name, (base, family, specs) in families().items():
        with tempfile.TemporaryDirectory() as d:
            for n, files in family.items():
                write(os.path.join(d, n), files)
            cases = []
            for spec in specs:
                tokenizer, rows = align(base, list(family), spec, d)
                cases.append({"spec": spec, "rows": rows, **reloaded(tokenizer)})
                print(name, spec["source"], len(cases[-1]["vocab"]))
        out["families"].append({"name": name, "base": base or "", "models": family, "cases": cases})
    out["chats"] = chats()
    return out


def chats():
    user, answer, system = (lambda text, role=role: {"role": role, "content": text} for role in ("user", "assistant", "system"))
    talks = [
        [user("Hi")],
        [system("Be brief."), user("Hi")],
        [user("Hi"), answer("Hello!"), user("  spaced \n")],
        [system("Be brief."), user("Hi"), answer("Hello!"), user("Bye"), answer("So long.")],
    ]
    t = Fast(tokenizer_object=word_level(["a"], added=["<s>", "</s>"]), bos_token="<s>", eos_token="</s>")
    out = []
    folder = os.path.join(HERE, "..", "templates")
    for file in sorted(os.listdir(folder)):
        t.chat_template = open(os.path.join(folder, file), encoding="utf-8").read()
        for talk in talks:
            for prompt in (False, True):
                text = t.apply_chat_template(talk, tokenize=False, add_generation_prompt=prompt)
                out.append({"name": file.removesuffix(".jinja"), "template": t.chat_template, "messages": talk, "prompt": prompt, "text": text})
    return out


def check(directory):
    with gzip.open(os.path.join(HERE, "golden.json.gz")) as f:
        golden = json.load(f)
    n = 0
    for family in golden["families"]:
        for i, case in enumerate(family["cases"]):
            t = transformers.AutoTokenizer.from_pretrained(os.path.join(directory, family["name"], str(i)))
            have = described(t)
            for key, value in have.items():
                if value != case[key] and not (key == "added" and case["spec"].get("tokens")):
                    print(family["name"], case["spec"], key, "differs:", value, "but", case[key])
                    n += 1
    print("differences:", n)
    return n


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    if sys.argv[1:2] == ["--check"]:
        sys.exit(check(sys.argv[2]) > 0)
    data = json.dumps(make(), ensure_ascii=False, separators=(",", ":"))
    with open(os.path.join(HERE, "golden.json.gz"), "wb") as f:
        f.write(gzip.compress(data.encode(), 9, mtime=0))
