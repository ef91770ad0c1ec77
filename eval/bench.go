package eval

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// BenchOptions configure Bench; the zero value is ready for use.
type BenchOptions struct {
	Tokens      int           // of each prompt; 0: 200
	Queue       int           // items that wait to be asked; 0: 1,000,000
	Concurrency int           // requests in flight; 0: 16
	Time        time.Duration // of each measurement; 0: 3 seconds
}

// BenchReport is what Bench measured. The server is part of the process, so its
// work is in the times too.
type BenchReport struct {
	Responses     float64 `json:"responses_per_s"`
	CPU           float64 `json:"cpu_s_per_1000"` // of client and server; 0 where the system does not say
	Bare          float64 `json:"bare_per_s"`     // exchanges of the same bytes without a client
	BareCPU       float64 `json:"bare_cpu_s_per_1000"`
	RatioToBare   float64 `json:"ratio_to_bare"` // of Responses
	ResponseBytes int     `json:"response_bytes"`
	Queue         int     `json:"queue"`
	PeakAnon      int64   `json:"peak_anon_bytes"` // private memory of the process with the queue; 0 where the system does not say
}

// Bench measures how fast the client asks: log-likelihoods by echo, with the
// likeliest tokens, from a server on loopback that sends the same bytes each time
// and computes nothing. What a plain exchange of these bytes costs is measured
// beside it.
func Bench(ctx context.Context, o BenchOptions) (BenchReport, error) {
	for _, d := range []struct {
		of *int
		by int
	}{{&o.Tokens, 200}, {&o.Queue, 1_000_000}, {&o.Concurrency, 16}} {
		if *d.of == 0 {
			*d.of = d.by
		}
	}
	if o.Time == 0 {
		o.Time = 3 * time.Second
	}
	s, err := newBenchServer(benchResponse(o.Tokens))
	if err != nil {
		return BenchReport{}, err
	}
	defer s.close()
	b := &bench{BenchOptions: o, server: s}
	report := BenchReport{ResponseBytes: len(s.response), Queue: o.Queue}
	before, answered := cpuSeconds(), int64(0)
	if report.Bare, answered, err = b.bare(ctx); err != nil {
		return report, err
	}
	report.BareCPU = 1000 * (cpuSeconds() - before) / float64(answered)
	before = cpuSeconds()
	if report.Responses, answered, err = b.client(ctx); err != nil {
		return report, err
	}
	report.CPU = 1000 * (cpuSeconds() - before) / float64(answered)
	report.PeakAnon = anonBytes()
	report.RatioToBare = report.Responses / report.Bare
	return report, nil
}

type bench struct {
	BenchOptions
	server *benchServer
}

// requests are what the client asks, all of one length.
func (b *bench) requests() []prepared {
	const different = 64
	out := make([]prepared, different)
	for i := range out {
		ids := make([]int32, b.Tokens)
		for k := range ids {
			ids[k] = int32(1000 + (i+1)*(k+7)%30000)
		}
		seqs := []sequence{{ids: ids, ctx: b.Tokens - min(4, b.Tokens-1)}}
		out[i] = prepared{requests: echoRoute{}.requests(seqs, true, Profile{ZeroTokens: true}), pairs: 1}
	}
	return out
}

// client sends the queue through the evaluator's own machinery until the time is
// over.
func (b *bench) client(ctx context.Context) (rate float64, answered int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e := &Evaluator{options: Options{Concurrency: b.Concurrency}, client: newClient(0, 0)}
	defer e.Close()
	e.throttle = newThrottle(b.Concurrency, b.Concurrency)
	a := &asking{Evaluator: e, connection: e.client.connect(Session{BaseURL: b.server.url + "/v1", Model: "bench"}), order: make([]int, b.Queue)}
	a.connection.throttle = e.throttle
	for i := range a.order {
		a.order[i] = i
	}
	asks := b.requests()
	enough := errors.New("enough")
	timer := time.AfterFunc(b.Time, func() { cancel(enough) })
	defer timer.Stop()
	var count atomic.Int64
	start := time.Now()
	err = a.each(ctx, func(ctx context.Context, i int) error {
		got, err := a.answers(ctx, &asks[i%len(asks)])
		if err == nil && got.likelihoods[0].logprob >= 0 {
			err = fmt.Errorf("log-likelihood %v", got.likelihoods[0].logprob)
		}
		if err == nil {
			count.Add(1)
		}
		return err
	})
	took := time.Since(start)
	if err != nil && !errors.Is(err, enough) {
		return 0, 0, err
	}
	return float64(count.Load()) / took.Seconds(), count.Load(), nil
}

// bare exchanges the same bytes with as little as can be done for it.
func (b *bench) bare(ctx context.Context) (rate float64, answered int64, err error) {
	body := append([]byte(`{"model":"bench",`), b.requests()[0].requests[0].tail...)
	message := fmt.Appendf(nil, "POST /v1/completions HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", b.server.address, len(body), body)
	var count atomic.Int64
	var failed atomic.Value
	end := time.Now().Add(b.Time)
	var wait sync.WaitGroup
	start := time.Now()
	for range b.Concurrency {
		wait.Go(func() {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", b.server.address)
			if err != nil {
				failed.Store(err)
				return
			}
			defer conn.Close()
			conn.SetDeadline(end.Add(10 * time.Second))
			into := make([]byte, len(b.server.response))
			for time.Now().Before(end) && ctx.Err() == nil {
				_, err := conn.Write(message)
				if err == nil {
					_, err = io.ReadFull(conn, into)
				}
				if err != nil {
					failed.Store(err)
					return
				}
				count.Add(1)
			}
		})
	}
	wait.Wait()
	if err, bad := failed.Load().(error); bad {
		return 0, 0, err
	}
	return float64(count.Load()) / time.Since(start).Seconds(), count.Load(), context.Cause(ctx)
}

// benchServer sends one response to every request, whatever it says.
type benchServer struct {
	listener net.Listener
	address  string
	url      string
	response []byte // with the header

	mu    sync.Mutex
	conns map[net.Conn]bool
	done  sync.WaitGroup
}

func newBenchServer(body []byte) (*benchServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &benchServer{listener: l, address: l.Addr().String(), conns: map[net.Conn]bool{}}
	s.url = "http://" + s.address
	s.response = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	s.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[c] = true
			s.mu.Unlock()
			s.done.Go(func() { s.serve(c) })
		}
	})
	return s, nil
}

func (s *benchServer) close() {
	s.listener.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
}

func (s *benchServer) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReaderSize(c, 8<<10)
	for {
		length := 0
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			line = bytes.TrimRight(line, "\r\n")
			if len(line) == 0 {
				break
			}
			if name, value, _ := strings.Cut(string(line), ":"); http.CanonicalHeaderKey(name) == "Content-Length" {
				length, _ = strconv.Atoi(strings.TrimSpace(value))
			}
		}
		if _, err := r.Discard(length); err != nil {
			return
		}
		if _, err := c.Write(s.response); err != nil {
			return
		}
	}
}

// benchResponse is an echo response for a prompt of n tokens, with the likeliest
// token at each place.
func benchResponse(n int) []byte {
	words := []string{" the", "er", " model", ",", " of", " 12", "\\n", " merg", "ing", " \\u00e9"}
	var tokens, values, tops, offsets strings.Builder
	state, offset := uint32(1), 0
	for i := range n {
		state = state*1664525 + 1013904223
		comma := ","
		if i == 0 {
			comma = ""
		}
		word := words[state>>8%uint32(len(words))]
		x := -float32(state>>9)/(1<<20) - 0.0123456789
		fmt.Fprintf(&tokens, `%s"%s"`, comma, word)
		fmt.Fprintf(&offsets, `%s%d`, comma, offset)
		if offset += len(word); i == 0 {
			values.WriteString("null")
			tops.WriteString("null")
			continue
		}
		fmt.Fprintf(&values, `,%v`, x)
		fmt.Fprintf(&tops, `,{"%s":%v,"%s":%v}`, words[(state>>12)%uint32(len(words))], x/2, word, x)
	}
	return fmt.Appendf(nil, `{"id":"cmpl-1","object":"text_completion","created":1700000000,"model":"bench","choices":[{"index":0,"text":"%s","logprobs":{"text_offset":[%s],"token_logprobs":[%s],"tokens":[%s],"top_logprobs":[%s]},"finish_reason":"length","stop_reason":null}],"usage":{"prompt_tokens":%d,"total_tokens":%d,"completion_tokens":0}}`,
		strings.Repeat("words that were sent ", n/5), offsets.String(), values.String(), tokens.String(), tops.String(), n, n)
}
