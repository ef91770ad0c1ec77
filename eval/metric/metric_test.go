package metric

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mergesearch/eval/python"
)

type golden struct {
	Numbers []struct {
		XS, Sizes                                         numbers
		Iters                                             int
		Mean, Median, Perplexity, Weighted, Bits, Nanmean float64
		MeanStderr                                        float64 `json:"mean_stderr"`
		PerplexityStderr                                  float64 `json:"perplexity_stderr"`
		MedianStderr                                      float64 `json:"median_stderr"`
		NanmeanStderr                                     float64 `json:"nanmean_stderr"`
	}
	Labels []struct {
		Gold, Predicted []int
		F1              *float64
		MCC             float64
		F1Stderr        float64 `json:"f1_stderr"`
		MCCStderr       float64 `json:"mcc_stderr"`
		Loglikelihoods  [][]float64
		Brier           float64
	}
	Texts []struct {
		Answers         []string
		References      [][]string
		BLEU, ChrF, TER float64
		BLEUStderr      *float64 `json:"bleu_stderr"`
		ChrFStderr      *float64 `json:"chrf_stderr"`
		TERStderr       *float64 `json:"ter_stderr"`
	}
	Matches struct {
		Texts []string
		Cases []struct {
			Options struct {
				Ignore      []string `json:"regexes_to_ignore"`
				Case        bool     `json:"ignore_case"`
				Punctuation bool     `json:"ignore_punctuation"`
				Numbers     bool     `json:"ignore_numbers"`
			}
			Rows []string
		}
	}
	Votes   [][2]json.RawMessage
	Pooled  [][3]json.RawMessage
	Groups  [][3]json.RawMessage
	Softmax [][2][]float64
}

type numbers []float64

func readGolden(t testing.TB) *golden {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	return parseGolden(t, data)
}

func parseGolden(t testing.TB, data []byte) *golden {
	t.Helper()
	g := new(golden)
	if err := json.Unmarshal(data, g); err != nil {
		t.Fatal(err)
	}
	return g
}

func decode(t testing.TB, raw []json.RawMessage, into ...any) {
	t.Helper()
	for i := range into {
		if err := json.Unmarshal(raw[i], into[i]); err != nil {
			t.Fatal(err)
		}
	}
}

// difference returns how a value differs from the harness's, or "".
func difference(what string, got, want float64) string {
	if math.Abs(got-want) <= 1e-12*math.Max(1, math.Abs(want)) {
		return ""
	}
	return fmt.Sprintf("%s: %v, the harness says %v", what, got, want)
}

// compare returns all differences from the golden values.
func (g *golden) compare(t testing.TB) []string {
	var out []string
	check := func(what string, got, want float64) {
		if d := difference(what, got, want); d != "" {
			out = append(out, d)
		}
	}
	stderr := func(what string, s Statistic, iters int, want float64) {
		got, ok := s.Stderr(iters, 0)
		if !ok {
			out = append(out, what+": no standard error")
		}
		check(what, got, want)
	}
	for i, c := range g.Numbers {
		name := fmt.Sprintf("numbers %d: ", i)
		check(name+"mean", Mean(c.XS), c.Mean)
		check(name+"median", Median(c.XS).Value(), c.Median)
		check(name+"perplexity", Perplexity(c.XS).Value(), c.Perplexity)
		check(name+"weighted", WeightedPerplexity(c.XS, c.Sizes), c.Weighted)
		check(name+"bits", BitsPerByte(c.XS, c.Sizes), c.Bits)
		if c.Iters == 0 {
			continue
		}
		se, _ := MeanStderr(c.XS)
		check(name+"stderr of the mean", se, c.MeanStderr)
		if c.Iters < Iterations || !testing.Short() {
			stderr(name+"stderr of perplexity", Perplexity(c.XS), c.Iters, c.PerplexityStderr)
		}
		if c.MedianStderr != 0 {
			stderr(name+"stderr of the median", Median(c.XS), c.Iters, c.MedianStderr)
		}
		if c.NanmeanStderr != 0 {
			gaps := slices.Clone(c.XS)
			for k := 0; k < len(gaps); k += 5 {
				gaps[k] = math.NaN()
			}
			check(name+"nanmean", NanMean(gaps).Value(), c.Nanmean)
			stderr(name+"stderr of nanmean", NanMean(gaps), 1000, c.NanmeanStderr)
		}
	}
	for i, c := range g.Labels {
		name := fmt.Sprintf("labels %d: ", i)
		check(name+"mcc", MCC(c.Gold, c.Predicted).Value(), c.MCC)
		if c.MCCStderr != 0 {
			stderr(name+"stderr of mcc", MCC(c.Gold, c.Predicted), 300, c.MCCStderr)
		}
		f1, err := F1(c.Gold, c.Predicted)
		if (err == nil) != (c.F1 != nil) {
			out = append(out, fmt.Sprintf("%sf1: %v", name, err))
		} else if err == nil {
			check(name+"f1", f1.Value(), *c.F1)
			if c.F1Stderr != 0 {
				stderr(name+"stderr of f1", f1, 300, c.F1Stderr)
			}
		}
		if c.Loglikelihoods == nil {
			continue
		}
		var p [][]float64
		for _, ll := range c.Loglikelihoods {
			p = append(p, Softmax(ll))
		}
		b, err := Brier(c.Gold, p)
		if err != nil {
			t.Fatal(err)
		}
		check(name+"brier", b, c.Brier)
	}
	for i, c := range g.Texts {
		for _, m := range []struct {
			name   string
			of     func([]string, [][]string) (Statistic, error)
			value  float64
			stderr *float64
		}{{"bleu", BLEU, c.BLEU, c.BLEUStderr}, {"chrf", ChrF, c.ChrF, c.ChrFStderr}, {"ter", TER, c.TER, c.TERStderr}} {
			s, err := m.of(c.Answers, c.References)
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("texts %d: %s", i, m.name)
			check(name, s.Value(), m.value)
			if m.stderr != nil {
				stderr(name+"'s stderr", s, TextIterations, *m.stderr)
			}
		}
	}
	for i, c := range g.Matches.Cases {
		n := Normalizer{IgnoreCase: c.Options.Case, IgnorePunctuation: c.Options.Punctuation, IgnoreNumbers: c.Options.Numbers}
		for _, p := range c.Options.Ignore {
			n.Ignore = append(n.Ignore, python.MustCompile(p))
		}
		for a, row := range c.Rows {
			for b, want := range row {
				got, err := n.Matches(g.Matches.Texts[a], []string{"no such text", g.Matches.Texts[b]})
				if err != nil {
					t.Fatal(err)
				}
				if got != (want == '1') {
					out = append(out, fmt.Sprintf("match %d: %q and %q: %v", i, g.Matches.Texts[a], g.Matches.Texts[b], got))
				}
			}
		}
	}
	for _, raw := range g.Votes {
		var answers []string
		var want string
		decode(t, raw[:], &answers, &want)
		if got := MajorityVote(answers); got != want {
			out = append(out, fmt.Sprintf("vote of %q: %q, the harness says %q", answers, got, want))
		}
	}
	for _, raw := range g.Pooled {
		var ses []float64
		var sizes []int
		var want float64
		decode(t, raw[:], &ses, &sizes, &want)
		got, _ := PooledStderr(ses, sizes)
		check("pooled", got, want)
	}
	for _, raw := range g.Groups {
		var values []float64
		var sizes []int
		var want float64
		decode(t, raw[:], &values, &sizes, &want)
		check("group", GroupMean(values, sizes), want)
	}
	for _, c := range g.Softmax {
		for k, p := range Softmax(c[0]) {
			check("softmax", p, c[1][k])
		}
	}
	return out
}

func TestAsTheHarness(t *testing.T) {
	g := readGolden(t)
	if len(g.Numbers) < 8 || len(g.Labels) < 6 || len(g.Texts) < 14 || len(g.Matches.Cases) < 6 || len(g.Votes) < 30 || len(g.Pooled) < 3 {
		t.Fatal("the golden file is not whole")
	}
	for _, d := range g.compare(t) {
		t.Error(d)
	}
}

// A golden file with one digit changed must not pass.
func TestGoldenComparisonBites(t *testing.T) {
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		`"mean":`, `"median":`, `"perplexity":`, `"weighted":`, `"bits":`, `"mean_stderr":`, `"perplexity_stderr":`, `"median_stderr":`, `"nanmean":`, `"nanmean_stderr":`,
		`"mcc":`, `"f1":`, `"f1_stderr":`, `"mcc_stderr":`, `"brier":`, `"bleu":`, `"chrf":`, `"ter":`, `"bleu_stderr":`, `"chrf_stderr":`, `"ter_stderr":`, `"rows":["`,
	} {
		at := strings.Index(string(data), key)
		if at < 0 {
			t.Fatalf("no %s in the golden file", key)
		}
		// The last digit of the number, but not beyond the twelfth, which is rounding.
		end := at + len(key)
		for end < len(data) && end < at+len(key)+11 && strings.IndexByte("-0123456789.", data[end]) >= 0 {
			end++
		}
		end--
		if data[end] == '.' {
			end--
		}
		mutant := slices.Clone(data)
		mutant[end] = '0' + (data[end]-'0'+1)%10
		if key == `"rows":["` {
			mutant[end] = data[end] ^ 1
		}
		if len(parseGolden(t, mutant).compare(t)) == 0 {
			t.Errorf("%s: a changed digit passed: %s", key, mutant[at:end+3])
		}
	}
}

// Values that the literature or a calculation by hand gives.
func TestKnownValues(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"pass@1 of 3 in 10", PassAtK(10, 3, 1), 0.3},
		{"pass@5 of 3 in 10", PassAtK(10, 3, 5), 0.9166666666666666},
		{"pass@10 of 17 in 200", PassAtK(200, 17, 10), 0.5974489015799118},
		{"pass@2 of 3 in 4", PassAtK(4, 3, 2), 1},
		{"pass@1 of none", PassAtK(4, 0, 1), 0},
		{"word perplexity", WeightedPerplexity([]float64{-84.419213473}, []float64{13}), 661.02},
		{"byte perplexity", WeightedPerplexity([]float64{-84.419213473}, []float64{89}), 2.58191},
		{"bits per byte", BitsPerByte([]float64{-84.419213473}, []float64{89}), 1.36844},
	} {
		if math.Abs(c.got-c.want) > 1e-5*c.want {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
	b, err := Brier([]int{1}, [][]float64{Softmax([]float64{-1, -2, -3})})
	if d := difference("brier", b, 1.0210861157808093); err != nil || d != "" {
		t.Error(d, err)
	}
	xs := []float64{1, 1, 0, 0, 1, 0}
	clusters := []int{1, 1, 2, 2, 3, 3}
	naive, _ := MeanStderr(xs)
	plain, _ := ClusteredStderr(xs, clusters, false)
	corrected, _ := ClusteredStderr(xs, clusters, true)
	for i, want := range []float64{0.2236068, 0.2357023, 0.2886751} {
		if got := []float64{naive, plain, corrected}[i]; math.Abs(got-want) > 1e-7 {
			t.Errorf("standard error %d: %v, want %v", i, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	if _, err := F1([]int{0, 1, 2}, []int{0, 1, 1}); err == nil {
		t.Error("f1 took three labels")
	}
	if _, err := F1([]int{0, 2}, []int{0, 2}); err == nil {
		t.Error("f1 took labels without 1")
	}
	if _, err := Brier([]int{0, 1}, [][]float64{{0.5, 0.5}, {0.1, 0.2, 0.7}}); err == nil {
		t.Error("brier took items with different numbers of choices")
	}
	if _, err := Brier([]int{-100}, [][]float64{{0.5, 0.5}}); err == nil {
		t.Error("brier took a choice that is none")
	}
	if _, err := BLEU([]string{"a"}, [][]string{{}}); err == nil {
		t.Error("bleu took an item without references")
	}
	for name, ok := range map[string]bool{
		"mean of one":      second(MeanStderr([]float64{1})),
		"one cluster":      second(ClusteredStderr([]float64{1, 0}, []int{1, 1}, true)),
		"pooled singles":   second(PooledStderr([]float64{0}, []int{1})),
		"bootstrap of one": second(Perplexity([]float64{-1}).Stderr(100, 1)),
		"one draw":         second(Perplexity([]float64{-1, -2}).Stderr(1, 1)),
	} {
		if ok {
			t.Errorf("%s has a standard error", name)
		}
	}
	for name, f := range map[string]func(){
		"empty": func() { Mean(nil) }, "lengths": func() { MCC([]int{1}, nil) }, "pass": func() { PassAtK(3, 4, 1) },
		"no items": func() { Median(nil) }, "texts": func() { _, _ = BLEU(nil, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func second(_ float64, ok bool) bool { return ok }

func drawTexts(t *rapid.T) (answers []string, references [][]string) {
	word := rapid.SampledFrom([]string{"the", "cat", "Sat", "on", "1,000", "3.5", "mat.", "(no)", "日本", "it's", "x-y", "9-5", "a\x00b", ""})
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(word, 0, 12).Draw(t, "words"), " ")
	})
	n := rapid.IntRange(1, 4).Draw(t, "n")
	for range n {
		answers = append(answers, text.Draw(t, "answer"))
		references = append(references, rapid.SliceOfN(text, 1, 3).Draw(t, "references"))
	}
	return answers, references
}

func value(t *rapid.T, of func([]string, [][]string) (Statistic, error), answers []string, references [][]string) float64 {
	s, err := of(answers, references)
	if err != nil {
		t.Fatal(err)
	}
	return s.Value()
}

func TestTextLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		answers, references := drawTexts(t)
		bleu, chrf, ter := value(t, BLEU, answers, references), value(t, ChrF, answers, references), value(t, TER, answers, references)
		if bleu < 0 || bleu > 100+1e-9 || chrf < 0 || chrf > 100+1e-9 || ter < 0 {
			t.Fatalf("out of range: %v %v %v", bleu, chrf, ter)
		}
		// The order of items changes nothing.
		slices.Reverse(answers)
		slices.Reverse(references)
		if b, c, e := value(t, BLEU, answers, references), value(t, ChrF, answers, references), value(t, TER, answers, references); b != bleu || c != chrf || math.Abs(e-ter) > 1e-9 {
			t.Fatalf("reversed: %v %v %v, before %v %v %v", b, c, e, bleu, chrf, ter)
		}
		// An answer that is its reference needs no edit.
		same := make([][]string, len(answers))
		words := 0
		for i, a := range answers {
			same[i] = []string{a}
			words += len(tokens13a(a))
		}
		if e := value(t, TER, answers, same); e != 0 {
			t.Fatalf("ter of equal texts: %v", e)
		}
		if c := value(t, ChrF, answers, same); words > 0 && math.Abs(c-100) > 1e-9 {
			t.Fatalf("chrf of equal texts: %v", c)
		}
	})
}

// The edit distance from rows that are known is the one from scratch, and shifts
// neither lose nor make words.
func TestTERLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		mine := rapid.SliceOfN(word, 1, 12).Draw(t, "mine")
		theirs := rapid.SliceOfN(word, 1, 12).Draw(t, "theirs")
		length := rapid.IntRange(1, len(mine)).Draw(t, "length")
		start := rapid.IntRange(0, len(mine)-length).Draw(t, "start")
		to := rapid.IntRange(0, len(mine)).Draw(t, "to")
		first := editsTo(theirs, mine, nil)
		moved := shifted(mine, start, length, to)
		a, b := slices.Sorted(slices.Values(mine)), slices.Sorted(slices.Values(moved))
		if !slices.Equal(a, b) {
			t.Fatalf("%v became %v", mine, moved)
		}
		if d, e := editsTo(theirs, moved, first).distance(), editsTo(theirs, moved, nil).distance(); d != e {
			t.Fatalf("%d from known rows, %d from scratch", d, e)
		}
		if n := terEdits(mine, theirs); n > first.distance() || n < max(len(mine), len(theirs))-min(len(mine), len(theirs)) {
			t.Fatalf("%d edits, and %d without shifts", n, first.distance())
		}
	})
}

func TestNumberLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		xs := rapid.SliceOfN(rapid.Float64Range(-20, 0), 2, 30).Draw(t, "xs")
		gold := rapid.SliceOfN(rapid.IntRange(0, 3), len(xs), len(xs)).Draw(t, "gold")
		predicted := rapid.SliceOfN(rapid.IntRange(0, 3), len(xs), len(xs)).Draw(t, "predicted")
		sorted := slices.Sorted(slices.Values(xs))
		if got := Median(xs).Value(); got != sorted[len(xs)/2] {
			t.Fatalf("median of %v: %v", xs, got)
		}
		ones := make([]float64, len(xs))
		for i := range ones {
			ones[i] = 1
		}
		if p, w := Perplexity(xs).Value(), WeightedPerplexity(xs, ones); math.Abs(p-w) > 1e-12*p {
			t.Fatalf("perplexity %v, with equal weights %v", p, w)
		}
		if m := MCC(gold, predicted).Value(); m < -1-1e-12 || m > 1+1e-12 {
			t.Fatalf("mcc %v", m)
		}
		if m, back := MCC(gold, predicted).Value(), MCC(predicted, gold).Value(); math.Abs(m-back) > 1e-12 {
			t.Fatalf("mcc %v, with sides changed %v", m, back)
		}
		// Workers change nothing, and neither do clusters of one.
		a, _ := Perplexity(xs).Stderr(5000, 1)
		b, _ := Perplexity(xs).Stderr(5000, 3)
		if a != b {
			t.Fatalf("one worker %v, three %v", a, b)
		}
		single := make([]int, len(xs))
		for i := range single {
			single[i] = i
		}
		mean, _ := MeanStderr(xs)
		if c, ok := ClusteredStderr(xs, single, true); !ok || math.Abs(c-mean) > 1e-9 {
			t.Fatalf("clusters of one %v, no clusters %v", c, mean)
		}
	})
}

// Any text must pass through the tokenizers without a panic.
func FuzzTexts(f *testing.F) {
	for _, c := range readGolden(f).Texts {
		f.Add(c.Answers[0], c.References[0][0])
	}
	f.Fuzz(func(t *testing.T, answer, reference string) {
		if len(answer) > 300 || len(reference) > 300 {
			return
		}
		for _, of := range []func([]string, [][]string) (Statistic, error){BLEU, ChrF, TER} {
			s, err := of([]string{answer}, [][]string{{reference}})
			if err != nil {
				t.Fatal(err)
			}
			if v := s.Value(); math.IsNaN(v) || v < 0 {
				t.Fatalf("%q against %q: %v", answer, reference, v)
			}
		}
	})
}

func BenchmarkPerplexityStderr(b *testing.B) {
	xs := make([]float64, 1000)
	for i := range xs {
		xs[i] = -float64(i%37) / 7
	}
	s := Perplexity(xs)
	for b.Loop() {
		s.Stderr(Iterations, 1)
	}
}
