package failpoint

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// The environment variables that a program built with -tags failpoints reads.
const (
	PlanVariable    = "MERGESEARCH_FAILPOINT"
	JournalVariable = "MERGESEARCH_JOURNAL"
)

// Plan says at which visit of which place the process ends. The zero value never
// ends it.
type Plan struct {
	Name  string
	Visit int // 1 for the first
}

// ParsePlan reads "name#visit".
func ParsePlan(text string) (Plan, error) {
	if text == "" {
		return Plan{}, nil
	}
	name, visit, _ := strings.Cut(text, "#")
	n, err := strconv.Atoi(visit)
	if err != nil || n < 1 || name == "" {
		return Plan{}, fmt.Errorf("failpoint %q: want name#visit", text)
	}
	return Plan{Name: name, Visit: n}, nil
}

func (p Plan) String() string {
	if p.Name == "" {
		return ""
	}
	return fmt.Sprintf("%s#%d", p.Name, p.Visit)
}

// Points follows the places that a process comes to.
type Points struct {
	plan    Plan
	journal *Journal

	mu     sync.Mutex
	visits map[string]int
}

// New returns what mergesearch.OnFailpoint calls. The journal may be nil.
func New(p Plan, j *Journal) *Points {
	return &Points{plan: p, journal: j, visits: map[string]int{}}
}

// Hit notes a visit and ends the process if the plan says so. Nobody else goes
// on while it does: the kill is asynchronous, so the lock is held until it comes.
func (p *Points) Hit(name string) {
	name = Place(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.visits[name]++
	p.journal.Write(Entry{At: name})
	if name == p.plan.Name && p.visits[name] == p.plan.Visit {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// Place takes out of a name what differs from visit to visit: what the store calls
// an operation ("commit/before/record answers of c0012") is reduced to its kind.
func Place(name string) string {
	at := strings.LastIndexByte(name, '/')
	words := strings.Fields(name[at+1:])
	if len(words) < 2 {
		return name
	}
	kind := words[0]
	if kind == "record" || kind == "store" || kind == "keep" {
		kind = words[1]
		if (kind == "the" || kind == "a") && len(words) > 2 {
			kind = words[2]
		}
	}
	return name[:at+1] + kind
}
