package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/kernel"
	"mergesearch/merge/kernel/cuda"
)

// deviceFlag is --device: auto, cpu, cuda or cuda:N.
type deviceFlag struct{ text string }

func (f *deviceFlag) add(c *cobra.Command, usual string) {
	c.Flags().StringVar(&f.text, "device", usual, "where to merge: cpu, cuda, cuda:N, or auto, which takes a GPU that answers")
}

// parse returns whether a GPU may and must be used, and which one, -1 for any.
func (f deviceFlag) parse() (may, must bool, number int, err error) {
	kind, rest, numbered := strings.Cut(f.text, ":")
	switch {
	case f.text == "auto":
		return true, false, -1, nil
	case f.text == "cpu":
		return false, false, -1, nil
	case kind == "cuda" && !numbered:
		return true, true, -1, nil
	case kind == "cuda":
		if n, err := strconv.Atoi(rest); err == nil && n >= 0 && n < 1<<10 {
			return true, true, n, nil
		}
	}
	return false, false, 0, &mergesearch.InputError{Field: "--device", Problem: fmt.Sprintf("%q is no device", f.text), Hint: "write auto, cpu, cuda or cuda:0"}
}

// open opens the GPUs that the flag asks for: the one, or with all, every one that the
// driver sees. None means the CPU; then the note says why, if that is news.
func (f deviceFlag) open(all bool) (devices []*kernel.Device, note string, err error) {
	may, must, number, err := f.parse()
	if err != nil || !may {
		return nil, "", err
	}
	devices, err = openDevices(number, all)
	var failed *cuda.Error
	switch {
	case err == nil:
		return devices, "", nil
	case must:
		return nil, "", &unfit{err, "nvidia-smi shows whether the driver sees a GPU; with --device cpu the merge needs none"}
	case errors.As(err, &failed) && failed.NoDriver:
		return nil, "", nil
	}
	return nil, "merging on the CPU: " + err.Error(), nil
}

func openDevices(number int, all bool) ([]*kernel.Device, error) {
	d, err := kernel.OpenDevice(kernel.DeviceOptions{Number: max(number, 0)})
	if err != nil {
		return nil, err
	}
	devices := []*kernel.Device{d}
	count, err := d.Count()
	for n := 1; err == nil && all && number < 0 && n < count; n++ {
		if d, err = kernel.OpenDevice(kernel.DeviceOptions{Number: n}); err == nil {
			devices = append(devices, d)
		}
	}
	if err != nil {
		closeDevices(devices)
		return nil, err
	}
	return devices, nil
}

func closeDevices(devices []*kernel.Device) {
	for _, d := range devices {
		d.Close()
	}
}

// enginePool builds each candidate with an engine that has nothing else to do: one for
// each GPU.
type enginePool chan *merge.Engine

func newEnginePool(engines []*merge.Engine) enginePool {
	p := make(enginePool, len(engines))
	for _, e := range engines {
		p <- e
	}
	return p
}

// Build is that of search.Builder.
func (p enginePool) Build(ctx context.Context, id mergesearch.CandidateID, r mergesearch.Recipe) (mergesearch.Candidate, error) {
	select {
	case <-ctx.Done():
		return mergesearch.Candidate{}, ctx.Err()
	case e := <-p:
		defer func() { p <- e }()
		return e.Build(ctx, id, r)
	}
}
