package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

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

// methodOf is the SQL of Brief.Method. The canonical form begins with the method,
// so that most recipes need no parser.
const methodOf = `CASE WHEN instr(canonical, '"stages":') = 0 THEN substr(canonical, 12, instr(substr(canonical, 12, 64), '"') - 1)
	ELSE (SELECT group_concat(m, '+') FROM (SELECT DISTINCT value ->> '$.recipe.method' AS m FROM json_each(canonical, '$.stages'))) END`

// Briefs returns the selected trials in brief. ByRank of the filter is the order
// ByFitness.
func (r *Reader) Briefs(ctx context.Context, f Filter) ([]Brief, error) {
	clauses, args := f.clauses()
	var out []Brief
	err := each(ctx, r.pool, func(rows *sql.Rows) error {
		var b Brief
		var score sql.RawBytes
		err := rows.Scan(&b.Index, &b.Name, &b.Generation, &b.Operator, &b.Method, &b.RecipeID, &b.State, &b.Reason.Code, &b.Reason.Text,
			&b.Rung, &score, &b.BuildSeconds, &b.EvalSeconds)
		if err == nil && score != nil {
			if err = json.Unmarshal(score, &b.Score); err != nil {
				err = fmt.Errorf("score of %s: %w", b.ID(), err)
			}
		}
		out = append(out, b)
		return err
	}, `SELECT idx, name, generation, operator, `+methodOf+`, recipe.id, state, reason_code, reason_text, rung, score, build_s, eval_s
		FROM trial JOIN recipe ON recipe.key = trial.recipe`+clauses, args...)
	return out, failure(r.path, "list the trials", err)
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
