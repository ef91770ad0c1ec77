package eval

import (
	"testing"
)

// BenchmarkDecode reads an echo response of 200 tokens, of which four are scored.
func BenchmarkDecode(b *testing.B) {
	response := benchResponse(200)
	for name, greedy := range map[string]bool{"sum": false, "greedy": true} {
		r := &request{via: echoRoute{}, greedy: greedy, zero: true, seqs: []sequence{{ids: make([]int32, 200), ctx: 196}}}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(response)))
			b.ReportAllocs()
			before := cpuSeconds()
			for b.Loop() {
				if _, err := decode(response, r); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(1e9*(cpuSeconds()-before)/float64(b.N), "cpu-ns/op") // what a busy machine leaves alone
		})
	}
}
