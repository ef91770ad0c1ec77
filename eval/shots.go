package eval

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/zeebo/xxh3"

	"mergesearch"
	"mergesearch/eval/python"
)

// Draw says how the examples of a prompt are drawn from their pool, where the
// task file does not ask for the first ones.
type Draw string

// The ways of drawing.
const (
	// DrawPerItem draws for each item by its own question, so that its prompt is
	// the same whatever other items are asked. The default.
	DrawPerItem Draw = "per_item"

	// DrawHarness draws as lm-evaluation-harness does with its default seed 1234:
	// one generator for all documents of a split, in their order.
	DrawHarness Draw = "harness"
)

// harnessSeed is the harness's default seed for examples.
const harnessSeed = 1234

// shotConfig is what a task file says of its examples. Sources that are not given
// are those of the questions.
type shotConfig struct {
	firstN      bool // sampler first_n
	split       splitName
	samples     []document // written in the task file
	samplesAt   entry
	processDocs function

	text, target, choice, genPrefix   source
	targetDelimiter, fewshotDelimiter *string
}

// read takes fewshot_config. Its split goes before fewshot_split.
func (s *shotConfig) read(e entry) error {
	parts, err := e.mapping()
	if err != nil {
		return err
	}
	words := func(to **string) func(entry) error {
		return func(p entry) error {
			text, err := p.text()
			*to = &text
			return err
		}
	}
	readers := map[string]func(entry) error{
		"sampler": func(p entry) error {
			word, err := p.oneOf("sampler", "first_n", "default")
			s.firstN = word == "first_n"
			return err
		},
		"split": func(p entry) (err error) {
			s.split.at = p
			s.split.name, err = p.text()
			return err
		},
		"samples":           s.readSamples,
		"process_docs":      func(p entry) error { s.processDocs.at = p; return nil },
		"doc_to_text":       s.text.read,
		"doc_to_target":     s.target.read,
		"doc_to_choice":     s.choice.read,
		"gen_prefix":        s.genPrefix.read,
		"target_delimiter":  words(&s.targetDelimiter),
		"fewshot_delimiter": words(&s.fewshotDelimiter),
	}
	for _, p := range parts {
		read, ok := readers[p.key]
		if !ok {
			return unknownKey(p, readers)
		}
		if isNull(p) {
			continue
		}
		if err := read(p); err != nil {
			return err
		}
	}
	return nil
}

func (s *shotConfig) readSamples(e entry) error {
	if name, ok := e.function(); ok {
		return e.refuse("there is no port of the Python function "+name, "write the examples as a list")
	}
	s.samplesAt = e
	list, err := e.sequence()
	if err != nil {
		return err
	}
	for i, item := range list {
		v, err := item.any()
		if err != nil {
			return err
		}
		fields, ok := v.(map[string]any)
		if !ok {
			return item.refuse("want keys and values, found "+kindOf(item.value), "")
		}
		line := 0
		if tk := item.value.GetToken(); tk != nil && tk.Position != nil {
			line = tk.Position.Line
		}
		s.samples = append(s.samples, document{file: e.file, line: line, place: i + 1, fields: fields})
	}
	return nil
}

// shotDraw draws and renders the examples of the documents of one split, in
// their order.
type shotDraw struct {
	of     *loading
	random *python.Random // DrawHarness; else nil
	spare  int            // documents that the harness draws beyond what it shows
	shown  map[int]asked  // of pool documents, by place
}

// newDraw begins with the first document of a split. The harness draws one example
// more, and takes the document itself out, only where they come from the split that
// it evaluates, by name: DrawHarness draws as many, so that its numbers are the same.
// Shown the document itself never is.
func (l *loading) newDraw() *shotDraw {
	s := &shotDraw{of: l, shown: map[int]asked{}}
	if l.reading.Draw == DrawHarness && !l.shot.firstN {
		s.random = python.NewRandom(harnessSeed)
		if l.shot.split.name == l.test.name {
			s.spare = 1
		}
	}
	return s
}

// turns are the examples of a document; key tells its question from others.
func (s *shotDraw) turns(d document, key string) ([]turn, error) {
	n := s.of.shots
	if n == 0 {
		return nil, nil
	}
	places, err := s.places(d, key, n)
	if err != nil {
		return nil, err
	}
	var turns []turn
	for _, at := range places {
		example, err := s.turn(d, at)
		if err != nil {
			return nil, err
		}
		turns = append(turns, example...)
	}
	return turns, nil
}

// places chooses n documents of the pool.
func (s *shotDraw) places(d document, key string, n int) ([]int, error) {
	pool := s.of.pool
	few := func() error {
		return s.of.shotsAt.refuse(fmt.Sprintf("%d examples of %d documents: the pool is too small", n, len(pool)), "lower num_fewshot, or name a larger split as fewshot_split")
	}
	if n+s.spare > len(pool) {
		return nil, few()
	}
	var order []int
	switch {
	case s.random != nil:
		order = s.random.Sample(len(pool), n+s.spare)
	case s.of.shot.firstN:
		order = upTo(len(pool))
	default:
		seed := xxh3.HashString(s.of.task.Name + "\x00" + key)
		order = python.NewRandom(int64(seed)).Sample(len(pool), min(n+1, len(pool)))
	}
	var out []int
	take := func(order []int) {
		for _, at := range order {
			if len(out) < n && !same(pool[at], d) && !slices.Contains(out, at) {
				out = append(out, at)
			}
		}
	}
	take(order)
	if len(out) < n { // the document itself was drawn: the first others stand in
		take(upTo(len(pool)))
	}
	if len(out) < n {
		return nil, few()
	}
	return out, nil
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// same tells whether two documents are one, or hold the same.
func same(a, b document) bool {
	return a.file == b.file && a.place == b.place || reflect.DeepEqual(a.fields, b.fields)
}

// turn renders the pool's document as an example for a document, whose own
// gen_prefix it gets.
func (s *shotDraw) turn(d document, at int) ([]turn, error) {
	l := s.of
	a, done := s.shown[at]
	if !done {
		var err error
		if a, err = l.shotSources.read(l.pool[at]); err != nil {
			return nil, err
		}
		s.shown[at] = a
	}
	prefixOf := &l.genPrefix
	if l.shot.genPrefix.given() {
		prefixOf = &l.shot.genPrefix
	}
	prefix, err := prefixOf.optional(d)
	if err != nil {
		return nil, err
	}
	delimiter, after := l.targetDelimiter, l.fewshotDelimiter
	if l.shot.targetDelimiter != nil {
		delimiter = *l.shot.targetDelimiter
	}
	if l.shot.fewshotDelimiter != nil {
		after = *l.shot.fewshotDelimiter
	}
	text, answer := a.text, a.answer()
	if a.context >= 0 {
		text = a.choices[a.context]
	}
	return questionTurns(text, answer, prefix, delimiter, after), nil
}

// readPool finds the documents that examples come from: fewshot_split, or the
// list in the task file, else training, validation or test split, the first that
// is named.
func (l *loading) readPool(plan []splitPart) error {
	if l.shots == 0 {
		return nil
	}
	from := l.shot.split
	if from.name == "" && l.shot.samples != nil {
		l.pool = l.shot.samples
		return nil
	}
	for _, s := range []splitName{l.training, l.validation, l.test} {
		if from.name == "" {
			from = s
		}
	}
	for _, part := range plan {
		if part.name == from.name && (part.split == mergesearch.ValidationSplit || part.split == mergesearch.HeldOutSplit) {
			return l.shotsAt.refuse(fmt.Sprintf("examples from split %q would show answers of held-out or validation items", from.name), "name another split as fewshot_split")
		}
	}
	docs, err := l.read(from)
	if err != nil {
		return err
	}
	l.pool = docs
	if l.shot.processDocs.given() && l.shot.split.name != "" {
		l.pool, err = l.shot.processDocs.process(l.raw[from.name])
	}
	return err
}
