package store

import (
	"context"
	"database/sql"

	"mergesearch"
)

// Node is a candidate in a lineage.
type Node struct {
	ID         mergesearch.CandidateID `json:"id"`
	Name       string                  `json:"name,omitempty"` // of a parent or baseline
	Generation int                     `json:"generation"`
	Operator   string                  `json:"operator"`
	RecipeID   mergesearch.RecipeID    `json:"recipe_id"`
	State      mergesearch.State       `json:"state"`
	Fitness    *float64                `json:"fitness"` // null without a score
}

// Edge leads from a parent to what was made from it.
type Edge struct {
	Parent   mergesearch.CandidateID `json:"parent"`
	Child    mergesearch.CandidateID `json:"child"`
	Position int                     `json:"position"` // 0 for the parent with the largest share
}

// Lineage says who descends from whom. Nodes are in the order of asking, so a
// parent always comes before its children; edges are ordered by child, then
// position.
type Lineage struct {
	Nodes []Node `json:"nodes"`
	Edges []Edge `json:"edges"`
}

// Lineage returns all candidates of the run and their descent.
func (r *Reader) Lineage(ctx context.Context) (Lineage, error) {
	return r.lineage(ctx, `SELECT idx FROM trial`)
}

// Ancestors returns a candidate with all that it descends from; a NotFoundError
// when there is no such candidate.
func (r *Reader) Ancestors(ctx context.Context, id mergesearch.CandidateID) (Lineage, error) {
	return r.kin(ctx, id, `SELECT parent FROM parent JOIN kin ON child = kin.idx`)
}

// Descendants returns a candidate with all that descends from it; a
// NotFoundError when there is no such candidate.
func (r *Reader) Descendants(ctx context.Context, id mergesearch.CandidateID) (Lineage, error) {
	return r.kin(ctx, id, `SELECT child FROM parent JOIN kin ON parent = kin.idx`)
}

// kin follows a step from a candidate as far as it leads.
func (r *Reader) kin(ctx context.Context, id mergesearch.CandidateID, step string) (Lineage, error) {
	index, err := IndexOf(id)
	if err != nil {
		return Lineage{}, err
	}
	l, err := r.lineage(ctx, `WITH RECURSIVE kin (idx) AS (SELECT idx FROM trial WHERE idx = ? UNION `+step+`) SELECT idx FROM kin`, index)
	if err == nil && len(l.Nodes) == 0 {
		err = &NotFoundError{Path: r.path, What: "candidate " + string(id)}
	}
	return l, err
}

// lineage returns the candidates that a query selects, and the edges between
// them.
func (r *Reader) lineage(ctx context.Context, chosen string, args ...any) (Lineage, error) {
	l := Lineage{Nodes: []Node{}, Edges: []Edge{}}
	err := r.view(ctx, "read the lineage", func(tx *sql.Tx) error {
		in := map[int]bool{}
		err := each(ctx, tx, func(rows *sql.Rows) error {
			var index int
			var n Node
			var fitness sql.NullFloat64
			err := rows.Scan(&index, &n.Name, &n.Generation, &n.Operator, &n.RecipeID, &n.State, &fitness)
			n.ID = mergesearch.CandidateOf(index)
			if fitness.Valid {
				n.Fitness = &fitness.Float64
			}
			in[index] = true
			l.Nodes = append(l.Nodes, n)
			return err
		}, `SELECT idx, name, generation, operator, recipe.id, state, fitness
			FROM trial JOIN recipe ON recipe.key = trial.recipe WHERE idx IN (`+chosen+`) ORDER BY idx`, args...)
		if err != nil {
			return err
		}
		return each(ctx, tx, func(rows *sql.Rows) error {
			var child, position, parent int
			err := rows.Scan(&child, &position, &parent)
			if in[child] && in[parent] {
				l.Edges = append(l.Edges, Edge{Parent: mergesearch.CandidateOf(parent), Child: mergesearch.CandidateOf(child), Position: position})
			}
			return err
		}, `SELECT child, position, parent FROM parent ORDER BY child, position`)
	})
	return l, err
}
