package eval

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math"
	"sync"
)

// Cache remembers what servers answered. A key is a hash of everything that
// decides an answer: the weights, what the server can do, and the whole request.
// It is asked only where it is proved which weights answer, so that no candidate is
// ever given another's answer: by the server with every answer
// (Profile.Fingerprint), or by the endpoint around a session (Session.Proved), whose
// answers are kept when the session has come to a good end. Judge models alone are
// taken by their URL and name, and what they wrote is kept under the exact request.
//
// Lookup returns a value that was stored under the key; it belongs to the caller.
// Store may keep a value for a while before it is safe; what is lost is asked
// again. Both are safe for concurrent use; an error ends the call of Score.
type Cache interface {
	Lookup(ctx context.Context, key [32]byte) (value []byte, found bool, err error)
	Store(ctx context.Context, key [32]byte, value []byte) error
}

// cacheFormat is part of every key: values of another format are never found.
const cacheFormat = "mergesearch response 2"

// memory is a cache as one session sees it: what it holds of these weights on this
// server.
type memory struct {
	cache  Cache
	prefix []byte // of what is hashed

	late bool // answers are proved by the end of the session
	mu   sync.Mutex
	held []heldAnswer
}

// heldAnswer waits for the end of its session.
type heldAnswer struct {
	key   [32]byte
	value []byte
}

// memoryOf returns the memory of a session; nil where answers cannot be told to be
// those of the candidate's weights.
func memoryOf(c Cache, s Session, p Profile) *memory {
	late := s.Proved != ""
	if c == nil || !late && (s.Fingerprint == "" || !p.Fingerprint) {
		return nil
	}
	weights := s.Fingerprint
	if late {
		weights = s.Proved
	}
	b := appendField(nil, cacheFormat)
	b = appendField(b, weights)
	b = appendField(b, p.ID())
	return &memory{cache: c, prefix: b, late: late}
}

// keep stores an answer, or holds it until the session has ended well.
func (m *memory) keep(ctx context.Context, key [32]byte, value []byte) error {
	if !m.late {
		return m.cache.Store(context.WithoutCancel(ctx), key, value)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = append(m.held, heldAnswer{key, value})
	return nil
}

// proved stores what was held. It is called when the weights were proved once more.
func (m *memory) proved(ctx context.Context) error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range m.held {
		if err := m.cache.Store(context.WithoutCancel(ctx), h.key, h.value); err != nil {
			return err
		}
	}
	m.held = nil
	return nil
}

// appendField writes a text so that no two lists of texts give equal bytes.
func appendField(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// key names the response to a request, and how it is read: the same request may be
// scored from another token on.
func (m *memory) key(r *request) (key [32]byte) {
	h := sha256.New()
	h.Write(m.prefix)
	b := appendField(nil, r.path)
	b = append(b, byte(bit(r.root)), byte(bit(r.greedy)), byte(bit(r.zero)))
	b = binary.AppendUvarint(b, uint64(len(r.seqs)))
	for _, q := range r.seqs {
		b = binary.AppendUvarint(b, uint64(q.ctx))
		b = binary.AppendUvarint(b, uint64(len(q.ids)))
	}
	b = binary.AppendUvarint(b, uint64(len(r.drawn.until)))
	for _, stop := range r.drawn.until { // some are applied here
		b = appendField(b, stop)
	}
	b = binary.AppendUvarint(b, uint64(len(r.tail)))
	h.Write(b)
	writeIDs(h, r)
	h.Write(r.tail)
	h.Sum(key[:0])
	return key
}

// writeIDs adds the tokens that are looked for in the response but are not all in
// the request.
func writeIDs(h hash.Hash, r *request) {
	if _, single := r.via.(labelsRoute); !single {
		return
	}
	var b []byte
	for _, q := range r.seqs {
		b = binary.AppendVarint(b, int64(q.ids[q.ctx]))
	}
	h.Write(b)
}

// lookup returns the parts of a response that is remembered.
func (m *memory) lookup(ctx context.Context, key [32]byte, r *request) ([]part, error) {
	value, found, err := m.cache.Lookup(ctx, key)
	if err != nil || !found {
		return nil, err
	}
	parts, ok := decodeParts(value)
	if !ok || len(parts) != max(1, len(r.seqs)) {
		return nil, nil // as if it were not there
	}
	return parts, nil
}

// encodeParts writes what matters of a response.
func encodeParts(parts []part) []byte {
	b := binary.AppendUvarint(nil, uint64(len(parts)))
	for _, p := range parts {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(p.logprob))
		b = append(b, byte(bit(p.greedy)))
		b = appendField(b, p.finish)
		b = binary.AppendVarint(b, int64(p.tokens))
		b = binary.AppendVarint(b, int64(p.prompt))
		b = appendField(b, p.text)
	}
	return b
}

// decodeParts reads what encodeParts wrote, and refuses everything else.
func decodeParts(b []byte) (parts []part, ok bool) {
	uvarint := func() (n uint64, ok bool) {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			return 0, false
		}
		b = b[size:]
		return n, true
	}
	field := func() (string, bool) {
		n, ok := uvarint()
		if !ok || n > uint64(len(b)) {
			return "", false
		}
		text := string(b[:n])
		b = b[n:]
		return text, true
	}
	count := func() (int, bool) {
		n, size := binary.Varint(b)
		if size <= 0 || n < -1 || n > math.MaxInt32 {
			return 0, false
		}
		b = b[size:]
		return int(n), true
	}
	n, ok := uvarint()
	if !ok || n > uint64(len(b)) {
		return nil, false
	}
	for range n {
		p := part{taken: true}
		if len(b) < 9 || b[8] > 1 {
			return nil, false
		}
		p.logprob, p.greedy = math.Float64frombits(binary.LittleEndian.Uint64(b)), b[8] == 1
		b = b[9:]
		if p.finish, ok = field(); !ok {
			return nil, false
		}
		if p.tokens, ok = count(); !ok {
			return nil, false
		}
		if p.prompt, ok = count(); !ok {
			return nil, false
		}
		if p.text, ok = field(); !ok || p.logprob != p.logprob {
			return nil, false
		}
		parts = append(parts, p)
	}
	return parts, len(b) == 0
}

// ask returns what the server says to one request, or said before.
func (a *asking) ask(ctx context.Context, r *request) ([]part, error) {
	m := a.memory
	if m == nil {
		got, err := a.connection.send(ctx, r)
		if err != nil {
			return nil, err
		}
		return got.parts, nil
	}
	key := m.key(r)
	parts, err := m.lookup(ctx, key, r)
	if err != nil {
		return nil, err
	}
	if parts != nil {
		a.remembered.Add(1)
		return parts, nil
	}
	got, err := a.connection.send(ctx, r)
	if err != nil {
		return nil, err
	}
	return got.parts, m.keep(ctx, key, encodeParts(got.parts))
}

// Remember sets the cache, before anything is asked.
func (e *Evaluator) Remember(c Cache) {
	e.options.Cache = c
	e.RememberJudged(c)
}

// RememberJudged sets the cache for what judge models write, and not for what
// candidates answer.
func (e *Evaluator) RememberJudged(c Cache) {
	if e.judges != nil {
		e.judges.cache = c
	}
}

// Remembered returns how many requests were answered from the cache since New.
func (e *Evaluator) Remembered() int64 { return e.remembered.Load() }
