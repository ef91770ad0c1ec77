"""Writes miniatures.json: what transformers stores for a tiny model of each family.

    python make.py [--only NAME] [miniatures.json]

Needs torch and transformers; the version that wrote the file is recorded in it.
Each model is instantiated from its own config class with tiny sizes and saved
with save_pretrained; what the file on disk then holds is recorded: names,
shapes, types and config.json. Tensors of one shape whose names differ in layer
and expert numbers alone share a line: "{0-2}" stands for 0, 1 and 2.

InternLM2 is not part of transformers; its names and shapes are written down here.
"""

import argparse
import json
import pathlib
import re
import tempfile

import torch
import transformers
from safetensors import safe_open

VOCAB, LAYERS = 72, 3

TEXT = dict(
    vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_hidden_layers=LAYERS, num_attention_heads=2,
    num_key_value_heads=1, head_dim=8, max_position_embeddings=64, pad_token_id=0, bos_token_id=1, eos_token_id=2,
)
NO_HEAD_DIM = {k: v for k, v in TEXT.items() if k != "head_dim"}
DEEPSEEK = {k: v for k, v in NO_HEAD_DIM.items() if k != "num_key_value_heads"} | dict(
    num_key_value_heads=2, moe_intermediate_size=8, n_routed_experts=4, n_shared_experts=1, num_experts_per_tok=2,
    n_group=1, topk_group=1, first_k_dense_replace=1, kv_lora_rank=8, q_lora_rank=8, qk_nope_head_dim=4,
    qk_rope_head_dim=4, v_head_dim=8,
)
MOE = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=8)
VISION = dict(
    hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=8, patch_size=4,
)
QWEN_ROPE = dict(rope_parameters={"rope_type": "default", "type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0})
IDS = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2)
ENCODER = dict(vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_hidden_layers=LAYERS, num_attention_heads=2,
               max_position_embeddings=64)
TIED, UNTIED = dict(tie_word_embeddings=True), dict(tie_word_embeddings=False)


def images(*names):
    return {n: VOCAB - 1 - i for i, n in enumerate(names)}


# name: (config class, model class, arguments); a name's part after "+" tells a variant.
FAMILIES = {
    "llama": ("LlamaConfig", "LlamaForCausalLM", TEXT | UNTIED),
    "llama+tied": ("LlamaConfig", "LlamaForCausalLM", TEXT | TIED),
    "llama+headless": ("LlamaConfig", "LlamaModel", TEXT | UNTIED),
    "llama+classifier": ("LlamaConfig", "LlamaForSequenceClassification", TEXT | UNTIED | dict(num_labels=3)),
    "mistral": ("MistralConfig", "MistralForCausalLM", TEXT | UNTIED),
    "mixtral": ("MixtralConfig", "MixtralForCausalLM", TEXT | UNTIED | dict(num_local_experts=4)),
    "mixtral+fused": ("MixtralConfig", "MixtralForCausalLM", TEXT | UNTIED | dict(num_local_experts=4)),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM", NO_HEAD_DIM | UNTIED),
    "qwen2+tied": ("Qwen2Config", "Qwen2ForCausalLM", NO_HEAD_DIM | TIED),
    "qwen2_moe": ("Qwen2MoeConfig", "Qwen2MoeForCausalLM", NO_HEAD_DIM | UNTIED | MOE | dict(shared_expert_intermediate_size=8)),
    "qwen3": ("Qwen3Config", "Qwen3ForCausalLM", TEXT | UNTIED),
    "qwen3+tied": ("Qwen3Config", "Qwen3ForCausalLM", TEXT | TIED),
    "qwen3_moe": ("Qwen3MoeConfig", "Qwen3MoeForCausalLM", TEXT | UNTIED | MOE),
    "qwen3_moe+fused": ("Qwen3MoeConfig", "Qwen3MoeForCausalLM", TEXT | UNTIED | MOE),
    "gemma": ("GemmaConfig", "GemmaForCausalLM", TEXT | TIED),
    "gemma2": ("Gemma2Config", "Gemma2ForCausalLM", TEXT | TIED),
    "gemma3_text": ("Gemma3TextConfig", "Gemma3ForCausalLM", TEXT | TIED),
    "gemma3": ("Gemma3Config", "Gemma3ForConditionalGeneration", dict(
        text_config=TEXT, vision_config=VISION | dict(vision_use_head=False), mm_tokens_per_image=1,
        **images("image_token_index", "boi_token_index", "eoi_token_index"))),
    "phi": ("PhiConfig", "PhiForCausalLM", NO_HEAD_DIM | UNTIED | dict(num_key_value_heads=2)),
    "phi3": ("Phi3Config", "Phi3ForCausalLM", NO_HEAD_DIM | UNTIED),
    "olmo2": ("Olmo2Config", "Olmo2ForCausalLM", NO_HEAD_DIM | UNTIED),
    "falcon": ("FalconConfig", "FalconForCausalLM", dict(
        vocab_size=VOCAB, hidden_size=16, num_hidden_layers=LAYERS, num_attention_heads=2, **IDS) | TIED),
    "falcon+new": ("FalconConfig", "FalconForCausalLM", dict(
        vocab_size=VOCAB, hidden_size=16, num_hidden_layers=LAYERS, num_attention_heads=2, num_kv_heads=2,
        new_decoder_architecture=True, bias=True, **IDS) | UNTIED),
    "gpt2": ("GPT2Config", "GPT2LMHeadModel", dict(
        vocab_size=VOCAB, n_embd=16, n_layer=LAYERS, n_head=2, n_positions=64, **IDS)),
    "gpt2+headless": ("GPT2Config", "GPT2Model", dict(
        vocab_size=VOCAB, n_embd=16, n_layer=LAYERS, n_head=2, n_positions=64, **IDS)),
    "gpt_bigcode": ("GPTBigCodeConfig", "GPTBigCodeForCausalLM", dict(
        vocab_size=VOCAB, n_embd=16, n_layer=LAYERS, n_head=2, n_positions=64, **IDS)),
    "gpt_neox": ("GPTNeoXConfig", "GPTNeoXForCausalLM", ENCODER | IDS | UNTIED),
    "starcoder2": ("Starcoder2Config", "Starcoder2ForCausalLM", NO_HEAD_DIM | UNTIED),
    "starcoder2+tied": ("Starcoder2Config", "Starcoder2ForCausalLM", NO_HEAD_DIM | TIED),
    "granite": ("GraniteConfig", "GraniteForCausalLM", NO_HEAD_DIM | TIED),
    "cohere": ("CohereConfig", "CohereForCausalLM", NO_HEAD_DIM | TIED | dict(use_qk_norm=True)),
    "cohere2": ("Cohere2Config", "Cohere2ForCausalLM", NO_HEAD_DIM | TIED),
    "deepseek_v2": ("DeepseekV2Config", "DeepseekV2ForCausalLM", DEEPSEEK | UNTIED),
    "deepseek_v2+lite": ("DeepseekV2Config", "DeepseekV2ForCausalLM", DEEPSEEK | UNTIED | dict(q_lora_rank=None)),
    "deepseek_v3": ("DeepseekV3Config", "DeepseekV3ForCausalLM", DEEPSEEK | UNTIED),
    "deepseek_v3+fused": ("DeepseekV3Config", "DeepseekV3ForCausalLM", DEEPSEEK | UNTIED),
    "stablelm": ("StableLmConfig", "StableLmForCausalLM", NO_HEAD_DIM | UNTIED),
    "opt": ("OPTConfig", "OPTForCausalLM", dict(
        vocab_size=VOCAB, hidden_size=16, ffn_dim=24, num_hidden_layers=LAYERS, num_attention_heads=2,
        max_position_embeddings=64, word_embed_proj_dim=8, **IDS)),
    "bloom": ("BloomConfig", "BloomForCausalLM", dict(vocab_size=VOCAB, hidden_size=16, n_layer=LAYERS, n_head=2, **IDS)),
    "mamba": ("MambaConfig", "MambaForCausalLM", dict(
        vocab_size=VOCAB, hidden_size=16, state_size=4, num_hidden_layers=LAYERS, **IDS)),
    "whisper": ("WhisperConfig", "WhisperForConditionalGeneration", dict(
        vocab_size=VOCAB, num_mel_bins=8, encoder_layers=2, encoder_attention_heads=2, decoder_layers=LAYERS,
        decoder_attention_heads=2, decoder_ffn_dim=24, encoder_ffn_dim=24, d_model=16, max_source_positions=20,
        max_target_positions=24, decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None, **IDS)),
    "bert": ("BertConfig", "BertForMaskedLM", ENCODER),
    "bert+headless": ("BertConfig", "BertModel", ENCODER),
    "bert+classifier": ("BertConfig", "BertForSequenceClassification", ENCODER | dict(num_labels=3)),
    "roberta": ("RobertaConfig", "RobertaForMaskedLM", ENCODER | IDS),
    "distilbert": ("DistilBertConfig", "DistilBertForMaskedLM", dict(
        vocab_size=VOCAB, dim=16, hidden_dim=24, n_layers=LAYERS, n_heads=2, max_position_embeddings=64)),
    "t5": ("T5Config", "T5ForConditionalGeneration", dict(
        vocab_size=VOCAB, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_decoder_layers=LAYERS, num_heads=2,
        decoder_start_token_id=0)),
    "t5+untied": ("T5Config", "T5ForConditionalGeneration", dict(
        vocab_size=VOCAB, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_decoder_layers=LAYERS, num_heads=2,
        feed_forward_proj="gated-gelu", decoder_start_token_id=0) | UNTIED),
    "llava": ("LlavaConfig", "LlavaForConditionalGeneration", dict(
        text_config=TEXT | dict(model_type="llama"), vision_config=VISION | dict(model_type="clip_vision_model", projection_dim=16),
        **images("image_token_index")) | UNTIED),
    "mistral3": ("Mistral3Config", "Mistral3ForConditionalGeneration", dict(
        text_config=TEXT | dict(model_type="mistral"),
        vision_config=VISION | dict(model_type="pixtral", head_dim=8), **images("image_token_index")) | UNTIED),
    "qwen2_vl": ("Qwen2VLConfig", "Qwen2VLForConditionalGeneration", dict(
        text_config=NO_HEAD_DIM | QWEN_ROPE,
        vision_config=dict(depth=2, embed_dim=16, hidden_size=16, mlp_ratio=2, num_heads=2, patch_size=4),
        **images("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")) | UNTIED),
    "qwen2_5_vl": ("Qwen2_5_VLConfig", "Qwen2_5_VLForConditionalGeneration", dict(
        text_config=NO_HEAD_DIM | QWEN_ROPE,
        vision_config=dict(depth=2, hidden_size=16, intermediate_size=24, out_hidden_size=16, num_heads=2, patch_size=4),
        **images("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")) | TIED),
}


def stored(name):
    """Returns config.json and {tensor: (type, shape)} of a saved miniature."""
    config_class, model_class, arguments = FAMILIES[name]
    torch.manual_seed(0)
    config = getattr(transformers, config_class)(**arguments)
    if "tie_word_embeddings" in arguments:
        config.tie_word_embeddings = arguments["tie_word_embeddings"]  # T5Config overrules its argument
    model = getattr(transformers, model_class)(config).to(torch.bfloat16)
    with tempfile.TemporaryDirectory() as directory:
        # The layout of transformers 5 in memory, or the one that checkpoints have had all along.
        model.save_pretrained(directory, save_original_format=not name.endswith("+fused"))
        directory = pathlib.Path(directory)
        tensors = {}
        with safe_open(directory / "model.safetensors", "pt") as f:
            for key in f.keys():
                part = f.get_slice(key)
                tensors[key] = (part.get_dtype(), tuple(part.get_shape()))
        return json.loads((directory / "config.json").read_text()), tensors


def internlm2():
    """InternLM2ForCausalLM as its model code names it: 16 wide, 2 heads on 1 pair of keys and values."""
    config = dict(
        architectures=["InternLM2ForCausalLM"], model_type="internlm2", vocab_size=VOCAB, hidden_size=16,
        intermediate_size=24, num_hidden_layers=LAYERS, num_attention_heads=2, num_key_value_heads=1, bias=False,
        max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=10000.0, hidden_act="silu",
        tie_word_embeddings=False, torch_dtype="bfloat16",
    )
    shapes = {"model.tok_embeddings.weight": (VOCAB, 16), "model.norm.weight": (16,), "output.weight": (VOCAB, 16)}
    for i in range(LAYERS):
        for rest, shape in {
            "attention.wo": (16, 16), "attention.wqkv": (32, 16), "attention_norm": (16,), "feed_forward.w1": (24, 16),
            "feed_forward.w2": (16, 24), "feed_forward.w3": (24, 16), "ffn_norm": (16,),
        }.items():
            shapes[f"model.layers.{i}.{rest}.weight"] = shape
    return config, {k: ("BF16", s) for k, s in shapes.items()}


def folded(tensors):
    """Joins names that differ in one run of numbers, from the last number to the first."""
    lines = [(name, dtype, shape) for name, (dtype, shape) in tensors.items()]
    for place in reversed(range(3)):
        runs = {}
        for name, dtype, shape in lines:
            numbers = [m for m in re.finditer(r"(?<=\.)\d+(?=\.)", name)]
            if place >= len(numbers):
                runs[name, None, dtype, shape] = []
                continue
            m = numbers[place]
            runs.setdefault((name[: m.start()], name[m.end():], dtype, shape), []).append(int(m.group()))
        lines = []
        for (head, tail, dtype, shape), numbers in runs.items():
            if tail is None:
                lines.append((head, dtype, shape))
            elif len(numbers) > 1 and sorted(numbers) == list(range(min(numbers), max(numbers) + 1)):
                lines.append((f"{head}{{{min(numbers)}-{max(numbers)}}}{tail}", dtype, shape))
            else:
                lines += [(f"{head}{n}{tail}", dtype, shape) for n in sorted(numbers)]
    return sorted(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", action="append")
    parser.add_argument("out", nargs="?", default=pathlib.Path(__file__).with_name("miniatures.json"), type=pathlib.Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    out = []
    for name in sorted([*FAMILIES, "internlm2"]):
        if args.only and name not in args.only:
            continue
        config, tensors = internlm2() if name == "internlm2" else stored(name)
        config.pop("transformers_version", None)
        lines = ",\n".join(
            "   " + json.dumps([name, dtype, list(shape)]) for name, dtype, shape in folded(tensors))
        out.append(f'  {{"family": {json.dumps(name)},\n   "config": {json.dumps(config)},\n   "tensors": [\n{lines}]}}')
    head = f'{{"transformers": {json.dumps(transformers.__version__)},\n "miniatures": [\n'
    args.out.write_text(head + ",\n".join(out) + "]}\n")


if __name__ == "__main__":
    main()
