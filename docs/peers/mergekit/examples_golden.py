"""Writes what mergekit makes of the recipes of TestMergekitsRecipesMerge: examples.json.

    go test ./merge -run TestMergekitsRecipesMerge -examples $PWD/examples
    ATEN_CPU_CAPABILITY=default PYTHONHASHSEED=0 OMP_NUM_THREADS=1 \\
        python docs/peers/mergekit/examples_golden.py examples merge/testdata/examples.json

Needs mergekit at commit a6e402884ba9bc30da7f23e8304a35f19485de95. peer.py says what is put
in order. Sums of torch follow its vector level, hence the first variable.
"""

import hashlib
import json
import os
import pathlib
import sys

os.environ["HF_HUB_OFFLINE"] = "1"  # every model is a folder
import torch
import transformers

import peer
from examples import tensors

TYPES = {torch.bfloat16: "BF16", torch.float16: "F16", torch.float32: "F32"}


def tell(folder):
    config = json.loads((folder / "config.json").read_text())
    out = {"layers": config["num_hidden_layers"], "dtype": config.get("dtype") or config["torch_dtype"], "rows": config["vocab_size"]}
    h, all_tensors = hashlib.sha256(), tensors(folder)
    for name, x in sorted(all_tensors.items()):
        h.update(f"{name} {TYPES[x.dtype]} [{' '.join(map(str, x.shape))}]\n".encode())
        h.update(x.contiguous().view(torch.uint8).numpy().tobytes())
    words = transformers.AutoTokenizer.from_pretrained(folder)
    text = "".join(f"{i} {w}\n" for w, i in sorted(words.get_vocab().items(), key=lambda e: e[1]))
    return out | {"tensors": len(all_tensors), "sha256": h.hexdigest(), "words": hashlib.sha256(text.encode()).hexdigest(), "template": words.chat_template}


def main():
    root, out = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    transformers.logging.set_verbosity_error()
    peer.arrange()
    found = {}
    for folder in sorted(f for f in root.iterdir() if f.is_dir()):
        name = (folder / "name").read_text()
        os.chdir(folder)
        try:
            peer.merge((folder / "recipe.yaml").read_text(), folder / "theirs", folder)
            found[name] = tell(folder / "theirs")
        except Exception as e:  # what mergekit cannot merge is recorded too
            found[name] = {"failed": str(e).splitlines()[0]}
        print(name, found[name], flush=True)
    versions = f"mergekit a6e402884ba9bc30da7f23e8304a35f19485de95, torch {torch.__version__}, transformers {transformers.__version__}"
    out.write_text(json.dumps({"versions": versions, "command": "docs/peers/mergekit/examples_golden.py", "examples": found}, indent=1) + "\n")


main()
