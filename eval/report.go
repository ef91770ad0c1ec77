package eval

import (
	"encoding/json"
	"fmt"
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
	Metrics   map[string]Estimate `json:"metrics"` // by Metric.Key
	Truncated int                 `json:"truncated"`
	Empty     int                 `json:"empty"`
	Missing   int                 `json:"missing"`

	TaskSanity
}

// Estimate is a metric over items with its standard error: of a mean
// sqrt(sum (v-mean)^2 / (n (n-1))), of other aggregations by the harness's
// bootstrap. StdErr is NaN, null in JSON, where none is defined: of fewer than two
// items, and of the aggregations that the harness gives none.
type Estimate struct {
	Value, StdErr float64
}

// MarshalJSON implements json.Marshaler.
func (e Estimate) MarshalJSON() ([]byte, error) {
	var out struct {
		Value  *float64 `json:"value"`
		StdErr *float64 `json:"stderr"`
	}
	out.Value, out.StdErr = finite(e.Value), finite(e.StdErr)
	return json.Marshal(out)
}

func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// fold computes Tasks from outcomes and marks, which stand in one order.
func (r *Report) fold(tasks []*Task, marks [][]mark) error {
	for _, t := range tasks {
		sum := TaskReport{Task: t.Name, Metrics: map[string]Estimate{}}
		columns := make([][]mark, len(t.Metrics))
		for i, s := range r.Samples {
			if s.Task != t.Name {
				continue
			}
			o := r.Outcomes[i]
			sum.Items++
			sum.Truncated += int(fraction(o.Truncated))
			sum.Empty += int(fraction(o.Empty))
			sum.Missing += int(fraction(o.Missing))
			for k := range columns {
				columns[k] = append(columns[k], marks[i][k])
			}
		}
		if sum.Items == 0 {
			continue
		}
		for k := range t.Metrics {
			m := &t.Metrics[k]
			e, err := m.estimate(columns[k])
			if err != nil {
				return fmt.Errorf("task %s: %w", t.Name, err)
			}
			sum.Metrics[m.Key()] = e
		}
		r.Tasks = append(r.Tasks, sum)
	}
	return nil
}
