package eval

import (
	"fmt"
	"slices"
	"time"

	"mergesearch"
	"mergesearch/eval/jinja"
)

// matchTimeout bounds one regular expression on one answer: regexp2 backtracks,
// and a model may write anything.
const matchTimeout = 2 * time.Second

// Task is a task file with its questions: read, checked and assembled, before any
// model is. It does not change after ReadTask and is safe for concurrent use.
type Task struct {
	Name    string
	File    string // path as given
	Output  OutputType
	Metrics []Metric // the first is what outcomes carry

	// Notes says in words what the reader of a run should know of how the task
	// file was understood, such as a split that was divided.
	Notes []string

	until       []string // stop strings of generate_until
	maxTokens   int      // of generate_until
	temperature float64  // of generate_until; 0: greedy
	repeats     int      // completions of each item, drawn with seeds of their own; 0: 1
	questions   []question
}

// question is one item of a task, with its prompt assembled.
type question struct {
	id    mergesearch.ItemID
	docID string // the part of id after the task
	split mergesearch.Split
	file  string
	line  int
	named any // the id column; nil when the document has none

	prompt  string   // all that the model reads before it answers; with several contexts, the first
	pairs   []pair   // whose likelihood is asked for; nil for generate_until
	rolling bool     // pairs have no context, and a text too long for the model is read in windows
	turns   []turn   // generate_until as a conversation, instead of prompt; nil: plain text
	choices []string // multiple_choice: as scored per character
	gold    int      // index of the right choice
	targets []string // generate_until: every text that counts as right
	key     string   // equal for questions that ask the same
}

// pair is a context and the text whose log-likelihood after it is asked for.
type pair struct{ context, continuation string }

// target is the right answer, for reading.
func (q *question) target() string {
	if q.choices != nil {
		return q.choices[q.gold]
	}
	return q.targets[0]
}

// ReadTask reads a task file of lm-evaluation-harness and the data files that it
// names. Every fault of either is a *mergesearch.InputError with file and line:
// unknown keys, an empty file, a document without question or answer, a label out
// of range, the same id or the same question twice across splits.
//
// Items are named "task/document" by the documents' id column, or by split and
// line where the data has none. Splits: when the file names training, validation
// and test split they are the search, validation and held-out items. Otherwise
// the split that the harness would evaluate (test, else validation) is divided
// 40/20/40 by a hash of each question, and Notes says so.
func ReadTask(file string) (*Task, error) {
	c, err := readConfig(file)
	if err != nil {
		return nil, err
	}
	t, err := newTask(c, map[string][]document{})
	if err != nil {
		return nil, mergesearch.InFile(err, file)
	}
	t.File = file
	return t, nil
}

// Metric returns the name of the metric that outcomes carry.
func (t *Task) Metric() string { return t.Metrics[0].Name }

// Files lists the task file and the data files that its questions came from,
// sorted.
func (t *Task) Files() []string {
	files := []string{t.File}
	for _, q := range t.questions {
		if !slices.Contains(files, q.file) {
			files = append(files, q.file)
		}
	}
	slices.Sort(files)
	return files
}

// Items lists the items of a split in the order of the data file.
func (t *Task) Items(split mergesearch.Split) []mergesearch.Item {
	var out []mergesearch.Item
	for _, q := range t.questions {
		if q.split == split {
			out = append(out, mergesearch.Item{ID: q.id, Task: t.Name})
		}
	}
	return out
}

// loading is the work of turning documents into questions.
type loading struct {
	*config
	task *Task
	docs map[string][]document // by harness split
	pool []document            // few-shot examples come from its head
}

// newTask assembles the task of a configuration. Splits that docs lacks are read
// from their files.
func newTask(c *config, docs map[string][]document) (*Task, error) {
	t := &Task{
		Name: c.name, Output: c.output, Metrics: c.metrics,
		until: c.generation.until, maxTokens: c.generation.maxTokens,
	}
	l := &loading{config: c, task: t, docs: docs}
	plan, err := l.planSplits()
	if err != nil {
		return nil, err
	}
	if err := l.bind(); err != nil {
		return nil, err
	}
	for _, part := range plan {
		for _, d := range l.docs[part.name] {
			q, err := l.question(d, part)
			if err != nil {
				return nil, err
			}
			t.questions = append(t.questions, q)
		}
	}
	if err := l.nameItems(); err != nil {
		return nil, err
	}
	return t, l.checkDisjoint()
}

// read loads the documents of a harness split once.
func (l *loading) read(s splitName) error {
	if _, done := l.docs[s.name]; done {
		return nil
	}
	file, ok := l.dataFiles[s.name]
	if !ok {
		var known []string
		for k := range l.dataFiles {
			known = append(known, k)
		}
		slices.Sort(known)
		return refuse(s.at.value, s.at.path, fmt.Sprintf("data_files has no split %q", s.name), mergesearch.UnknownWord("split", s.name, known).Hint)
	}
	docs, err := readDocuments(file)
	l.docs[s.name] = docs
	return err
}

// bind settles which sources name columns, over the columns of all documents.
func (l *loading) bind() error {
	seen := map[string]bool{}
	for _, docs := range l.docs {
		for _, d := range docs {
			for c := range d.fields {
				seen[c] = true
			}
		}
	}
	var columns []string
	for c := range seen {
		columns = append(columns, c)
	}
	slices.Sort(columns)
	if l.text.literal != nil {
		return refuse(l.text.at.value, l.text.at.path, "a number or list is no question", "name a column or write a {{ template }}")
	}
	emptyText := l.text.words == "" && l.output != GenerateUntil // some tasks compare whole sentences
	digits := isDigits(l.target.words)
	for _, b := range []struct {
		s        *source
		constant bool
	}{{&l.text, emptyText}, {&l.target, digits}, {&l.choice, false}, {&l.description, true}} {
		if err := b.s.bind(columns, b.constant); err != nil {
			return err
		}
	}
	return nil
}

// nameItems gives every question its ID and refuses one that is given twice.
func (l *loading) nameItems() error {
	seen := map[string]*question{}
	named := slices.ContainsFunc(l.task.questions, func(q question) bool { return q.named != nil })
	for i := range l.task.questions {
		q := &l.task.questions[i]
		if named {
			id, err := jinja.Str(q.named)
			if err != nil || q.named == nil || id == "" {
				return &mergesearch.InputError{
					File: q.file, Line: q.line, Field: "id", Problem: "other documents have an id, this one does not",
					Hint: "give every document a text or number as id, or none",
				}
			}
			q.docID = id
		}
		q.id = mergesearch.ItemID(l.task.Name + "/" + q.docID)
		if first, twice := seen[q.docID]; twice {
			return &mergesearch.InputError{
				File: q.file, Line: q.line, Field: "id",
				Problem: fmt.Sprintf("%q is already the id of %s:%d", q.docID, first.file, first.line),
				Hint:    "ids must be unique across all splits of a task",
			}
		}
		seen[q.docID] = q
	}
	return nil
}

func isDigits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return s != ""
}
