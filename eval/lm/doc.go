// Package lm is the embedded inference engine: the default endpoint of the
// evaluator. Tensors of a candidate go in, answers over HTTP come out, in the
// shape that an OpenAI client expects.
//
// The stages of a request:
//
//	HTTP body -> Server -> tokenizer -> Engine queue -> batched forward passes -> log-probabilities -> JSON
//
// Types to know first:
//
//   - Model: a checkpoint ready to run. Load checks every tensor against the
//     configuration and packs the matrices for the kernels; CheckConfig says
//     beforehand, from config.json and tokenizer.json alone, whether Load can
//     work. Llama, Mistral, Qwen2 and Qwen3 layouts.
//   - Engine and Instance: threads that run forward passes, and a model being
//     served by them with its key-value cache.
//   - Request, Response: one token sequence to continue or to score.
//   - Server: several models under names, over HTTP: /v1/completions,
//     /v1/chat/completions for models with a chat template, /v1/models, /tokenize,
//     /detokenize, /health, /v1/mergesearch/stats and, when a directory opener is
//     injected, /v1/mergesearch/load and unload.
//
// The law, tested bit for bit: the log-probabilities of a request are the same
// alone, in any batch and order, with and without prefix reuse, with one thread
// or many, and at every vector level of package kernel. It holds because every
// number is computed by one fixed sequence of roundings that depends on the
// request's own tokens only. Otherwise ties of a greedy search would flip and a
// run would not repeat.
//
// A node of the key-value cache is one token in the context of its ancestors, so
// requests with a common beginning share it, whether they come together (the
// choices of one question) or one after the other. Only logits that somebody
// asked for are computed.
//
// Not here: reading safetensors (merge/safetensors; the command line hands the
// tensors over), prompts, metrics and the client (eval), chat templates (eval/chat), matrix products and the
// other arithmetic (kernel), text to token ids (tokenizer).
//
// Sources: RMSNorm, Zhang and Sennrich 2019 (arXiv 1910.07467); rotary
// positions, Su et al. 2021 (arXiv 2104.09864); SwiGLU, Shazeer 2020 (arXiv
// 2002.05202); grouped-query attention, Ainslie et al. 2023 (arXiv 2305.13245);
// continuous batching, Yu et al. 2022 (Orca, OSDI); sharing of prefixes in a
// tree, Zheng et al. 2023 (arXiv 2312.07104).
package lm
