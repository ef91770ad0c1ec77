package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"mergesearch"
)

// Trial is a trial as recorded. The models of its recipe are sorted by name.
type Trial struct {
	mergesearch.Trial
	Genome     string    // canonical; Individual.Genome has the values
	RecipeYAML string    // as exported; empty until then
	Begun      time.Time // of the first process that began it
	Finished   time.Time // zero until it has ended
}

// Filter selects trials. The zero value selects all, in the order of asking.
type Filter struct {
	States []mergesearch.State // any of these; nil for all
	Recipe mergesearch.RecipeID
	From   int  // first index
	Limit  int  // at most this many; 0 for all
	ByRank bool // best fitness first, those without one last; otherwise by index
}

// Trials returns the selected trials.
func (r *Reader) Trials(ctx context.Context, f Filter) ([]Trial, error) {
	where := []string{"idx >= ?"}
	args := []any{f.From}
	if f.Recipe != "" {
		where = append(where, "recipe.id = ?")
		args = append(args, string(f.Recipe))
	}
	if f.States != nil {
		where = append(where, "state IN (?"+strings.Repeat(", ?", max(0, len(f.States)-1))+")")
		for _, s := range f.States {
			args = append(args, string(s))
		}
		if len(f.States) == 0 {
			args = append(args, "")
		}
	}
	clauses := " WHERE " + strings.Join(where, " AND ") + " ORDER BY "
	if f.ByRank {
		clauses += "fitness DESC NULLS LAST, "
	}
	clauses += "idx LIMIT ?"
	limit := -1
	if f.Limit > 0 {
		limit = f.Limit
	}
	var out []Trial
	err := r.view(ctx, "read trials", func(tx *sql.Tx) error {
		var err error
		out, err = selectTrials(ctx, tx, clauses, append(args, limit)...)
		return err
	})
	return out, err
}

// Trial returns one trial with all that its recipe answered, in the order of the
// items' first appearance; a NotFoundError when there is none.
func (r *Reader) Trial(ctx context.Context, id mergesearch.CandidateID) (Trial, []Answer, error) {
	index, err := indexOf(id)
	if err != nil {
		return Trial{}, nil, err
	}
	var t Trial
	var answers []Answer
	err = r.view(ctx, "read "+string(id), func(tx *sql.Tx) error {
		found, err := selectTrials(ctx, tx, " WHERE idx = ?", index)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return &NotFoundError{Path: r.path, What: "candidate " + string(id)}
		}
		t = found[0]
		var key recipeKey
		if err := tx.QueryRowContext(ctx, `SELECT recipe FROM trial WHERE idx = ?`, index).Scan(&key); err != nil {
			return err
		}
		answers, err = answersOf(ctx, tx, key)
		return err
	})
	return t, answers, err
}

func selectTrials(ctx context.Context, tx *sql.Tx, clauses string, args ...any) ([]Trial, error) {
	parents, err := allParents(ctx, tx)
	if err != nil {
		return nil, err
	}
	var out []Trial
	err = each(ctx, tx, func(rows *sql.Rows) error {
		t, err := scanTrial(rows)
		t.Individual.Parents = parents[t.Index]
		out = append(out, t)
		return err
	}, `SELECT idx, name, generation, operator, genome, "values", recipe.id, canonical, yaml, state, reason_code, reason_text,
		rung, score, trial.fingerprint, build_s, eval_s, begun, finished
		FROM trial JOIN recipe ON recipe.key = trial.recipe`+clauses, args...)
	return out, err
}

func scanTrial(rows *sql.Rows) (Trial, error) {
	var t Trial
	var values, canonical string
	var score sql.NullString
	var begun int64
	var finished sql.NullInt64
	err := rows.Scan(&t.Index, &t.Name, &t.Individual.Generation, &t.Individual.Operator, &t.Genome, &values, &t.RecipeID, &canonical, &t.RecipeYAML,
		&t.State, &t.Reason.Code, &t.Reason.Text, &t.Rung, &score, &t.Fingerprint, &t.BuildSeconds, &t.EvalSeconds, &begun, &finished)
	if err != nil {
		return t, err
	}
	t.Begun = moment(begun)
	t.Finished = moment(finished.Int64)
	if score.Valid {
		if err := json.Unmarshal([]byte(score.String), &t.Score); err != nil {
			return t, fmt.Errorf("score of %s: %w", t.ID(), err)
		}
	}
	if err := json.Unmarshal([]byte(values), &t.Individual.Genome); err != nil {
		return t, fmt.Errorf("genome of %s: %w", t.ID(), err)
	}
	t.Recipe, err = parseCanonical(t.RecipeID, canonical)
	return t, err
}

func allParents(ctx context.Context, q querier) (map[int][]mergesearch.CandidateID, error) {
	parents := map[int][]mergesearch.CandidateID{}
	err := each(ctx, q, func(rows *sql.Rows) error {
		var child, parent int
		err := rows.Scan(&child, &parent)
		parents[child] = append(parents[child], mergesearch.CandidateOf(parent))
		return err
	}, `SELECT child, parent FROM parent ORDER BY child, position`)
	return parents, err
}
