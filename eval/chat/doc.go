// Package chat renders conversations with the chat templates of Hugging Face models,
// as transformers does.
//
// In go a model's files, or the text of a template, and a list of messages; out comes
// the prompt, special tokens spelt out. Its tokens are those of the text alone: nothing
// is to be put in front of it, since the template writes the begin-of-sequence token
// where the model wants one.
//
// Types to know: Template (Of reads a model's files, Parse a template's text),
// Conversation (messages and how they end), Refusal (the template's own words about a
// conversation that it does not take). Message makes a message.
//
// Invariants: a template is safe for concurrent use, and its text is a pure function of
// the conversation: strftime_now tells a fixed day, the one that Llama's templates fall
// back to, unless the conversation's variables give the date. Every template that
// transformers renders is rendered to the same bytes, or refused by name
// (docs/log/chat-templates.md). With Conversation.Continue the prompt ends with the last
// message, as continue_final_message does it.
//
// Not here: the template language (eval/jinja), what stands in a conversation (eval),
// tools and documents, which are None, images, the masks of {% generation %}, the
// templates of processors (chat_template.json).
//
// Source: transformers 5.24, chat_template_utils.py, read for its facts.
package chat
