package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"

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
		if err := rep.file(ctx, r); err != nil {
			return err
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

// file runs SQLite's own checks. A read-only connection forgets the CHECKs of
// the schema, so this one could write, but is told not to; that it closes while
// the reader's is open keeps it from moving the log into the database.
func (rep *Report) file(ctx context.Context, r *Reader) error {
	m := checking
	if r.mode == unmoving {
		m = unmoving
	}
	pool := connect(r.file, m)
	defer pool.Close()
	for _, pragma := range []string{"integrity_check", "foreign_key_check"} { // the first includes quick_check
		found, err := pragmaCheck(ctx, pool, pragma)
		if err != nil {
			return err
		}
		rep.Problems = append(rep.Problems, found...)
	}
	return nil
}

func (rep *Report) contents(ctx context.Context, tx *sql.Tx) error {
	n, found, err := chainProblems(ctx, tx)
	if err != nil {
		return err
	}
	rep.Events = n
	rep.Problems = append(rep.Problems, found...)
	trials, err := allTrials(ctx, tx)
	var broken sqlite3.Error
	if errors.As(err, &broken) {
		return err
	} else if err != nil { // a trial or recipe that cannot be read; the text names it
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
	if err := rep.columns(ctx, tx, trials); err != nil {
		return err
	}
	if err := rep.configuration(ctx, tx); err != nil {
		return err
	}
	return rep.ending(ctx, tx)
}

// scores compares scores with the answers that they stand for.
func (rep *Report) scores(trials []Trial, rs []mergesearch.Record) {
	answers := make(map[int]int, len(rs))
	for _, r := range rs {
		answers[r.Index] = len(r.Outcomes)
	}
	for _, t := range trials {
		if _, ok := t.Member(); ok && answers[t.Index] < t.Score.Items {
			rep.Problems = append(rep.Problems, fmt.Sprintf("%s: a score on %d items, but %d answers", t.ID(), t.Score.Items, answers[t.Index]))
		}
	}
}

// columns compares the columns that queries sort by with the score that they
// were taken from.
func (rep *Report) columns(ctx context.Context, tx *sql.Tx, trials []Trial) error {
	scores := make(map[int]mergesearch.Score, len(trials))
	for _, t := range trials {
		scores[t.Index] = t.Score
	}
	return each(ctx, tx, func(rows *sql.Rows) error {
		var index, items int
		var fitness, stdErr float64
		err := rows.Scan(&index, &fitness, &stdErr, &items)
		if s, ok := scores[index]; ok && (s.Fitness != fitness || s.StdErr != stdErr || s.Items != items) {
			rep.Problems = append(rep.Problems, fmt.Sprintf("%s: fitness %v on %d items, but its score says %v on %d",
				mergesearch.CandidateOf(index), fitness, items, s.Fitness, s.Items))
		}
		return err
	}, `SELECT idx, fitness, stderr, items FROM trial WHERE fitness IS NOT NULL ORDER BY idx`)
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
