package search_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	"mergesearch/search"
	"mergesearch/search/problem"
)

// volumes runs NSGA-II as pymoo sets it, a seed at a time, and returns the
// hypervolumes of its population, sorted, by the number of evaluations.
func volumes(m problem.Multiple, population, seeds int, evaluations ...int) [][]float64 {
	out := make([][]float64, len(evaluations))
	for seed := range uint64(seeds) {
		a := must(search.NewNSGA2(problem.Cube(m.Variables), m.Benchmark(), seed+1, search.PlainNSGA2(population)))
		for i, v := range m.Volumes(a, evaluations...) {
			out[i] = append(out[i], v)
		}
	}
	for i := range out {
		slices.Sort(out[i])
	}
	return out
}

func TestNSGA2Study(t *testing.T) {
	seeds, _ := strconv.Atoi(os.Getenv("NSGA2_SEEDS"))
	if seeds == 0 {
		t.Skip("set NSGA2_SEEDS")
	}
	for _, m := range problem.Multiples() {
		line := m.Name
		for i, v := range volumes(m, 40, seeds, 1000, 2000, 5000) {
			_ = i
			line += fmt.Sprintf(" | %.4f (%.3f-%.3f)", v[len(v)/2], v[0], v[len(v)-1])
		}
		v := volumes(m, 100, seeds, 25000)[0]
		line += fmt.Sprintf(" | %.4f (%.3f-%.3f)", v[len(v)/2], v[0], v[len(v)-1])
		t.Log(line)
	}
}
