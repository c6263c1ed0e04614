package sdk

import "github.com/genai-bench/genai-bench/sdk/backend"

// ProtocolVersion is the major version of the contract. It is go-plugin's
// protocol version and the N of the proto package vN.
const ProtocolVersion = 1

// ProtocolMinor counts the additions within the major version.
const ProtocolMinor = 0

// Version is the version of this sdk.
const Version = "0.1.0"

// Description is everything that a plugin binary says of itself. It is the
// answer to Describe and, as JSON, what `PLUGIN describe` prints.
type Description struct {
	Plugin     PluginInfo  `json:"plugin"`
	Components []Component `json:"components"`
}

// PluginInfo names the binary.
type PluginInfo struct {
	Name          string `json:"name"` // the NAME of genai-bench-plugin-NAME
	Version       string `json:"version"`
	Vendor        string `json:"vendor,omitempty"`
	License       string `json:"license,omitempty"`
	Homepage      string `json:"homepage,omitempty"`
	SDKVersion    string `json:"sdk_version"`
	ProtocolMinor int    `json:"protocol_minor"`
	// EnvPassthrough names environment variables, or prefixes of them ending
	// in "*", that the plugin's process must see beyond the host's allow-list.
	EnvPassthrough []string `json:"env_passthrough,omitempty"`
}

// ComponentKind is what a component is.
type ComponentKind string

// The kinds of contract v1. Sinks are a draft and have no Go types yet.
const (
	BackendComponent ComponentKind = "backend"
	SinkComponent    ComponentKind = "sink"
)

// Component is one thing that the plugin can be opened as.
type Component struct {
	Kind    ComponentKind        `json:"kind"`
	Backend *backend.Description `json:"backend,omitempty"` // set where Kind is BackendComponent
}

// Backends returns the descriptions of all backends in the plugin.
func (d Description) Backends() []backend.Description {
	var all []backend.Description
	for _, c := range d.Components {
		if c.Backend != nil {
			all = append(all, *c.Backend)
		}
	}
	return all
}
