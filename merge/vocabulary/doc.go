// Package vocabulary gives models with different tokenizers one vocabulary, so
// that the rows of their embeddings mean the same before they are merged.
//
// What goes in and out. Tokenizer files and a recipe's tokenizer key go in; the
// tokenizer files of the result come out, and for each model its matrix (of the
// embedding, of the head) with the rows in the result's order, computed while
// the engine reads it. Check says whether models need that at all. ChatTemplate
// and WithChatTemplate choose and set the template of chats.
//
// Types to know: Model (what is read of a model), Alignment (the plan: Rows,
// Files, Matrices).
//
// Invariants.
//
//   - The result's tokens have the numbers 0 to VocabSize()-1. Those of the
//     source (the base, or the model that is named) keep theirs; a union appends
//     first the plain tokens, then the added ones of the other models, in the
//     order of models' names and tokens' numbers. The order in which a recipe
//     lists models changes nothing.
//   - A token whose number is not below its model's rows does not exist. It goes
//     from the result's vocabulary, and with it the merges of which it is a part
//     or the product, and its roles (pad, end) in the files beside.
//   - Numbers are those that the tokenizers library gives, with tokens that only
//     tokenizer_config.json names. A file that states others is refused.
//   - A union does not make one tokenizer of two: new tokens are entries of
//     added_tokens, found by their text; the merges of a BPE model stay those of
//     the source. So texts are split as the source splits them, and tokens spelt
//     for another model's pre-tokenizer rarely occur. mergekit does the same.
//   - tokenizer.json keeps its bytes but for added_tokens and what is gone.
//   - Every file is hostile: sizes, counts and depth are limited, strings must be
//     UTF-8, a token or number that comes twice is refused. Nothing here panics
//     for a file; errors are *mergesearch.InputError.
//
// Differences from mergekit (which breaks where not said otherwise): kind: zero
// and tokens without a row work; a token named under tokens keeps its settings
// (there it stops being special); a mean is not rounded; orders do not come from
// hashes; built-in chat templates have no stray white space.
//
// Not here: splitting text into tokens (eval/lm/tokenizer), which tensors are
// embeddings and vocab_size in the configuration (merge), the arithmetic on
// aligned matrices (merge/kernel).
//
// Padding rows are the mean of all rows: Hewitt, Initializing New Word Embeddings
// for Pretrained Language Models, 2021.
package vocabulary
