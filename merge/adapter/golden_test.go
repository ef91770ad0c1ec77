package adapter

import (
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mergesearch"
	"mergesearch/merge/kernel"
)

type goldenTensor struct {
	DType mergesearch.DType
	Shape []int
	Data  []byte
}

func (g goldenTensor) view() kernel.View { return kernel.View{DType: g.DType, Data: g.Data} }

type goldenCase struct {
	Files        map[string][]byte
	Base, Merged map[string]goldenTensor
}

func readGolden(tb testing.TB) map[string]goldenCase {
	tb.Helper()
	f, err := os.Open("testdata/golden.json.gz")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	var g struct{ Cases map[string]goldenCase }
	if err := json.NewDecoder(z).Decode(&g); err != nil {
		tb.Fatal(err)
	}
	if len(g.Cases) < 10 {
		tb.Fatalf("only %d cases", len(g.Cases))
	}
	return g.Cases
}

// write puts an adapter into a directory.
func write(tb testing.TB, files map[string][]byte) string {
	tb.Helper()
	dir := tb.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

func open(tb testing.TB, files map[string][]byte) *Adapter {
	tb.Helper()
	a, err := Open(write(tb, files))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(a.Release)
	return a
}

func (c goldenCase) has(tensor string) ([]int, bool) {
	t, ok := c.Base[tensor]
	return t.Shape, ok
}

// What PEFT merges is what is read through an adapter: in float32 but for the
// order of its sums, in bfloat16 but for a unit where that order decides the
// rounding.
func TestPEFT(t *testing.T) {
	for name, c := range readGolden(t) {
		t.Run(name, func(t *testing.T) {
			a := open(t, c.Files)
			if err := a.Check(c.has); err != nil {
				t.Fatal(err)
			}
			changed, apart := 0, 0
			for tensor, base := range c.Base {
				x := a.Apply(tensor, base.Shape, base.view())
				if !strings.Contains(tensor, "lm_head") {
					other := strings.TrimPrefix(strings.TrimPrefix(tensor, "model."), "transformer.")
					if a.targets[bare(other)] != a.targets[bare(tensor)] {
						t.Errorf("%s is not %s", other, tensor)
					}
				}
				out := kernel.View{DType: base.DType, Data: make([]byte, len(base.Data))}
				kernel.Store(out, kernel.Load(x.Slice(0, x.Len())))
				got, want, before := kernel.Load(out), kernel.Load(c.Merged[tensor].view()), kernel.Load(base.view())
				for i := range got {
					limit := 2e-6 * math.Max(1, math.Abs(float64(want[i])))
					if base.DType == mergesearch.BF16 {
						limit = math.Abs(float64(want[i])) / 128
					}
					if d := math.Abs(float64(got[i] - want[i])); !(d <= limit) {
						t.Errorf("%s[%d] is %v, PEFT has %v", tensor, i, got[i], want[i])
					} else if d > 0 {
						apart++
					}
					if want[i] != before[i] {
						changed++
					}
				}
			}
			if changed == 0 {
				t.Error("the adapter changes nothing, so the comparison says nothing")
			}
			if c.Base != nil && strings.HasSuffix(name, "bf16") && apart*100 > changed {
				t.Errorf("%d of %d bfloat16 values differ", apart, changed)
			}
		})
	}
}
