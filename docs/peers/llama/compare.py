"""Does a GGUF file answer in libllama as the model does in the embedded engine?

    python compare.py MERGESEARCH LIBLLAMA MODEL_DIR...

Every model is written as GGUF twice, as it is and in float32, and asked the same
texts by both: are the tokens equal, how far are the log-probabilities of the
texts' own tokens apart, are greedy completions equal? Needs no package beside
Python's own. Ends with 1 if something differs that must not.
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request

from libllama import Llama

TEXTS = ["12+30=", "reverse: abc", "the quick brown fox jumps over the lazy dog", "It's HELLO World, helloWorld 1234567 it'll DO!",
         "Zwölf Boxkämpfer — naïve café, 日本語 текст", "def f(x):\n    return  x\n\n\ttabs   ", "a  b   c    d", "😀 ok\r\n\r\nend", "x"]
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.15}
COUNT = 16


def post(url, path, body):
    r = urllib.request.Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(r) as f:
        return json.load(f)


def engine(url, text, stop):
    """Tokens, their log-probabilities and the greedy continuation."""
    prompt = post(url, "/tokenize", {"model": "m", "prompt": text})["tokens"]
    a = post(url, "/v1/completions", {"model": "m", "prompt": prompt, "max_tokens": COUNT, "temperature": 0, "echo": True,
                                      "logprobs": 1, "return_tokens_as_token_ids": True})["choices"][0]
    ids = [int(t.split(":")[1]) for t in a["logprobs"]["tokens"]]
    out = ids[len(prompt):]
    if out and out[-1] in stop:
        out.pop()
    return prompt, a["logprobs"]["token_logprobs"][1:len(prompt)], out


def compare(binary, library, model, folder, dtype):
    recipe, out = os.path.join(folder, "recipe.yml"), os.path.join(folder, f"{os.path.basename(model)}-{dtype}.gguf")
    with open(recipe, "w") as f:
        f.write(f"models: [{{model: {model}}}]\nmerge_method: passthrough\ndtype: {dtype}\n")
    subprocess.run([binary, "merge", recipe, out, "--format", "gguf"], check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(model, "config.json")) as f:
        stop = {json.load(f)["eos_token_id"]}
    llama = Llama(library, out)
    server = subprocess.Popen([binary, "serve", model, "--name", "m", "--addr", "127.0.0.1:0", "--json"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
    try:
        text = ""
        while not text.rstrip().endswith("}"):
            text += server.stdout.readline()
        url = json.loads(text)["url"]
        tokens = same = positions = 0
        worst, turned = 0.0, []
        for text in TEXTS:
            want, logprobs, completion = engine(url, text, stop)
            tokens += llama.tokenize(text) == want
            rows = llama.logprobs(want)
            worst = max([worst] + [abs(rows[i][want[i + 1]] - p) for i, p in enumerate(logprobs)])
            positions += len(logprobs)
            got, lead = llama.greedy(want, COUNT, stop)
            same += got == completion
            if got != completion:
                turned.append(f"{lead:.4f}")
        print(f"| {os.path.basename(model)} | {dtype} | {tokens}/{len(TEXTS)} | {positions} | {worst:.2g} | {same}/{len(TEXTS)} |"
              + (f" smallest leads {', '.join(turned)} |" if turned else " |"), flush=True)
        return tokens == len(TEXTS) and worst <= TOLERANCE[dtype] and (same == len(TEXTS) or dtype != "float32")
    finally:
        server.terminate()
        server.wait()


def main(binary, library, models):
    print("| model | type | tokens equal | positions | largest difference | completions equal | |\n|---|---|---|---|---|---|---|")
    ok = True
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            for dtype in TOLERANCE:
                ok = compare(binary, library, os.path.abspath(model), folder, dtype) and ok
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
