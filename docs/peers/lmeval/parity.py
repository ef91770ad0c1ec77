"""Runs lm-evaluation-harness on the task shapes in eval/testdata/parity, against the
tests' own server, and writes what it asked and found.

    go test ./eval -run TestParityServer -serve 127.0.0.1:8765 -timeout 1h &
    PYTHONHASHSEED=0 python docs/peers/lmeval/parity.py http://127.0.0.1:8765 eval/testdata/parity

Needs: pip install "lm_eval[api]==0.4.12"
"""

import importlib.metadata
import json
import os
import sys
from pathlib import Path

import lm_eval
from lm_eval.tasks import TaskManager

LENGTH = 514  # the longest sequence of the server


def main(url, folder):
    folder = Path(folder).resolve()
    os.chdir(folder)  # the data files are named relative to the task files
    names = sorted(p.stem for p in folder.glob("*.yaml"))
    results = lm_eval.simple_evaluate(
        model="local-completions",
        model_args=f"model=cand,base_url={url}/v1/completions,num_concurrent=1,max_retries=3,batch_size=1,max_length={LENGTH},tokenized_requests=True",
        tasks=names,
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        log_samples=True,
        bootstrap_iters=int(os.environ.get("ITERS", "100000")),
        random_seed=0, numpy_random_seed=1234, torch_random_seed=1234, fewshot_random_seed=1234,
    )
    golden = {
        "peer": "lm_eval " + importlib.metadata.version("lm_eval"),
        "command": "docs/peers/lmeval/parity.py",
        "tasks": {},
    }
    for name in names:
        found = {k: v for k, v in results["results"][name].items() if "," in k}
        samples = []
        for s in sorted(results["samples"][name], key=lambda s: (s["filter"], s["doc_id"])):
            arguments = [[a[k] for k in sorted(a) if isinstance(a[k], str)] for a in s["arguments"].values()] if isinstance(s["arguments"], dict) else s["arguments"]
            samples.append({
                "doc": s["doc_id"], "filter": s["filter"], "arguments": arguments,
                "answers": s["resps"], "filtered": s["filtered_resps"],
                "metrics": {m: s[m] for m in s["metrics"]},
            })
        golden["tasks"][name] = {"results": found, "samples": samples}
    text = json.dumps(golden, ensure_ascii=False, indent=0, sort_keys=True, default=lambda o: o.tolist())
    (folder / "golden.json").write_text(text + "\n", encoding="utf-8")
    print(json.dumps({n: t["results"] for n, t in golden["tasks"].items()}, indent=1))


main(*sys.argv[1:])
