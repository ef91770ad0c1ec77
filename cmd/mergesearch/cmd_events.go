package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/store"
)

type eventsFlags struct {
	follow bool
	kinds  []string
	since  int64
	limit  int
}

func newEventsCommand() *cobra.Command {
	var f eventsFlags
	c := &cobra.Command{
		Use: "events DIR", Short: "list what changed a decision in a run, running or done", Args: arguments(1, 1),
		Long: `events lists what a run has recorded beside candidates and answers: faults and what
was done about them, budgets that ran out, the opening of the held-out items. With
--follow it goes on until the run ends. With --json it prints one document, and one
line for each event with --follow.`,
		RunE: func(c *cobra.Command, args []string) error {
			r, err := store.OpenReadOnly(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer r.Close()
			return events(c, r, args[0], f)
		},
	}
	c.Flags().BoolVar(&f.follow, "follow", false, "go on as events happen, until the run ends")
	c.Flags().StringSliceVar(&f.kinds, "kind", nil, "only events of this kind")
	c.Flags().Int64Var(&f.since, "since", 0, "only events after this number")
	c.Flags().IntVar(&f.limit, "limit", 0, "list at most so many, the last ones (default all)")
	return c
}

// lookEvery is how often a store is asked whether something is new: reading it takes
// a millisecond, and the writer does not notice.
const lookEvery = 500 * time.Millisecond

func events(c *cobra.Command, r *store.Reader, dir string, f eventsFlags) error {
	if f.since < 0 || f.limit < 0 {
		return &mergesearch.InputError{Field: "--since, --limit", Problem: "cannot be negative"}
	}
	all, err := r.Events(c.Context(), f.since, 0)
	if err != nil {
		return err
	}
	// A kind that may still come cannot be unknown.
	if known := kindsOf(all); !f.follow && f.since == 0 && len(known) > 0 {
		for _, k := range f.kinds {
			if err := oneWord("kind", "kind of event", k, known); err != nil {
				return err
			}
		}
	}
	last := f.since
	if len(all) > 0 {
		last = all[len(all)-1].Seq
	}
	chosen := f.choose(all)
	if f.limit > 0 {
		chosen = chosen[max(0, len(chosen)-f.limit):]
	}
	w := c.OutOrStdout()
	asJSON := wantsJSON(c)
	switch {
	case asJSON && !f.follow:
		return report.Write(w, chosen)
	case len(chosen) == 0 && !f.follow:
		fmt.Fprintln(c.ErrOrStderr(), "no events")
	}
	if err := printEvents(w, chosen, asJSON); err != nil || !f.follow {
		return err
	}
	return follow(c.Context(), dir, func() error {
		more, err := r.Events(c.Context(), last, 0)
		if err != nil || len(more) == 0 {
			return err
		}
		last = more[len(more)-1].Seq
		return printEvents(w, f.choose(more), asJSON)
	})
}

// follow calls look until the run ends and once after that, or until the user has
// seen enough, which is no error.
func follow(ctx context.Context, dir string, look func() error) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		_, held, err := store.HeldBy(dir)
		if err != nil {
			return err
		}
		err = look()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil || !held:
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (f eventsFlags) choose(all []store.Event) []store.Event {
	out := []store.Event{}
	for _, e := range all {
		if len(f.kinds) == 0 || slices.Contains(f.kinds, e.Kind) {
			out = append(out, e)
		}
	}
	return out
}

func kindsOf(all []store.Event) []string {
	kinds := map[string]bool{}
	for _, e := range all {
		kinds[e.Kind] = true
	}
	return slices.Sorted(maps.Keys(kinds))
}

func printEvents(w io.Writer, list []store.Event, asJSON bool) error {
	var b strings.Builder
	for _, e := range list {
		if asJSON {
			line, err := json.Marshal(e)
			if err != nil {
				return err
			}
			b.Write(append(line, '\n'))
			continue
		}
		fmt.Fprintf(&b, "%5d  %s  %s\n", e.Seq, e.At.Local().Format("2006-01-02 15:04:05 -0700"), eventText(e))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// longestAttribute is what a line shows of one; --json has it whole.
const longestAttribute = 120

// eventText writes an event's kind and attributes in one line. What is no single value
// is for programs.
func eventText(e store.Event) string {
	text := report.Plain(e.Kind)
	var attrs map[string]any
	if json.Unmarshal(e.Attrs, &attrs) != nil {
		return text + " " + oneLine(string(e.Attrs))
	}
	for _, k := range slices.Sorted(maps.Keys(attrs)) {
		switch attrs[k].(type) {
		case map[string]any, []any:
			continue
		}
		value, err := json.Marshal(attrs[k])
		if s, ok := attrs[k].(string); ok && !strings.Contains(s, " ") || err != nil {
			value = []byte(fmt.Sprint(attrs[k]))
		}
		text += fmt.Sprintf("  %s=%s", report.Plain(k), clipped(oneLine(string(value)), longestAttribute))
	}
	return text
}
