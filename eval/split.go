package eval

import (
	"fmt"
	"slices"

	"github.com/zeebo/xxh3"

	"mergesearch"
)

// splitPart is a harness split and what becomes of its questions: one of our
// splits, or all three when split is empty.
type splitPart struct {
	splitName
	split mergesearch.Split
}

// of returns the split of a question. Dividing goes by a hash of what is asked,
// so adding documents moves no other one, and equal questions stay together.
func (p splitPart) of(key string) mergesearch.Split {
	if p.split != "" {
		return p.split
	}
	switch r := xxh3.HashString(key) % 100; {
	case r < 40:
		return mergesearch.SearchSplit
	case r < 60:
		return mergesearch.ValidationSplit
	}
	return mergesearch.HeldOutSplit
}

// planSplits decides which harness splits hold which of our items.
func (l *loading) planSplits() ([]splitPart, error) {
	training, validation, test := l.training, l.validation, l.test
	if training.name != "" && validation.name != "" && test.name != "" {
		if training.name == validation.name || training.name == test.name || validation.name == test.name {
			return nil, test.at.refuse("two of training_split, validation_split and test_split name the same data", "")
		}
		return []splitPart{
			{training, mergesearch.SearchSplit}, {validation, mergesearch.ValidationSplit}, {test, mergesearch.HeldOutSplit},
		}, nil
	}
	whole := test
	if whole.name == "" {
		whole = validation
	}
	if whole.name == "" {
		return nil, &mergesearch.InputError{Field: "test_split", Problem: "missing", Hint: "name training_split, validation_split and test_split; with test_split alone its items are divided"}
	}
	l.task.Notes = append(l.task.Notes, fmt.Sprintf(
		"split %q is divided into search, validation and held-out items, 40/20/40 by a hash of each question, because the task file does not name three splits", whole.name))
	return []splitPart{{splitName: whole}}, nil
}

// leaveOutRepeats takes out of the search and validation items each question that
// is asked in a later split too: a held-out item that the search saw proves
// nothing.
func (l *loading) leaveOutRepeats() {
	rank := map[mergesearch.Split]int{mergesearch.SearchSplit: 0, mergesearch.ValidationSplit: 1, mergesearch.HeldOutSplit: 2}
	last := map[string]int{}
	for _, q := range l.task.questions {
		last[q.key] = max(last[q.key], rank[q.split])
	}
	all := len(l.task.questions)
	l.task.questions = slices.DeleteFunc(l.task.questions, func(q question) bool { return rank[q.split] < last[q.key] })
	if n := all - len(l.task.questions); n > 0 {
		l.task.Notes = append(l.task.Notes, fmt.Sprintf("%d search or validation items are left out: the same question is asked in a later split", n))
	}
}
