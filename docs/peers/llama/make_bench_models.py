"""Makes the model of the speed comparison: a Llama of 25.7 million random weights,
in float32 and in bfloat16.

    python make_bench_models.py OUT        (needs transformers and torch)
"""

import os
import sys

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from make_models import scored

CONFIG = LlamaConfig(hidden_size=512, intermediate_size=1408, num_hidden_layers=8, num_attention_heads=8, num_key_value_heads=4,
                     vocab_size=4096, max_position_embeddings=1024, tie_word_embeddings=True, initializer_range=0.05,
                     bos_token_id=1, eos_token_id=2)


def main(out):
    tok = scored(False)
    torch.manual_seed(1)
    model = LlamaForCausalLM(CONFIG)
    print(sum(p.numel() for p in model.parameters()), "parameters")
    for name, dtype in {"f32": torch.float32, "bf16": torch.bfloat16}.items():
        folder = os.path.join(out, name)
        model.to(dtype).save_pretrained(folder)
        tok.save(os.path.join(folder, "tokenizer.json"))


if __name__ == "__main__":
    main(sys.argv[1])
