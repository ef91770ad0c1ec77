package runfile

import (
	"cmp"
	"slices"
	"strings"
)

// filtersFor returns substrings that occur in each of the wanted names, and in none
// of the others: of those made of whole parts of a name the ones that cover most,
// then the shortest. clash is a wanted name that even in full occurs in another.
func filtersFor(want, others []string) (filters []string, clash string) {
	elsewhere := map[string]bool{}
	for _, name := range others {
		for _, run := range runsOf(name) {
			elsewhere[run] = true
		}
	}
	rejected := map[string]bool{}
	left := want
	for len(left) > 0 {
		covers := map[string]int{}
		for _, name := range left {
			for _, run := range runsOf(name) {
				if !elsewhere[run] && !rejected[run] {
					covers[run]++
				}
			}
		}
		best := ""
		for best == "" && len(covers) > 0 {
			for run, n := range covers {
				if best == "" || cmp.Or(cmp.Compare(covers[best], n), cmp.Compare(len(run), len(best)), cmp.Compare(run, best)) < 0 {
					best = run
				}
			}
			if slices.ContainsFunc(others, func(name string) bool { return strings.Contains(name, best) }) {
				rejected[best] = true
				delete(covers, best)
				best = ""
			}
		}
		if best == "" {
			return nil, left[0]
		}
		filters = append(filters, best)
		rest := make([]string, 0, len(left))
		for _, name := range left {
			if !strings.Contains(name, best) {
				rest = append(rest, name)
			}
		}
		left = rest
	}
	return filters, ""
}

// runsOf lists the runs of parts of a dotted name, as mergekit's users write them:
// none begins with a number, and one that ends with one has the dot after it, so
// that layer 1 is not taken for layer 10. The whole name is one of them.
func runsOf(name string) []string {
	parts := strings.Split(name, ".")
	number := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	out := []string{name}
	for i := range parts {
		if number(parts[i]) {
			continue
		}
		for j := i + 1; j <= len(parts); j++ {
			run := strings.Join(parts[i:j], ".")
			switch {
			case run == name || parts[i:j][0] == "" || j == len(parts) && number(parts[j-1]):
			case number(parts[j-1]):
				out = append(out, run+".")
			default:
				out = append(out, run)
			}
		}
	}
	return out
}
