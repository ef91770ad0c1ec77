package eval

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mergesearch"
	"mergesearch/eval/jinja"
	"mergesearch/eval/python"
)

// A task file may have the answers to its questions graded by another model, the
// judge model, on a server of its own:
//
//	judge:
//	  url: http://127.0.0.1:9000/v1   # OpenAI's protocol; /chat/completions is asked
//	  model: judge-model
//	  api_key_env: JUDGE_KEY          # name of the variable that holds the key; optional
//	  prompt: |                       # template over the document, prompt, target, answer
//	    Question: {{question}}
//	    Answer: {{answer}}
//	    Grade the answer from 1 to 10. End with: Grade: N
//	  system: You are strict.         # optional
//	  grade: "Grade: *([0-9.]+)"      # Python's re; group 1 of the last match
//	  scale: [1, 10]                  # worst and best grade: scores 0 and 1
//	  max_tokens: 512                 # of what the judge model writes; the default
//	  no_grade: 0                     # score of an answer that gets no grade; optional
//
// The names prompt (all that the candidate read), target and answer hide columns of
// the same name. Nothing else of a candidate is in the prompt, so that equal answers
// get equal requests, whoever wrote them. The judge model is taken as it is: nothing
// proves its weights.

// judgeConfig is the key judge of a task file.
type judgeConfig struct {
	url, model string
	keyName    string // of the environment variable
	prompt     *jinja.Template
	system     string
	grading    grading
	maxTokens  int
	noGrade    *float64 // nil: an answer without a grade is an error

	at, keyAt, promptAt entry
}

// grading says how a grade is read and what it is worth.
type grading struct {
	pattern   *python.Regex
	low, high float64 // of the scale
}

func (c *config) readJudge(e entry) error {
	j := judgeConfig{maxTokens: 512, at: e}
	parts, err := e.mapping()
	if err != nil {
		return err
	}
	readers := map[string]func(entry) error{
		"url": j.readURL, "api_key_env": j.readKeyName, "prompt": j.readPrompt, "grade": j.grading.readPattern, "scale": j.grading.readScale, "no_grade": j.readNoGrade,
		"model":      func(p entry) (err error) { j.model, err = p.text(); return err },
		"system":     func(p entry) (err error) { j.system, err = p.text(); return err },
		"max_tokens": func(p entry) (err error) { j.maxTokens, err = p.integer(1); return err },
	}
	for _, p := range parts {
		read, ok := readers[p.key]
		if !ok {
			return p.refuseKey("unknown key", mergesearch.UnknownWord("key", p.key, slices.Sorted(maps.Keys(readers))).Hint)
		}
		if isNull(p) {
			continue // as good as absent
		}
		if err := read(p); err != nil {
			return err
		}
	}
	for _, need := range []struct {
		key, hint string
		given     bool
	}{
		{"url", "where the server is, for example url: http://127.0.0.1:9000/v1", j.url != ""},
		{"model", "the name that the server knows the model by", j.model != ""},
		{"prompt", "a template that holds {{answer}}", j.prompt != nil},
		{"grade", `for example grade: "Grade: *([0-9.]+)"`, j.grading.pattern != nil},
		{"scale", "the worst and the best grade, for example scale: [1, 10]", j.grading.low < j.grading.high},
	} {
		if !need.given {
			return e.refuse("the key "+need.key+": is missing or empty", need.hint)
		}
	}
	c.judge = &j
	return nil
}

func (j *judgeConfig) readURL(e entry) error {
	text, err := e.text()
	if err != nil {
		return err
	}
	u, err := url.Parse(text)
	switch {
	case err == nil && u.User != nil: // not repeated: it may hold a password
		return e.refuse("the URL holds a user or a password", "name the environment variable with the key: api_key_env: JUDGE_KEY")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "":
		return e.refuse(fmt.Sprintf("%q is not the URL of a server", text), "for example http://127.0.0.1:9000/v1")
	}
	j.url = strings.TrimRight(text, "/")
	return nil
}

// readKeyName takes the name of a variable. What is none is not repeated in the
// error: it may be the key itself.
func (j *judgeConfig) readKeyName(e entry) error {
	j.keyAt = e
	name, err := e.text()
	if err != nil {
		return err
	}
	for i, r := range name {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			name = ""
			break
		}
	}
	if name == "" {
		return e.refuse("not the name of an environment variable", "keys are never written into a task file: name the variable that holds it, for example JUDGE_KEY")
	}
	j.keyName = name
	return nil
}

func (j *judgeConfig) readPrompt(e entry) error {
	j.promptAt = e
	words, err := e.text()
	if err != nil {
		return err
	}
	if j.prompt, err = jinja.Parse(words); err != nil {
		return e.refuse(err.Error(), "supported: expressions, filters and tests, {% if %}, {% for %}, {% set %}; not macros, includes or blocks")
	}
	return nil
}

func (j *judgeConfig) readNoGrade(e entry) error {
	x, err := e.number()
	if err == nil && !(x >= 0 && x <= 1) {
		err = e.refuse("out of range", "a score in [0, 1]; leave it out to have such answers end the run")
	}
	j.noGrade = &x
	return err
}

func (g *grading) readPattern(e entry) error {
	text, err := e.text()
	if err != nil {
		return err
	}
	if g.pattern, err = python.Compile(text); err != nil {
		return e.refuse("not a regular expression of Python: "+err.Error(), "")
	}
	if g.pattern.Groups() == 0 {
		return e.refuse("the regular expression has no group", "put the number into round brackets: Grade: *([0-9.]+)")
	}
	return nil
}

func (g *grading) readScale(e entry) error {
	ends, err := e.sequence()
	if err != nil {
		return err
	}
	if len(ends) != 2 {
		return e.refuse(fmt.Sprintf("want two numbers, found %d", len(ends)), "the worst and the best grade, for example scale: [1, 10]")
	}
	if g.low, err = ends[0].number(); err != nil {
		return err
	}
	if g.high, err = ends[1].number(); err != nil {
		return err
	}
	if math.IsInf(g.high-g.low, 0) {
		return e.refuse("out of range", "")
	}
	if !(g.low < g.high) {
		return e.refuse(fmt.Sprintf("the best grade %v is not above the worst, %v", g.high, g.low), "write the worst grade first")
	}
	return nil
}

// errNoGrade says that what a judge model wrote holds no grade of the scale.
var errNoGrade = errors.New("no grade")

// value reads the grade and returns the score, in [0, 1]. The error is errNoGrade,
// or that the search took too long.
func (g *grading) value(text string) (float64, error) {
	matches, err := g.pattern.FindIter(text)
	if err != nil {
		return 0, err
	}
	if len(matches) == 0 {
		return 0, fmt.Errorf("%w: nothing matches %s", errNoGrade, g.pattern)
	}
	word, _ := matches[len(matches)-1].Group(1)
	number := strings.TrimRight(strings.TrimSpace(word), ".") // the end of a sentence
	grade, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is no number", errNoGrade, word)
	}
	value := (grade - g.low) / (g.high - g.low)
	if !(grade >= g.low && grade <= g.high && value >= 0 && value <= 1) {
		return 0, fmt.Errorf("%w: %v is off the scale from %v to %v", errNoGrade, grade, g.low, g.high)
	}
	return value, nil
}

// judgeNames are what a prompt may name beside the document's columns.
var judgeNames = []string{"answer", "prompt", "target"}

// render writes the prompt about an answer.
func (j *judgeConfig) render(q *question, answer string) (string, error) {
	fields := maps.Clone(q.fields)
	if fields == nil {
		fields = map[string]any{}
	}
	fields["prompt"], fields["target"], fields["answer"] = q.prompt, q.answer(), answer
	return j.prompt.Text(fields)
}

// checkJudge tries the prompt on every question, so that a misspelt column is found
// before any model is asked, and a prompt that shows no answer.
func (l *loading) checkJudge() error {
	j, questions := l.judge, l.task.questions
	if j == nil || len(questions) == 0 {
		return nil
	}
	sees := false
	for i := range questions {
		q := &questions[i]
		one, err := j.render(q, "0")
		var fault *jinja.Error
		if errors.As(err, &fault) && fault.Name != "" {
			known := append(slices.Collect(maps.Keys(q.fields)), judgeNames...)
			slices.Sort(known)
			return &mergesearch.InputError{
				File: q.file, Line: q.line, Field: j.promptAt.path, Problem: fault.Error(),
				Hint: mergesearch.UnknownWord("column", fault.Name, slices.Compact(known)).Hint,
			}
		}
		other, otherErr := j.render(q, "1") // other faults may be those of these answers
		sees = sees || err != nil || otherErr != nil || one != other
	}
	if !sees {
		return j.promptAt.refuse("the prompt is the same whatever the answer is", "write {{answer}} into it")
	}
	var hidden []string
	for _, name := range judgeNames {
		if _, column := questions[0].fields[name]; column {
			hidden = append(hidden, name)
		}
	}
	if hidden != nil {
		l.task.Notes = append(l.task.Notes, "the judge's prompt does not see the columns "+strings.Join(hidden, ", ")+": there prompt is what the candidate read, target the right answer, answer the candidate's")
	}
	return nil
}
