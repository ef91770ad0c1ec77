package storetest

import (
	"cmp"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"

	"mergesearch"
	"mergesearch/store"
)

// The made-up family of Synthetic, and how many items of each task are searched with
// at the two rungs, chosen by and judged by.
var (
	syntheticExperts = []string{"expert-code", "expert-maths", "expert-prose"}
	syntheticMethods = []string{"linear", "task_arithmetic", "ties"}
	syntheticTasks   = []string{"code", "maths", "prose"}
)

const (
	syntheticRung     = 10
	syntheticItems    = 30
	syntheticHeldOut  = 60
	syntheticCohort   = 40
	syntheticSurvives = 13 // of a cohort answer the last rung
)

// Synthetic writes a finished run of so many candidates with so many genes into dir,
// which then looks as if a genetic algorithm had searched a family of three experts:
// parents first, cohorts of children of two, a race of two rungs, some failures, some
// answers cut off, a verdict. Candidates are the parents and baselines too. Genes are
// at least 4. Equal arguments make equal runs; nothing is built or asked.
//
// What a candidate answers depends on how far its genome is from a hidden optimum, so
// that fitness grows over the generations and lineages mean something.
//
// It writes with SQL statements of its own in one transaction, since a commit for each
// answer would take minutes; store.Reader.Check finds nothing wrong with the result.
func Synthetic(t testing.TB, dir string, candidates, genes int) {
	t.Helper()
	if genes < 4 || candidates < 8 {
		t.Fatal("storetest: a synthetic run has at least 8 candidates of 4 genes")
	}
	s := newSynthetic(genes)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal("storetest: ", err)
		}
	}
	now := time.Unix(1_800_000_000, 0)
	options := store.Options{Now: func() time.Time { now = now.Add(time.Millisecond); return now }}
	db, err := store.Open(t.Context(), dir, options)
	check(err)
	check(db.Freeze(t.Context(), s.configuration(candidates)))
	check(db.Event(t.Context(), "started", map[string]any{"version": "0.1.0"}))
	check(db.Close())

	s.run(candidates)
	pool, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, store.FileName)+"?_sync=0&_fk=1")
	check(err)
	check(s.write(pool, now))
	check(pool.Close())

	db, err = store.Open(t.Context(), dir, options)
	check(err)
	check(db.Event(t.Context(), store.HeldOutOpened, map[string]any{"candidate": s.best().trial.ID()}))
	_, err = db.SetEnding(t.Context(), store.Ending{Status: "done", StopReason: "candidates", Result: s.result(), Faults: 3})
	check(err)
	check(db.Close())
}

// synthetic is a run being made up.
type synthetic struct {
	random    *rand.Rand
	groups    []string
	genes     int // weights; the method is one more
	optimum   []float64
	benchmark mergesearch.Benchmark
	all       []*syntheticTrial
	known     map[mergesearch.RecipeID]*syntheticTrial
}

type syntheticTrial struct {
	trial    mergesearch.Trial
	genome   string
	answered []mergesearch.Outcome // search items
	heldOut  []mergesearch.Outcome
	ability  float64
}

func newSynthetic(genes int) *synthetic {
	s := &synthetic{random: rand.New(rand.NewPCG(1, uint64(genes))), genes: genes - 1, known: map[mergesearch.RecipeID]*syntheticTrial{}}
	per := (s.genes + len(syntheticExperts) - 1) / len(syntheticExperts)
	for g := range per {
		s.groups = append(s.groups, fmt.Sprintf("block %d", g))
	}
	for range s.genes {
		s.optimum = append(s.optimum, math.Round(100*s.random.Float64())/100)
	}
	for _, task := range syntheticTasks {
		s.benchmark.Tasks = append(s.benchmark.Tasks, mergesearch.TaskWeight{Task: task, Weight: 1})
	}
	return s
}

func (s *synthetic) configuration(candidates int) store.Configuration {
	type object = map[string]any
	var groups, tasks []object
	for g, name := range s.groups[:len(s.groups)-1] {
		groups = append(groups, object{"name": name, "match": []string{fmt.Sprintf("layers.%d.", g)}})
	}
	groups = append(groups, object{"name": s.groups[len(s.groups)-1]})
	c := store.Configuration{Run: "synthetic-s1", Seed: 1, Version: "0.1.0", RunFile: "synthetic.yaml"}
	for _, task := range syntheticTasks {
		tasks = append(tasks, object{"file": "tasks/" + task + ".yaml", "weight": 1})
		sum := sha256.Sum256([]byte(task))
		c.Data = append(c.Data, store.Dataset{Name: task + "/" + task + ".yaml", Path: "tasks/" + task + ".yaml", SHA256: hex.EncodeToString(sum[:]), Bytes: 100})
	}
	var experts []string
	for _, name := range append([]string{"base"}, syntheticExperts...) {
		c.Models = append(c.Models, store.Model{Name: name, Path: "/nowhere/models/" + name, Digest: "digest-of-" + name, Bytes: 1 << 30})
		if name != "base" {
			experts = append(experts, "models/"+name)
		}
	}
	effective, err := json.Marshal(object{
		"name": "synthetic", "seed": 1, "base": "models/base", "experts": experts, "dtype": "bfloat16", "methods": syntheticMethods,
		"genes":  object{"weight": object{"min": 0, "max": 1, "step": 0.01, "per": []string{"expert", "group"}}},
		"groups": groups, "tasks": tasks, "algorithm": object{"name": "ga"},
		"race":   object{"rungs": []int{syntheticRung, syntheticItems}, "keep": 0.33},
		"budget": object{"candidates": candidates}, "shortlist": 8,
	})
	if err != nil {
		panic(err)
	}
	c.Effective = string(effective)
	return c
}

// run makes the trials.
func (s *synthetic) run(candidates int) {
	for i, name := range append([]string{"base"}, syntheticExperts...) {
		r := mergesearch.Passthrough(name, "bfloat16")
		p := s.add(name, mergesearch.Individual{Operator: "parent"}, r, "")
		p.ability = 0.35 + 0.05*float64(i)
		s.score(p, syntheticItems)
	}
	for k, name := range []string{"naive soup", "task arithmetic 0.3"} {
		g := make(mergesearch.Genome, s.genes+1)
		g[0] = float64(k)
		for i := range s.genes {
			g[i+1] = []float64{0.33, 0.3}[k]
		}
		b := s.add(name, mergesearch.Individual{Operator: "baseline", Genome: g}, s.recipe(g), s.canonical(g))
		s.score(b, syntheticItems)
	}
	var pool []*syntheticTrial // the best, as parents
	for generation := 1; len(s.all) < candidates; generation++ {
		var cohort []*syntheticTrial
		for range min(syntheticCohort, candidates-len(s.all)) {
			individual := s.propose(generation, pool)
			c := s.add("", individual, s.recipe(individual.Genome), s.canonical(individual.Genome))
			if s.random.IntN(50) == 0 {
				c.trial.State, c.trial.Reason = mergesearch.Failed, mergesearch.Reason{Code: "degenerate", Text: "every answer is empty"}
				continue
			}
			s.score(c, syntheticRung)
			cohort = append(cohort, c)
		}
		slices.SortStableFunc(cohort, func(x, y *syntheticTrial) int {
			return cmp.Compare(y.trial.Score.Fitness, x.trial.Score.Fitness)
		})
		for i, c := range cohort {
			if i < syntheticSurvives {
				s.score(c, syntheticItems)
				pool = append(pool, c)
			} else {
				c.trial.State = mergesearch.Eliminated
			}
		}
		slices.SortStableFunc(pool, func(x, y *syntheticTrial) int {
			return cmp.Compare(y.trial.Score.Fitness, x.trial.Score.Fitness)
		})
		pool = pool[:min(len(pool), 2*syntheticSurvives)]
	}
	for _, x := range append([]*syntheticTrial{s.best()}, s.all[:len(syntheticExperts)+3]...) {
		x.heldOut = s.answers(x, mergesearch.HeldOutSplit, syntheticHeldOut)
	}
}

// propose draws a genome, or makes one of two of the pool.
func (s *synthetic) propose(generation int, pool []*syntheticTrial) mergesearch.Individual {
	in := mergesearch.Individual{Generation: generation, Operator: "draw", Genome: make(mergesearch.Genome, s.genes+1)}
	if len(pool) < 2 {
		in.Genome[0] = float64(s.random.IntN(len(syntheticMethods)))
		for i := range s.genes {
			in.Genome[i+1] = math.Round(100*s.random.Float64()) / 100
		}
		return in
	}
	a, b := pool[s.random.IntN(len(pool))], pool[s.random.IntN(len(pool))]
	in.Parents = []mergesearch.CandidateID{a.trial.ID(), b.trial.ID()}
	in.Operator = "crossover"
	if a == b {
		in.Parents, in.Operator = in.Parents[:1], "mutation"
	}
	for i := range in.Genome {
		in.Genome[i] = a.trial.Individual.Genome[i]
		if s.random.IntN(2) == 0 {
			in.Genome[i] = b.trial.Individual.Genome[i]
		}
		if i > 0 && s.random.IntN(12) == 0 {
			in.Genome[i] = math.Round(100*min(1, max(0, in.Genome[i]+0.15*s.random.NormFloat64()))) / 100
		}
	}
	return in
}

func (s *synthetic) add(name string, in mergesearch.Individual, r mergesearch.Recipe, genome string) *syntheticTrial {
	x := &syntheticTrial{genome: genome, trial: mergesearch.Trial{
		Index: len(s.all), Name: name, Individual: in, Recipe: r, RecipeID: r.ID(), BuildSeconds: 2 + s.random.Float64(), EvalSeconds: 20 + 10*s.random.Float64(),
	}}
	distance := 0.0
	for i, v := range in.Genome {
		if i > 0 {
			distance += math.Abs(v - s.optimum[i-1])
		}
	}
	x.ability = 0.85 - 1.2*distance/float64(s.genes)
	if s.known[x.trial.RecipeID] == nil {
		s.known[x.trial.RecipeID] = x
	}
	s.all = append(s.all, x)
	return x
}

// place names a weight's expert and group.
func (s *synthetic) place(i int) (expert, group string) {
	return syntheticExperts[i/len(s.groups)], s.groups[i%len(s.groups)]
}

func (s *synthetic) canonical(g mergesearch.Genome) string {
	parts := []string{"method=" + syntheticMethods[int(g[0])]}
	for i, v := range g[1:] {
		expert, group := s.place(i)
		parts = append(parts, "weight."+expert+"."+group+"="+strconv.FormatFloat(v, 'g', -1, 64))
	}
	return strings.Join(parts, ";")
}

func (s *synthetic) recipe(g mergesearch.Genome) mergesearch.Recipe {
	r := mergesearch.Recipe{Method: syntheticMethods[int(g[0])], DType: "bfloat16"}
	if r.Method != "linear" {
		r.Base = "base"
	}
	sets := map[string]mergesearch.Setting{}
	for i, v := range g[1:] {
		expert, _ := s.place(i)
		c := mergesearch.Condition{Values: []float64{v}}
		if k := i % len(s.groups); k < len(s.groups)-1 {
			c.Filter = fmt.Sprintf("layers.%d.", k)
		}
		sets[expert] = append(sets[expert], c)
	}
	for _, e := range syntheticExperts {
		in := mergesearch.Input{Model: e}
		if sets[e] != nil {
			in.Parameters = map[string]mergesearch.Setting{"weight": sets[e]}
		}
		r.Models = append(r.Models, in)
	}
	return r
}

// score answers search items up to so many of each task.
func (s *synthetic) score(x *syntheticTrial, items int) {
	x.answered = s.answers(x, mergesearch.SearchSplit, items)
	score, err := s.benchmark.Score(x.answered, Fingerprint(x.trial.RecipeID))
	if err != nil {
		panic(err)
	}
	x.trial.Score, x.trial.Fingerprint, x.trial.State = score, score.Fingerprint, mergesearch.Scored
	if items > syntheticRung {
		x.trial.Rung = 1
	}
}

// answers draws what a recipe answers: an item is solved by whoever is able enough,
// with noise of the recipe and the item alone.
func (s *synthetic) answers(x *syntheticTrial, split mergesearch.Split, items int) []mergesearch.Outcome {
	x = s.known[x.trial.RecipeID] // equal recipes answer alike
	var out []mergesearch.Outcome
	for k := range items * len(syntheticTasks) {
		task := syntheticTasks[k%len(syntheticTasks)]
		item := fmt.Sprintf("%s/%s-%d", task, split, k/len(syntheticTasks))
		difficulty := float64(mix(item)%1000) / 1000
		h := mix(string(x.trial.RecipeID) + item)
		noise := float64(h%1000)/1000 - 0.5
		o := mergesearch.Outcome{Item: mergesearch.ItemID(item), PromptTokens: 40 + k%11, CompletionTokens: 3 + int(h%9)}
		if difficulty+0.3*noise < x.ability {
			o.Value = 1
		}
		o.Completion = strconv.Itoa(int(h % 100))
		switch h % 97 {
		case 0:
			o.Value, o.Truncated, o.CompletionTokens = 0, true, 64
		case 1:
			o.Value, o.Empty, o.Completion = 0, true, ""
		}
		out = append(out, o)
	}
	return out
}

// best is the winner: the best on all search items that is no parent.
func (s *synthetic) best() *syntheticTrial {
	var best *syntheticTrial
	for _, x := range s.all {
		if x.trial.State == mergesearch.Scored && x.trial.Individual.Operator != "parent" && (best == nil || x.trial.Score.Fitness > best.trial.Score.Fitness) {
			best = x
		}
	}
	return best
}

func (s *synthetic) finalist(name string, x *syntheticTrial) mergesearch.Finalist {
	heldOut, err := s.benchmark.Score(x.heldOut, x.trial.Fingerprint)
	if err != nil {
		panic(err)
	}
	return mergesearch.Finalist{Name: name, Candidate: x.trial.ID(), RecipeID: x.trial.RecipeID, Recipe: x.trial.Recipe, Search: x.trial.Score, HeldOut: heldOut}
}

// result is the verdict, with a normal interval where the program has a bootstrap.
func (s *synthetic) result() mergesearch.Result {
	best := s.best()
	r := mergesearch.Result{Best: s.finalist("winner", best)}
	against := func(x *syntheticTrial) mergesearch.Comparison {
		n := float64(len(best.heldOut))
		var sum, squares float64
		for i, o := range best.heldOut {
			d := o.Value - x.heldOut[i].Value
			sum += d
			squares += d * d
		}
		mean := sum / n
		half := 1.96 * math.Sqrt(max(0, squares/n-mean*mean)/n)
		return mergesearch.Comparison{Gain: mean, CILow: mean - half, CIHigh: mean + half, PValue: math.Erfc(math.Abs(mean) / max(half/1.96, 1e-9) / math.Sqrt2), Items: len(best.heldOut)}
	}
	for _, x := range s.all[:len(syntheticExperts)+3] {
		if x.trial.Individual.Operator == "parent" {
			r.Parents = append(r.Parents, s.finalist(x.trial.Name, x))
			r.AgainstParents = append(r.AgainstParents, against(x))
		} else {
			r.Baselines = append(r.Baselines, s.finalist(x.trial.Name, x))
			r.AgainstBaselines = append(r.AgainstBaselines, against(x))
		}
	}
	k := 0
	for i, p := range r.Parents {
		if p.Search.Fitness > r.Parents[k].Search.Fitness {
			k = i
		}
	}
	r.BestParent, r.BestBaseline = r.Parents[k].Name, r.Baselines[0].Name
	r.Verdict = mergesearch.Verdict{BeatsBestParent: r.AgainstParents[k].Ahead(), Comparison: r.AgainstParents[k]}
	r.Shortlist = []mergesearch.Shortlisted{{Candidate: best.trial.ID(), RecipeID: best.trial.RecipeID, Search: best.trial.Score, Validation: best.trial.Score, BestShare: 1}}
	return r
}

// write puts everything into the tables in one transaction.
func (s *synthetic) write(pool *sql.DB, now time.Time) error {
	tx, err := pool.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	statements := map[string]*sql.Stmt{}
	exec := func(query string, args ...any) {
		if err != nil {
			return
		}
		st := statements[query]
		if st == nil {
			if st, err = tx.Prepare(query); err != nil {
				return
			}
			statements[query] = st
		}
		_, err = st.Exec(args...)
	}
	recipes, items := map[mergesearch.RecipeID]int{}, map[mergesearch.ItemID]int{}
	answer := func(recipe int, split mergesearch.Split, outcomes []mergesearch.Outcome) {
		for _, o := range outcomes {
			if items[o.Item] == 0 {
				items[o.Item] = len(items) + 1
				exec(`INSERT INTO item (key, id, split) VALUES (?, ?, ?)`, items[o.Item], string(o.Item), string(split))
			}
			exec(`INSERT OR IGNORE INTO answer (recipe, item, value, missing, truncated, empty, completion, prompt_tokens, completion_tokens) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
				recipe, items[o.Item], o.Value, o.Missing, o.Truncated, o.Empty, o.Completion, o.PromptTokens, o.CompletionTokens)
		}
	}
	at := now.UnixNano()
	for _, x := range s.all {
		t := x.trial
		if recipes[t.RecipeID] == 0 {
			recipes[t.RecipeID] = len(recipes) + 1
			exec(`INSERT INTO recipe (key, id, canonical, fingerprint) VALUES (?, ?, ?, ?)`, recipes[t.RecipeID], string(t.RecipeID), string(t.Recipe.Canonical()), t.Fingerprint)
		}
		values, bad := json.Marshal(append(mergesearch.Genome{}, t.Individual.Genome...))
		score, worse := json.Marshal(t.Score)
		if bad != nil || worse != nil {
			return cmp.Or(bad, worse)
		}
		var fitness, stdErr, text any
		if t.State != mergesearch.Failed {
			fitness, stdErr, text = t.Score.Fitness, t.Score.StdErr, string(score)
		}
		at += int64(t.EvalSeconds * 1e9)
		exec(`INSERT INTO trial (idx, name, generation, operator, genome, "values", recipe, state, reason_code, reason_text, rung, fitness, stderr, items, score, fingerprint, build_s, eval_s, begun, finished)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			t.Index, t.Name, t.Individual.Generation, t.Individual.Operator, x.genome, string(values), recipes[t.RecipeID], string(t.State), t.Reason.Code, t.Reason.Text,
			t.Rung, fitness, stdErr, t.Score.Items, text, t.Fingerprint, t.BuildSeconds, t.EvalSeconds, at-int64(t.EvalSeconds*1e9), at)
		for k, p := range t.Individual.Parents {
			parent, bad := store.IndexOf(p)
			if bad != nil {
				return bad
			}
			exec(`INSERT INTO parent (child, position, parent) VALUES (?, ?, ?)`, t.Index, k, parent)
		}
		answer(recipes[t.RecipeID], mergesearch.SearchSplit, x.answered)
	}
	for _, x := range s.all {
		answer(recipes[x.trial.RecipeID], mergesearch.HeldOutSplit, x.heldOut)
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}
