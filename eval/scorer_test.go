package eval_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/evaltest"
)

// The test program is its own scorer: with this word as first argument it scores
// answers as its second says.
const scorerWord = "score-answers"

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == scorerWord {
		scoreAnswers(os.Args[2])
		return
	}
	os.Exit(m.Run())
}

func scoreAnswers(how string) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var in struct {
			Task, Target, Answer string
			DocID                string `json:"doc_id"`
			Doc                  map[string]any
		}
		if err := json.Unmarshal(lines.Bytes(), &in); err != nil || in.Task != "sums" || in.DocID == "" || in.Doc["answer"] != in.Target {
			fmt.Fprintln(os.Stderr, "not what was promised:", lines.Text(), err)
			os.Exit(3)
		}
		switch how {
		case "half":
			fmt.Println(`{"score": 0.5}`)
		case "equal":
			score := 0
			if in.Answer == in.Target {
				score = 1
			}
			fmt.Printf("{\"score\": %d}\n", score)
		case "environment":
			if len(os.Environ()) > 0 {
				fmt.Fprintln(os.Stderr, "the environment holds", os.Environ())
				os.Exit(4)
			}
			fmt.Println(`{"score": 1}`)
		case "sleep":
			time.Sleep(time.Hour)
		case "die":
			fmt.Fprintln(os.Stderr, "cannot\ngo on")
			os.Exit(5)
		default:
			fmt.Println(how)
		}
	}
}

func scorerTask(t *testing.T, how, more string) *eval.Task {
	t.Helper()
	text := strings.Replace(generateTask, "metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]\n", more, 1)
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	command, _ := json.Marshal([]string{self, scorerWord, how})
	return readTask(t, text+fmt.Sprintf("scorer: {command: %s, timeout: 20}\n", command))
}

func TestScorer(t *testing.T) {
	knows := evaltest.Model{Fingerprint: "k", Answers: map[string]string{"1+2=": "3\n", "2+2=": "5\n", "5+4=": "9\n"}}
	run := func(task *eval.Task) ([]mergesearch.Outcome, error) {
		e, err := eval.New(eval.Options{
			Tasks: []*eval.Task{task}, Endpoint: evaltest.NewServer(t, evaltest.Full, nil).Endpoint(knows),
			Tokenizer: func([]byte) (eval.Tokenizer, error) { return evaltest.Tokenizer{}, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		return e.Score(context.Background(), evaltest.Candidate(1, knows), items(e, mergesearch.SearchSplit))
	}
	for how, want := range map[string][]float64{"half": {.5, .5, .5}, "equal": {1, 0, 1}, "environment": {1, 1, 1}} {
		got, err := run(scorerTask(t, how, ""))
		if err != nil {
			t.Errorf("%s: %v", how, err)
			continue
		}
		for i, o := range got {
			if o.Value != want[i] {
				t.Errorf("%s: item %d scored %v, want %v", how, i, o.Value, want[i])
			}
		}
	}
	for how, want := range map[string]string{
		"die": "it printed: cannot go on", `{"score": 2}`: "not in [0, 1]", `{"score": null}`: "want one line", `{"points": 1}`: "want one line",
		`{"score": 1} x`: "want one line", "nonsense": "want one line",
	} {
		_, err := run(scorerTask(t, how, ""))
		var s *eval.ScorerError
		if !errors.As(err, &s) || s.Task != "sums" || s.Item == "" || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", how, err, want)
		}
	}
}

// A program that gives no answer is killed when its time is over, and at once when
// the call is cancelled.
func TestScorerEnds(t *testing.T) {
	task := scorerTask(t, "sleep", "")
	knows := evaltest.Model{Fingerprint: "k"}
	e, err := eval.New(eval.Options{
		Tasks: []*eval.Task{task}, Endpoint: evaltest.NewServer(t, evaltest.Full, nil).Endpoint(knows),
		Tokenizer: func([]byte) (eval.Tokenizer, error) { return evaltest.Tokenizer{}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx, cancel := context.WithTimeoutCause(context.Background(), 300*time.Millisecond, errors.New("given up"))
	defer cancel()
	if _, err := e.Score(ctx, evaltest.Candidate(1, knows), items(e, mergesearch.SearchSplit)); err == nil || !strings.Contains(err.Error(), "given up") {
		t.Errorf("%v, want that it was given up", err)
	}
}

// What a task file may say of a scorer.
func TestScorerFaults(t *testing.T) {
	for text, want := range map[string]string{
		"scorer: {command: []}":                               "the key command: is missing",
		"scorer: {command: [./nothing-here]}":                 "cannot be started",
		"scorer: {command: [sh], timeout: 0}":                 "out of range",
		"scorer: {command: [sh], shell: true}":                "unknown key",
		"unsafe_code: true":                                   "not run in this program",
		"scorer: {command: [sh]}\noutput_type: loglikelihood": "no meaning",
	} {
		task := generateTask + text + "\n"
		if strings.Contains(text, "output_type") {
			task = strings.Replace(task, "output_type: generate_until\n", "", 1)
			task = strings.Replace(task, "metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]\n", "", 1)
		}
		_, err := eval.ReadTask(filepath.Join(write(t, dataFiles(task)), "task.yaml"), eval.Reading{})
		if in := inputError(t, err); !strings.Contains(in.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	_, err := eval.ReadTask(filepath.Join(write(t, dataFiles(strings.Replace(generateTask, "metric: exact_match", "metric: score", 1))), "task.yaml"), eval.Reading{})
	if in := inputError(t, err); !strings.Contains(in.Error(), "needs a scorer") {
		t.Errorf("%v", err)
	}
}
