package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/merge"
	"mergesearch/merge/safetensors"
)

// dryRun is the plan of a merge as it is printed. Numbers of bytes are of tensors.
type dryRun struct {
	Recipe       mergesearch.RecipeID `json:"recipe_id"`
	Method       string               `json:"method"`
	Base         string               `json:"base_model,omitempty"`
	Models       []string             `json:"models"`
	Donor        string               `json:"donor"`
	Tensors      []dryTensor          `json:"tensors"`
	BytesRead    int64                `json:"bytes_read"`
	BytesWritten int64                `json:"bytes_written"`
	MemoryBytes  int64                `json:"memory_bytes"` // private, about
	Seconds      float64              `json:"seconds"`      // at the speed of memory; a disk may be slower
	Device       *merge.DevicePlan    `json:"device,omitempty"`
}

type dryTensor struct {
	Name   string             `json:"name"`
	DType  mergesearch.DType  `json:"dtype"`
	Shape  []int              `json:"shape"`
	Copied bool               `json:"copied,omitempty"`
	Inputs []dryInput         `json:"inputs"`
	Base   string             `json:"base,omitempty"`
	Global map[string]float64 `json:"parameters,omitempty"`
}

type dryInput struct {
	Model      string             `json:"model"`
	Tensor     string             `json:"tensor"`
	Parameters map[string]float64 `json:"parameters,omitempty"`
}

// planMerge plans a recipe without reading a tensor.
func planMerge(e *merge.Engine, r mergesearch.Recipe) (dryRun, error) {
	p, err := e.Plan(r)
	if err != nil {
		return dryRun{}, err
	}
	d := dryRun{
		Recipe: r.ID(), Method: r.Method, Base: p.Base, Models: p.Models, Donor: p.Donor,
		BytesRead: p.BytesRead, BytesWritten: p.BytesWritten, MemoryBytes: e.MemoryOf(p),
		Seconds: float64(p.BytesRead+p.BytesWritten) / copySpeed(), Device: e.DevicePlan(p),
	}
	for _, t := range p.Tensors {
		row := dryTensor{Name: t.Name, DType: t.DType, Shape: t.Shape, Copied: t.Copied, Global: t.Global}
		for i, in := range t.Inputs {
			input := dryInput{Model: in.Model, Tensor: in.Tensor}
			if !t.Copied {
				input.Parameters = t.PerModel[i]
			}
			row.Inputs = append(row.Inputs, input)
		}
		if t.Base != nil {
			row.Base = t.Base.Model
		}
		d.Tensors = append(d.Tensors, row)
	}
	return d, nil
}

// copySpeed measures how many bytes a second are read and written by one copy in
// memory.
func copySpeed() float64 {
	from, to := make([]byte, 32<<20), make([]byte, 32<<20)
	copy(to, from) // touches the pages
	best := time.Duration(1 << 62)
	for range 3 {
		began := time.Now()
		copy(to, from)
		best = min(best, time.Since(began))
	}
	return 2 * float64(len(from)) / best.Seconds()
}

// print writes the plan as text: a line for each set of tensors that are treated
// alike, and for each run of layers in which they are.
func (d dryRun) print(w io.Writer) error {
	fmt.Fprintf(w, "recipe %s: %s of %s", d.Recipe, d.Method, report.Plain(strings.Join(d.Models, ", ")))
	if d.Base != "" {
		fmt.Fprintf(w, ", base model %s", report.Plain(d.Base))
	}
	fmt.Fprintf(w, "\n%d tensors, %s to read, %s to write, about %s of private memory, %.1f s at the speed of memory\nconfiguration and tokenizer: %s\n\n",
		len(d.Tensors), bytesText(d.BytesRead), bytesText(d.BytesWritten), bytesText(d.MemoryBytes), d.Seconds, report.Plain(d.Donor))
	if d.Device != nil {
		fmt.Fprintf(w, "%s\n\n", report.Plain(d.Device.String()))
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LAYERS\tTENSORS\tFROM")
	for _, g := range d.groups() {
		fmt.Fprintf(table, "%s\t%s\t%s\n", runs(g.layers), report.Plain(few(g.names)), report.Plain(g.from))
	}
	return table.Flush()
}

// tensorGroup is tensors that are treated alike in some layers, or outside them.
type tensorGroup struct {
	stack, from string
	names       []string // without stack and layer
	layers      []int
}

// groups collects tensors of one layer that are treated alike, and then layers in
// which that gives the same tensors.
func (d dryRun) groups() []*tensorGroup {
	inLayer := collect(d.layered(), func(g *tensorGroup) string { return fmt.Sprint(g.stack, g.layers, g.from) },
		func(into, g *tensorGroup) { into.names = append(into.names, g.names...) })
	return collect(inLayer, func(g *tensorGroup) string { return fmt.Sprint(g.stack, g.names, g.from, len(g.layers)) },
		func(into, g *tensorGroup) { into.layers = append(into.layers, g.layers...) })
}

func (d dryRun) layered() []*tensorGroup {
	var out []*tensorGroup
	for _, t := range d.Tensors {
		g := &tensorGroup{names: []string{t.Name}}
		stack, k, rest, ok := safetensors.Layer(t.Name)
		if ok {
			g.stack, g.names, g.layers = stack, []string{rest}, []int{k}
		}
		g.from = t.sources(k, ok)
		out = append(out, g)
	}
	return out
}

// collect joins the groups of one key, in the order of the first of each.
func collect(groups []*tensorGroup, key func(*tensorGroup) string, join func(into, g *tensorGroup)) []*tensorGroup {
	var out []*tensorGroup
	at := map[string]*tensorGroup{}
	for _, g := range groups {
		if same, ok := at[key(g)]; ok {
			join(same, g)
			continue
		}
		at[key(g)] = g
		out = append(out, g)
	}
	return out
}

// few lists names, of many the first.
func few(names []string) string {
	if len(names) <= 3 {
		return strings.Join(names, " ")
	}
	return fmt.Sprintf("%s %s and %d more", names[0], names[1], len(names)-2)
}

// sources says what a tensor is made of; layers of the inputs only where they are
// not the tensor's own.
func (t dryTensor) sources(layer int, layered bool) string {
	var parts []string
	for _, in := range t.Inputs {
		text := in.Model
		if _, k, _, ok := safetensors.Layer(in.Tensor); ok && layered && k != layer {
			text += fmt.Sprintf(" layer %d", k)
		} else if !layered && in.Tensor != t.Name {
			text += " " + in.Tensor
		}
		parts = append(parts, text+numbers(in.Parameters))
	}
	if t.Copied {
		return "copy of " + strings.Join(parts, " = ")
	}
	text := strings.Join(parts, ", ")
	if len(t.Global) > 0 {
		text += ";" + numbers(t.Global)
	}
	return text
}

// numbers writes parameters as " name=value ...".
func numbers(set map[string]float64) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(set)) {
		fmt.Fprintf(&b, " %s=%s", name, strconv.FormatFloat(set[name], 'g', 6, 64))
	}
	return b.String()
}

// runs writes layer numbers as ranges: 0-3,7.
func runs(layers []int) string {
	var parts []string
	for i := 0; i < len(layers); {
		j := i
		for j+1 < len(layers) && layers[j+1] == layers[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, strconv.Itoa(layers[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", layers[i], layers[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}
