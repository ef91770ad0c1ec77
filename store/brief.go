package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"mergesearch"
)

// Brief is a trial without its recipe and genome: what lists and curves of many
// trials need.
type Brief struct {
	Index      int
	Name       string // of a parent or baseline
	Generation int
	Operator   string
	Method     string // of the recipe; those of its stages joined by '+', where it has some
	RecipeID   mergesearch.RecipeID
	State      mergesearch.State
	Reason     mergesearch.Reason
	Rung       int
	Score      mergesearch.Score // meaningful when Scored or Eliminated

	BuildSeconds, EvalSeconds float64

	Begun, Finished time.Time // Finished is zero until it has ended
}

// ID returns the trial's candidate.
func (b Brief) ID() mergesearch.CandidateID { return mergesearch.CandidateOf(b.Index) }

// HasScore reports whether the trial has a score, on all search items or on those
// of an earlier rung.
func (b Brief) HasScore() bool {
	return b.State == mergesearch.Scored || b.State == mergesearch.Eliminated
}

// Order is what Briefs are sorted by.
type Order string

// The orders. Ties are in the order of asking.
const (
	ByIndex   Order = "index"   // the order of asking
	ByFitness Order = "fitness" // best first, those without one last
	ByItems   Order = "items"   // answered most first
	ByTokens  Order = "tokens"  // of completions on search items, most first
	BySeconds Order = "seconds" // building and scoring, longest first
)

// Orders lists the orders.
var Orders = []Order{ByFitness, ByIndex, ByItems, ByTokens, BySeconds}

// clause is the ORDER BY of an order. Text from outside never enters a query.
func (o Order) clause() string {
	switch o {
	case ByFitness:
		return "fitness DESC NULLS LAST, idx"
	case ByItems:
		return "items DESC, idx"
	case ByTokens:
		return "score ->> '$.CompletionTokens' DESC NULLS LAST, idx"
	case BySeconds:
		return "build_s + eval_s DESC, idx"
	}
	return "idx"
}

// methodOf is the SQL of Brief.Method. The canonical form begins with the method, so
// that only a recipe that may have stages needs a parser: a passthrough.
const methodOf = `CASE WHEN substr(canonical, 1, 24) <> '{"method":"passthrough",' OR instr(canonical, '"stages":') = 0
	THEN substr(canonical, 12, instr(substr(canonical, 12, 64), '"') - 1)
	ELSE (SELECT group_concat(m, '+') FROM (SELECT DISTINCT value ->> '$.recipe.method' AS m FROM json_each(canonical, '$.stages'))) END`

// Briefs returns the selected trials in brief. ByRank of the filter is the order
// ByFitness. With Lean a score has no more than what its Merit takes, and its items
// and error.
func (r *Reader) Briefs(ctx context.Context, f Filter) ([]Brief, error) {
	clauses, args := f.clauses()
	score := "score"
	if f.Lean {
		score = `CASE WHEN instr(score, '"Violation":') > 0 THEN score END`
	}
	var out []Brief
	var scores scoreDecoder
	err := each(ctx, r.pool, func(rows *sql.Rows) error {
		var b Brief
		var score sql.RawBytes
		var fitness, stdErr sql.NullFloat64
		var begun int64
		var finished sql.NullInt64
		err := rows.Scan(&b.Index, &b.Name, &b.Generation, &b.Operator, &b.Method, &b.RecipeID, &b.State, &b.Reason.Code, &b.Reason.Text,
			&b.Rung, &score, &fitness, &stdErr, &b.Score.Items, &b.BuildSeconds, &b.EvalSeconds, &begun, &finished)
		b.Score.Fitness, b.Score.StdErr = fitness.Float64, stdErr.Float64
		b.Begun, b.Finished = moment(begun), moment(finished.Int64)
		scores.add(score)
		out = append(out, b)
		return err
	}, `SELECT idx, name, generation, operator, `+methodOf+`, recipe.id, state, reason_code, reason_text, rung, `+score+`, fitness, stderr, items, build_s, eval_s, begun, finished
		FROM trial JOIN recipe ON recipe.key = trial.recipe`+clauses, args...)
	if bad := scores.into(out); err == nil {
		err = bad
	}
	return out, failure(r.path, "list the trials", err)
}

// scoreDecoder decodes scores part by part while more are read: of ten thousand trials
// that is half of the work.
type scoreDecoder struct {
	group errgroup.Group
	parts []*scorePart
}

type scorePart struct {
	texts  []byte // one after the other
	ends   []int
	scores []mergesearch.Score
}

const partScores = 512

func (d *scoreDecoder) add(text []byte) {
	if n := len(d.parts); n == 0 || len(d.parts[n-1].ends) == partScores {
		d.parts = append(d.parts, &scorePart{})
	}
	p := d.parts[len(d.parts)-1]
	p.texts = append(p.texts, text...)
	if p.ends = append(p.ends, len(p.texts)); len(p.ends) == partScores {
		d.group.Go(p.decode)
	}
}

func (p *scorePart) decode() error {
	p.scores = make([]mergesearch.Score, len(p.ends))
	start := 0
	for i, end := range p.ends {
		if text := p.texts[start:end]; len(text) > 0 {
			if err := json.Unmarshal(text, &p.scores[i]); err != nil {
				return fmt.Errorf("a score: %w", err)
			}
		}
		start = end
	}
	return nil
}

// into waits for all parts and hands the scores out, in the order of adding.
func (d *scoreDecoder) into(briefs []Brief) error {
	if n := len(d.parts); n > 0 && len(d.parts[n-1].ends) < partScores {
		d.group.Go(d.parts[n-1].decode)
	}
	if err := d.group.Wait(); err != nil {
		return err
	}
	for i := range briefs {
		if s := d.parts[i/partScores].scores[i%partScores]; s.Items > 0 {
			briefs[i].Score = s
		}
	}
	return nil
}

// clauses is the WHERE, ORDER BY and LIMIT of a filter with its arguments.
func (f Filter) clauses() (string, []any) {
	where := []string{"idx >= ?"}
	args := []any{f.From}
	add := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	oneOf := func(column string, values []any) {
		if values != nil {
			add(column+" IN (?"+strings.Repeat(", ?", max(0, len(values)-1))+")", append(values, "")[:max(1, len(values))]...)
		}
	}
	if f.Recipe != "" {
		add("recipe.id = ?", string(f.Recipe))
	}
	oneOf("state", anys(f.States))
	oneOf("operator", anys(f.Operators))
	oneOf("name", anys(f.Names))
	oneOf("generation", anys(f.Generations))
	oneOf("("+methodOf+")", anys(f.Methods))
	if f.MinFitness != nil {
		add("fitness >= ?", *f.MinFitness)
	}
	order := f.Order
	if f.ByRank {
		order = ByFitness
	}
	limit := -1
	if f.Limit > 0 {
		limit = f.Limit
	}
	return " WHERE " + strings.Join(where, " AND ") + " ORDER BY " + order.clause() + " LIMIT ?", append(args, limit)
}

// anys keeps the difference between nil and empty.
func anys[T any](values []T) []any {
	if values == nil {
		return nil
	}
	out := make([]any, 0, len(values)+1)
	for _, v := range values {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

// Standings returns the place of a trial by fitness among those in its state,
// from 1, and how many they are; 0 without a score.
func (r *Reader) Standings(ctx context.Context, index int) (place, of int, err error) {
	err = r.pool.QueryRowContext(ctx, `SELECT
		CASE WHEN mine.fitness IS NULL THEN 0 ELSE 1 + count(*) FILTER (WHERE other.fitness > mine.fitness OR other.fitness = mine.fitness AND other.idx < mine.idx) END,
		count(other.fitness)
		FROM trial AS mine JOIN trial AS other ON other.state = mine.state WHERE mine.idx = ?`, index).Scan(&place, &of)
	return place, of, failure(r.path, "rank "+string(mergesearch.CandidateOf(index)), err)
}

// Distinct are the words that occur among the trials of a run.
type Distinct struct {
	States, Operators, Methods, Names []string // sorted; names of parents and baselines alone
}

// Distinct returns the words that the trials have been given.
func (r *Reader) Distinct(ctx context.Context) (Distinct, error) {
	var d Distinct
	err := r.view(ctx, "list the words", func(tx *sql.Tx) error {
		for _, q := range []struct {
			into  *[]string
			query string
		}{
			{&d.States, `SELECT DISTINCT state FROM trial ORDER BY 1`},
			{&d.Operators, `SELECT DISTINCT operator FROM trial ORDER BY 1`},
			{&d.Methods, `SELECT DISTINCT ` + methodOf + ` FROM trial JOIN recipe ON recipe.key = trial.recipe ORDER BY 1`},
			{&d.Names, `SELECT DISTINCT name FROM trial WHERE name <> '' ORDER BY 1`},
		} {
			err := each(ctx, tx, func(rows *sql.Rows) error {
				var s string
				err := rows.Scan(&s)
				*q.into = append(*q.into, s)
				return err
			}, q.query)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return d, err
}

// Detail is what a list of trials in brief leaves out.
type Detail struct {
	Genome      string // canonical
	Fingerprint string
	Parents     []mergesearch.CandidateID
	ItemsDigest string // mergesearch.ItemsDigest of all that the recipe answered
}

// Details returns the details of trials, in their order. It reads every answer of
// theirs.
func (r *Reader) Details(ctx context.Context, briefs []Brief) ([]Detail, error) {
	out := make([]Detail, len(briefs))
	if len(briefs) == 0 {
		return out, nil
	}
	wanted := make(map[mergesearch.RecipeID]string, len(briefs))
	for _, b := range briefs {
		wanted[b.RecipeID] = ""
	}
	err := r.view(ctx, "read the trials", func(tx *sql.Tx) error {
		if err := details(ctx, tx, briefs, out); err != nil {
			return err
		}
		return digests(ctx, tx, wanted)
	})
	for i, b := range briefs {
		out[i].ItemsDigest = wanted[b.RecipeID]
	}
	return out, err
}

// few is up to how many rows are looked up one by one, rather than among all.
const few = 1000

// details fills in everything but the digests.
func details(ctx context.Context, tx *sql.Tx, briefs []Brief, out []Detail) error {
	const trials, one = `SELECT idx, genome, fingerprint FROM trial`, ` WHERE idx = ?`
	at := make(map[int]int, len(briefs))
	for i, b := range briefs {
		at[b.Index] = i
	}
	scan := func(rows *sql.Rows) error {
		var index int
		var d Detail
		err := rows.Scan(&index, &d.Genome, &d.Fingerprint)
		if i, ok := at[index]; ok {
			out[i].Genome, out[i].Fingerprint = d.Genome, d.Fingerprint
		}
		return err
	}
	if len(briefs) > few {
		parents, err := parentsOf(ctx, tx, "")
		if err != nil {
			return err
		}
		for i, b := range briefs {
			out[i].Parents = parents[b.Index]
		}
		return each(ctx, tx, scan, trials)
	}
	for i, b := range briefs {
		parents, err := parentsOf(ctx, tx, " WHERE child = ?", b.Index)
		if err != nil {
			return err
		}
		out[i].Parents = parents[b.Index]
		if err := each(ctx, tx, scan, trials+one, b.Index); err != nil {
			return err
		}
	}
	return nil
}

// digests fills in the digest of each recipe's answers.
func digests(ctx context.Context, tx *sql.Tx, of map[mergesearch.RecipeID]string) error {
	const recipes = `SELECT key, id FROM recipe`
	keys := make(map[int64]mergesearch.RecipeID, len(of))
	found := func(rows *sql.Rows) error {
		var key int64
		var id mergesearch.RecipeID
		err := rows.Scan(&key, &id)
		if _, ok := of[id]; ok {
			keys[key] = id
		}
		return err
	}
	var err error
	if len(of) > few {
		err = each(ctx, tx, found, recipes)
	}
	for id := range of {
		if len(of) <= few && err == nil {
			err = each(ctx, tx, found, recipes+` WHERE id = ?`, string(id))
		}
		of[id] = mergesearch.ItemsDigest(nil)
	}
	if err != nil {
		return err
	}
	ids := map[int64]mergesearch.ItemID{}
	err = each(ctx, tx, func(rows *sql.Rows) error {
		var key int64
		var id mergesearch.ItemID
		err := rows.Scan(&key, &id)
		ids[key] = id
		return err
	}, `SELECT key, id FROM item`)
	if err != nil {
		return err
	}
	var recipe int64
	var answered []mergesearch.Outcome
	flush := func() {
		if id, ok := keys[recipe]; ok && answered != nil {
			of[id] = mergesearch.ItemsDigest(answered)
		}
		answered = answered[:0]
	}
	scan := func(rows *sql.Rows) error {
		var key, item int64
		var o mergesearch.Outcome
		if err := rows.Scan(&key, &item, &o.Value, &o.Missing); err != nil {
			return err
		}
		if key != recipe {
			flush()
			recipe = key
		}
		o.Item = ids[item]
		answered = append(answered, o)
		return nil
	}
	const query = `SELECT recipe, item, value, missing FROM answer`
	if len(keys) <= few {
		for key := range keys {
			if err := each(ctx, tx, scan, query+` WHERE recipe = ?`, key); err != nil {
				return err
			}
		}
	} else if err := each(ctx, tx, scan, query+` ORDER BY recipe`); err != nil {
		return err
	}
	flush()
	return nil
}

// LastEvent returns the newest event, and false when there is none.
func (r *Reader) LastEvent(ctx context.Context) (Event, bool, error) {
	var last int64
	err := r.pool.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM event`).Scan(&last)
	if err != nil || last == 0 {
		return Event{}, false, failure(r.path, "read the last event", err)
	}
	found, err := r.Events(ctx, last-1, 1)
	if err != nil || len(found) == 0 {
		return Event{}, false, err
	}
	return found[0], true, nil
}
