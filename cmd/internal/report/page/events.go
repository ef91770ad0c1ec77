package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mergesearch/cmd/internal/evidence"
	"mergesearch/store"
)

// Event is all events of one kind.
type Event struct {
	Kind    string `json:"kind"`
	Trouble bool   `json:"trouble"` // something went wrong; else it is only worth knowing
	Count   int    `json:"count"`
	First   string `json:"first"`
	Last    string `json:"last"`
	Text    string `json:"text"` // what the last one says
}

// quiet are parts of the names of events that are no trouble.
var quiet = []string{"plan", "benchmark", "heldout_opened", "best", "start", "resume", "rung", "note", "verdict", "checkpoint", "enough", "calm", "settled", "calibrat", "budget", "finished", "recover", "freed", "backup", "measure", "actual", "elapsed"}

// isTrouble tells by an event's kind; one that says "alarm": false looked and found
// nothing.
func isTrouble(x store.Event) bool {
	return !bytes.Contains(x.Attrs, []byte(`"alarm":false`)) && !slices.ContainsFunc(quiet, func(q string) bool { return strings.Contains(x.Kind, q) })
}

// Limits of what an event may say.
const (
	kindsLimit = 40
	textLimit  = 300
)

// events gathers events by kind: troubles first, each in the order of its first.
func (m *maker) events() {
	m.d.Events = []Event{}
	at := map[string]int{}
	last := map[string]store.Event{}
	for _, x := range m.e.Events {
		if x.Kind == "plan" || x.Kind == "actual" || x.Kind == evidence.BenchmarkEvent { // said elsewhere, or for programs
			continue // the page says it elsewhere
		}
		i, ok := at[x.Kind]
		if !ok {
			i = len(m.d.Events)
			at[x.Kind] = i
			m.d.Events = append(m.d.Events, Event{Kind: x.Kind, First: stamp(x)})
		}
		e := &m.d.Events[i]
		e.Count++
		e.Trouble = e.Trouble || isTrouble(x)
		e.Last, last[x.Kind] = stamp(x), x
	}
	slices.SortStableFunc(m.d.Events, func(a, b Event) int {
		switch {
		case a.Trouble == b.Trouble:
			return 0
		case a.Trouble:
			return -1
		}
		return 1
	})
	if n := len(m.d.Events); n > kindsLimit {
		m.d.Events, m.d.EventsCut = m.d.Events[:kindsLimit], n-kindsLimit
	}
	for i, e := range m.d.Events {
		m.d.Events[i].Text = sentence(last[e.Kind])
	}
}

func stamp(x store.Event) string { return x.At.UTC().Format(time.DateTime) }

// sentence writes an event's attributes as one line: the text that it brings, or the
// attributes by name.
func sentence(x store.Event) string {
	var attrs map[string]any
	if err := json.Unmarshal(x.Attrs, &attrs); err != nil {
		return ""
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(attrs)) {
		switch v := attrs[key].(type) {
		case string:
			if v != "" {
				parts = append(parts, words(key)+" "+oneLine(v))
			}
		case float64:
			parts = append(parts, words(key)+" "+number(v))
		case bool:
			parts = append(parts, fmt.Sprintf("%s %t", words(key), v))
		default:
			if text, err := json.Marshal(v); err == nil && v != nil {
				parts = append(parts, words(key)+" "+string(text))
			}
		}
	}
	return cut(strings.Join(parts, ", "), textLimit)
}

func words(key string) string { return strings.ReplaceAll(key, "_", " ") }

func number(v float64) string {
	if v == float64(int64(v)) {
		return fmt.Sprint(int64(v))
	}
	return fmt.Sprintf("%.4g", v)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// cut shortens a text to n runes.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
