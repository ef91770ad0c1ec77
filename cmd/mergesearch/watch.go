package main

import (
	"fmt"
	"sync"
	"time"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/search"
)

// watcher turns the loop's progress into a status line. It is safe for concurrent use.
type watcher struct {
	line  *statusLine
	began time.Time

	mu    sync.Mutex
	last  search.Progress
	phase search.Phase

	searchBegan time.Time
	before      int // candidates that were already there when this process began to search
}

func (w *watcher) update(p search.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = p
	if p.Phase != w.phase {
		w.phase = p.Phase
		if p.Phase == search.PhaseSearch {
			w.searchBegan, w.before = time.Now(), p.Candidates
		}
	}
	w.line.show(func() string { return w.status(p) })
}

// tick shows the status again: the time left changes also while nothing else does.
func (w *watcher) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.phase != "" {
		w.line.show(func() string { return w.status(w.last) })
	}
}

// progress returns the last that the loop said.
func (w *watcher) progress() search.Progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// status is the one line: done, best so far with its error, best parent, time left.
func (w *watcher) status(p search.Progress) string {
	if p.Phase != search.PhaseSearch {
		return fmt.Sprintf("%s: %d of %d", p.Phase, p.Batch, p.BatchTotal)
	}
	done := fmt.Sprintf("%d candidates", p.Candidates)
	if p.Budget.Candidates > 0 {
		done = fmt.Sprintf("%d/%d candidates", p.Candidates, p.Budget.Candidates)
	}
	text := fmt.Sprintf("%s, generation %d, best %s, best parent %.3f", done, p.Generation, fitness(p.Best.Score), p.BestParent.Score.Fitness)
	if p.Failed > 0 {
		text += fmt.Sprintf(", %d failed", p.Failed)
	}
	if left := w.left(p); left > 0 {
		text += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	return text
}

// left estimates the time to the end of the search from the pace so far.
func (w *watcher) left(p search.Progress) time.Duration {
	share := 0.0
	if p.Budget.Candidates > w.before {
		share = float64(p.Candidates-w.before) / float64(p.Budget.Candidates-w.before)
	}
	if p.Budget.ItemAnswers > 0 {
		share = max(share, float64(p.ItemAnswers)/float64(p.Budget.ItemAnswers))
	}
	if p.Budget.Tokens > 0 {
		share = max(share, float64(p.Tokens)/float64(p.Budget.Tokens))
	}
	spent := time.Since(w.searchBegan)
	var left time.Duration
	if share > 0 {
		left = time.Duration(float64(spent) * (1/share - 1))
	}
	if p.Budget.Time > 0 {
		if rest := p.Budget.Time - time.Since(w.began); left == 0 || rest < left {
			left = max(rest, 0)
		}
	}
	return left
}

func fitness(s mergesearch.Score) string { return fmt.Sprintf("%.3f ± %.3f", s.Fitness, s.StdErr) }

func since(t time.Time) time.Duration { return time.Since(t).Round(100 * time.Millisecond) }

// announce says what is about to be done.
func (s *session) announce(line *statusLine, dir string, workers int) {
	line.say("%s: %d experts of %s, %d methods, %d genes, algorithm %s, seed %d, %d in flight",
		report.Plain(s.file.Name), len(s.file.Experts), report.Plain(s.baseName()), len(s.space.Methods), len(s.space.Genes), s.file.Algorithm.Name, s.file.Seed, workers)
	if s.why != "" {
		line.say("  %s", oneLine(s.why))
	}
	for _, t := range s.tasks {
		line.say("  task %s: %d search, %d validation, %d held-out items", report.Plain(t.Name),
			len(t.Items(mergesearch.SearchSplit)), len(t.Items(mergesearch.ValidationSplit)), len(t.Items(mergesearch.HeldOutSplit)))
		for _, note := range t.Notes {
			line.say("    %s", oneLine(note))
		}
	}
	for _, note := range s.notes {
		line.say("  note: %s", oneLine(note))
	}
	line.say("  records in %s", report.Plain(dir))
}
