package eval

import "mergesearch"

// Question is what an item asks, for reading.
type Question struct {
	Text     string   // the question alone; empty where it has several contexts
	Prompt   string   // all that the model reads, as plain text; empty for a conversation
	Choices  []string // nil when the task has none
	Expected string   // the right answer; the first, where there are several
}

// Question returns what an item asks, and false for one that the task does not have.
func (t *Task) Question(id mergesearch.ItemID) (Question, bool) {
	for _, q := range t.questions {
		if q.id == id {
			return Question{Text: q.text, Prompt: q.prompt, Choices: q.choices, Expected: q.answer()}, true
		}
	}
	return Question{}, false
}
