package eval

import (
	"math"

	"mergesearch"
)

// Report is the outcome of ScoreDetailed.
type Report struct {
	Fingerprint string // of the weights that answered
	Outcomes    []mergesearch.Outcome
	Samples     []Sample     // in the order of Outcomes
	Tasks       []TaskReport // tasks without items are left out
}

// TaskReport sums up one task.
type TaskReport struct {
	Task      string              `json:"task"`
	Items     int                 `json:"items"`
	Metrics   map[string]Estimate `json:"metrics"`
	Truncated int                 `json:"truncated"`
	Empty     int                 `json:"empty"`
	Missing   int                 `json:"missing"`

	TaskSanity
}

// Estimate is the mean of a metric over items with its standard error,
// sqrt(sum (v-mean)^2 / (n (n-1))); 0 when there are fewer than two items.
type Estimate struct {
	Value  float64 `json:"value"`
	StdErr float64 `json:"stderr"`
}

// fold computes Tasks from Outcomes and Samples.
func (r *Report) fold(tasks []*Task) {
	for _, t := range tasks {
		sum := TaskReport{Task: t.Name, Metrics: map[string]Estimate{}}
		values := make([][]float64, len(t.Metrics))
		for i, s := range r.Samples {
			if s.Task != t.Name {
				continue
			}
			o := r.Outcomes[i]
			sum.Items++
			sum.Truncated += int(fraction(o.Truncated))
			sum.Empty += int(fraction(o.Empty))
			sum.Missing += int(fraction(o.Missing))
			for k, m := range t.Metrics {
				values[k] = append(values[k], s.Metrics[m.Name])
			}
		}
		if sum.Items == 0 {
			continue
		}
		for k, m := range t.Metrics {
			sum.Metrics[m.Name] = estimate(values[k])
		}
		r.Tasks = append(r.Tasks, sum)
	}
}

func estimate(xs []float64) Estimate {
	n := float64(len(xs))
	var sum, squares float64
	for _, x := range xs {
		sum += x
	}
	mean := sum / n
	for _, x := range xs {
		squares += (x - mean) * (x - mean)
	}
	if n < 2 {
		return Estimate{Value: mean}
	}
	return Estimate{Value: mean, StdErr: math.Sqrt(squares / (n * (n - 1)))}
}
