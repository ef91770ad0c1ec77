package python

import "math/bits"

const (
	words  = 624 // the state of the Mersenne Twister, in 32-bit words
	middle = 397
)

// Random is CPython's random.Random: the Mersenne Twister MT19937 (Matsumoto and
// Nishimura 1998, doi 10.1145/272991.272995), seeded and read as CPython 3.11 does
// it, so that every draw is equal to Python's. It is not safe for concurrent use.
type Random struct {
	state [words]uint32
	next  int // the word that the next draw takes; words: make new ones first
}

// NewRandom returns random.Random(seed). As in Python, a seed and its negative are
// the same seed.
func NewRandom(seed int64) *Random {
	r := new(Random)
	r.Seed(seed)
	return r
}

// Seed starts again as NewRandom does.
func (r *Random) Seed(seed int64) {
	n := uint64(seed)
	if seed < 0 {
		n = -n
	}
	key := []uint32{uint32(n), uint32(n >> 32)}
	if key[1] == 0 {
		key = key[:1]
	}
	r.seedWords(key)
}

// seedWords is init_by_array of the reference implementation.
func (r *Random) seedWords(key []uint32) {
	s := &r.state
	s[0] = 19650218
	for i := 1; i < words; i++ {
		s[i] = 1812433253*(s[i-1]^s[i-1]>>30) + uint32(i)
	}
	i, j := 1, 0
	for range max(words, len(key)) {
		s[i] = (s[i] ^ (s[i-1]^s[i-1]>>30)*1664525) + key[j] + uint32(j)
		if i++; i == words {
			s[0], i = s[words-1], 1
		}
		if j++; j == len(key) {
			j = 0
		}
	}
	for range words - 1 {
		s[i] = (s[i] ^ (s[i-1]^s[i-1]>>30)*1566083941) - uint32(i)
		if i++; i == words {
			s[0], i = s[words-1], 1
		}
	}
	s[0] = 1 << 31
	r.next = words
}

// twist makes the next words from the present ones.
func (r *Random) twist() {
	s := &r.state
	for i := range words - middle {
		s[i] = s[i+middle] ^ twisted(s[i], s[i+1])
	}
	for i := words - middle; i < words-1; i++ {
		s[i] = s[i+middle-words] ^ twisted(s[i], s[i+1])
	}
	s[words-1] = s[middle-1] ^ twisted(s[words-1], s[0])
	r.next = 0
}

func twisted(high, low uint32) uint32 {
	y := high&(1<<31) | low&(1<<31-1)
	return y>>1 ^ -(low&1)&0x9908b0df
}

func tempered(y uint32) uint32 {
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

func (r *Random) word() uint32 {
	if r.next == words {
		r.twist()
	}
	y := r.state[r.next]
	r.next++
	return tempered(y)
}

// Random returns the next number of [0, 1), a multiple of 2^-53.
func (r *Random) Random() float64 {
	a, b := r.word()>>5, r.word()>>6
	return unit(a, b)
}

// unit joins 27 and 26 bits.
func unit(a, b uint32) float64 { return float64(int64(a)<<26|int64(b)) * (1.0 / (1 << 53)) }

// GetRandBits returns k random bits, for k from 0 to 64.
func (r *Random) GetRandBits(k int) uint64 {
	switch {
	case k < 0 || k > 64:
		panic("python: GetRandBits wants 0 to 64 bits")
	case k == 0:
		return 0
	case k <= 32:
		return uint64(r.word() >> (32 - k))
	}
	low := uint64(r.word())
	return low | uint64(r.word()>>(64-k))<<32
}

// RandBelow returns a number of [0, n); it is what Python's randrange(n) and choice
// draw, and randint(a, b) is a + RandBelow(b-a+1). n must be positive.
func (r *Random) RandBelow(n int) int {
	if n <= 0 {
		panic("python: RandBelow wants a positive number")
	}
	k := bits.Len(uint(n))
	for {
		if x := r.GetRandBits(k); x < uint64(n) {
			return int(x)
		}
	}
}

// Sample returns the places that random.sample(population, k) takes from a
// population of n, in its order. k must not exceed n.
func (r *Random) Sample(n, k int) []int {
	if k < 0 || k > n {
		panic("python: a sample is larger than its population, or negative")
	}
	out := make([]int, k)
	// Python keeps a list of the places that are left where that is smaller than a
	// set of those taken; the two draw different numbers.
	listed := 21
	if k > 5 {
		power := 1 // 4 ** ceil(log(3k, 4))
		for power < 3*k {
			power *= 4
		}
		listed += power
	}
	if n <= listed {
		left := make([]int, n)
		for i := range left {
			left[i] = i
		}
		for i := range out {
			j := r.RandBelow(n - i)
			out[i], left[j] = left[j], left[n-i-1]
		}
		return out
	}
	taken := make(map[int]bool, k)
	for i := range out {
		j := r.RandBelow(n)
		for taken[j] {
			j = r.RandBelow(n)
		}
		taken[j] = true
		out[i] = j
	}
	return out
}

// Choices returns the places that random.choices(population, k=k) takes from a
// population of n.
func (r *Random) Choices(n, k int) []int {
	out := make([]int32, k)
	r.FillChoices(out, n)
	places := make([]int, k)
	for i, p := range out {
		places[i] = int(p)
	}
	return places
}

// FillChoices is Choices into memory of the caller: the fast path of a bootstrap.
func (r *Random) FillChoices(dst []int32, n int) {
	if n <= 0 || n > 1<<31-1 {
		panic("python: choices want a population of 1 to 2^31-1")
	}
	x := float64(n)
	for len(dst) > 0 {
		if r.next == words {
			r.twist()
		}
		pairs := min((words-r.next)/2, len(dst))
		if pairs == 0 { // one word is left of this round
			dst[0] = int32(r.Random() * x)
			dst = dst[1:]
			continue
		}
		round := r.state[r.next : r.next+2*pairs]
		for i := range pairs {
			dst[i] = int32(unit(tempered(round[2*i])>>5, tempered(round[2*i+1])>>6) * x)
		}
		r.next += 2 * pairs
		dst = dst[pairs:]
	}
}

// Shuffle does what random.shuffle does to a list of n, by swaps.
func (r *Random) Shuffle(n int, swap func(i, j int)) {
	for i := n - 1; i > 0; i-- {
		swap(i, r.RandBelow(i+1))
	}
}
