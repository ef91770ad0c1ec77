package eval

import (
	"context"

	"mergesearch"
)

type afreshKey struct{}

// Afresh returns a context in which servers are asked although their answers are
// remembered, and the new answers are not kept: to see whether they still are the same.
// What judge models said stays remembered.
func Afresh(ctx context.Context) context.Context {
	return context.WithValue(ctx, afreshKey{}, true)
}

func isAfresh(ctx context.Context) bool { return ctx.Value(afreshKey{}) != nil }

// Repeats reports whether an item is asked so that equal weights give equal answers:
// nothing is drawn at random.
func (e *Evaluator) Repeats(id mergesearch.ItemID) bool {
	at, ok := e.place[id]
	return ok && e.taskOf[at].temperature == 0
}
