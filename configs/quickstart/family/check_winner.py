#!/usr/bin/env python3
"""Ask a merged model in transformers what the embedded engine was asked, and compare.

    mergesearch eval DIR --task ../tasks/arithmetic.yaml --task ../tasks/reverse.yaml \\
        --task ../tasks/atlas.yaml --samples samples.jsonl
    python3 check_winner.py DIR samples.jsonl

Every generated answer must be the same text, every choice's log-probability must agree
within 1e-3 (float32 arithmetic on the stored weights). Needs torch and transformers; the
project's own tests do not.
"""
import json
import sys

import torch
import transformers


def main(folder, samples):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    texts = choices = wrong = 0
    worst = 0.0
    for line in open(samples, encoding="utf-8"):
        row = json.loads(line)
        prompt = tokenizer(row["prompt"], return_tensors="pt").input_ids
        with torch.no_grad():
            if "choices" in row:
                for c in row["choices"]:
                    ids = tokenizer(row["prompt"] + c["text"], return_tensors="pt").input_ids
                    logp = model(ids).logits[0].log_softmax(-1)
                    n = prompt.shape[1]
                    total = sum(logp[i - 1, ids[0, i]].item() for i in range(n, ids.shape[1]))
                    worst = max(worst, abs(total - c["logprob"]))
                    choices += 1
            else:
                out = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=8, do_sample=False)
                text = tokenizer.decode(out[0, prompt.shape[1]:], skip_special_tokens=True)
                texts += 1
                wrong += text.split("\n")[0].strip() != row["output"].strip()
    print("torch %s, transformers %s: %d answers, %d differ; %d choices, largest difference of log-probabilities %.2g"
          % (torch.__version__, transformers.__version__, texts, wrong, choices, worst))
    return wrong > 0 or worst > 1e-3


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
