package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"mergesearch"
)

// Records returns what the population hash covers, in the order of asking.
// Trials of one recipe share its outcomes.
func (r *Reader) Records(ctx context.Context) ([]mergesearch.Record, error) {
	var out []mergesearch.Record
	err := r.view(ctx, "read the population", func(tx *sql.Tx) error {
		var err error
		out, err = records(ctx, tx)
		return err
	})
	return out, err
}

// PopulationHash returns mergesearch.PopulationHash of the Records. That of a run with
// an ending is read from it, since whatever changes the population takes the ending
// back; Check computes it anew.
func (r *Reader) PopulationHash(ctx context.Context) (string, error) {
	var none *NotFoundError
	if e, err := r.Ending(ctx); err == nil {
		return e.PopulationHash, nil
	} else if !errors.As(err, &none) {
		return "", err
	}
	rs, err := r.Records(ctx)
	if err != nil {
		return "", err
	}
	return mergesearch.PopulationHash(rs), nil
}

func records(ctx context.Context, q querier) ([]mergesearch.Record, error) {
	outcomes := map[mergesearch.RecipeID][]mergesearch.Outcome{}
	err := each(ctx, q, func(rows *sql.Rows) error {
		var id mergesearch.RecipeID
		var o mergesearch.Outcome
		err := rows.Scan(&id, &o.Item, &o.Value, &o.Missing)
		outcomes[id] = append(outcomes[id], o)
		return err
	}, `SELECT recipe.id, item.id, value, missing
		FROM answer JOIN recipe ON recipe.key = answer.recipe JOIN item ON item.key = answer.item ORDER BY answer.recipe, answer.item`)
	if err != nil {
		return nil, err
	}
	var out []mergesearch.Record
	err = each(ctx, q, func(rows *sql.Rows) error {
		var x mergesearch.Record
		err := rows.Scan(&x.Index, &x.Generation, &x.Genome, &x.RecipeID, &x.State, &x.ReasonCode)
		x.Outcomes = outcomes[x.RecipeID]
		out = append(out, x)
		return err
	}, `SELECT idx, generation, genome, recipe.id, state, reason_code FROM trial JOIN recipe ON recipe.key = trial.recipe ORDER BY idx`)
	return out, err
}

// Opening is what a run has seen of the held-out items.
type Opening struct {
	At    time.Time            // of the first held-out answer; zero when there is none
	Items []mergesearch.ItemID // held-out items that any candidate answered, sorted
}

// HeldOut returns the run's opening of held-out items. A run over the same data
// (Run.Data) counts those of others as peeks.
func (r *Reader) HeldOut(ctx context.Context) (Opening, error) {
	var o Opening
	err := r.view(ctx, "read the held-out items", func(tx *sql.Tx) error {
		var at int64
		err := tx.QueryRowContext(ctx, `SELECT at FROM event WHERE kind = ? ORDER BY seq LIMIT 1`, HeldOutOpened).Scan(&at)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		o.At = moment(at)
		return each(ctx, tx, func(rows *sql.Rows) error {
			var id mergesearch.ItemID
			err := rows.Scan(&id)
			o.Items = append(o.Items, id)
			return err
		}, `SELECT id FROM item WHERE split = 'held-out' ORDER BY id`)
	})
	return o, err
}
