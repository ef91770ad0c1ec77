package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
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
	States      []mergesearch.State // any of these; nil for all
	Operators   []string            // likewise
	Methods     []string            // likewise, of Brief.Method
	Names       []string            // likewise, of parents and baselines
	Generations []int               // likewise
	Recipe      mergesearch.RecipeID
	MinFitness  *float64 // leaves out those without a fitness
	From        int      // first index
	Limit       int      // at most this many; 0 for all
	ByRank      bool     // best fitness first, those without one last; otherwise by Order
	Order       Order    // empty: ByIndex
}

// Trials returns the selected trials.
func (r *Reader) Trials(ctx context.Context, f Filter) ([]Trial, error) {
	clauses, args := f.clauses()
	var out []Trial
	err := r.view(ctx, "read trials", func(tx *sql.Tx) error {
		parents, err := parentsOf(ctx, tx, "")
		if err != nil {
			return err
		}
		out, err = selectTrials(ctx, tx, parents, clauses, args...)
		return err
	})
	return out, err
}

// Trial returns one trial with all that its recipe answered, in the order of the
// items' first appearance; a NotFoundError when there is none.
func (r *Reader) Trial(ctx context.Context, id mergesearch.CandidateID) (Trial, []Answer, error) {
	index, err := IndexOf(id)
	if err != nil {
		return Trial{}, nil, err
	}
	var t Trial
	var answers []Answer
	err = r.view(ctx, "read "+string(id), func(tx *sql.Tx) error {
		parents, err := parentsOf(ctx, tx, " WHERE child = ?", index)
		if err != nil {
			return err
		}
		found, err := selectTrials(ctx, tx, parents, " WHERE idx = ?", index)
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

func allTrials(ctx context.Context, tx *sql.Tx) ([]Trial, error) {
	parents, err := parentsOf(ctx, tx, "")
	if err != nil {
		return nil, err
	}
	return selectTrials(ctx, tx, parents, "")
}

func selectTrials(ctx context.Context, tx *sql.Tx, parents map[int][]mergesearch.CandidateID, clauses string, args ...any) ([]Trial, error) {
	var out []Trial
	err := each(ctx, tx, func(rows *sql.Rows) error {
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

// parentsOf lists the parents of the children that a clause selects.
func parentsOf(ctx context.Context, q querier, where string, args ...any) (map[int][]mergesearch.CandidateID, error) {
	parents := map[int][]mergesearch.CandidateID{}
	err := each(ctx, q, func(rows *sql.Rows) error {
		var child, parent int
		err := rows.Scan(&child, &parent)
		parents[child] = append(parents[child], mergesearch.CandidateOf(parent))
		return err
	}, `SELECT child, parent FROM parent`+where+` ORDER BY child, position`, args...)
	return parents, err
}

// Parents returns the parents of every trial that has some, by its index.
func (r *Reader) Parents(ctx context.Context) (map[int][]mergesearch.CandidateID, error) {
	parents, err := parentsOf(ctx, r.pool, "")
	return parents, failure(r.path, "read the parents", err)
}
