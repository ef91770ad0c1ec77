package mergesearch

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
)

// Individual is a proposal that has no score yet.
type Individual struct {
	Genome     Genome
	Generation int           // 0 for parents and baselines, 1 for the first of the search
	Operator   string        // how it was made: "parent", "baseline", "random", "crossover", "mutation", ...
	Parents    []CandidateID // candidates that it was made from, in the order of their share
}

// Member is an individual with its fitness. Its fields are its own, so that only
// Individual.Scored makes one.
type Member struct {
	id         CandidateID
	individual Individual
	score      Score
}

// Scored makes a member. It refuses a fitness that is not a finite number.
func (i Individual) Scored(id CandidateID, s Score) (Member, error) {
	if !finite(s.Fitness) {
		return Member{}, errors.New("candidate " + string(id) + ": fitness is not a finite number")
	}
	if s.Items == 0 {
		return Member{}, errors.New("candidate " + string(id) + ": a score without items")
	}
	return Member{id: id, individual: i, score: s}, nil
}

// ID returns the candidate that carries the member's genome.
func (m Member) ID() CandidateID { return m.id }

// Individual returns the proposal.
func (m Member) Individual() Individual { return m.individual }

// Genome returns the member's genome, which must not be written to.
func (m Member) Genome() Genome { return m.individual.Genome }

// Fitness returns what selection compares; higher is better.
func (m Member) Fitness() float64 { return m.score.Fitness }

// Score returns the score behind the fitness.
func (m Member) Score() Score { return m.score }

// State is where a trial stands.
type State string

// The states of a trial. The last four are final.
const (
	Pending    State = "pending"
	Building   State = "building"
	Scoring    State = "scoring"
	Scored     State = "scored"     // answered all search items
	Eliminated State = "eliminated" // left a race before the last rung
	Failed     State = "failed"     // cannot be built or scored; Reason says why
	Cancelled  State = "cancelled"
)

// Reason says why a trial failed.
type Reason struct {
	Code string // one word that is counted and compared: "not_finite", "shape", "degenerate"
	Text string // for people; names the tensor or item
}

// Trial is one attempt to build and score an individual.
type Trial struct {
	Index       int    // in the order of asking, from 0
	Name        string // of a parent or baseline; empty for candidates of the search
	Individual  Individual
	Recipe      Recipe
	RecipeID    RecipeID
	State       State
	Reason      Reason
	Rung        int   // of the race that it reached, from 0
	Score       Score // on search items; meaningful when Scored or Eliminated
	Fingerprint string

	// Outcomes is what Score was folded from, in the order of the rung's items. An
	// algorithm is told them; they are kept by the recipe and not with the trial, so
	// it is empty everywhere else.
	Outcomes []Outcome `json:"-"`

	// Level is what Score would be on all search items, as far as can be told from
	// the items that were answered and how others did on them. An algorithm is told
	// it where the race has cohorts answer different items; it is zero everywhere else.
	Level Estimate `json:"-"`

	BuildSeconds, EvalSeconds float64
}

// ID returns the trial's candidate.
func (t Trial) ID() CandidateID { return CandidateOf(t.Index) }

// Member returns the trial's individual with its fitness, and false when it has
// none.
func (t Trial) Member() (Member, bool) {
	if t.State != Scored && t.State != Eliminated {
		return Member{}, false
	}
	m, err := t.Individual.Scored(t.ID(), t.Score)
	return m, err == nil
}

// Known is what is recorded of a recipe, from this process of a run or an earlier
// one. The zero value says that nothing is.
type Known struct {
	Fingerprint string
	Outcomes    []Outcome // every item answered, all splits
	Failure     *Reason   // set when the recipe failed
}

// Record is what the population hash covers of one trial.
type Record struct {
	Index      int
	Generation int
	Genome     string // canonical; empty for parents and baselines without one
	RecipeID   RecipeID
	State      State
	ReasonCode string
	Outcomes   []Outcome // all that the trial answered, whatever the split
}

// PopulationHash returns the SHA-256, in hexadecimal, over the records in the
// order given, which must be ask order: of each its index and generation, its
// genome, recipe, state, reason code and ItemsDigest, texts preceded by their
// length; integers have 64 bits, little-endian. Two runs with equal hashes made
// the same proposals, built the same recipes and got the same answers. Times,
// paths and random identifiers do not enter.
func PopulationHash(records []Record) string {
	var b []byte
	for _, r := range records {
		b = binary.LittleEndian.AppendUint64(b, uint64(r.Index))
		b = binary.LittleEndian.AppendUint64(b, uint64(r.Generation))
		for _, s := range []string{r.Genome, string(r.RecipeID), string(r.State), r.ReasonCode, ItemsDigest(r.Outcomes)} {
			b = appendText(b, s)
		}
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// ItemsDigest identifies a set of outcomes, whatever their order: the SHA-256,
// in hexadecimal, over the outcomes sorted by item, each as its item preceded by
// the length, its value as IEEE bits and 1 if missing; integers have 64 bits,
// little-endian.
func ItemsDigest(outcomes []Outcome) string {
	sorted := slices.Clone(outcomes)
	slices.SortFunc(sorted, func(a, b Outcome) int { return strings.Compare(string(a.Item), string(b.Item)) })
	var b []byte
	for _, o := range sorted {
		b = appendText(b, string(o.Item))
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(o.Value))
		b = binary.LittleEndian.AppendUint64(b, uint64(count(o.Missing)))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func appendText(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(len(s)))
	return append(b, s...)
}
