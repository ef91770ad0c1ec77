package surrogate

import "math"

// Basis turns points into features. With z the distance to the origin:
//
//	1, C z, C z², sum z_j², sum (z_j+1 - z_j)² along tracks
//
// A track is a list of coordinates that stand in a row, such as one parameter over
// the layers. C is the discrete cosine transform along each track: its low
// frequencies are what neighbours share. A prior that falls with the frequency
// thus expects neighbours to behave alike, and a flat one expects nothing.
type Basis struct {
	origin []float64
	tracks [][]int
	waves  [][]float64 // orthonormal rows over all coordinates
	part   []float64   // of each wave: its frequency as a share of its track's highest
}

// NewBasis makes a basis about an origin. Every coordinate is in one track. An
// empty origin gives the constant alone.
func NewBasis(origin []float64, tracks [][]int) *Basis {
	b := &Basis{origin: origin, tracks: tracks}
	for _, track := range tracks {
		n := float64(len(track))
		for k := range track {
			row, norm := make([]float64, len(origin)), math.Sqrt(2/n)
			if k == 0 {
				norm = math.Sqrt(1 / n)
			}
			for i, j := range track {
				row[j] = norm * math.Cos(math.Pi*(float64(i)+0.5)*float64(k)/n)
			}
			b.waves = append(b.waves, row)
			b.part = append(b.part, float64(k)/n)
		}
	}
	return b
}

// size is the number of features.
func (b *Basis) size() int {
	if len(b.origin) == 0 {
		return 1
	}
	return 3 + 2*len(b.origin)
}

// features returns those of a point.
func (b *Basis) features(x []float64) []float64 {
	d, p := len(b.origin), make([]float64, b.size())
	p[0] = 1
	if d == 0 {
		return p
	}
	z := make([]float64, d)
	for j := range z {
		z[j] = x[j] - b.origin[j]
		p[1+2*d] += z[j] * z[j]
	}
	for k, row := range b.waves {
		var linear, square float64
		for j, c := range row {
			linear += c * z[j]
			square += c * z[j] * z[j]
		}
		p[1+k], p[1+d+k] = linear, square
	}
	b.steps(func(j, k int) { p[2+2*d] += (z[k] - z[j]) * (z[k] - z[j]) })
	return p
}

// steps calls f for each pair of neighbours.
func (b *Basis) steps(f func(j, k int)) {
	for _, track := range b.tracks {
		for i := 1; i < len(track); i++ {
			f(track[i-1], track[i])
		}
	}
}

// gradient adds scale times the gradient of coefficients · features at x to out.
func (b *Basis) gradient(x, coefficients []float64, scale float64, out []float64) {
	d := len(b.origin)
	slope, curve := make([]float64, d), make([]float64, d)
	for k, row := range b.waves {
		l, q := coefficients[1+k], coefficients[1+d+k]
		for j, c := range row {
			slope[j] += l * c
			curve[j] += q * c
		}
	}
	for j := range d {
		out[j] += scale * (slope[j] + 2*(x[j]-b.origin[j])*(curve[j]+coefficients[1+2*d]))
	}
	b.steps(func(j, k int) {
		s := 2 * scale * coefficients[2+2*d] * (x[k] - b.origin[k] - x[j] + b.origin[j])
		out[k] += s
		out[j] -= s
	})
}

// Hyper says how large the coefficients are believed to be, as variances.
type Hyper struct {
	Level    float64 // linear, of a whole track moved together
	White    float64 // linear, whatever the frequency
	Smooth   float64 // linear, more at low frequencies
	Curve    float64 // square terms, about their mean
	Residual float64 // of abilities about the regression
}

// startHyper is believed before any evidence, of d coordinates.
func startHyper(d int) Hyper {
	n := float64(max(1, d))
	return Hyper{Level: 4 / n, White: 1 / n, Smooth: 1 / n, Curve: 4 / n, Residual: 0.02}
}

func (h *Hyper) fields() []*float64 {
	return []*float64{&h.Level, &h.White, &h.Smooth, &h.Curve, &h.Residual}
}

// logPrior keeps variances between e^-9 and e^4, and the residual near its start.
func (h Hyper) logPrior() float64 {
	sum := 0.0
	for _, f := range h.fields() {
		l := math.Log(*f)
		out := max(0, -9-l, l-4)
		sum -= out * out
	}
	l := math.Log(h.Residual / 0.02)
	return sum - l*l/8
}

// prior returns the variance of each coefficient.
func (b *Basis) prior(h Hyper) []float64 {
	d, v := len(b.origin), make([]float64, b.size())
	v[0] = 4
	if d == 0 {
		return v
	}
	for k, part := range b.part {
		low := 1 / (1 + 64*part*part) // half at an eighth of the frequencies
		v[1+k], v[1+d+k] = h.White+2*h.Smooth*low, h.Curve*(0.3+low)
		if part == 0 {
			v[1+k] += h.Level
		}
	}
	v[1+2*d], v[2+2*d] = 100/float64(d), 100/float64(d)
	return v
}
