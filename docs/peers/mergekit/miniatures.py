"""Miniature checkpoints under the names that a recipe uses.

A name says what a miniature is: "13b" has the 40 layers of Llama 2 13B, "7b" the 32 of
Mistral 7B and Llama 2 7B, other names have 4; names of fine-tunes of Mistral become
Mistral with grouped heads. Widths are small. All models of one architecture are one random
base plus small noise; each has a tokenizer of byte-level BPE, with the tokens that the
recipe says it has.
"""

import random
import re

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

CHAT = {
    "first": "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}",
    "second": "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}{{ eos_token }}{% endfor %}",
}


def traits(name):
    low = name.lower()
    mistral = re.search("mistral|hermes", low) is not None
    layers = 40 if "13b" in low else 32 if "7b" in low else 4
    return mistral, layers, torch.float16 if layers == 40 else torch.bfloat16


def corpus(seed, letters):
    draw = random.Random(seed)
    words = ["".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(900)]
    return [" ".join(draw.choices(words, k=12)) for _ in range(600)]


def tokenizer(size, seed, letters, tokens, chat):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(corpus(seed, letters), trainers.BpeTrainer(vocab_size=size, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False))
    t.add_tokens([AddedToken(x, special=True, normalized=False) for x in tokens])
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=t, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    fast.chat_template = CHAT[chat]
    return fast


def config(name, vocabulary):
    mistral, layers, _ = traits(name)
    kind = transformers.MistralConfig if mistral else transformers.LlamaConfig
    return kind(vocab_size=vocabulary, hidden_size=32, intermediate_size=48, num_hidden_layers=layers, num_attention_heads=4,
                num_key_value_heads=1 if mistral else 4, max_position_embeddings=128, tie_word_embeddings=False, pad_token_id=None)


def write(root, name, seed, *, size=96, letters="etaoinshrdlu", tokens=(), chat="first"):
    """Writes the miniature of a name, folder by folder as the name has it."""
    words = tokenizer(size, 7, letters, tokens, chat)
    c = config(name, len(words))
    weights = noisy(c, seed)
    model = getattr(transformers, c.architectures[0] if c.architectures else type(c).__name__.replace("Config", "ForCausalLM"))(c)
    model.load_state_dict(weights)
    model.to(traits(name)[2]).save_pretrained(root / name)
    words.save_pretrained(root / name)


def noisy(c, seed):
    """The base of a configuration plus the noise of a seed, tensor by tensor, in float32."""
    with torch.device("meta"):
        empty = getattr(transformers, type(c).__name__.replace("Config", "ForCausalLM"))(c)
    base, own = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1000 + seed)
    out = {}
    for name, x in empty.state_dict().items():
        centre = 1.0 if x.dim() == 1 else 0.0
        out[name] = centre + 0.05 * torch.randn(x.shape, generator=base) + 0.01 * torch.randn(x.shape, generator=own)
    return out
