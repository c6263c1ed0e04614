package bench

import (
	"strings"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// kinds are what --endpoint names.
var kinds = map[string]backend.Kind{"chat": backend.KindChat, "completions": backend.KindCompletion}

// endpoint chooses what the task's requests are: the backend's usual kind, or
// the one that the user asks for.
func (c *checker) endpoint() {
	p := c.plan
	if len(p.Support.Requests) == 0 {
		return // the task is not the backend's, which was said
	}
	p.Kind = p.Support.Requests[0]
	wanted, named := kinds[p.Settings.Endpoint]
	if !named {
		return
	}
	var has []string
	for _, kind := range p.Support.Requests {
		if kind == wanted {
			p.Kind = wanted
			return
		}
		for name, k := range kinds {
			if k == kind {
				has = append(has, name)
			}
		}
	}
	if has == nil {
		c.warn("--endpoint is ignored: task %s has an endpoint of its own", p.Task)
		return
	}
	c.wrong("endpoint", "", "backend %s has no %s for task %s; it has %s", p.Backend.Name, p.Settings.Endpoint, p.Task, strings.Join(has, ", "))
}
