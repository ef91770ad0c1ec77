package store

import (
	"context"
	"fmt"

	"mergesearch"
)

// recipeKey is the row of a recipe.
type recipeKey int64

// addRecipe finds or adds a recipe.
func (db *DB) addRecipe(ctx context.Context, id mergesearch.RecipeID, r mergesearch.Recipe) (recipeKey, error) {
	err := db.exec(ctx, `INSERT INTO recipe (id, canonical) VALUES (?, ?) ON CONFLICT (id) DO NOTHING`, string(id), string(r.Canonical()))
	if err != nil {
		return 0, err
	}
	var key recipeKey
	err = db.conn.QueryRowContext(ctx, `SELECT key FROM recipe WHERE id = ?`, string(id)).Scan(&key)
	return key, err
}

// bindWeights ties a recipe to the weights that answer for it. Equal recipes
// give equal weights; others would mix answers of two models.
func (db *DB) bindWeights(ctx context.Context, key recipeKey, t mergesearch.Trial) error {
	if t.Fingerprint == "" {
		return nil
	}
	var known string
	if err := db.conn.QueryRowContext(ctx, `SELECT fingerprint FROM recipe WHERE key = ?`, key).Scan(&known); err != nil {
		return err
	}
	switch known {
	case t.Fingerprint:
		return nil
	case "":
		return db.exec(ctx, `UPDATE recipe SET fingerprint = ? WHERE key = ?`, t.Fingerprint, key)
	}
	return &DivergedError{Thing: "recipe " + string(t.RecipeID), Field: "fingerprint of the weights", Recorded: known, Got: t.Fingerprint}
}

// SetRecipeYAML keeps the text of a recipe as it was exported.
func (db *DB) SetRecipeYAML(ctx context.Context, id mergesearch.RecipeID, text string) error {
	return db.write(ctx, "keep a recipe", func(ctx context.Context) error {
		found, err := db.changed(ctx, `UPDATE recipe SET yaml = ? WHERE id = ?`, text, string(id))
		if err == nil && !found {
			err = &NotFoundError{Path: db.path, What: "recipe " + string(id)}
		}
		return err
	})
}

// RecipeYAML returns the text that SetRecipeYAML kept, or "" when it kept none.
func (r *Reader) RecipeYAML(ctx context.Context, id mergesearch.RecipeID) (string, error) {
	var text string
	err := r.one(ctx, "recipe "+string(id), []any{&text}, `SELECT yaml FROM recipe WHERE id = ?`, string(id))
	return text, err
}

// parseCanonical reads a recipe and checks that it is the one that was kept.
func parseCanonical(id mergesearch.RecipeID, text string) (mergesearch.Recipe, error) {
	r, err := mergesearch.ParseCanonical([]byte(text))
	if err != nil {
		return mergesearch.Recipe{}, fmt.Errorf("recipe %s: %w", id, err)
	}
	if got := r.ID(); got != id {
		return mergesearch.Recipe{}, fmt.Errorf("recipe %s: its content has the ID %s", id, got)
	}
	return r, nil
}
