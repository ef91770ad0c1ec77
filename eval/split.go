package eval

import (
	"fmt"

	"github.com/zeebo/xxh3"

	"mergesearch"
)

// splitPart is a harness split and what becomes of its questions: one of our
// splits, or all three when split is empty.
type splitPart struct {
	name  string
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

// planSplits decides which harness splits hold which of our items, and reads
// them and the few-shot pool.
func (l *loading) planSplits() ([]splitPart, error) {
	plan := []splitPart{
		{l.training.name, mergesearch.SearchSplit},
		{l.validation.name, mergesearch.ValidationSplit},
		{l.test.name, mergesearch.HeldOutSplit},
	}
	named := []splitName{l.training, l.validation, l.test}
	if l.training.name == "" || l.validation.name == "" || l.test.name == "" {
		whole := l.test
		if whole.name == "" {
			whole = l.validation
		}
		if whole.name == "" {
			return nil, &mergesearch.InputError{Field: "test_split", Problem: "missing", Hint: "name training_split, validation_split and test_split; with test_split alone its items are divided"}
		}
		plan, named = []splitPart{{name: whole.name}}, []splitName{whole}
		l.task.Notes = append(l.task.Notes, fmt.Sprintf(
			"split %q is divided into search, validation and held-out items, 40/20/40 by a hash of each question, because the task file does not name three splits", whole.name))
	} else if l.training.name == l.validation.name || l.training.name == l.test.name || l.validation.name == l.test.name {
		return nil, refuse(l.test.at.value, l.test.at.path, "two of training_split, validation_split and test_split name the same data", "")
	}
	for _, s := range named {
		if err := l.read(s); err != nil {
			return nil, err
		}
	}
	return plan, l.readPool(plan)
}

// readPool reads the documents that few-shot examples come from: fewshot_split,
// else training, validation or test split, the first that is named.
func (l *loading) readPool(plan []splitPart) error {
	if l.shots == 0 {
		return nil
	}
	from := l.fewshot
	for _, s := range []splitName{l.training, l.validation, l.test} {
		if from.name == "" {
			from = s
		}
	}
	for _, part := range plan {
		if part.name == from.name && part.split != mergesearch.SearchSplit {
			return refuse(l.shotsAt.at, l.shotsAt.path, fmt.Sprintf("examples from split %q would show answers of held-out or validation items", from.name), "name another split as fewshot_split")
		}
	}
	err := l.read(from)
	l.pool = l.docs[from.name]
	return err
}

// checkDisjoint refuses a question that is asked in two splits.
func (l *loading) checkDisjoint() error {
	seen := map[string]*question{}
	for i := range l.task.questions {
		q := &l.task.questions[i]
		first, twice := seen[q.key]
		if !twice {
			seen[q.key] = q
			continue
		}
		if first.split != q.split {
			return &mergesearch.InputError{
				File: q.file, Line: q.line, Field: l.text.field(),
				Problem: fmt.Sprintf("the same question is in two splits: %s here, %s in %s:%d", q.split, first.split, first.file, first.line),
				Hint:    "remove one: a held-out item that the search saw proves nothing",
			}
		}
	}
	return nil
}
