"""Runs lm-evaluation-harness with apply_chat_template on task shapes in
eval/testdata/parity, against the tests' own server, and writes what it asked and found.

    go test ./eval -run TestParityServer -serve 127.0.0.1:8765 -timeout 1h &
    PYTHONHASHSEED=0 python docs/peers/chat/parity.py http://127.0.0.1:8765 eval/testdata/parity

The server's tokenizer is reached over HTTP, so the model has no tokenizer whose template
the harness could apply: transformers' renderer is put in its place.
Needs: pip install "lm_eval[api]==0.4.12" transformers
"""

import gzip
import importlib.metadata
import json
import os
import sys
from pathlib import Path

import lm_eval
from lm_eval.models.api_models import TemplateAPI
from lm_eval.tasks import TaskManager
from transformers.utils import chat_template_utils as peer

LIMIT = 8  # documents of each task: prompts are long, and the model is slow
LENGTH = 4000  # the longest sequence of the server
TASKS = ["choice_contexts", "choice_letters", "choice_no_question", "choice_random", "choice_targets", "choice_unconditional", "likelihood_same_split", "numbers"]
MODES = {"chatml_multiturn": ("chatml.jinja", True), "llama-3_singleturn": ("llama-3-instruct.jinja", False)}
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


def run(url, folder, template, multiturn):
    source = (folder / "../../chat/testdata/templates" / template).read_bytes().decode()

    def apply(self, chat_history, add_generation_prompt=True):  # as with tokenizer_backend huggingface
        out, _ = peer.render_jinja_template(
            [peer._normalize_chat_messages(chat_history)], chat_template=source,
            add_generation_prompt=add_generation_prompt, continue_final_message=not add_generation_prompt, **TOKENS)
        return out[0]

    TemplateAPI.apply_chat_template = apply
    TemplateAPI.chat_template = lambda self, chat_template=False: source
    results = lm_eval.simple_evaluate(
        model="local-completions",
        model_args=f"model=cand,base_url={url}/v1/completions,num_concurrent=1,max_retries=3,batch_size=1,max_length={LENGTH},tokenized_requests=True",
        tasks=TASKS,
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        limit=LIMIT, log_samples=True, apply_chat_template=True, fewshot_as_multiturn=multiturn,
        bootstrap_iters=int(os.environ.get("ITERS", "100000")),
        random_seed=0, numpy_random_seed=1234, torch_random_seed=1234, fewshot_random_seed=1234,
    )
    golden = {
        "peer": "lm_eval " + importlib.metadata.version("lm_eval"), "transformers": importlib.metadata.version("transformers"),
        "command": "docs/peers/chat/parity.py", "template": template, "multiturn": multiturn, "tokens": TOKENS, "length": LENGTH, "limit": LIMIT,
        "tasks": {},
    }
    for name in TASKS:
        samples = []
        for s in sorted(results["samples"][name], key=lambda s: (s["filter"], s["doc_id"])):
            arguments = [[a[k] for k in sorted(a) if isinstance(a[k], str)] for a in s["arguments"].values()] if isinstance(s["arguments"], dict) else s["arguments"]
            samples.append({
                "doc": s["doc_id"], "filter": s["filter"], "arguments": arguments,
                "answers": s["resps"], "filtered": s["filtered_resps"],
                "metrics": {m: s[m] for m in s["metrics"]},
            })
        golden["tasks"][name] = {"results": {k: v for k, v in results["results"][name].items() if "," in k}, "samples": samples}
    return golden


def main(url, folder):
    folder = Path(folder).resolve()
    os.chdir(folder)  # the data files are named relative to the task files
    for mode, (template, multiturn) in MODES.items():
        golden = run(url, folder, template, multiturn)
        text = json.dumps(golden, ensure_ascii=False, indent=0, sort_keys=True, default=lambda o: o.tolist())
        with gzip.GzipFile(folder / f"{mode}.json.gz", "wb", mtime=0) as z:
            z.write(text.encode())
        print(mode, json.dumps({n: t["results"] for n, t in golden["tasks"].items()}, indent=1))


main(*sys.argv[1:])
