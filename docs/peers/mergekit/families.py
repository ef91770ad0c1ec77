"""Random miniatures of real families: names, shapes and config from transformers' classes, weights from a seed."""

import json

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, WhisperConfig, WhisperForAudioClassification

EXPERTS = ("c", "a", "b", "d", "e")  # not in the order of their names
SPREAD, STEP = 0.05, 0.01  # of the base model's weights, of the experts around it


def llama():
    """Sizes that fill no vector, and embeddings beyond 32768 elements."""
    config = LlamaConfig(
        vocab_size=503, hidden_size=72, intermediate_size=100, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, head_dim=18, tie_word_embeddings=False, architectures=["LlamaForCausalLM"])
    return config, AutoModelForCausalLM.from_config(config)


def whisper():
    """Convolutions (three dimensions) and biases; mergekit infers the architecture from the names."""
    config = WhisperConfig(
        d_model=40, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=56, num_mel_bins=12,
        max_source_positions=30, classifier_proj_size=24, num_labels=7, architectures=["WhisperForAudioClassification"])
    return config, WhisperForAudioClassification(config)


FAMILIES = {"llama": llama, "whisper": whisper}


def write(root, family, dtype, seed=1):
    """Write the base model and the experts below root, in a type."""
    with torch.device("meta"):
        config, model = FAMILIES[family]()
    shapes = {n: tuple(x.shape) for n, x in model.state_dict().items()}
    generator = torch.Generator().manual_seed(seed)
    normal = lambda shape: torch.randn(shape, generator=generator)
    base = {n: SPREAD * normal(s) + ("norm.weight" in n) for n, s in shapes.items()}
    text = config.to_dict() | {"dtype": str(dtype).removeprefix("torch."), "torch_dtype": str(dtype).removeprefix("torch.")}
    for name in ("base", *EXPERTS):
        weights = base if name == "base" else {n: x + STEP * normal(x.shape) for n, x in base.items()}
        out = root / name
        out.mkdir(parents=True)
        save_file({n: x.to(dtype).contiguous() for n, x in weights.items()}, out / "model.safetensors", {"format": "pt"})
        (out / "config.json").write_text(json.dumps(text))
