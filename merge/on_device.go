package merge

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/zeebo/xxh3"

	"mergesearch"
	"mergesearch/merge/kernel"
	"mergesearch/merge/safetensors"
)

// DeviceName returns where the engine merges: "cpu", or what Device.String says.
func (e *Engine) DeviceName() string {
	if e.device == nil {
		return "cpu"
	}
	return e.device.String()
}

// deviceWord is the device in one word: "cpu" or "cuda:0".
func (e *Engine) deviceWord() string {
	word, _, _ := strings.Cut(e.DeviceName(), " ")
	return word
}

// DeviceCandidate is a merged model that stays in the memory of a GPU: one piece of
// memory with the tensors in the order of use, which another process opens by its
// handle. It is what an inference server on the same GPU takes weights from without a
// copy through the host.
type DeviceCandidate struct {
	ID     mergesearch.CandidateID `json:"candidate"`
	Recipe mergesearch.RecipeID    `json:"recipe_id"`
	Device string                  `json:"device"`
	Bytes  int64                   `json:"bytes"`
	// Handle is the CUipcMemHandle of the memory in hexadecimal digits.
	Handle  string         `json:"ipc_handle"`
	Tensors []DeviceTensor `json:"tensors"`

	merged *merged
	device *kernel.Device
}

// DeviceTensor says where one tensor lies.
type DeviceTensor struct {
	Name   string            `json:"name"`
	DType  mergesearch.DType `json:"dtype"`
	Shape  []int             `json:"shape"`
	Offset int64             `json:"offset"` // bytes from the beginning of the memory, a multiple of 64
}

// BuildOnDevice merges a recipe into the memory of the engine's device, where it stays
// until Release. Errors are those of Build; a device without enough memory is a
// *cuda.Error.
func (e *Engine) BuildOnDevice(ctx context.Context, id mergesearch.CandidateID, r mergesearch.Recipe) (*DeviceCandidate, error) {
	if e.device == nil {
		panic("merge: BuildOnDevice without a device")
	}
	p, err := e.Plan(r)
	if err != nil {
		return nil, err
	}
	m := e.layOut(p)
	c := &DeviceCandidate{ID: id, Recipe: r.ID(), Device: e.device.String(), Bytes: int64(len(m.arena)), merged: m, device: e.device}
	if err := e.device.Hold(m.arena); err != nil {
		m.Release()
		return nil, fmt.Errorf("build %s: %w", id, err)
	}
	if err := c.fill(ctx, e, p); err != nil {
		c.Release()
		return nil, fmt.Errorf("build %s: %w", id, err)
	}
	return c, nil
}

// fill merges, and says where things are.
func (c *DeviceCandidate) fill(ctx context.Context, e *Engine, p *Plan) error {
	if err := e.compute(ctx, p, c.merged); err != nil {
		return err
	}
	handle, err := c.device.Handle(c.merged.arena)
	if err != nil {
		return err
	}
	c.Handle = hex.EncodeToString(handle[:])
	for i, t := range p.Tensors {
		if t.Copied { // by the host
			if err := c.device.Store(c.merged.data(i)); err != nil {
				return err
			}
		}
		c.Tensors = append(c.Tensors, DeviceTensor{Name: t.Name, DType: t.DType, Shape: t.Shape, Offset: int64(c.merged.offset[i])})
	}
	return nil
}

// Digest copies the tensors home, one at a time, and returns what Candidate.Fingerprint
// would be.
func (c *DeviceCandidate) Digest() (string, error) {
	var d safetensors.Digests
	for i, t := range c.merged.planned {
		data := c.merged.data(i)
		if err := c.device.Fetch(data); err != nil {
			return "", err
		}
		d.AddHashed(t.Name, t.DType, t.Shape, xxh3.Hash128(data))
	}
	return d.Digest(), nil
}

// Release gives the memory back. No other process may have it open.
func (c *DeviceCandidate) Release() {
	c.device.Forget(c.merged.arena)
	c.merged.Release()
}

// DevicePlan says how a plan uses the device's memory.
type DevicePlan struct {
	Device      string `json:"device"`
	LimitBytes  int64  `json:"limit_bytes"`
	ModelBytes  int64  `json:"model_bytes"`  // of tensors that are read
	Resident    bool   `json:"resident"`     // all of them stay on the device; else each tensor comes anew for each merge
	TensorBytes int64  `json:"tensor_bytes"` // of the largest tensor with its inputs
	WorkBytes   int64  `json:"work_bytes"`   // of operations under way
}

// DevicePlan returns how a plan uses the device, or nil on the CPU.
func (e *Engine) DevicePlan(p *Plan) *DevicePlan {
	if e.device == nil {
		return nil
	}
	d := &DevicePlan{Device: e.device.String(), LimitBytes: e.device.Limit(), ModelBytes: p.BytesRead}
	for _, t := range p.Tensors {
		n := t.bytes()
		tile := max(kernel.LeastScratch, int64(min(t.elements, e.tile)*t.DType.Size()))
		d.WorkBytes = max(d.WorkBytes, int64(e.device.Queues())*tile)
		for _, in := range t.all() {
			info, _ := in.model.Info(in.Tensor)
			n += info.End - info.Begin
		}
		d.TensorBytes = max(d.TensorBytes, n)
	}
	d.Resident = d.ModelBytes+d.WorkBytes <= d.LimitBytes
	return d
}

// Fits reports whether the device has room for the largest tensor with its inputs and the
// inputs of the next one.
func (d *DevicePlan) Fits() bool { return d.LeastBytes() <= d.LimitBytes }

// LeastBytes is what Fits asks for.
func (d *DevicePlan) LeastBytes() int64 { return 2*d.TensorBytes + d.WorkBytes }

// String is a line for people.
func (d *DevicePlan) String() string {
	how := "the models stay there"
	if !d.Resident {
		how = "the models do not fit and are copied tensor by tensor"
	}
	return fmt.Sprintf("on %s: %s (%.3g of %.3g GB)", d.Device, how, float64(d.ModelBytes)/1e9, float64(d.LimitBytes)/1e9)
}

// loadAhead copies the inputs of tensor i to the device, if there is one, while another
// is merged: after earlier, another loadAhead, is done. The result is closed at the end.
func (e *Engine) loadAhead(p *Plan, i int, earlier <-chan struct{}) <-chan struct{} {
	if e.device == nil || i >= len(p.Tensors) || p.Tensors[i].Copied {
		return earlier
	}
	var inputs [][]byte
	for _, in := range p.Tensors[i].all() {
		o, err := e.operand(in)
		if v, whole := o.view.(kernel.View); err == nil && whole {
			inputs = append(inputs, v.Data)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if earlier != nil {
			<-earlier
		}
		_ = e.device.Load(inputs...) // what is wrong shows when the tensor is merged
	}()
	return done
}
