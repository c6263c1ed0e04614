package emulator

import (
	"net/http"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// Compatible are OCI's OpenAI-compatible endpoints, below /openai/v1: bodies
// and answers are OpenAI's, the signature is OCI's, and the compartment stands
// in a header. From memory: the form of its error answers, which are OCI's here.
type Compatible struct {
	Keys        *Keyring
	Compartment string
}

var _ simulator.Protocol = (*Compatible)(nil)

const compatiblePrefix = "/openai"

// Match implements simulator.Protocol.
func (p *Compatible) Match(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, compatiblePrefix+"/v1/")
}

// Read implements simulator.Protocol.
func (p *Compatible) Read(r *simulator.Request) simulator.Call {
	if _, err := p.Keys.Verify(r.HTTP, r.Body); err != nil {
		return refuse(http.StatusUnauthorized, "The required information to complete authentication was not provided or was incorrect. (%v)", err)
	}
	if r.HTTP.Header.Get("CompartmentId") != p.Compartment {
		return notThere()
	}
	return simulator.Call{OpenAI: strings.TrimPrefix(r.HTTP.URL.Path, compatiblePrefix)}
}

// Error implements simulator.Protocol.
func (p *Compatible) Error(f simulator.Failure) simulator.Reply { return errorReply(f) }

// Lacks implements simulator.Protocol.
func (p *Compatible) Lacks() []simulator.Lack {
	return []simulator.Lack{{What: "ignore_eos", Why: "OCI has no way to fix the length of an answer"}}
}
