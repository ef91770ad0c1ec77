package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"mergesearch"
)

// Report is what Check found.
type Report struct {
	Trials, Answers, Events int
	PopulationHash          string   // as computed now
	Problems                []string // empty when all is well
}

// Check examines the whole run: the file's pages and indices, references
// between tables, the chain of events, that every recipe, score and genome can be
// read and has the ID that it is filed under, and that the population hash is
// the one recorded with the result. What it finds is in the report; an error
// means that it could not look.
func (r *Reader) Check(ctx context.Context) (Report, error) {
	var rep Report
	err := r.view(ctx, "check", func(tx *sql.Tx) error {
		for _, pragma := range []string{"quick_check", "integrity_check", "foreign_key_check"} {
			found, err := pragmaCheck(ctx, tx, pragma)
			if err != nil {
				return err
			}
			rep.Problems = append(rep.Problems, found...)
		}
		return rep.contents(ctx, tx)
	})
	var damaged *DamagedError
	if errors.As(err, &damaged) {
		rep.Problems = append(rep.Problems, damaged.Detail)
		err = nil
	}
	return rep, err
}

func (rep *Report) contents(ctx context.Context, tx *sql.Tx) error {
	n, found, err := chainProblems(ctx, tx)
	if err != nil {
		return err
	}
	rep.Events = n
	rep.Problems = append(rep.Problems, found...)
	trials, err := selectTrials(ctx, tx, "")
	if err != nil { // the text names the trial or recipe that cannot be read
		var unreadable Hinted
		if failed := failure("", "", err); errors.As(failed, &unreadable) {
			return err
		}
		rep.Problems = append(rep.Problems, err.Error())
	}
	rs, err := records(ctx, tx)
	if err != nil {
		return err
	}
	rep.Trials = len(rs)
	rep.PopulationHash = mergesearch.PopulationHash(rs)
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM answer`).Scan(&rep.Answers); err != nil {
		return err
	}
	rep.scores(trials, rs)
	if err := rep.configuration(ctx, tx); err != nil {
		return err
	}
	return rep.ending(ctx, tx)
}

// scores compares the columns that queries use with the score that they were
// taken from.
func (rep *Report) scores(trials []Trial, rs []mergesearch.Record) {
	for i, t := range trials {
		if _, ok := t.Member(); !ok {
			continue
		}
		if i < len(rs) && len(rs[i].Outcomes) < t.Score.Items {
			rep.Problems = append(rep.Problems, fmt.Sprintf("%s: a score on %d items, but %d answers", t.ID(), t.Score.Items, len(rs[i].Outcomes)))
		}
	}
}

func (rep *Report) configuration(ctx context.Context, tx *sql.Tx) error {
	run, err := readRun(ctx, tx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	if sum := sha256.Sum256([]byte(run.Effective)); hex.EncodeToString(sum[:]) != run.EffectiveSHA256 {
		rep.Problems = append(rep.Problems, "the frozen configuration does not have the recorded hash")
	}
	return nil
}

func (rep *Report) ending(ctx context.Context, tx *sql.Tx) error {
	var recorded string
	err := tx.QueryRowContext(ctx, `SELECT population_hash FROM result`).Scan(&recorded)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	if recorded != rep.PopulationHash {
		rep.Problems = append(rep.Problems, fmt.Sprintf("population hash %s, recorded with the result %s", rep.PopulationHash, recorded))
	}
	return nil
}
