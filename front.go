package mergesearch

// Front is what a run with several objectives ends with: the candidates of which
// none is better than another in every objective. It is chosen on search and
// validation items; what it says of held-out items was not chosen by.
type Front struct {
	Objectives []string // names, in the order of every member's measures
	Members    []FrontMember

	// BestParents names for each objective of tasks the parent that is best at it on
	// validation items: whom the gains are over.
	BestParents []string

	// Reference is where hypervolumes are counted from: 0 for tasks, for a cost a
	// tenth more than the costliest parent's.
	Reference []float64

	// Hypervolume is the volume that the members dominate above the reference, and
	// ParentHypervolume that of all parents: both on held-out items.
	Hypervolume, ParentHypervolume float64
}

// FrontMember is a candidate of the front.
type FrontMember struct {
	Finalist
	Chosen   []Measure // on search and validation items together
	Measures []Measure // on held-out items

	// Gains holds for each objective of tasks the paired comparison with the parent
	// that is best at it, on held-out items. Each interval stands by itself: over a
	// whole front, some of many miss.
	Gains []Comparison
}

// Kept is what became of a constraint: the winner on held-out items.
type Kept struct {
	Constraint
	Value     float64 // the winner's, on the task
	Reference float64 // the parent's, on the same items
}

// Holds reports whether the winner kept what was asked for.
func (k Kept) Holds() bool { return k.Value >= k.Keep*k.Reference }
