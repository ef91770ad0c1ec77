package searchtest

import (
	"context"
	"fmt"
	"hash/fnv"

	"mergesearch"
)

// Items lists a split, task by task.
func (f *Family) Items(split mergesearch.Split) []mergesearch.Item { return f.items[split] }

// Build keeps the recipe; its tensors are a digest that counts its release.
func (f *Family) Build(ctx context.Context, id mergesearch.CandidateID, r mergesearch.Recipe) (mergesearch.Candidate, error) {
	if err := ctx.Err(); err != nil {
		return mergesearch.Candidate{}, err
	}
	if f.Refuse != nil {
		if failure := f.Refuse(r); failure != nil {
			return mergesearch.Candidate{}, fmt.Errorf("build %s: %w", id, failure)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	recipe := r.ID()
	f.recipes[recipe] = r
	f.builds[recipe]++
	f.live++
	f.mostLive = max(f.mostLive, f.live)
	t := &shadow{family: f, digest: "simulated-" + string(recipe)}
	return mergesearch.Candidate{ID: id, Recipe: recipe, Tensors: t, Fingerprint: t.digest}, nil
}

// Score answers the items; the text of the completion says right or wrong. Prompts
// take 20 to 39 tokens, completions 1 to 9.
func (f *Family) Score(ctx context.Context, c mergesearch.Candidate, items []mergesearch.ItemID) ([]mergesearch.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.recipes[c.Recipe]
	if f.Degenerate != nil {
		if failure := f.Degenerate(r, items); failure != nil {
			return nil, failure
		}
	}
	abilities := f.abilities(r)
	if f.asked[c.Recipe] == nil {
		f.asked[c.Recipe] = map[mergesearch.ItemID]int{}
	}
	out := make([]mergesearch.Outcome, len(items))
	for i, id := range items {
		f.asked[c.Recipe][id]++
		f.answered++
		out[i] = mergesearch.Outcome{
			Item: id, Completion: "wrong",
			PromptTokens: 20 + int(20*unit(string(id))), CompletionTokens: 1 + int(9*unit("tokens", string(c.Recipe), string(id))),
		}
		t := f.traits[id]
		luck := t.chance
		if !t.steady {
			luck = unit(string(c.Recipe), string(id))
		}
		if luck < t.solves(abilities) {
			out[i].Value, out[i].Completion = 1, "right"
		}
	}
	return out, nil
}

// unit returns a number in [0, 1) that depends on the texts alone.
func unit(texts ...string) float64 {
	h := fnv.New64a()
	for _, t := range texts {
		h.Write([]byte(t))
	}
	x := h.Sum64()
	x ^= x >> 31
	x *= 0x94d049bb133111eb
	return float64((x^x>>29)>>11) / (1 << 53)
}

// Answered returns how many items were asked in all, and how many of these had
// been asked of the same recipe before.
func (f *Family) Answered() (asked, repeated int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, items := range f.asked {
		for _, n := range items {
			repeated += n - 1
		}
	}
	return f.answered, repeated
}

// Candidates returns how many candidates are built and not released, and the
// most that ever were at a time.
func (f *Family) Candidates() (live, most int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.live, f.mostLive
}

// shadow stands for a candidate's tensors: there are none.
type shadow struct {
	family   *Family
	digest   string
	released bool
}

func (s *shadow) Names() []string { return nil }

func (s *shadow) Tensor(name string) (mergesearch.Tensor, error) {
	return mergesearch.Tensor{}, fmt.Errorf("tensor %s: a simulated candidate has none", name)
}

func (s *shadow) Digest() string { return s.digest }

func (s *shadow) Release() {
	s.family.mu.Lock()
	defer s.family.mu.Unlock()
	if !s.released {
		s.released = true
		s.family.live--
	}
}
