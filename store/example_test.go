package store_test

import (
	"context"
	"fmt"
	"os"

	"mergesearch"
	"mergesearch/store"
)

// A run records one trial; another process looks at it.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	db, err := store.Open(ctx, dir, store.Options{})
	if err != nil {
		panic(err)
	}
	recipe := mergesearch.Passthrough("reverse", "bfloat16")
	trial := mergesearch.Trial{
		Name: "reverse", Recipe: recipe, RecipeID: recipe.ID(), State: mergesearch.Pending,
		Individual: mergesearch.Individual{Operator: "parent"},
	}
	outcomes := []mergesearch.Outcome{{Item: "add/1", Value: 0}, {Item: "add/2", Value: 1, Completion: "5"}}
	if err := db.Begin(ctx, trial, ""); err != nil {
		panic(err)
	}
	if err := db.Answered(ctx, trial, mergesearch.SearchSplit, outcomes); err != nil {
		panic(err)
	}

	reader, err := store.OpenReadOnly(ctx, dir)
	if err != nil {
		panic(err)
	}
	found, answers, err := reader.Trial(ctx, "c0000")
	if err != nil {
		panic(err)
	}
	fmt.Println(found.Name, found.State, len(answers), answers[1].Completion)

	_ = reader.Close()
	_ = db.Close()
	// Output: reverse scoring 2 5
}
