package external

import (
	"mergesearch"
)

// Protocol is the version that the greeting names. It changes when a program that
// was written for an earlier one would misunderstand.
const Protocol = 1

// greeting is the first message to the program.
type greeting struct {
	Type       string      `json:"type"` // "hello"
	Protocol   int         `json:"protocol"`
	Seed       uint64      `json:"seed"`
	Lookahead  int         `json:"lookahead"`
	Space      space       `json:"space"`
	Budget     Budget      `json:"budget"`
	Objectives []objective `json:"objectives"`
}

type space struct {
	Base    string   `json:"base"`
	Experts []string `json:"experts"`
	Methods []string `json:"methods"`
	Groups  []string `json:"groups"`
	Genes   []gene   `json:"genes"`
}

// gene is a gene as programs see it: choices by name.
type gene struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"` // "real" or "choice"
	Min     *float64 `json:"min,omitempty"`
	Max     *float64 `json:"max,omitempty"`
	Step    float64  `json:"step,omitempty"`
	Options []string `json:"options,omitempty"`
	Default any      `json:"default"`
	Methods []string `json:"methods,omitempty"` // that use it; all when absent

	Parameter string `json:"parameter,omitempty"`
	Expert    string `json:"expert,omitempty"`
	Group     string `json:"group,omitempty"`
}

// Budget is that of the run. Zero is no bound.
type Budget struct {
	Candidates  int     `json:"candidates,omitempty"`
	ItemAnswers int     `json:"item_answers,omitempty"`
	Tokens      int     `json:"tokens,omitempty"`
	Seconds     float64 `json:"seconds,omitempty"`
}

type objective struct {
	Task   string  `json:"task"`
	Weight float64 `json:"weight"`
}

// request asks for so many proposals.
type request struct {
	Type  string `json:"type"` // "ask"
	Count int    `json:"count"`
}

// answer is what the program says: to the greeting "hello", to a request
// "proposals".
type answer struct {
	Type      string     `json:"type"`
	Name      string     `json:"name"`     // of the program's algorithm; hello
	Outcomes  bool       `json:"outcomes"` // whether tells are to carry them; hello
	Proposals []proposal `json:"proposals"`
	Finished  bool       `json:"finished"` // nothing more to propose
}

type proposal struct {
	Genome   map[string]any            `json:"genome"`
	Operator string                    `json:"operator"`
	Parents  []mergesearch.CandidateID `json:"parents"`
}

// tell carries trials to the program, which does not answer it.
type tell struct {
	Type   string  `json:"type"` // "tell"
	Trials []trial `json:"trials"`
}

type trial struct {
	Candidate mergesearch.CandidateID `json:"candidate"`
	Name      string                  `json:"name,omitempty"` // of a parent or baseline
	Genome    map[string]any          `json:"genome"`         // active genes; null where the space has none for it
	State     string                  `json:"state"`          // "scored", "eliminated" or "failed"
	Reason    string                  `json:"reason,omitempty"`
	Fitness   *float64                `json:"fitness"` // null when failed
	StdErr    float64                 `json:"stderr,omitempty"`
	Violation float64                 `json:"violation,omitempty"` // of constraints; 0 is feasible
	Rung      int                     `json:"rung"`
	Items     int                     `json:"items"`
	Tasks     map[string]float64      `json:"tasks,omitempty"`
	Outcomes  map[string]float64      `json:"outcomes,omitempty"` // value of each item, if asked for
}

func (p *Proposer) greeting() greeting {
	s := p.options.Space
	g := greeting{
		Type: "hello", Protocol: Protocol, Seed: p.options.Seed, Lookahead: p.options.Lookahead, Budget: p.options.Budget,
		Space: space{Base: s.Base, Experts: s.Experts},
	}
	for _, m := range s.Methods {
		g.Space.Methods = append(g.Space.Methods, m.Name)
	}
	for _, group := range s.Groups {
		g.Space.Groups = append(g.Space.Groups, group.Name)
	}
	for _, x := range s.Genes {
		out := gene{
			Name: x.Name, Kind: "real", Step: x.Step, Default: x.Default, Methods: x.Methods,
			Parameter: x.Parameter, Expert: x.Expert, Group: x.Group,
		}
		if x.Kind == mergesearch.Choice {
			out.Kind, out.Options, out.Default = "choice", x.Options, x.Options[int(x.Default)]
		} else {
			out.Min, out.Max = &x.Min, &x.Max
		}
		g.Space.Genes = append(g.Space.Genes, out)
	}
	for _, t := range p.options.Benchmark.Tasks {
		g.Objectives = append(g.Objectives, objective{t.Task, t.Weight})
	}
	return g
}

// named returns the active genes of a genome by name.
func (p *Proposer) named(g mergesearch.Genome) map[string]any {
	if g == nil {
		return nil
	}
	out := map[string]any{}
	for i, gene := range p.options.Space.Genes {
		switch {
		case !p.options.Space.Active(g, i):
		case gene.Kind == mergesearch.Choice:
			out[gene.Name] = gene.Options[int(g[i])]
		default:
			out[gene.Name] = g[i]
		}
	}
	return out
}

func (p *Proposer) trial(t mergesearch.Trial) trial {
	out := trial{
		Candidate: t.ID(), Name: t.Name, Genome: p.named(t.Individual.Genome),
		State: string(t.State), Reason: t.Reason.Code, Rung: t.Rung,
	}
	m, ok := t.Member()
	if !ok {
		return out
	}
	fitness := m.Fitness()
	out.Fitness, out.StdErr, out.Violation, out.Items = &fitness, t.Score.StdErr, t.Score.Violation, t.Score.Items
	out.Tasks = map[string]float64{}
	for _, s := range t.Score.Tasks {
		out.Tasks[s.Task] = s.Value
	}
	if p.outcomes {
		out.Outcomes = map[string]float64{}
		for _, o := range t.Outcomes {
			out.Outcomes[string(o.Item)] = o.Value
		}
	}
	return out
}
