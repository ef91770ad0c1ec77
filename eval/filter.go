package eval

import (
	"fmt"

	"mergesearch"
)

// readFilters accepts pipelines of take_first alone, which change nothing while
// each question is asked once.
func readFilters(e entry) error {
	pipelines, err := e.sequence()
	if err != nil {
		return err
	}
	if len(pipelines) > 1 {
		return refuse(pipelines[1].at, e.path, "a second filter pipeline is not supported yet", "")
	}
	for _, p := range pipelines {
		parts, err := mapping(p.value, p.path)
		if err != nil {
			return err
		}
		for _, part := range parts {
			switch part.key {
			case "name":
				_, err = part.text()
			case "filter":
				err = readFilterSteps(part)
			default:
				err = refuse(part.at, part.path, "unknown key", mergesearch.UnknownWord("key", part.key, []string{"name", "filter"}).Hint)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func readFilterSteps(e entry) error {
	steps, err := e.sequence()
	if err != nil {
		return err
	}
	for _, s := range steps {
		parts, err := mapping(s.value, s.path)
		if err != nil {
			return err
		}
		for _, p := range parts {
			if name, _ := p.text(); p.key != "function" || name != "take_first" {
				return refuse(p.at, p.path, fmt.Sprintf("filter %s: only the filter take_first is supported yet", nodeText(p.value)), "")
			}
		}
	}
	return nil
}
