package eval

// windows cuts the tokens of a text into sequences that score each of them once,
// as much context before it as fits: the rolling log-likelihood of
// lm-evaluation-harness. The prefix token stands before the first. Each sequence
// but the last scores all that it holds but its first token; the last reaches back
// to be as long as the others. most is how many tokens are read and predicted in
// one window; 0 makes one window of everything.
func windows(prefix int32, ids []int32, most int) []sequence {
	if len(ids) == 0 {
		return nil
	}
	if most == 0 {
		most = len(ids)
	}
	whole := append([]int32{prefix}, ids...) // place i of ids is place i+1 here
	n := min(most, len(ids))
	out := []sequence{{ids: whole[:n+1], ctx: 1}}
	for done := n; done < len(ids); {
		next := min(most, len(ids)-done)
		end := done + next
		start := max(0, end-most) // the first token that is read, in whole
		out = append(out, sequence{ids: whole[start : end+1], ctx: done - start + 1})
		done = end
	}
	return out
}
