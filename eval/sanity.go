package eval

// Sanity is what should be seen beside a score of completions: an answer that is
// cut off or goes round in circles scores low for another reason than a wrong one.
type Sanity struct {
	Tokens  int  `json:"tokens,omitempty"`  // written for the item, all completions together; 0 when unknown
	Looping bool `json:"looping,omitempty"` // a completion ends in a repetition

	Ungraded int `json:"ungraded,omitempty"` // completions that got no grade of the judge, and the score of no_grade
}

// TaskSanity sums up a task's completions.
type TaskSanity struct {
	Looping    int     `json:"looping"`
	MeanTokens float64 `json:"mean_tokens,omitempty"` // over the items whose tokens are known
	Ungraded   int     `json:"ungraded,omitempty"`    // completions
}

// sanity looks at the completions of an item.
func (a answers) sanity() Sanity {
	var s Sanity
	for _, w := range a.texts {
		s.Tokens += max(0, w.tokens)
		s.Looping = s.Looping || looping(w.text)
	}
	for _, v := range a.judgements {
		s.Ungraded += bit(v.ungraded)
	}
	return s
}

// The tail of a text loops when one piece of it stands there so many times in a
// row, and so many bytes of it in all.
const (
	loopTimes  = 4
	loopBytes  = 32
	loopPeriod = 256 // longest piece that is looked for
)

// looping reports whether a text ends in a repetition. Greedy decoding of a damaged
// model ends so, and runs into the length limit.
func looping(text string) bool {
	for period := 1; period <= loopPeriod && period*loopTimes <= len(text); period++ {
		want := max(period*loopTimes, loopBytes)
		if want > len(text) {
			continue
		}
		same := period // bytes of the tail that are a repetition of its last piece
		for i := len(text) - 1 - period; i >= 0 && same < want && text[i] == text[i+period]; i-- {
			same++
		}
		if same >= want {
			return true
		}
	}
	return false
}

// sanity adds to the report of each task what its samples show.
func (r *Report) sanity() {
	place := map[string]int{}
	for i, t := range r.Tasks {
		place[t.Task] = i
	}
	known := make([]int, len(r.Tasks))
	for _, s := range r.Samples {
		i, ok := place[s.Task]
		if !ok {
			continue
		}
		t := &r.Tasks[i]
		t.Looping += bit(s.Looping)
		t.Ungraded += s.Ungraded
		if s.Tokens > 0 {
			known[i]++
			t.MeanTokens += (float64(s.Tokens) - t.MeanTokens) / float64(known[i])
		}
	}
}
