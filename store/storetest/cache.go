package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"
)

// Cache keeps responses by the hash of what was asked: the method set that the
// evaluator wants (eval.Cache).
type Cache interface {
	Lookup(ctx context.Context, key [32]byte) (value []byte, found bool, err error)
	Store(ctx context.Context, key [32]byte, value []byte) error
}

// MemoryCache is a Cache that keeps everything in a map. The zero value is ready
// for use.
type MemoryCache struct {
	mu     sync.Mutex
	values map[[32]byte][]byte
}

// Lookup is that of Cache.
func (m *MemoryCache) Lookup(_ context.Context, key [32]byte) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, found := m.values[key]
	return bytes.Clone(v), found, nil
}

// Store is that of Cache.
func (m *MemoryCache) Store(_ context.Context, key [32]byte, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil {
		m.values = map[[32]byte][]byte{}
	}
	if _, known := m.values[key]; !known {
		m.values[key] = append([]byte{}, value...)
	}
	return nil
}

// TestCache checks what holds for every Cache: a value comes back under its own
// key and under no other, the first one stays, what is handed out or in may be
// changed by its owner, and all is safe for concurrent use. Lookups is how many
// random keys are tried against those that were stored.
func TestCache(t *testing.T, open func(*testing.T) Cache, lookups int) {
	ctx := context.Background()
	t.Run("the first value stays", func(t *testing.T) {
		c, key := open(t), [32]byte{1}
		if v, found, err := c.Lookup(ctx, key); v != nil || found || err != nil {
			t.Errorf("an empty cache holds %q, %v, %v", v, found, err)
		}
		value := []byte("first")
		for _, v := range [][]byte{value, []byte("second")} {
			if err := c.Store(ctx, key, v); err != nil {
				t.Fatal(err)
			}
			value[0] = 'F'
		}
		for range 2 {
			v, found, err := c.Lookup(ctx, key)
			if string(v) != "first" || !found || err != nil {
				t.Fatalf("%q, %v, %v", v, found, err)
			}
			v[0] = 'x'
		}
		if err := c.Store(ctx, [32]byte{2}, []byte{}); err != nil {
			t.Fatal(err)
		}
		if v, found, err := c.Lookup(ctx, [32]byte{2}); len(v) != 0 || !found || err != nil {
			t.Errorf("an empty value: %q, %v, %v", v, found, err)
		}
	})
	t.Run("a value comes back under its own key alone", func(t *testing.T) {
		c := open(t)
		const candidates, requests = 40, 100
		for i := range candidates {
			for j := range requests {
				if err := c.Store(ctx, cacheKey(i, j), cacheValue(i, j)); err != nil {
					t.Fatal(err)
				}
			}
		}
		random := rand.New(rand.NewPCG(1, 2))
		for range lookups {
			i, j := random.IntN(4*candidates), random.IntN(2*requests)
			key := cacheKey(i, j)
			if random.IntN(4) == 0 { // a key that differs in one bit
				key[random.IntN(32)] ^= 1 << random.IntN(8)
				i = -1
			}
			v, found, err := c.Lookup(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			stored := i >= 0 && i < candidates && j < requests
			if found != stored || found && !bytes.Equal(v, cacheValue(i, j)) {
				t.Fatalf("candidate %d, request %d: %x, found %v, want %v", i, j, v, found, stored)
			}
		}
	})
	t.Run("many at once", func(t *testing.T) {
		c := open(t)
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				for j := range 300 {
					if err := c.Store(ctx, cacheKey(1, j), cacheValue(1, j)); err != nil {
						t.Error(err)
						return
					}
					if v, found, err := c.Lookup(ctx, cacheKey(1, j)); !found || err != nil || !bytes.Equal(v, cacheValue(1, j)) {
						t.Errorf("request %d: %x, %v, %v", j, v, found, err)
						return
					}
				}
			})
		}
		wait.Wait()
	})
}

func cacheKey(candidate, request int) [32]byte {
	return sha256.Sum256(cacheValue(candidate, request))
}

func cacheValue(candidate, request int) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(candidate)), uint32(request))
}
