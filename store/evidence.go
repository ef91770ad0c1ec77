package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"mergesearch"
)

// Evidence is everything that the numbers of a report are made of, of one moment.
// Completions are left out: no number follows from them.
type Evidence struct {
	Run     Run
	Trials  []Trial // in the order of asking
	Items   []Item  // in the order of their first appearance
	Answers map[mergesearch.RecipeID]Answers
	Events  []Event
	Ending  *Ending // nil until there is a result
}

// Item is an item with its split.
type Item struct {
	ID    mergesearch.ItemID
	Split mergesearch.Split
}

// Answers are those of one recipe.
type Answers struct {
	Fingerprint string // of the weights that gave them
	Outcomes    []mergesearch.Outcome
	Splits      []mergesearch.Split // of each outcome's item
}

// On returns the outcomes of one split, in the order of the items' first appearance.
func (a Answers) On(split mergesearch.Split) []mergesearch.Outcome {
	var out []mergesearch.Outcome
	for i, o := range a.Outcomes {
		if a.Splits[i] == split {
			out = append(out, o)
		}
	}
	return out
}

// Evidence reads it all. It is a NotFoundError before the first Freeze.
func (r *Reader) Evidence(ctx context.Context) (Evidence, error) {
	e := Evidence{Answers: map[mergesearch.RecipeID]Answers{}}
	err := r.view(ctx, "read the evidence", func(tx *sql.Tx) error {
		var err error
		if e.Run, err = readRun(ctx, tx); errors.Is(err, sql.ErrNoRows) {
			return &NotFoundError{Path: r.path, What: "configuration yet (the run ended before it began)"}
		} else if err != nil {
			return err
		}
		parents, err := parentsOf(ctx, tx, "")
		if err != nil {
			return err
		}
		if e.Trials, err = selectTrials(ctx, tx, parents, " ORDER BY idx"); err != nil {
			return err
		}
		if err := e.readAnswers(ctx, tx); err != nil {
			return err
		}
		if err := e.readEvents(ctx, tx); err != nil {
			return err
		}
		return e.readEnding(ctx, tx)
	})
	return e, err
}

func (e *Evidence) readAnswers(ctx context.Context, tx *sql.Tx) error {
	at := map[int64]int{}
	err := each(ctx, tx, func(rows *sql.Rows) error {
		var key int64
		var i Item
		err := rows.Scan(&key, &i.ID, &i.Split)
		at[key] = len(e.Items)
		e.Items = append(e.Items, i)
		return err
	}, `SELECT key, id, split FROM item ORDER BY key`)
	if err != nil {
		return err
	}
	ids := map[int64]mergesearch.RecipeID{}
	err = each(ctx, tx, func(rows *sql.Rows) error {
		var key int64
		var id mergesearch.RecipeID
		var a Answers
		err := rows.Scan(&key, &id, &a.Fingerprint)
		ids[key], e.Answers[id] = id, a
		return err
	}, `SELECT key, id, fingerprint FROM recipe ORDER BY key`)
	if err != nil {
		return err
	}
	var last int64 = -1
	var of Answers
	file := func() {
		if last >= 0 {
			of.Fingerprint = e.Answers[ids[last]].Fingerprint
			e.Answers[ids[last]] = of
		}
	}
	err = each(ctx, tx, func(rows *sql.Rows) error {
		var recipe, item int64
		var o mergesearch.Outcome
		if err := rows.Scan(&recipe, &item, &o.Value, &o.Missing, &o.Truncated, &o.Empty, &o.PromptTokens, &o.CompletionTokens); err != nil {
			return err
		}
		if recipe != last {
			file()
			last, of = recipe, Answers{}
		}
		i := e.Items[at[item]]
		o.Item = i.ID
		of.Outcomes, of.Splits = append(of.Outcomes, o), append(of.Splits, i.Split)
		return nil
	}, `SELECT recipe, item, value, missing, truncated, empty, prompt_tokens, completion_tokens FROM answer ORDER BY recipe, item`)
	file()
	return err
}

func (e *Evidence) readEvents(ctx context.Context, tx *sql.Tx) error {
	return each(ctx, tx, func(rows *sql.Rows) error {
		var x Event
		var at int64
		var attrs string
		err := rows.Scan(&x.Seq, &at, &x.Kind, &attrs)
		x.At, x.Attrs = moment(at), json.RawMessage(attrs)
		e.Events = append(e.Events, x)
		return err
	}, `SELECT seq, at, kind, attrs FROM event ORDER BY seq`)
}

func (e *Evidence) readEnding(ctx context.Context, tx *sql.Tx) error {
	var x Ending
	var result string
	var at int64
	err := tx.QueryRowContext(ctx, `SELECT status, stop_reason, result, heldout_peeks, faults, population_hash, at FROM result`).
		Scan(&x.Status, &x.StopReason, &result, &x.HeldOutPeeks, &x.Faults, &x.PopulationHash, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	x.At = moment(at)
	e.Ending = &x
	return json.Unmarshal([]byte(result), &x.Result)
}

// Records returns what the population hash covers.
func (e *Evidence) Records() []mergesearch.Record {
	out := make([]mergesearch.Record, len(e.Trials))
	for i, t := range e.Trials {
		out[i] = mergesearch.Record{
			Index: t.Index, Generation: t.Individual.Generation, Genome: t.Genome, RecipeID: t.RecipeID, State: t.State, ReasonCode: t.Reason.Code,
			Outcomes: e.Answers[t.RecipeID].Outcomes,
		}
	}
	return out
}
