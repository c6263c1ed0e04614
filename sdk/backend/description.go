package backend

import (
	"slices"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/option"
)

// Description is what a backend says of itself, without network and before it
// is configured.
type Description struct {
	Name           string          `json:"name"` // what --api-backend takes; lower case
	Aliases        []string        `json:"aliases,omitempty"`
	Summary        string          `json:"summary"`
	Tasks          []TaskSupport   `json:"tasks"`
	Capabilities   []Capability    `json:"capabilities,omitempty"`
	DefaultAPIBase string          `json:"default_api_base,omitempty"`
	APIBase        Need            `json:"api_base"`
	APIKey         Need            `json:"api_key"`
	APIKeyEnv      []string        `json:"api_key_env,omitempty"` // read in this order where --api-key is absent
	Options        []option.Option `json:"options,omitempty"`
}

// TaskSupport is how a backend does one task.
type TaskSupport struct {
	Task      Task      `json:"task"`
	Requests  []Kind    `json:"requests"` // what it can make of the task; the first is the default
	Streaming Streaming `json:"streaming"`
	Parts     []string  `json:"parts,omitempty"` // what it can send: "text", "image"
}

// Can tells whether the backend declares a capability.
func (d Description) Can(c Capability) bool { return slices.Contains(d.Capabilities, c) }

// Support returns how the backend does a task, and whether it does.
func (d Description) Support(t Task) (TaskSupport, bool) {
	for _, s := range d.Tasks {
		if s.Task == t {
			return s, true
		}
	}
	return TaskSupport{}, false
}

// Answers tells whether name is the backend's name or one of its aliases, in
// any case.
func (d Description) Answers(name string) bool {
	return strings.EqualFold(d.Name, name) ||
		slices.ContainsFunc(d.Aliases, func(a string) bool { return strings.EqualFold(a, name) })
}
