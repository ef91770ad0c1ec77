"""Renders conversations with chat templates by transformers, and writes what it made of
them: the goldens of eval/chat.

    python docs/peers/chat/golden.py eval/chat/testdata/templates eval/chat/testdata/golden.jsonl.gz

The folder holds *.jinja files; golden.py may be given others, such as those of models
whose licence does not allow to pass them on (docs/log/chat-templates.md).
Needs: pip install transformers jinja2
"""

import datetime
import gzip
import json
import sys
from pathlib import Path

import jinja2
import transformers
from transformers.utils import chat_template_utils as peer


class Fixed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26)


peer.datetime = Fixed

S, U, A = "system", "user", "assistant"


def talk(*turns):
    return [{"role": r, "content": c} for r, c in turns]


TOOL = {"type": "function", "function": {"name": "add", "description": "Adds \"numbers\" <b>", "parameters": {
    "type": "object", "properties": {"a": {"type": "number", "description": "first é"}, "b": {"type": ["integer", "null"]},
                                     "how": {"type": "string", "enum": ["up", "down"], "default": "up"}}, "required": ["a"]}}}
CALL = {"id": "call00001", "type": "function", "function": {"name": "add", "arguments": {"a": 1.5, "b": None, "how": "it's"}}}

CONVERSATIONS = [
    talk((U, "What is 2+2?")),
    talk((S, "Answer briefly."), (U, "What is 2+2?")),
    talk((U, "Q: one\nA:"), (A, "1"), (U, "Q: two\nA:"), (A, "2"), (U, "Q: three\nA:")),
    talk((S, "Answer briefly.\n\n"), (U, "Hello, how are you?"), (A, "I'm fine.\n"), (U, " And now? ")),
    talk((U, "Name a river."), (A, "The Danube.")),
    talk((S, ""), (U, "")),
    talk((U, "  white space \n\t"), (A, " around\n"), (U, "\n everything  ")),
    talk((U, "{{ messages }} {% if %} {# no #} <|im_end|></s> [/INST] <|eot_id|>"), (A, "</think> it's \"quoted\" \\n {braces}"), (U, "日本語 🜁 café Ωmega \u00a0 end")),
    talk((U, "first"), (U, "second")),
    talk((A, "I begin."), (U, "Why?")),
    talk((S, "a"), (S, "b"), (U, "c")),
    talk((U, "a"), (A, "b"), (A, "c")),
    talk((U, "a"), (S, "late"), (U, "b")),
    talk((S, "system alone")),
    talk(("tool", "42"), (U, "so?")),
    talk(("narrator", "who am I?")),
    talk((U, "think"), (A, "<think>\nlet me see\n</think>\n\nIt is 4."), (U, "sure?"), (A, "<think>\nyes\n</think>\n\nYes.")),
    [],
    [{"role": U, "content": [{"type": "text", "text": "in parts, "}, {"type": "text", "text": "two"}]}],
    [{"role": S, "content": [{"type": "text", "text": "be kind"}]}, {"role": U, "content": [{"type": "text", "text": "hi"}]}, {"role": A, "content": [{"type": "text", "text": " so "}]}],
    [{"role": U, "content": "x", "name": "bob"}, {"role": A, "content": None}],
    [{"role": U}],
    talk((U, "add")) + [{"role": A, "content": "", "tool_calls": [CALL]}, {"role": "tool", "name": "add", "tool_call_id": "call00001", "content": "3"}],
    talk((S, "use tools"), (U, "add")) + [{"role": A, "content": "I will.", "tool_calls": [CALL, CALL]}, {"role": "tool", "content": "3"}, {"role": "tool", "content": "4"}] + talk((A, "7"), (U, "ok")),
]

ENDS = [
    talk((U, "Name a river."), (A, "The")),
    talk((U, "Name a river."), (A, "The ")),
    talk((S, "Be brief."), (U, "Name a river."), (A, " The river is:\n")),
    talk((U, "Name a river."), (A, "Answer: ((x")),
    talk((U, "a"), (A, "b"), (U, "c"), (A, "b")),
    talk((U, "Name a river."), (A, "")),
    talk((U, "Name a river.")),
    [],
]

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}

OPTIONS = (
    [(c, {"add_generation_prompt": g}) for c in range(len(CONVERSATIONS)) for g in (True, False)]
    + [(c, {"add_generation_prompt": True, "enable_thinking": False, "date_string": "1 Jan 2000"}) for c in (0, 1, 3, 16)]
    + [(c, {"add_generation_prompt": True, "tools": [TOOL]}) for c in (0, 1, 3, 22, 23)]
    + [(len(CONVERSATIONS) + c, {"continue_final_message": True}) for c in range(len(ENDS))]
)


def render(source, messages, options):
    try:
        options = dict(options)
        rest = {k: options.pop(k) for k in list(options) if k not in ("tools", "add_generation_prompt", "continue_final_message")}
        out, _ = peer.render_jinja_template([peer._normalize_chat_messages(messages)], chat_template=source, **options, **TOKENS, **rest)
        return out[0]
    except Exception as e:
        return {"e": type(e).__name__, "m": str(e) if type(e).__name__ == "TemplateError" else ""}


def main(folder, target):
    files = sorted(Path(folder).rglob("*.jinja"))
    head = {
        "peer": f"transformers {transformers.__version__}, jinja2 {jinja2.__version__}", "command": "docs/peers/chat/golden.py",
        "templates": len(files), "tokens": TOKENS, "conversations": CONVERSATIONS + ENDS, "options": OPTIONS,
    }
    with gzip.GzipFile(target, "wb", mtime=0) as z:
        def line(value):
            z.write((json.dumps(value, ensure_ascii=False) + "\n").encode())
        line(head)
        errors = 0
        for f in files:
            source = f.read_bytes().decode()
            results = [render(source, (CONVERSATIONS + ENDS)[c], o) for c, o in OPTIONS]
            errors += sum(isinstance(r, dict) for r in results)
            line({"name": str(f.relative_to(folder)), "template": source, "results": results})
    print(len(files), "templates,", len(files) * len(OPTIONS), "cases,", errors, "of them errors")


main(*sys.argv[1:])
