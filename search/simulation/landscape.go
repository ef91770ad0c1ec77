package simulation

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
)

// Kind names a simulator.
type Kind string

// The simulators. Both have three skills and 1000 search items; the chance of an
// answer follows from one skill, the item's difficulty and its discrimination.
const (
	// Layers has genes whose neighbours want similar values and dislike different
	// ones, a ripple that hides the slope at short range, and 40 % of items whose
	// answers flip from candidate to candidate.
	Layers Kind = "layers"

	// Pairs has genes that act in pairs, neighbours that have nothing in common,
	// and 20 % flipping items.
	Pairs Kind = "pairs"
)

const (
	skills      = 3
	searchItems = 1000
	otherItems  = 300 // of each of the other two splits
)

// Landscape is a simulated family of merges: what each skill wants of d genes in
// [0, 1], and the items that show it. It does not change after NewLandscape and
// is safe for concurrent use.
type Landscape struct {
	Kind      Kind
	Dimension int
	Seed      uint64

	wants [skills]want
	items []item // search items first
	curve [skills]curve
}

// want is what one skill wants: its value at x is
//
//	1.6 - 9 sum_j a_j z_j^2 - 9 sum_pairs c sqrt(a_j a_k) z_j z_k
//	    - ripple sum_j a_j (1 - cos(6 pi z_j)) - mismatch/(d-1) sum_j (x_j+1 - x_j)^2
//
// with z = x - best.
type want struct {
	best, importance []float64
	pairs            []pair
	ripple, mismatch float64
}

type pair struct {
	j, k     int
	strength float64
}

// item is a question: solved when its luck is below
// 1 / (1 + exp(-slope (skill - difficulty))).
type item struct {
	skill             int
	difficulty, slope float64
	luck              float64
	flips             bool // its luck is drawn anew for each candidate
}

// NewLandscape draws a landscape; equal arguments give equal ones. The dimension
// is at least 2.
func NewLandscape(kind Kind, dimension int, seed uint64) *Landscape {
	l := &Landscape{Kind: kind, Dimension: dimension, Seed: seed}
	rng := rand.New(rand.NewPCG(seed, 0x51a7+uint64(dimension)<<20+uint64(len(kind))<<40))
	flipping := 0.4
	if kind == Pairs {
		flipping = 0.2
	}
	for s := range l.wants {
		l.wants[s] = drawWant(kind, dimension, rng)
	}
	for i := range searchItems + 2*otherItems {
		l.items = append(l.items, item{
			skill: i % skills, difficulty: 0.2 + 1.3*rng.NormFloat64(), slope: math.Exp(0.4 * rng.NormFloat64()),
			luck: rng.Float64(), flips: rng.Float64() < flipping,
		})
	}
	for s := range l.curve {
		l.curve[s] = l.newCurve(s)
	}
	return l
}

func drawWant(kind Kind, d int, rng *rand.Rand) want {
	w := want{best: make([]float64, d), importance: make([]float64, d)}
	total, level := 0.0, 0.15+0.7*rng.Float64()
	noise := make([]float64, d)
	for j := range d {
		w.importance[j] = math.Exp(rng.NormFloat64())
		total += w.importance[j]
		noise[j] = rng.NormFloat64()
	}
	for j := range d {
		w.importance[j] /= total
		off := noise[j]
		if kind == Layers {
			off = (noise[max(0, j-1)] + 2*noise[j] + noise[min(d-1, j+1)]) / 4
		}
		w.best[j] = min(1, max(0, level+0.25*off))
	}
	if kind == Layers {
		w.ripple, w.mismatch = 0.36, 3.6
		return w
	}
	order := rng.Perm(d)
	for j := range d { // a ring in random order: each gene acts with two others
		strength := 0.5 + 0.4*rng.Float64()
		if rng.IntN(2) == 0 {
			strength = -strength
		}
		w.pairs = append(w.pairs, pair{order[j], order[(j+1)%d], strength})
	}
	return w
}

func (w *want) value(x []float64) float64 {
	v := 1.6
	for j, a := range w.importance {
		z := x[j] - w.best[j]
		v -= a * (9*z*z + w.ripple*(1-math.Cos(6*math.Pi*z)))
		if j > 0 && w.mismatch > 0 {
			step := x[j] - x[j-1]
			v -= w.mismatch / float64(len(x)-1) * step * step
		}
	}
	for _, p := range w.pairs {
		v -= 9 * p.strength * math.Sqrt(w.importance[p.j]*w.importance[p.k]) * (x[p.j] - w.best[p.j]) * (x[p.k] - w.best[p.k])
	}
	return v
}

// Skills returns the value of each skill at x.
func (l *Landscape) Skills(x []float64) [skills]float64 {
	var out [skills]float64
	for s := range out {
		out[s] = l.wants[s].value(x)
	}
	return out
}

// Fitness returns the mean chance over the search items at x: what a search is
// judged by, without luck.
func (l *Landscape) Fitness(x []float64) float64 {
	sum := 0.0
	for s := range skills {
		sum += l.curve[s].at(l.wants[s].value(x))
	}
	return sum
}

// solves tells whether item i is solved by a candidate with these skills.
// The mark of a candidate drives the luck of flipping items.
func (l *Landscape) solves(i int, values [skills]float64, mark uint64) bool {
	t := &l.items[i]
	luck := t.luck
	if t.flips {
		luck = float64(mix(mark^mix(uint64(i)))>>11) / (1 << 53)
	}
	return luck*(1+math.Exp(-t.slope*(values[t.skill]-t.difficulty))) < 1
}

// mark identifies a point.
func (l *Landscape) mark(x []float64) uint64 {
	h := mix(l.Seed)
	var b [8]byte
	for _, v := range x {
		binary.LittleEndian.PutUint64(b[:], math.Float64bits(v))
		h = mix(h ^ binary.LittleEndian.Uint64(b[:]))
	}
	return h
}

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// curve is the part of the fitness that one skill brings, tabulated over its
// value.
type curve []float64

const (
	curveFrom, curveTo = -12.0, 2.0
	curveSteps         = 1400
)

func (l *Landscape) newCurve(skill int) curve {
	c := make(curve, curveSteps+1)
	for k := range c {
		v := curveFrom + (curveTo-curveFrom)*float64(k)/curveSteps
		for _, t := range l.items[:searchItems] {
			if t.skill == skill {
				c[k] += 1 / (1 + math.Exp(-t.slope*(v-t.difficulty))) / searchItems
			}
		}
	}
	return c
}

// at interpolates between the table's steps of 0.01, which is good to 1e-6.
func (c curve) at(v float64) float64 {
	p := (min(curveTo, max(curveFrom, v)) - curveFrom) / (curveTo - curveFrom) * curveSteps
	k := min(int(p), curveSteps-1)
	return c[k] + (p-float64(k))*(c[k+1]-c[k])
}

// Middle returns the usual recipe: every gene at one half.
func (l *Landscape) Middle() []float64 { return l.level(0.5) }

func (l *Landscape) level(v float64) []float64 {
	x := make([]float64, l.Dimension)
	for j := range x {
		x[j] = v
	}
	return x
}

// Optimum returns the best point that a local search without noise finds, and
// its fitness: from several levels, single genes and runs of neighbours move by
// steps that shrink, and the best end is returned.
func (l *Landscape) Optimum() ([]float64, float64) {
	var best []float64
	top := math.Inf(-1)
	for k := 0; k <= 4; k++ {
		x := l.level(0.3 + 0.1*float64(k))
		f := l.climb(x)
		if f > top {
			best, top = x, f
		}
	}
	return best, top
}

func (l *Landscape) climb(x []float64) float64 {
	f := l.Fitness(x)
	y := make([]float64, len(x))
	for _, step := range []float64{0.32, 0.16, 0.08, 0.04, 0.02, 0.01, 0.005, 0.002} {
		for range 30 {
			before := f
			for width := len(x); width >= 1; width /= 2 {
				for from := 0; from+width <= len(x); from += max(1, width/2) {
					for _, move := range []float64{step, -step} {
						copy(y, x)
						for j := from; j < from+width; j++ {
							y[j] = min(1, max(0, y[j]+move))
						}
						if g := l.Fitness(y); g > f {
							f = g
							copy(x, y)
						}
					}
				}
			}
			if f-before < 1e-6 {
				break
			}
		}
	}
	return f
}
