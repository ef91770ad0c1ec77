package evidence

import (
	"fmt"
	"math"
)

// bets is how many constant bets a Process spreads its money over.
const bets = 16

// Process bets against the hypothesis that the mean difference, first model minus
// second, is zero or more. Each of its bets starts with the same money and stakes a
// constant share of it on every difference: of what it has, the share times the
// difference is lost when the first model does better and won when it does worse.
// A fair or unfavourable game does not make money in the mean, so whoever has
// become rich has evidence. The zero value is ready for use.
type Process struct {
	log [bets]float64 // of the money of each bet, in units of what it began with
}

// share returns the share that a bet stakes: the middles of equal parts of [0, 1].
func share(bet int) float64 { return (float64(bet) + 0.5) / bets }

// Add takes differences in account. It panics on one that is not in [-1, 1].
//
// Where items are of several tasks of different weight, each difference is to be
// multiplied by its task's weight over the largest weight. The promise then holds
// for the weighted mean over tasks at every moment at which all tasks have answered
// equally many items: by the inequality of the arithmetic and the geometric mean, a
// product over tasks gains no more than their mean would.
func (p *Process) Add(differences ...float64) {
	for _, d := range differences {
		if !(d >= -1 && d <= 1) {
			panic(fmt.Sprintf("evidence: the difference %v is not in [-1, 1]", d))
		}
		if d == 0 {
			continue
		}
		for bet := range p.log {
			p.log[bet] += math.Log1p(-share(bet) * d)
		}
	}
}

// Log returns the natural logarithm of the e-value: of the mean of what the bets have.
func (p Process) Log() float64 {
	top := math.Inf(-1)
	for _, l := range p.log {
		top = max(top, l)
	}
	sum := 0.0
	for _, l := range p.log {
		sum += math.Exp(l-top) / bets
	}
	return top + math.Log(sum)
}

// Rejects reports whether the evidence that the first model is worse suffices at
// level alpha: the e-value is 1/alpha or more.
func (p Process) Rejects(alpha float64) bool { return p.Log() >= -math.Log(alpha) }

// Against returns the process of whole sequences of paired values: first minus
// second. It panics when they differ in length.
func Against(first, second []float64) Process {
	if len(first) != len(second) {
		panic(fmt.Sprintf("evidence: %d values against %d", len(first), len(second)))
	}
	var p Process
	for i := range first {
		p.Add(first[i] - second[i])
	}
	return p
}

// McNemar returns the exact two-sided p-value for discordant pairs: up are the items
// that only the first model solved, down those that only the second did. Under the
// null hypothesis up is binomial with one half. It is 1 without discordant pairs,
// and holds for one look only.
func McNemar(up, down int) float64 {
	if up < 0 || down < 0 {
		panic("evidence: a negative number of pairs")
	}
	n := up + down
	tail, logTerm := 0.0, -float64(n)*math.Ln2 // log of C(n, k) / 2^n
	for k := range min(up, down) + 1 {
		tail += math.Exp(logTerm)
		logTerm += math.Log(float64(n-k)) - math.Log(float64(k+1))
	}
	return min(1, 2*tail)
}
