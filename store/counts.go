package store

import (
	"context"
	"database/sql"

	"mergesearch"
)

// Counts are the sums that status lines and reports print.
type Counts struct {
	Trials      int
	Recipes     int // distinct ones
	Evaluations int // recipes that answered at least one item
	ItemAnswers int // answers recorded, all splits, missing ones included

	ByState map[mergesearch.State]int
	ByRung  map[int]int // trials with a score by the rung that they reached
	BySplit map[mergesearch.Split]int

	Missing, Truncated, Empty int

	Tokens map[mergesearch.Split]int // of prompts and completions; 0 for answers before schema 3
}

// Counts returns the sums of one moment.
func (r *Reader) Counts(ctx context.Context) (Counts, error) {
	c := Counts{ByState: map[mergesearch.State]int{}, ByRung: map[int]int{}, BySplit: map[mergesearch.Split]int{}, Tokens: map[mergesearch.Split]int{}}
	err := r.view(ctx, "count", func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM trial), count(*),
			count(*) FILTER (WHERE EXISTS (SELECT 1 FROM answer WHERE recipe = recipe.key)) FROM recipe`).
			Scan(&c.Trials, &c.Recipes, &c.Evaluations)
		if err != nil {
			return err
		}
		err = each(ctx, tx, func(rows *sql.Rows) error {
			var s mergesearch.State
			var n int
			err := rows.Scan(&s, &n)
			c.ByState[s] = n
			return err
		}, `SELECT state, count(*) FROM trial GROUP BY state`)
		if err != nil {
			return err
		}
		err = each(ctx, tx, func(rows *sql.Rows) error {
			var rung, n int
			err := rows.Scan(&rung, &n)
			c.ByRung[rung] = n
			return err
		}, `SELECT rung, count(*) FROM trial WHERE fitness IS NOT NULL GROUP BY rung`)
		if err != nil {
			return err
		}
		return each(ctx, tx, func(rows *sql.Rows) error {
			var s mergesearch.Split
			var n, missing, truncated, empty, tokens int
			err := rows.Scan(&s, &n, &missing, &truncated, &empty, &tokens)
			c.BySplit[s] = n
			c.ItemAnswers += n
			c.Missing += missing
			c.Truncated += truncated
			c.Empty += empty
			c.Tokens[s] = tokens
			return err
		}, `SELECT split, count(*), sum(missing), sum(truncated), sum(empty), sum(prompt_tokens + completion_tokens)
			FROM answer JOIN item ON item.key = answer.item GROUP BY split`)
	})
	return c, err
}

// Bytes returns the size of the database with its log folded in.
func (r *Reader) Bytes(ctx context.Context) (int64, error) {
	var n int64
	err := r.view(ctx, "measure", func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`).Scan(&n)
	})
	return n, err
}
