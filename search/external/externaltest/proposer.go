package externaltest

import (
	"bufio"
	"encoding/json"
	"io"
	"math/rand/v2"
)

type message struct {
	Type  string
	Seed  uint64
	Count int
	Space struct{ Genes []gene }

	Trials []struct {
		Candidate string
		Genome    map[string]any
		Fitness   *float64
	}
}

type gene struct {
	Name, Kind string
	Min, Max   float64
	Options    []string
}

// Propose is a random search around the best trial that it was told: each gene is
// drawn anew with odds 1/5 and moves by a normal step of a tenth of its range
// else. It returns at the end of the input or at "bye".
func Propose(in io.Reader, out io.Writer) error {
	var hello message
	var best map[string]any
	fitness, parent, asked := -1.0, "", uint64(0)
	lines, answers := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	for {
		var m message
		if err := lines.Decode(&m); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		switch m.Type {
		case "hello":
			hello = m
			if err := answers.Encode(map[string]any{"type": "hello", "name": "random around the best"}); err != nil {
				return err
			}
		case "tell":
			for _, t := range m.Trials {
				if t.Genome != nil && t.Fitness != nil && *t.Fitness > fitness {
					best, fitness, parent = t.Genome, *t.Fitness, t.Candidate
				}
			}
		case "ask":
			proposals := []map[string]any{}
			for range m.Count {
				asked++
				p := map[string]any{"genome": around(hello.Space.Genes, best, rand.New(rand.NewPCG(hello.Seed, asked))), "operator": "around"}
				if parent != "" {
					p["parents"] = []string{parent}
				}
				proposals = append(proposals, p)
			}
			if err := answers.Encode(map[string]any{"type": "proposals", "proposals": proposals}); err != nil {
				return err
			}
		case "bye":
			return nil
		}
	}
}

func around(genes []gene, best map[string]any, rng *rand.Rand) map[string]any {
	out := map[string]any{}
	for _, g := range genes {
		old, known := best[g.Name]
		anew := !known || rng.Float64() < 0.2
		switch {
		case g.Kind == "choice" && anew:
			out[g.Name] = g.Options[rng.IntN(len(g.Options))]
		case g.Kind == "choice":
			out[g.Name] = old
		case anew:
			out[g.Name] = g.Min + rng.Float64()*(g.Max-g.Min)
		default:
			out[g.Name] = min(g.Max, max(g.Min, old.(float64)+0.1*rng.NormFloat64()*(g.Max-g.Min)))
		}
	}
	return out
}
