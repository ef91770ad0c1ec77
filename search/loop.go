package search

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mergesearch"
)

// loop is a run under way. One goroutine owns it.
type loop struct {
	Options
	rungs [][]mergesearch.ItemID // search items, nested; the last is what parents answer

	cohorts   int        // begun
	estimator *Estimator // where cohorts answer different items that the algorithm does not choose

	trials      []*attempt // in ask order
	parents     []*attempt
	keepers     []*attempt // the parent that each constraint refers to
	baselines   []*attempt // with the greedy soup, last
	recommended *attempt   // by the algorithm, at the end; nil when it has nothing to recommend
	ledger      map[mergesearch.RecipeID]*answers
	held        map[mergesearch.RecipeID]mergesearch.Candidate
	spent       map[mergesearch.Split]int
	tokens      int // of answers to search items
	reserved    int // tokens that a recommendation will take
	missing     int

	stopped bool // an earlier process recorded that the time ran out ...
	stopAt  int  // ... after so many trials were begun

	candidates int // of the search, begun
	stale      int // cohorts in a row without a new recipe
	breaker    breaker

	noted  mergesearch.CandidateID // the last best candidate that was an event
	shares map[string]bool         // of budgets that were events
	filled bool                    // Full has said so

	began    time.Time
	stop     StopReason
	progress Progress
}

// Run searches and judges: parents first, then the usual recipes and the greedy
// soup, then cohorts of the algorithm until the budget is spent or the algorithm
// has finished, then the verdict. Run resumes what its recorder already knows.
//
// The error is an *InputError before anything was started, a *BreakerError, the
// context's error, or that of a stage, in which case everything that was
// recorded stays and the same call goes on from there.
func Run(ctx context.Context, o Options) (Report, error) {
	l, err := newLoop(o)
	if err != nil {
		return Report{}, err
	}
	defer l.drop()
	if a, ok := l.Algorithm.(Outside); ok {
		if err := a.Open(ctx); err != nil {
			return Report{}, err
		}
		defer a.Close()
	}
	if o.Budget.Time > 0 || o.Full != nil {
		if l.stopAt, l.stopped, err = o.Recorder.Stopped(ctx); err != nil {
			return Report{}, err
		}
	}
	if err := l.scoreParents(ctx); err != nil {
		return Report{}, err
	}
	if err := l.scoreBaselines(ctx); err != nil {
		return Report{}, err
	}
	l.Algorithm.Tell(l.told(l.trials))
	l.enter(PhaseSearch)
	if err := l.search(ctx); err != nil {
		return Report{}, err
	}
	if err := l.recordStop(ctx); err != nil {
		return Report{}, err
	}
	if err := l.recommend(ctx); err != nil {
		return Report{}, err
	}
	return l.verdict(ctx)
}

// search asks and tells until the budget is spent or the algorithm has finished.
func (l *loop) search(ctx context.Context) error {
	if n := l.lookahead(); n > 1 {
		return l.ahead(ctx, n)
	}
	for l.stop == "" {
		individuals, err := l.propose(ctx)
		if err != nil || l.stop != "" {
			return err
		}
		l.chooseItems()
		cohort, err := l.begin(ctx, individuals, l.rungs[0], nil)
		if err != nil {
			return err
		}
		if err := l.race(ctx, cohort); err != nil {
			return err
		}
		if l.stop == "" && len(cohort) < len(individuals) {
			l.stop = StopCandidates
		}
		if l.stop == "" {
			l.Algorithm.Tell(l.told(cohort))
		}
	}
	return nil
}

// recordStop records a stop that people should know of. That of the time, or of the
// disk, is durable
// before anything is begun after it, and holds from then on: a replay in a later
// process stops at the same trial, whatever its clock says.
func (l *loop) recordStop(ctx context.Context) error {
	if err := l.noteStop(ctx); err != nil {
		return err
	}
	switch {
	case (l.stop == StopTime || l.stop == StopDisk) && !l.stopped:
		return l.Recorder.Stop(ctx, len(l.trials))
	case l.stop == StopTokens:
		return l.note(ctx, EventTokens, "", map[string]any{"candidates": l.progress.Candidates})
	}
	return nil
}

// recommend scores what the algorithm recommends on all search items.
func (l *loop) recommend(ctx context.Context) (err error) {
	r, ok := l.Algorithm.(Recommender)
	if !ok {
		return nil
	}
	if err := l.nominate(ctx); err != nil {
		return err
	}
	individual, ok := r.Recommend()
	if !ok {
		return nil
	}
	l.enter(PhaseRecommendation)
	if l.recommended, err = l.record(ctx, "", individual, l.decode(individual)); err != nil {
		return err
	}
	return l.complete(ctx, l.recommended)
}

// nominate scores whom the algorithm nominates beside its recommendation.
func (l *loop) nominate(ctx context.Context) error {
	n, ok := l.Algorithm.(Nominator)
	if !ok {
		return nil
	}
	l.enter(PhaseRecommendation)
	var nominated []*attempt
	for _, individual := range n.Nominate() {
		a, err := l.record(ctx, "", individual, l.decode(individual))
		if err != nil {
			return err
		}
		nominated = append(nominated, a)
	}
	return l.complete(ctx, nominated...)
}

// decode turns a proposal into its recipe; a genome that is not of the space is a
// broken algorithm.
func (l *loop) decode(individual mergesearch.Individual) mergesearch.Recipe {
	if err := l.Space.Check(individual.Genome); err != nil {
		panic("search: the algorithm proposed a genome that is not of the space: " + err.Error())
	}
	return l.Space.Decode(individual.Genome)
}

func newLoop(o Options) (*loop, error) {
	if o.Recorder == nil {
		panic("search: a run without a recorder")
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	l := &loop{
		Options: o,
		rungs:   o.Race.rungs(o.Scorer.Items(mergesearch.SearchSplit), o.Seed),
		ledger:  map[mergesearch.RecipeID]*answers{},
		held:    map[mergesearch.RecipeID]mergesearch.Candidate{},
		spent:   map[mergesearch.Split]int{},
		shares:  map[string]bool{},
	}
	if _, chooses := o.Algorithm.(ItemChooser); !o.Race.fixed() && !chooses && l.lookahead() == 1 {
		l.estimator = NewEstimator(o.Benchmark, o.Scorer.Items(mergesearch.SearchSplit))
	}
	l.began = l.now()
	l.progress.Budget = o.Budget
	l.progress.Reached = make([]int, len(l.rungs))
	return l, nil
}

// chooseItems sets the rungs of the next cohort.
func (l *loop) chooseItems() {
	l.cohorts++
	if l.Race.fixed() {
		return
	}
	var undecided []mergesearch.ItemID
	most := slices.Max(l.Race.Rungs[:len(l.Race.Rungs)-1])
	switch a, chooses := l.Algorithm.(ItemChooser); {
	case l.Race.Items != UndecidedItems:
	case chooses:
		undecided = a.ChooseItems(most)
	default:
		undecided = l.estimator.Undecided(most)
	}
	items := l.Scorer.Items(mergesearch.SearchSplit)
	if len(l.keepers) > 0 { // a constraint's parent must have answered them too
		items = slices.DeleteFunc(slices.Clone(items), func(i mergesearch.Item) bool {
			return !slices.Contains(l.rungs[len(l.rungs)-1], i.ID)
		})
	}
	l.rungs = l.Race.cohortRungs(l.rungs, items, undecided, l.Seed, l.cohorts)
}

// propose asks the algorithm for a cohort. It sets stop when there is nothing to
// do. The error is that of an algorithm outside the process.
func (l *loop) propose(ctx context.Context) ([]mergesearch.Individual, error) {
	if l.draining() {
		return nil, errDrained
	}
	individuals := l.Algorithm.Ask()
	if a, ok := l.Algorithm.(Outside); ok && a.Err() != nil {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("interrupted: %w", err)
		}
		return nil, a.Err()
	}
	switch {
	case len(individuals) == 0:
		l.stop = StopFinished
	case l.full():
		l.stop = StopCandidates
	case l.stale >= l.patience():
		l.stop = StopExhausted
	case l.exhausted(0):
		l.stop = StopTokens
	case l.expired():
		l.stop = l.cut()
	}
	return individuals, nil
}

// patience is how many cohorts in a row may bring no new recipe: three, or as
// many candidates of a steady state as three cohorts would have.
func (l *loop) patience() int {
	if l.lookahead() > 1 {
		return 3 * max(DefaultLookahead, l.lookahead())
	}
	return 3
}

// full reports whether the budget has no candidate left.
func (l *loop) full() bool {
	return l.Budget.Candidates > 0 && l.candidates >= l.Budget.Candidates
}

// begin decodes a cohort and records its trials as pending, in ask order, as far
// as the budget of candidates goes and the items, those of the first rung, have
// room in that of answers beside what the waiting attempts still need. A cohort
// that was cut is the last, and is not told.
func (l *loop) begin(ctx context.Context, individuals []mergesearch.Individual, items []mergesearch.ItemID, waiting []*attempt) ([]*attempt, error) {
	var cohort []*attempt
	fresh, planned := false, map[mergesearch.RecipeID]bool{}
	spent := l.spent[mergesearch.SearchSplit]
	plan := func(id mergesearch.RecipeID) {
		if !planned[id] {
			planned[id] = true
			spent += l.cost(id, items)
		}
	}
	for _, a := range waiting {
		plan(a.trial.RecipeID)
	}
	for _, individual := range individuals {
		if l.full() {
			break
		}
		recipe := l.decode(individual)
		id := recipe.ID()
		if l.ledger[id] == nil {
			fresh = true
		}
		plan(id)
		if l.over(spent) {
			l.stop = StopItemAnswers
			break
		}
		a, err := l.record(ctx, "", individual, recipe)
		if err != nil {
			return nil, err
		}
		cohort = append(cohort, a)
		l.candidates++
		l.progress.Generation = individual.Generation
	}
	if l.stale++; fresh {
		l.stale = 0
	}
	return cohort, nil
}

// record appends a trial and makes it pending.
func (l *loop) record(ctx context.Context, name string, individual mergesearch.Individual, recipe mergesearch.Recipe) (*attempt, error) {
	a := &attempt{trial: mergesearch.Trial{
		Index: len(l.trials), Name: name, Individual: individual,
		Recipe: recipe, RecipeID: recipe.ID(), State: mergesearch.Pending,
	}}
	canonical := ""
	if individual.Genome != nil {
		canonical = l.Space.Canonical(individual.Genome)
	}
	if err := l.Recorder.Begin(ctx, a.trial, canonical); err != nil {
		return nil, err
	}
	l.trials = append(l.trials, a)
	return a, nil
}

// race takes a cohort from rung to rung. Every trial ends failed, eliminated or
// scored, unless the time or the tokens run out first. Time takes the whole cohort
// out, tokens those whose turn did not come: they stay on the rung before, or
// pending.
func (l *loop) race(ctx context.Context, cohort []*attempt) error {
	defer l.drop()
	live := cohort
	for rung, items := range l.rungs {
		if rung > 0 {
			live = l.afford(live, items)
		}
		complete, err := l.ask(ctx, live, mergesearch.SearchSplit, items)
		if err != nil {
			return err
		}
		if !complete {
			l.suspend(cohort)
			return nil
		}
		live = slices.DeleteFunc(slices.Clone(live), func(a *attempt) bool { return a.beyond })
		if live, err = l.closeRung(live, rung); err != nil {
			return err
		}
	}
	return l.finish(ctx, cohort)
}

// closeRung scores the live attempts on a rung's items, leaves out those that
// failed, and returns those that go on. Whoever does not keeps the state
// eliminated.
func (l *loop) closeRung(live []*attempt, rung int) ([]*attempt, error) {
	alive, err := l.score(live, rung)
	if err != nil || rung == len(l.rungs)-1 {
		return nil, err
	}
	var runners []runner
	for _, a := range alive {
		runners = append(runners, runner{a.trial, a.answers.outcomes})
	}
	var next []*attempt
	promoted := l.Race.promote(l.Benchmark, runners, l.rungs[rung])
	for _, i := range l.Race.contenders(l.Benchmark, runners, promoted, l.rungs[rung]) {
		next = append(next, alive[i])
	}
	return next, nil
}

// suspend leaves a cohort pending when the time is up: none of it counts, and the
// same call with more time takes it up again.
func (l *loop) suspend(cohort []*attempt) {
	l.stop = l.cut()
	for _, a := range cohort {
		a.trial.State = mergesearch.Pending
	}
}
