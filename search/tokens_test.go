package search_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

// tokensOf adds up what is recorded of search items.
func tokensOf(rec *searchtest.Recorder, f *searchtest.Family) int {
	search := map[mergesearch.ItemID]bool{}
	for _, item := range f.Items(mergesearch.SearchSplit) {
		search[item.ID] = true
	}
	n := 0
	for _, o := range rec.Outcomes() {
		if search[o.Item] {
			n += o.Tokens()
		}
	}
	return n
}

// mostTokens is what the answers of one candidate to all search items may take.
const mostTokens = 72 * (39 + 9)

// A budget of tokens is exceeded by no more than the one answer that reached it,
// counts every token once, and gives one result for any number of workers.
func TestBudgetOfTokens(t *testing.T) {
	for _, budget := range []int{1, 45_000, 60_000, 75_001} {
		var want search.Report
		var facts0 []mergesearch.Trial
		hash := ""
		for _, workers := range []int{1, 3, 8} {
			f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
			f.Refuse, f.Degenerate = sometimes("not_finite", 9), onSecondRung
			r := run(t, options(f, rec, func(o *search.Options) {
				o.Workers, o.Hold, o.Budget = workers, workers%3, search.Budget{Tokens: budget}
			}))
			if r.Stop != search.StopTokens || !slices.Contains(rec.Events, "tokens_budget") {
				t.Errorf("budget %d: stop %s", budget, r.Stop)
			}
			if fixed := 17 * mostTokens; r.Tokens > max(budget+mostTokens, fixed) || r.Tokens < min(budget, 40_000) {
				t.Errorf("budget %d: %d tokens", budget, r.Tokens)
			}
			if n := tokensOf(rec, f); n != r.Tokens {
				t.Errorf("budget %d, %d workers: %d tokens reported, %d recorded", budget, workers, r.Tokens, n)
			}
			if live, _ := f.Candidates(); live != 0 {
				t.Errorf("budget %d, %d workers: %d candidates were never released", budget, workers, live)
			}
			if asked, _ := f.Answered(); asked > rec.Answers()+workers*72 {
				t.Errorf("budget %d, %d workers: %d answers asked, %d recorded", budget, workers, asked, rec.Answers())
			}
			if workers == 1 {
				want, facts0, hash = r, facts(rec), rec.Hash()
				continue
			}
			if d := cmp.Diff(want, r); d != "" {
				t.Errorf("budget %d, %d workers: %s", budget, workers, d)
			}
			if d := cmp.Diff(facts0, facts(rec)); d != "" {
				t.Errorf("budget %d, %d workers: %s", budget, workers, d)
			}
			if rec.Hash() != hash {
				t.Errorf("budget %d, %d workers: another population hash", budget, workers)
			}
		}
	}
}

// uncounted is a scorer that counts no tokens.
type uncounted struct{ *searchtest.Family }

func (u uncounted) Score(ctx context.Context, c mergesearch.Candidate, items []mergesearch.ItemID) ([]mergesearch.Outcome, error) {
	out, err := u.Family.Score(ctx, c, items)
	for i := range out {
		out[i].PromptTokens, out[i].CompletionTokens = 0, 0
	}
	return out, err
}

func TestTokensThatNobodyCounts(t *testing.T) {
	f := searchtest.NewFamily(4, fewItems)
	_, err := search.Run(context.Background(), options(f, searchtest.NewRecorder(), func(o *search.Options) {
		o.Scorer, o.Budget = uncounted{f}, search.Budget{Tokens: 1000}
	}))
	var in *mergesearch.InputError
	if !errors.As(err, &in) || in.Field != "budget.tokens" {
		t.Errorf("got %v", err)
	}
}

// A run that was killed goes on to the same end.
func TestTokensResume(t *testing.T) {
	tokens := func(n, workers int) func(*search.Options) {
		return func(o *search.Options) { o.Budget, o.Workers = search.Budget{Tokens: n}, workers }
	}
	whole := searchtest.NewRecorder()
	want := run(t, options(searchtest.NewFamily(4, fewItems), whole, tokens(60_000, 2)))
	for kill := 40; kill < whole.Calls(); kill += 37 {
		f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
		rec.Fault = func(call int) error {
			if call >= kill {
				return errPower
			}
			return nil
		}
		if _, err := search.Run(context.Background(), options(f, rec, tokens(60_000, 3))); !errors.Is(err, errPower) {
			t.Fatalf("killed at %d: %v", kill, err)
		}
		if live, _ := f.Candidates(); live != 0 {
			t.Fatalf("killed at %d: %d candidates were never released", kill, live)
		}
		rec.Fault = nil
		got := run(t, options(f, rec, tokens(60_000, 1)))
		if d := cmp.Diff(want, got); d != "" || rec.Hash() != whole.Hash() {
			t.Fatalf("killed at %d: %s", kill, d)
		}
	}
}
