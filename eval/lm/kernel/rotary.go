package kernel

import "math"

// RotaryTable returns cosines and sines for positions [0, n): [position][2][half],
// half = len(inverse). As in the common implementations the angle is the float32
// product of position and inverse frequency; cosine and sine are then taken in
// float64 and rounded once.
func RotaryTable(n int, inverse []float32) []float32 {
	half := len(inverse)
	table := make([]float32, n*2*half)
	for p := range n {
		row := table[p*2*half:][:2*half]
		for i, f := range inverse {
			sin, cos := math.Sincos(float64(float32(p) * f))
			row[i], row[half+i] = float32(cos), float32(sin)
		}
	}
	return table
}
