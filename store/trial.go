package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mergesearch"
)

// Begin records a trial that is about to be built, with its recipe and parents.
// Genome is its canonical text. A trial of this index that is already recorded
// stays as it is; when its genome or recipe differ, the replay has gone astray
// and Begin returns a DivergedError.
func (db *DB) Begin(ctx context.Context, t mergesearch.Trial, genome string) error {
	if id := t.Recipe.ID(); t.RecipeID == "" {
		t.RecipeID = id
	} else if t.RecipeID != id {
		return fmt.Errorf("begin %s: recipe ID %s, but the recipe's is %s", t.ID(), t.RecipeID, id)
	}
	// A replay asks this for every trial, so it must not cost a sync each.
	if found, err := same(ctx, db.Reader.pool, t, genome); found || err != nil {
		return failure(db.path, "begin "+string(t.ID()), err)
	}
	return db.write(ctx, "begin "+string(t.ID()), func(ctx context.Context) error {
		if found, err := same(ctx, db.conn, t, genome); found || err != nil {
			return err
		}
		return db.insertTrial(ctx, t, genome)
	})
}

// same reports whether the trial is recorded, and refuses one that differs.
func same(ctx context.Context, q querier, t mergesearch.Trial, genome string) (bool, error) {
	var recordedGenome, recordedRecipe string
	err := q.QueryRowContext(ctx, `SELECT genome, recipe.id FROM trial JOIN recipe ON recipe.key = trial.recipe WHERE idx = ?`, t.Index).
		Scan(&recordedGenome, &recordedRecipe)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	case recordedRecipe != string(t.RecipeID):
		return false, &DivergedError{Thing: string(t.ID()), Field: "recipe", Recorded: recordedRecipe, Got: string(t.RecipeID)}
	case recordedGenome != genome:
		return false, &DivergedError{Thing: string(t.ID()), Field: "genome", Recorded: short(recordedGenome), Got: short(genome)}
	}
	return true, nil
}

func (db *DB) insertTrial(ctx context.Context, t mergesearch.Trial, genome string) error {
	values, err := json.Marshal(t.Individual.Genome)
	if err != nil {
		return err
	}
	key, err := db.addRecipe(ctx, t.RecipeID, t.Recipe)
	if err != nil {
		return err
	}
	if err := db.reopen(ctx); err != nil {
		return err
	}
	state := t.State
	if state == "" {
		state = mergesearch.Pending
	}
	if final(state) {
		return fmt.Errorf("a trial cannot begin as %s", state)
	}
	err = db.exec(ctx, `INSERT INTO trial (idx, name, generation, operator, genome, "values", recipe, state, begun) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.Index, t.Name, t.Individual.Generation, t.Individual.Operator, genome, string(values), key, string(state), db.now().UnixNano())
	if err != nil {
		return err
	}
	for i, p := range t.Individual.Parents {
		parent, err := IndexOf(p)
		if err != nil {
			return err
		}
		if err := db.exec(ctx, `INSERT INTO parent (child, position, parent) VALUES (?, ?, ?)`, t.Index, i, parent); err != nil {
			return fmt.Errorf("parent %s: %w", p, err)
		}
	}
	return nil
}

// Finish records where a trial ended: state, reason, rung, score on search items
// and times. Repeating it with equal content changes nothing and keeps the first
// times, so that a replay costs no write; other content is a DivergedError,
// except that a cancelled trial may come to another end later.
func (db *DB) Finish(ctx context.Context, t mergesearch.Trial) error {
	op := "finish " + string(t.ID())
	e, err := endOf(t)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if done, err := e.recorded(ctx, db.Reader.pool, db.path); done || err != nil {
		return failure(db.path, op, err)
	}
	return db.write(ctx, op, func(ctx context.Context) error {
		if done, err := e.recorded(ctx, db.conn, db.path); done || err != nil {
			return err
		}
		if err := db.reopen(ctx); err != nil {
			return err
		}
		var finished any
		if final(t.State) {
			finished = db.now().UnixNano()
		}
		return db.exec(ctx, `UPDATE trial SET state = ?, reason_code = ?, reason_text = ?, rung = ?, fitness = ?, stderr = ?, items = ?,
			score = ?, fingerprint = ?, build_s = ?, eval_s = ?, finished = ? WHERE idx = ?`,
			string(t.State), e.reason.Code, e.reason.Text, t.Rung, e.fitness, e.stdErr, e.items,
			e.score, t.Fingerprint, t.BuildSeconds, t.EvalSeconds, finished, t.Index)
	})
}

// end is what Finish writes of a trial; its fields without a value are null.
type end struct {
	trial           mergesearch.Trial
	reason          mergesearch.Reason
	fitness, stdErr sql.NullFloat64
	items           int
	score           sql.NullString
}

func endOf(t mergesearch.Trial) (end, error) {
	e := end{trial: t}
	switch t.State {
	case mergesearch.Failed:
		if e.reason = t.Reason; e.reason.Code == "" {
			return e, errors.New("a failed trial without a reason")
		}
	case mergesearch.Scored, mergesearch.Eliminated:
		if _, ok := t.Member(); !ok {
			return e, fmt.Errorf("fitness %v on %d items is no score", t.Score.Fitness, t.Score.Items)
		}
		b, err := json.Marshal(t.Score)
		if err != nil {
			return e, err
		}
		e.score = sql.NullString{String: string(b), Valid: true}
		e.fitness = sql.NullFloat64{Float64: t.Score.Fitness, Valid: true}
		e.stdErr = sql.NullFloat64{Float64: t.Score.StdErr, Valid: true}
		e.items = t.Score.Items
	case "":
		return e, errors.New("a trial without a state")
	}
	return e, nil
}

// recorded reports whether the trial already has this final state, and refuses
// a trial that is not begun or that ended otherwise.
func (e end) recorded(ctx context.Context, q querier, path string) (bool, error) {
	var was end
	var recipe string
	t, w := &e.trial, &was.trial
	err := q.QueryRowContext(ctx, `SELECT state, reason_code, rung, fitness, items, trial.fingerprint, recipe.id
		FROM trial JOIN recipe ON recipe.key = trial.recipe WHERE idx = ?`, t.Index).
		Scan(&w.State, &was.reason.Code, &w.Rung, &was.fitness, &was.items, &w.Fingerprint, &recipe)
	if errors.Is(err, sql.ErrNoRows) {
		return false, &NotFoundError{Path: path, What: "trial " + string(t.ID())}
	}
	if err != nil {
		return false, err
	}
	if t.RecipeID != "" && recipe != string(t.RecipeID) {
		return false, &DivergedError{Thing: string(t.ID()), Field: "recipe", Recorded: recipe, Got: string(t.RecipeID)}
	}
	if !final(w.State) || (w.State == mergesearch.Cancelled && t.State != mergesearch.Cancelled) {
		return false, nil
	}
	for _, f := range []struct {
		name     string
		was, now any
	}{
		{"state", w.State, t.State},
		{"reason", was.reason.Code, e.reason.Code},
		{"rung", w.Rung, t.Rung},
		{"fitness", was.fitness.Float64, e.fitness.Float64},
		{"number of items", was.items, e.items},
	} {
		if f.was != f.now {
			return false, &DivergedError{Thing: string(t.ID()), Field: f.name, Recorded: fmt.Sprint(f.was), Got: fmt.Sprint(f.now)}
		}
	}
	return true, nil
}

// final reports whether a state is one that a trial ends in.
func final(s mergesearch.State) bool {
	switch s {
	case mergesearch.Scored, mergesearch.Eliminated, mergesearch.Failed, mergesearch.Cancelled:
		return true
	}
	return false
}

// IndexOf is the inverse of mergesearch.CandidateOf. It returns an InputError for what
// is no name of a candidate.
func IndexOf(id mergesearch.CandidateID) (int, error) {
	i, err := strconv.Atoi(strings.TrimPrefix(string(id), "c"))
	if err != nil || i < 0 || mergesearch.CandidateOf(i) != id {
		return 0, &mergesearch.InputError{Field: string(id), Problem: "is not the name of a candidate", Hint: "candidates are named c0000, c0001, ..."}
	}
	return i, nil
}
