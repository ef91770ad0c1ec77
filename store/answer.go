package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"mergesearch"
)

// itemKey is the row of an item and the split that it belongs to.
type itemKey struct {
	key   int64
	split mergesearch.Split
}

// HeldOutOpened is the kind of the event that Answered adds before the first
// answer to a held-out item of the run.
const HeldOutOpened = "heldout_opened"

// Answered adds outcomes to the recipe of a trial, all or none. An item that the
// recipe has already answered equally (value and missing; the text is for
// reading) is passed over; a different answer is a DivergedError. The trial must
// have begun, and an item stays in the split of its first answer.
func (db *DB) Answered(ctx context.Context, t mergesearch.Trial, split mergesearch.Split, outcomes []mergesearch.Outcome) error {
	for _, o := range outcomes {
		if !(o.Value >= 0 && o.Value <= 1) || o.Item == "" || (o.Missing && o.Value != 0) || min(o.PromptTokens, o.CompletionTokens) < 0 {
			return fmt.Errorf("answers of %s: item %q: value %v (missing: %t, %d and %d tokens) is no outcome", t.ID(), o.Item, o.Value, o.Missing, o.PromptTokens, o.CompletionTokens)
		}
	}
	added := map[mergesearch.ItemID]itemKey{}
	return db.write(ctx, "record answers of "+string(t.ID()), func(ctx context.Context) error {
		key, err := db.recipeOf(ctx, t)
		if err != nil {
			return err
		}
		if err := db.bindWeights(ctx, key, t); err != nil {
			return err
		}
		if split == mergesearch.HeldOutSplit && len(outcomes) > 0 {
			if err := db.noteOpening(ctx, t); err != nil {
				return err
			}
		}
		for _, o := range outcomes {
			if err := db.addAnswer(ctx, t, key, split, o, added); err != nil {
				return err
			}
		}
		return db.exec(ctx, `UPDATE trial SET state = 'scoring' WHERE idx = ? AND state IN ('pending', 'building')`, t.Index)
	}, func() {
		for id, k := range added {
			db.items[id] = k
		}
	})
}

// recipeOf returns the recipe of a trial that has begun.
func (db *DB) recipeOf(ctx context.Context, t mergesearch.Trial) (recipeKey, error) {
	var key recipeKey
	var id string
	err := db.conn.QueryRowContext(ctx, `SELECT key, id FROM trial JOIN recipe ON recipe.key = trial.recipe WHERE idx = ?`, t.Index).Scan(&key, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, &NotFoundError{Path: db.path, What: "trial " + string(t.ID())}
	}
	if err == nil && t.RecipeID != "" && id != string(t.RecipeID) {
		err = &DivergedError{Thing: string(t.ID()), Field: "recipe", Recorded: id, Got: string(t.RecipeID)}
	}
	return key, err
}

func (db *DB) addAnswer(ctx context.Context, t mergesearch.Trial, recipe recipeKey, split mergesearch.Split, o mergesearch.Outcome, added map[mergesearch.ItemID]itemKey) error {
	item, err := db.addItem(ctx, o.Item, split, added)
	if err != nil {
		return err
	}
	fresh, err := db.changed(ctx, `INSERT INTO answer (recipe, item, value, missing, truncated, empty, completion, prompt_tokens, completion_tokens)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (recipe, item) DO NOTHING`,
		recipe, item.key, o.Value, o.Missing, o.Truncated, o.Empty, strings.ToValidUTF8(o.Completion, "\uFFFD"), o.PromptTokens, o.CompletionTokens)
	if fresh {
		return db.reopen(ctx)
	}
	if err != nil {
		return err
	}
	var value float64
	var missing bool
	err = db.conn.QueryRowContext(ctx, `SELECT value, missing FROM answer WHERE recipe = ? AND item = ?`, recipe, item.key).Scan(&value, &missing)
	if err == nil && (value != o.Value || missing != o.Missing) {
		err = &DivergedError{
			Thing: fmt.Sprintf("item %s of %s", o.Item, t.ID()), Field: "answer",
			Recorded: answerText(value, missing), Got: answerText(o.Value, o.Missing),
		}
	}
	return err
}

func answerText(value float64, missing bool) string {
	if missing {
		return "missing"
	}
	return fmt.Sprint(value)
}

// addItem finds or adds an item. What it adds is kept in added until the
// transaction has ended well.
func (db *DB) addItem(ctx context.Context, id mergesearch.ItemID, split mergesearch.Split, added map[mergesearch.ItemID]itemKey) (itemKey, error) {
	k, ok := db.items[id]
	if !ok {
		k, ok = added[id]
	}
	if ok {
		if k.split != split {
			return k, fmt.Errorf("item %s belongs to the %s split, answered as %s", id, k.split, split)
		}
		return k, nil
	}
	res, err := db.conn.ExecContext(ctx, `INSERT INTO item (id, split) VALUES (?, ?)`, string(id), string(split))
	if err != nil {
		return k, err
	}
	k.split = split
	k.key, err = res.LastInsertId()
	added[id] = k
	return k, err
}

// loadItems fills the table of items at open.
func (db *DB) loadItems(ctx context.Context) error {
	return each(ctx, db.conn, func(rows *sql.Rows) error {
		var id mergesearch.ItemID
		var k itemKey
		err := rows.Scan(&k.key, &id, &k.split)
		db.items[id] = k
		return err
	}, `SELECT key, id, split FROM item`)
}

// noteOpening adds the event of the first held-out answer.
func (db *DB) noteOpening(ctx context.Context, t mergesearch.Trial) error {
	var opened bool
	err := db.conn.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM event WHERE kind = ?)`, HeldOutOpened).Scan(&opened)
	if err != nil || opened {
		return err
	}
	return db.addEvent(ctx, HeldOutOpened, map[string]any{"candidate": t.ID()})
}

// Known returns every answer that is recorded of a recipe, in the order of the
// items' first appearance in the run, the fingerprint of the weights that gave
// them, and the reason when a trial of the recipe failed. It is the zero value
// for a recipe that is not recorded.
func (r *Reader) Known(ctx context.Context, id mergesearch.RecipeID) (mergesearch.Known, error) {
	var k mergesearch.Known
	err := r.view(ctx, "read recipe "+string(id), func(tx *sql.Tx) error {
		var key recipeKey
		err := tx.QueryRowContext(ctx, `SELECT key, fingerprint FROM recipe WHERE id = ?`, string(id)).Scan(&key, &k.Fingerprint)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		answers, err := answersOf(ctx, tx, key)
		for _, a := range answers {
			k.Outcomes = append(k.Outcomes, a.Outcome)
		}
		if err != nil {
			return err
		}
		var failed mergesearch.Reason
		err = tx.QueryRowContext(ctx, `SELECT reason_code, reason_text FROM trial WHERE recipe = ? AND state = 'failed' ORDER BY idx LIMIT 1`, key).
			Scan(&failed.Code, &failed.Text)
		if err == nil {
			k.Failure = &failed
		} else if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return err
	})
	return k, err
}

// Answer is an outcome with the split of its item.
type Answer struct {
	mergesearch.Outcome
	Split mergesearch.Split
}

func answersOf(ctx context.Context, q querier, key recipeKey) ([]Answer, error) {
	var out []Answer
	err := each(ctx, q, func(rows *sql.Rows) error {
		var a Answer
		err := rows.Scan(&a.Item, &a.Split, &a.Value, &a.Missing, &a.Truncated, &a.Empty, &a.Completion, &a.PromptTokens, &a.CompletionTokens)
		out = append(out, a)
		return err
	}, `SELECT item.id, split, value, missing, truncated, empty, completion, prompt_tokens, completion_tokens
		FROM answer JOIN item ON item.key = answer.item WHERE recipe = ? ORDER BY answer.item`, key)
	return out, err
}
