package kernel

// Scalar products of vectors: what norms and angles between models are made of.

// Gram holds the scalar products of each two of several vectors.
type Gram struct {
	n     int
	upper []float64 // (0,0), (0,1), ..., (1,1), ...
}

// NewGram returns the products of n vectors that f gives for i <= j.
func NewGram(n int, f func(i, j int) float64) Gram {
	g := Gram{n: n}
	for i := range n {
		for j := i; j < n; j++ {
			g.upper = append(g.upper, f(i, j))
		}
	}
	return g
}

// Len returns the number of vectors.
func (g Gram) Len() int { return g.n }

// At returns the product of vectors i and j.
func (g Gram) At(i, j int) float64 { return g.upper[pairNumber(g.n, min(i, j), max(i, j))] }

func pairNumber(n, i, j int) int { return i*n - i*(i-1)/2 + j - i }

// Grams holds the scalar products for each line of a tensor.
type Grams struct {
	n     int
	upper []float64 // those of the first line, then those of the second
}

// Line returns the products of line l, which share the memory of g.
func (g Grams) Line(l int) Gram {
	pairs := g.n * (g.n + 1) / 2
	return Gram{n: g.n, upper: g.upper[l*pairs : (l+1)*pairs]}
}

// Bytes returns about how much memory g takes.
func (g Grams) Bytes() int64 { return int64(8 * len(g.upper)) }

// Products returns the scalar products of the models' lines, or of those of their
// task vectors. Memory is read once for up to maxTogether models, and the
// products do not depend on what else is computed with them.
func (k Kernel) Products(g Group, l Lines, tileSize int, run Runner) Grams {
	l.mustFit(g.elements())
	n := len(g.Models)
	out := Grams{n: n, upper: make([]float64, l.Count*n*(n+1)/2)}
	for _, members := range together(n) {
		part := Group{Base: g.Base}
		for _, i := range members {
			part.Models = append(part.Models, g.Models[i])
		}
		sums := k.productsOf(part, l, tileSize, run)
		for line := range l.Count {
			from, to := sums.Line(line), out.Line(line)
			for i, a := range members {
				for j := i; j < len(members); j++ {
					to.upper[pairNumber(n, a, members[j])] = from.At(i, j)
				}
			}
		}
	}
	return out
}

// maxTogether is how many models the products of one pass are made of.
const maxTogether = 5

// together splits models into sets of which one has any two of them, each in
// ascending order.
func together(n int) [][]int {
	if n <= maxTogether {
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		return [][]int{all}
	}
	var out [][]int
	for a := 0; a < n; a += 2 {
		for b := a + 2; b < n; b += 2 {
			set := []int{a, a + 1, b}
			if b+1 < n {
				set = append(set, b+1)
			}
			out = append(out, set)
		}
	}
	return out
}

func (k Kernel) productsOf(g Group, l Lines, tileSize int, run Runner) Grams {
	if l.Columns {
		return k.productsOfColumns(g, l, tileSize, run)
	}
	n := len(g.Models)
	pairs, blocks := n*(n+1)/2, (l.Length+TileMultiple-1)/TileMultiple
	sums := make([]float64, l.Count*blocks*pairs)
	eachRows(l, tileSize, run, func(row, rows, from, to int) {
		lo, length := row*l.Length+from, to-from
		k.products(g, lo, lo+rows*length, length, sums[(row*blocks+from/TileMultiple)*pairs:])
	})
	return joinLines(n, l.Count, blocks, sums)
}

// eachRows calls f for pieces of about a tile: some whole rows, or elements from
// to to of a row that is longer. from is a multiple of TileMultiple.
func eachRows(l Lines, tileSize int, run Runner, f func(row, rows, from, to int)) {
	if l.Count == 0 || l.Length == 0 {
		return
	}
	if l.Length > tileSize {
		pieces := tilesOf(l.Length, tileSize)
		run(l.Count*pieces, func(i int) {
			lo, hi := bounds(i%pieces, tileSize, l.Length)
			f(i/pieces, 1, lo, hi)
		})
		return
	}
	rows := tileSize / l.Length
	run((l.Count+rows-1)/rows, func(i int) {
		row := i * rows
		f(row, min(rows, l.Count-row), 0, l.Length)
	})
}

// joinLines joins partial sums that lie by line, block and pair.
func joinLines(n, lines, blocks int, sums []float64) Grams {
	pairs := n * (n + 1) / 2
	out := Grams{n: n, upper: make([]float64, lines*pairs)}
	part := make([]float64, blocks)
	for line := range lines {
		for p := range pairs {
			for b := range blocks {
				part[b] = sums[(line*blocks+b)*pairs+p]
			}
			out.upper[line*pairs+p] = JoinSums(part)
		}
	}
	return out
}

// columnsAtOnce is how many columns one call adds up: their sums stay in cache.
const columnsAtOnce = 512

// productsOfColumns adds each column from the top down in blocks of TileMultiple
// rows, and joins the blocks by the tree of all sums. It takes a few rows of all
// columns at a time, so that a source that computes its elements does it once.
func (k Kernel) productsOfColumns(g Group, l Lines, tileSize int, run Runner) Grams {
	n, columns := len(g.Models), l.Count
	pairs, blocks := n*(n+1)/2, (l.Length+TileMultiple-1)/TileMultiple
	sums := make([]float64, blocks*pairs*columns) // by block, pair and column
	if columns == 0 {
		return Grams{n: n}
	}
	rows, together := max(1, 8*tileSize/columns), columnsAtOnce
	if k.device != nil {
		rows, together = TileMultiple, columns
	}
	parts := (columns + together - 1) / together
	for block := range blocks {
		end := min(l.Length, (block+1)*TileMultiple)
		for row := block * TileMultiple; row < end; row += rows {
			piece := g.between(row*columns, min(end, row+rows)*columns)
			run(parts, func(i int) {
				column, width := i*together, min(together, columns-i*together)
				k.columnProducts(piece, 0, piece.elements(), columns, column, width, sums[block*pairs*columns:])
			})
		}
	}
	out := Grams{n: n, upper: make([]float64, columns*pairs)}
	part := make([]float64, blocks)
	for c := range columns {
		for p := range pairs {
			for b := range blocks {
				part[b] = sums[(b*pairs+p)*columns+c]
			}
			out.upper[c*pairs+p] = JoinSums(part)
		}
	}
	return out
}

// between reads elements lo to hi of the group.
func (g Group) between(lo, hi int) Group {
	var out Group
	if g.Base != nil {
		out.Base = g.Base.Slice(lo, hi)
	}
	for _, s := range g.Models {
		out.Models = append(out.Models, s.Slice(lo, hi))
	}
	return out
}
