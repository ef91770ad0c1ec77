package compat

import "mergesearch"

// drawn returns which elements of model i's task vector random masks keep: those whose
// draw is below mergekit's probability.
func (in Input) drawn(i int, delta []float32) []bool {
	kept := make([]bool, len(delta))
	if in.PerModel[i]["density"] <= 0 {
		return kept
	}
	p := in.probabilities(i, delta)
	for e := range kept {
		kept[e] = uint64(in.Draw(i, e)) < uint64(float64(p[e%len(p)])*(1<<32))
	}
	return kept
}

// probabilities are those of mergekit: one for all elements, or for della one for
// each by its rank. It computes them in bfloat16 for models of that type, where 0.3 is
// 0.30078125 and of 4096 ranks 704 differ, and in float32 otherwise.
func (in Input) probabilities(i int, delta []float32) []float32 {
	o := arith{mergesearch.F32}
	if in.DType == mergesearch.BF16 {
		o.d = in.DType
	}
	density := in.PerModel[i]["density"]
	if in.Method != "della" && in.Method != "della_linear" {
		return one(number(o.d, density))
	}
	p := make([]float32, len(delta))
	for _, row := range in.ranked() {
		magnitudes := make([]float32, len(row))
		for j, e := range row {
			magnitudes[j] = delta[e]
		}
		for j, v := range o.byRank(magnitudes, density, in.PerModel[i]["epsilon"]) {
			p[row[j]] = v
		}
	}
	return p
}

// byRank returns the probabilities of a row, rising from density - epsilon for the
// smallest magnitude to density + epsilon for the largest.
func (o arith) byRank(x []float32, density, epsilon float64) []float32 {
	rank := make([]float32, len(x))
	for r, e := range order(x, false) {
		rank[e] = float32(r)
	}
	rank = o.add(rounded(o.d, rank), one(1))
	least, most := rank[0], rank[0]
	for _, r := range rank {
		least, most = min(least, r), max(most, r)
	}
	share := o.clamp(o.div(o.sub(rank, one(least)), o.sub(one(most), one(least))), 0, 1)
	return o.add(one(number(o.d, density-epsilon)), o.scale(epsilon, o.scale(2, share)))
}

// ranked returns the element numbers of the rows in which della ranks magnitudes:
// along the second dimension, or all of a tensor of one.
func (in Input) ranked() [][]int {
	outer, length, inner := 1, len(in.Base), 1
	if len(in.Shape) > 1 {
		outer, length = in.Shape[0], in.Shape[1]
		for _, s := range in.Shape[2:] {
			inner *= s
		}
	}
	var rows [][]int
	for a := range outer {
		for b := range inner {
			row := make([]int, length)
			for j := range row {
				row[j] = (a*length+j)*inner + b
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// checkDrawn refuses what mergekit cannot draw: ends of the probability outside
// (0, 1), and rows of one element, whose rank it divides by nothing.
func (in Input) checkDrawn(i int) string {
	density, epsilon := in.PerModel[i]["density"], in.PerModel[i]["epsilon"]
	switch {
	case in.Draw == nil:
		return "a density below 1 without random draws"
	case in.Method != "della" && in.Method != "della_linear" || density <= 0:
		return ""
	case !(density-epsilon > 0 && density+epsilon < 1):
		return "mergekit wants density +- epsilon in (0, 1)"
	case len(in.ranked()[0]) == 1:
		return "mergekit fails on rows of one element"
	}
	return ""
}
