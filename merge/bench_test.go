package merge

import (
	"context"
	"slices"
	"strings"
	"testing"

	"mergesearch"
)

// BenchmarkMerge shows the rows of Bench for three experts in bfloat16.
func BenchmarkMerge(b *testing.B) {
	for b.Loop() {
		report, err := Bench(b.Context(), BenchOptions{DTypes: []mergesearch.DType{mergesearch.BF16}, Experts: []int{3}})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(report.CopyGBs, "copy_gb_s")
		for _, row := range report.Methods {
			b.ReportMetric(row.RatioToCopy, row.Method)
		}
	}
}

func TestBenchMeasuresEveryMethod(t *testing.T) {
	var seen []string
	report, err := Bench(t.Context(), BenchOptions{
		DTypes: []mergesearch.DType{mergesearch.BF16}, Experts: []int{3}, Bytes: 1 << 18, Dir: t.TempDir(), Repeats: 2,
		Row: func(r BenchRow) { seen = append(seen, r.Method) },
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"ties_at_hand", "breadcrumbs_at_hand", "dare_linear_at_hand", "dare_ties_at_hand", "della_at_hand", "slerp_at_hand"}
	for name := range benchSettings {
		want = append(want, name, name+"_at_hand")
	}
	for _, m := range Methods() {
		want = append(want, m.Name)
	}
	for _, name := range want {
		i := slices.IndexFunc(report.Methods, func(r BenchRow) bool { return r.Method == name })
		if i < 0 {
			t.Errorf("no row for %s", name)
			continue
		}
		if r := report.Methods[i]; r.Err != "" || r.GBs <= 0 || r.RatioToCopy <= 0 || r.Device != "cpu" || !r.InCache && report.CacheBytes > 1<<20 {
			t.Errorf("%+v", r)
		}
	}
	if report.CopyGBs <= 0 || len(seen) != len(report.Methods) {
		t.Errorf("copy %v GB/s, %d rows told of %d", report.CopyGBs, len(seen), len(report.Methods))
	}
}

// A method that fails gets a row that says so, and the others are measured.
func TestBenchOutlivesAFailure(t *testing.T) {
	b, err := newBench(BenchOptions{Experts: []int{2}, Threads: 1, Bytes: 1 << 16, Dir: t.TempDir()}.filled(), mergesearch.BF16, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	c := benchCase{"linear", linear.benchRecipe(2), 2}
	c.recipe.Parameters["weight"] = mergesearch.Number(0) // no mean
	rows, _ := b.measure(context.Background(), c, BenchOptions{Repeats: 1})
	if len(rows) != 1 || !strings.Contains(rows[0].Err, "NaN") {
		t.Errorf("got %+v, want an error about NaN", rows)
	}
}

func TestBenchCanBeCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := BenchOptions{Experts: []int{2}, Bytes: 1 << 16, Dir: t.TempDir(), Row: func(BenchRow) { cancel() }}
	if _, err := Bench(ctx, o); err == nil {
		t.Error("a cancelled benchmark reports no error")
	}
}

func TestCacheSize(t *testing.T) {
	for text, want := range map[string]int64{"8192K": 8 << 20, "32M": 32 << 20, "512": 512, "": 0, "K": 0, "-4K": 0} {
		if got := cacheSize(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
