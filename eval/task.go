package eval

import (
	"fmt"
	"slices"

	"mergesearch"
	"mergesearch/eval/jinja"
	"mergesearch/eval/port"
)

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

	generation
	repeats   int // answers to each question
	pipelines []pipeline
	results   *port.Function // process_results
	scorer    *scorerConfig  // nil: none
	judge     *judgeConfig   // nil: none
	harness   string         // split that the harness would evaluate
	others    []string       // files that decide prompts, beside File and those of the questions
	questions []question
}

// question is one item of a task, with its prompt assembled.
type question struct {
	asked

	id    mergesearch.ItemID
	docID string // the part of id after the task
	split mergesearch.Split
	from  string // split of the data
	file  string
	line  int
	named any // the id column; nil when the document has none

	prompt  string         // all that the model reads before it answers; with several contexts, before the right one
	pairs   []pair         // whose likelihood is asked for; nil for generate_until
	talk    *talk          // as a conversation, instead of prompt and the pairs' contexts; nil: plain text
	rolling bool           // the pair is one text, read in windows
	key     string         // equal for questions that ask the same
	fields  map[string]any // of the document, for filters and ports
}

// pair is a context and the text whose log-likelihood after it is asked for.
type pair struct{ context, continuation string }

// Reading says how prompts are assembled, where that is the run's choice and not
// the task's. The zero value is the default.
type Reading struct {
	Draw   Draw   // of examples; empty: DrawPerItem
	System string // system_instruction, before everything else
	Cache  string // hub cache of Hugging Face (dataset.HubCache), for data sets by name; empty: none
	Shots  *int   // num_fewshot instead of the task's own, unless that is 0

	// Chat asks in a conversation, apply_chat_template of the harness: the turns are
	// put into the model's template (Options.Chat). With MultiTurn each example is a
	// turn of its own, else all is one message of the user.
	Chat, MultiTurn bool
}

// ReadTask reads a task file of lm-evaluation-harness and the data files that it
// names. Every fault of either is a *mergesearch.InputError with file and line:
// unknown keys, an empty file, a document without question or answer, a label out
// of range, an id that is given twice.
//
// Items are named "task/document" by the documents' id column, or by split and
// line where the data has none. Splits: when the file names training, validation
// and test split they are the search, validation and held-out items. Otherwise
// the split that the harness would evaluate (test, else validation) is divided
// 40/20/40 by a hash of each question, and Notes says so.
func ReadTask(file string, r Reading) (*Task, error) {
	c, err := readConfig(file)
	if err != nil {
		return nil, err
	}
	t, err := newTask(c, r, map[string][]document{})
	if err != nil {
		return nil, mergesearch.InFile(err, file)
	}
	t.File = file
	return t, nil
}

// Metric returns the key of the metric that outcomes carry.
func (t *Task) Metric() string { return t.Metrics[0].Key() }

// Files lists what decides the task's prompts, sorted: the task file, what it
// includes, and the data files that its questions and examples came from.
func (t *Task) Files() []string {
	files := append([]string{t.File}, t.others...)
	for _, q := range t.questions {
		if q.file != files[len(files)-1] {
			files = append(files, q.file)
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// HarnessSplit stands for the items that lm-evaluation-harness would evaluate:
// those of the test split, else of the validation split, however they are divided
// here.
const HarnessSplit mergesearch.Split = "harness"

// Items lists the items of a split in the order of the data file.
func (t *Task) Items(split mergesearch.Split) []mergesearch.Item {
	var out []mergesearch.Item
	for _, q := range t.questions {
		if q.split == split || split == HarnessSplit && q.from == t.harness {
			out = append(out, mergesearch.Item{ID: q.id, Task: t.Name})
		}
	}
	return out
}

// loading is the work of turning documents into questions.
type loading struct {
	*config
	task        *Task
	reading     Reading
	docs        map[string][]document // by split of the data, after process_docs
	raw         map[string][]document // before
	pool        []document            // few-shot examples come from it
	sources     sources
	shotSources sources
}

// newTask assembles the task of a configuration. Splits that docs lacks are read
// from their files.
func newTask(c *config, r Reading, docs map[string][]document) (*Task, error) {
	t := &Task{
		Name: c.name, Output: c.output, Metrics: c.metrics,
		generation: c.generation, repeats: c.repeats, pipelines: c.pipelines, results: c.processResults.port, scorer: c.scorer, judge: c.judge,
	}
	l := &loading{config: c, task: t, reading: r, docs: docs, raw: map[string][]document{}}
	if c.shotsAt.value == nil {
		l.shotsAt.path = "num_fewshot" // of a run, not of the file
	}
	if r.Shots != nil && (l.shots > 0 || c.shotsAt.value == nil) && c.output != Rolling {
		l.shots = *r.Shots
	}
	l.data.Cache = r.Cache
	plan, err := l.planSplits()
	if err != nil {
		return nil, err
	}
	for _, part := range plan {
		if _, err := l.read(part.splitName); err != nil {
			return nil, err
		}
	}
	t.harness = plan[len(plan)-1].name
	if err := l.readPool(plan); err != nil {
		return nil, err
	}
	if err := l.bind(l.docs[t.harness]); err != nil {
		return nil, err
	}
	for _, part := range plan {
		draw := l.newDraw()
		for _, d := range l.docs[part.name] {
			q, err := l.question(d, part, draw)
			if err != nil {
				return nil, err
			}
			q.from = part.name
			t.questions = append(t.questions, q)
		}
	}
	if err := l.nameItems(); err != nil {
		return nil, err
	}
	l.leaveOutRepeats()
	t.others = l.otherFiles()
	if err := l.checkTotals(); err != nil {
		return nil, err
	}
	return t, l.checkJudge()
}

// otherFiles lists the included files and those of the examples.
func (l *loading) otherFiles() []string {
	files := slices.Clone(l.included)
	for _, d := range l.pool {
		if d.file != "" && !slices.Contains(files, d.file) {
			files = append(files, d.file)
		}
	}
	return files
}

// read gives the documents of a split, read and processed once.
func (l *loading) read(s splitName) ([]document, error) {
	if docs, done := l.docs[s.name]; done {
		return docs, nil
	}
	docs, err := l.data.read(s, l.dir)
	if err != nil {
		return nil, err
	}
	l.raw[s.name] = docs
	docs, err = l.processDocs.process(docs)
	l.docs[s.name] = docs
	return docs, err
}

// process applies a ported process_docs.
func (f *function) process(docs []document) ([]document, error) {
	if f.port == nil {
		return docs, nil
	}
	if f.port.Docs == nil {
		return nil, f.at.refuse(f.port.Name+" does not process documents", "")
	}
	fields := make([]map[string]any, len(docs))
	for i, d := range docs {
		fields[i] = plainFields(d.fields)
	}
	kept, err := f.port.Docs(fields)
	if err != nil {
		return nil, &mergesearch.InputError{File: docs[0].file, Field: f.at.path, Problem: f.port.Name + ": " + err.Error()}
	}
	out := make([]document, len(kept))
	for i, k := range kept {
		out[i] = document{file: docs[0].file, place: i + 1, fields: k}
		if len(kept) == len(docs) {
			out[i].file, out[i].line, out[i].place = docs[i].file, docs[i].line, docs[i].place
		}
	}
	return out, nil
}

// bind settles which sources name columns, over the columns of all documents, and
// by the first document that is evaluated whether its choices are contexts.
func (l *loading) bind(evaluated []document) error {
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
	emptyText := l.text.words == "" && l.output != GenerateUntil // some tasks compare whole sentences
	digits := isDigits(l.target.words)
	for _, b := range []struct {
		s        *source
		constant bool
	}{
		{&l.text, emptyText},
		{&l.target, digits},
		{&l.choice, false},
		{&l.description, true},
		{&l.genPrefix, true},
		{&l.shot.text, false},
		{&l.shot.target, false},
		{&l.shot.choice, false},
		{&l.shot.genPrefix, true},
	} {
		if err := b.s.bind(columns, b.constant); err != nil {
			return err
		}
	}
	if _, list := l.text.literal.([]any); list || l.text.literal != nil && !l.choice.given() {
		return l.text.at.refuse("a number or list is no question", "name a column or write a {{ template }}")
	}
	l.sources = sources{text: &l.text, target: &l.target, choice: &l.choice, output: l.output}
	if l.choice.given() && l.output == MultipleChoice && len(evaluated) > 0 {
		v, err := l.text.typed(evaluated[0], true)
		if err != nil {
			return err
		}
		_, l.sources.severalContexts = v.(int64)
	}
	l.shotSources = l.sources
	for own, shot := range map[**source]*source{
		&l.shotSources.text: &l.shot.text, &l.shotSources.target: &l.shot.target, &l.shotSources.choice: &l.shot.choice,
	} {
		if shot.given() {
			*own = shot
		}
	}
	return nil
}

// nameItems gives every question its ID, from the id column where there is one, and
// refuses one that is given twice. Ids that each split counts for itself get the
// split's name in front.
func (l *loading) nameItems() error {
	questions := l.task.questions
	if slices.ContainsFunc(questions, func(q question) bool { return q.named != nil }) {
		splits, perSplit := map[string]string{}, false
		for i := range questions {
			q := &questions[i]
			id, err := jinja.Str(q.named)
			if err != nil || q.named == nil || id == "" {
				return &mergesearch.InputError{
					File: q.file, Line: q.line, Field: "id", Problem: "other documents have an id, this one does not",
					Hint: "give every document a text or number as id, or none",
				}
			}
			q.docID = id
			other, seen := splits[id]
			perSplit = perSplit || seen && other != q.from
			splits[id] = q.from
		}
		for i := range questions {
			if q := &questions[i]; perSplit {
				q.docID = q.from + "-" + q.docID
			}
		}
	}
	first := map[string]*question{}
	for i := range questions {
		q := &questions[i]
		q.id = mergesearch.ItemID(l.task.Name + "/" + q.docID)
		if other, twice := first[q.docID]; twice {
			return &mergesearch.InputError{
				File: q.file, Line: q.line, Field: "id",
				Problem: fmt.Sprintf("%v is already the id of %s:%d", q.named, other.file, other.line),
				Hint:    "ids must be unique in a split",
			}
		}
		first[q.docID] = q
	}
	return nil
}
