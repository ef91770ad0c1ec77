package evidence_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mergesearch/search/evidence"
)

func TestProcessLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		difference := rapid.OneOf(rapid.SampledFrom([]float64{-1, 0, 1}), rapid.Float64Range(-1, 1))
		ds := rapid.SliceOfN(difference, 0, 80).Draw(t, "differences")
		var whole, parts, shuffled, mirrored evidence.Process
		whole.Add(ds...)
		cut := rapid.IntRange(0, len(ds)).Draw(t, "cut")
		parts.Add(ds[:cut]...)
		parts.Add(ds[cut:]...)
		if whole != parts {
			t.Fatal("a process that was stopped and goes on has another value")
		}
		shuffled.Add(rapid.Permutation(ds).Draw(t, "order")...)
		if math.Abs(whole.Log()-shuffled.Log()) > 1e-9 {
			t.Fatalf("%v in one order, %v in another", whole.Log(), shuffled.Log())
		}
		// The two sides: the better one model looks, the less evidence it has against
		// it, and there is never evidence against both.
		for _, d := range ds {
			mirrored.Add(-d)
		}
		if whole.Log() > 1e-9 && mirrored.Log() > 1e-9 {
			t.Fatalf("evidence of %v and of %v against both", whole.Log(), mirrored.Log())
		}
		worse, better, same := whole, whole, whole
		worse.Add(-rapid.Float64Range(0.01, 1).Draw(t, "loss"))
		better.Add(rapid.Float64Range(0.01, 1).Draw(t, "win"))
		same.Add(0)
		if !(worse.Log() > whole.Log() && better.Log() < whole.Log() && same == whole) {
			t.Fatalf("%v, with a loss more %v, with a win more %v", whole.Log(), worse.Log(), better.Log())
		}
	})
	var none evidence.Process
	if v := none.Log(); math.Abs(v) > 1e-12 {
		t.Errorf("no evidence is worth %v", v)
	}
}

// Slow and obvious: the value is the mean over bets of a product.
func TestProcessIsAMixtureOfProducts(t *testing.T) {
	ds := []float64{1, -1, -1, 0, -0.5, 0.25, -1, -1, -0.75}
	const bets = 16
	sum := 0.0
	for bet := range bets {
		money := 1.0
		for _, d := range ds {
			money *= 1 - (float64(bet)+0.5)/bets*d
		}
		sum += money / bets
	}
	var p evidence.Process
	p.Add(ds...)
	if math.Abs(math.Exp(p.Log())-sum) > 1e-12 {
		t.Errorf("%v, want %v", math.Exp(p.Log()), sum)
	}
}

// Who looks after every pair and stops at the first e-value of 20 rejects a true
// hypothesis in at most a twentieth of all cases, also where most pairs are ties,
// where values are graded, and where tasks differ in weight and direction; a sign
// test that is looked at as often rejects far more.
func TestOptionalStopping(t *testing.T) {
	const walks, pairs = 1500, 150
	rng := rand.New(rand.NewPCG(1, 1))
	sign := func() float64 { return float64(2*rng.IntN(2) - 1) }
	for name, next := range map[string]func() []float64{
		"discordant": func() []float64 { return []float64{sign()} },
		"with ties": func() []float64 {
			if rng.Float64() < 0.7 {
				return []float64{0}
			}
			return []float64{sign()}
		},
		"graded": func() []float64 { return []float64{math.Sin(7 * rng.NormFloat64())} },
		// One large loss against many small wins.
		"skewed": func() []float64 {
			if rng.Float64() < 0.1 {
				return []float64{-0.9}
			}
			return []float64{0.1}
		},
		// A task of weight 1 is lost by 0.2 in the mean, one of weight 1/2 won by 0.4.
		"two tasks": func() []float64 {
			ds := []float64{1, -0.5}
			if rng.Float64() < 0.6 {
				ds[0] = -1
			}
			if rng.Float64() < 0.7 {
				ds[1] = 0.5
			}
			return ds
		},
	} {
		rejected := 0
		for range walks {
			var p evidence.Process
			for range pairs {
				if p.Add(next()...); p.Rejects(0.05) {
					rejected++
					break
				}
			}
		}
		// Three standard errors of 5 % of 1,500 are 1.7 %.
		if f := float64(rejected) / walks; f > 0.067 {
			t.Errorf("%s: a true hypothesis is rejected in %.3f of the walks", name, f)
		}
	}
	naive := 0
	for range walks / 5 {
		up, down := 0, 0
		for range pairs {
			if sign() > 0 {
				up++
			} else {
				down++
			}
			if evidence.McNemar(up, down) < 0.05 {
				naive++
				break
			}
		}
	}
	if f := float64(naive) / (walks / 5); f < 0.15 {
		t.Errorf("the sign test under optional stopping rejects only %.3f: is this test blind?", f)
	}
}

// Evidence comes in time: what a model loses two times in three is plain after some
// tens of discordant pairs.
func TestPower(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	var needed []int
	for range 400 {
		var p evidence.Process
		n := 0
		for ; n < 2000 && !p.Rejects(0.05); n++ {
			d := 1.0
			if rng.Float64() < 2.0/3 {
				d = -1
			}
			p.Add(d)
		}
		needed = append(needed, n)
	}
	slices.Sort(needed)
	if median := needed[200]; median > 110 {
		t.Errorf("half of the walks need more than %d pairs", median)
	}
	t.Logf("pairs needed: median %d, nine tenths %d", needed[200], needed[360])
}

func TestMcNemar(t *testing.T) {
	for _, c := range []struct {
		up, down int
		p        float64
	}{
		// Two published pairs of logs, and small cases by hand.
		{29, 27, 0.894}, {21, 41, 0.0151}, {0, 0, 1}, {1, 0, 1}, {4, 0, 0.125}, {0, 6, 0.03125}, {5, 5, 1},
	} {
		if p := evidence.McNemar(c.up, c.down); math.Abs(p-c.p) > 0.0005 || p != evidence.McNemar(c.down, c.up) {
			t.Errorf("%d against %d: p = %v, want %v", c.up, c.down, p, c.p)
		}
	}
	// With whole numbers of any size.
	for _, c := range [][2]int{{300, 380}, {17, 3}, {500, 600}} {
		sum, term := new(big.Int), new(big.Int)
		for k := range min(c[0], c[1]) + 1 {
			sum.Add(sum, term.Binomial(int64(c[0]+c[1]), int64(k)))
		}
		all := new(big.Int).Lsh(big.NewInt(1), uint(c[0]+c[1]-1))
		want, _ := new(big.Rat).SetFrac(sum, all).Float64()
		if p := evidence.McNemar(c[0], c[1]); math.Abs(p/want-1) > 1e-9 {
			t.Errorf("%v: p = %v, want %v", c, p, want)
		}
	}
}
