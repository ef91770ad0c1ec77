package metric

import (
	"cmp"
	"math"
	"slices"

	"mergesearch/eval/python"
)

// The limits of the search for shifts, those of tercom and sacrebleu.
const (
	terShift      = 10   // words in the longest shift
	terDistance   = 50   // positions that a shift may bridge
	terBeam       = 25   // cells on each side of the diagonal
	terCandidates = 1000 // shifts tried for one answer
)

// TER is sacrebleu's corpus_ter with its defaults: the insertions, deletions,
// substitutions and shifts of words that turn an answer into a reference, per 100
// words of the references, without regard to case; lower is better. The edits of an
// item are those to its nearest reference, its length is the mean of its references'.
func TER(answers []string, references [][]string) (Statistic, error) {
	return corpus(answers, references, 2, terCounts, func(c counts) float64 {
		switch {
		case c[1] > 0:
			return 100 * (c[0] / c[1])
		case c[0] > 0:
			return 100
		}
		return 0
	})
}

// terCounts returns the edits and the length.
func terCounts(answer string, references []string) counts {
	words := python.Split(python.Lower(answer))
	fewest, length := math.MaxInt, 0
	for _, ref := range references {
		theirs := python.Split(python.Lower(ref))
		fewest = min(fewest, terEdits(words, theirs))
		length += len(theirs)
	}
	return counts{float64(fewest), float64(length) / float64(len(references))}
}

// terEdits shifts words of mine, each time by the best shift there is, as long as that
// lowers the edit distance to theirs.
func terEdits(mine, theirs []string) int {
	if len(theirs) == 0 {
		return len(mine)
	}
	tried, shifts := 0, 0
	now := editsTo(theirs, mine, nil)
	for {
		best := bestShift(now, &tried)
		if tried >= terCandidates || best.gain <= 0 {
			return shifts + now.distance()
		}
		shifts++
		now = editsTo(theirs, shifted(now.words, best.start, best.length, best.to), now)
	}
}

// shift moves length words from start to a place, which lowers the distance by gain.
type shift struct{ gain, length, start, to int }

// bestShift returns the shift of the largest gain, then the longest, then that from
// and to the earliest place; the zero shift if there is none.
func bestShift(now *edits, tried *int) shift {
	align, mineWrong, theirsWrong := now.alignment()
	mine, theirs, distance := now.words, now.theirs, now.distance()
	var best shift
	found := false
	// try returns false when enough was tried.
	try := func(start, at, length int) bool {
		if !slices.Contains(mineWrong[start:start+length], true) || !slices.Contains(theirsWrong[at:at+length], true) {
			return true
		}
		if align[at] >= start && align[at] < start+length { // it would land in itself
			return true
		}
		last := -1
		for offset := -1; offset < length; offset++ {
			to := 0
			if at+offset >= 0 {
				to = align[at+offset] + 1
			}
			if to == last {
				continue
			}
			last = to
			then := editsTo(theirs, shifted(mine, start, length, to), now)
			s := shift{gain: distance - then.distance(), length: length, start: start, to: to}
			*tried++
			if !found || s.compare(best) > 0 {
				best, found = s, true
			}
		}
		return *tried < terCandidates
	}
	for start := range mine {
		for at := max(0, start-terDistance); at < min(len(theirs), start+terDistance+1); at++ {
			for n := 1; n <= terShift && start+n <= len(mine) && at+n <= len(theirs) && mine[start+n-1] == theirs[at+n-1]; n++ {
				if !try(start, at, n) {
					return best
				}
			}
		}
	}
	return best
}

func (s shift) compare(t shift) int {
	return cmp.Or(cmp.Compare(s.gain, t.gain), cmp.Compare(s.length, t.length), -cmp.Compare(s.start, t.start), -cmp.Compare(s.to, t.to))
}

// shifted returns words with length of them moved from start to a place, which counts
// in the words as they are; a place within the moved ones counts from their end.
func shifted(words []string, start, length, to int) []string {
	moved := words[start : start+length]
	rest := slices.Concat(words[:start], words[start+length:])
	if to > start+length {
		to -= length
	}
	to = min(to, len(rest))
	return slices.Concat(rest[:to], moved, rest[to:])
}

// Operations that turn mine into theirs.
const (
	keep   = ' '
	swap   = 's'
	insert = 'i' // a word of theirs
	remove = 'd' // a word of mine
)

// edits is the matrix of edit distances between the words so far of mine (rows) and of
// theirs (columns), within a beam around the diagonal.
type edits struct {
	words, theirs []string
	cost          [][]int32
	op            [][]byte
}

const farAway = math.MaxInt32 / 2

// editsTo fills the matrix. Rows for words that mine shares with the start of a matrix
// of the same length and theirs are taken from it.
func editsTo(theirs, mine []string, known *edits) *edits {
	m := len(theirs) + 1
	e := &edits{words: mine, theirs: theirs, cost: make([][]int32, len(mine)+1), op: make([][]byte, len(mine)+1)}
	from := 0
	if known != nil {
		for from < len(mine) && mine[from] == known.words[from] {
			from++
		}
		copy(e.cost, known.cost[:from+1])
		copy(e.op, known.op[:from+1])
	} else {
		e.cost[0], e.op[0] = make([]int32, m), make([]byte, m)
		for j := range m {
			e.cost[0][j], e.op[0][j] = int32(j), insert
		}
	}
	ratio := 1.0
	if len(mine) > 0 {
		ratio = float64(len(theirs)) / float64(len(mine))
	}
	beam := terBeam
	if terBeam < ratio/2 {
		beam = int(math.Ceil(ratio/2 + terBeam))
	}
	rows := len(mine) - from
	costs, ops := make([]int32, rows*m), make([]byte, rows*m)
	for i := from + 1; i <= len(mine); i++ {
		cost, op := costs[:m:m], ops[:m:m]
		costs, ops = costs[m:], ops[m:]
		for j := range cost {
			cost[j] = farAway
		}
		diagonal := int(math.Floor(float64(i) * ratio))
		low, high := max(0, diagonal-beam), min(m, diagonal+beam)
		if i == len(mine) {
			high = m
		}
		above := e.cost[i-1]
		for j := low; j < high; j++ {
			if j == 0 {
				cost[j], op[j] = above[j]+1, remove
				continue
			}
			c, o := above[j-1], byte(keep)
			if mine[i-1] != theirs[j-1] {
				c, o = c+1, swap
			}
			if above[j]+1 < c {
				c, o = above[j]+1, remove
			}
			if cost[j-1]+1 < c {
				c, o = cost[j-1]+1, insert
			}
			if c < farAway {
				cost[j], op[j] = c, o
			}
		}
		e.cost[i], e.op[i] = cost, op
	}
	return e
}

func (e *edits) distance() int { return int(e.cost[len(e.words)][len(e.theirs)]) }

// alignment returns, for each word of theirs, the word of mine that stands for it (or
// the one before, -1 before the first), and which words are no plain matches.
func (e *edits) alignment() (align []int, mineWrong, theirsWrong []bool) {
	i, j := len(e.words), len(e.theirs)
	align, mineWrong, theirsWrong = make([]int, j), make([]bool, i), make([]bool, j)
	for i > 0 || j > 0 {
		switch o := e.op[i][j]; o {
		case keep, swap:
			i--
			j--
			align[j], mineWrong[i], theirsWrong[j] = i, o == swap, o == swap
		case insert:
			j--
			align[j], theirsWrong[j] = i-1, true
		case remove:
			i--
			mineWrong[i] = true
		default:
			panic("metric: the beam of TER has lost its way")
		}
	}
	return align, mineWrong, theirsWrong
}
