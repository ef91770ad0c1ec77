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
		return c.answers(ctx, tx)
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

// answers sums over all answers, and over those that are not to search items; the
// rest are. That is twice as fast as a sum for each split.
func (c *Counts) answers(ctx context.Context, q querier) error {
	var tokens int
	err := q.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(missing), 0), coalesce(sum(truncated), 0), coalesce(sum(empty), 0),
		coalesce(sum(prompt_tokens + completion_tokens), 0) FROM answer`).Scan(&c.ItemAnswers, &c.Missing, &c.Truncated, &c.Empty, &tokens)
	if err != nil {
		return err
	}
	searched := c.ItemAnswers
	err = each(ctx, q, func(rows *sql.Rows) error {
		var s mergesearch.Split
		var n, spent int
		err := rows.Scan(&s, &n, &spent)
		c.BySplit[s], c.Tokens[s] = n, spent
		searched, tokens = searched-n, tokens-spent
		return err
	}, `SELECT split, count(*), sum(prompt_tokens + completion_tokens)
		FROM answer JOIN item ON item.key = answer.item AND split <> 'search' GROUP BY split`)
	if searched > 0 {
		c.BySplit[mergesearch.SearchSplit], c.Tokens[mergesearch.SearchSplit] = searched, tokens
	}
	return err
}
