package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// emulator answers as Azure OpenAI's data plane does and verifies what it gets:
// the path of the deployment, the version of the API, the key or the token, and
// that the body names no model and nothing that Azure refuses. Paths, headers and
// error objects follow https://learn.microsoft.com/azure/ai-services/openai/reference;
// the words of messages are from memory.
type emulator struct {
	token string                   // the access token that is taken besides the key
	takes func(bearer string) bool // in place of token, where not nil
}

func (e *emulator) knows(bearer string) bool {
	if e.takes != nil {
		return e.takes(bearer)
	}
	return e.token != "" && bearer == e.token
}

func (e *emulator) Match(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/openai/") }

// unknownFields are those of a body that the documented API does not have.
func unknownFields(body map[string]json.RawMessage) []string {
	known := strings.Fields(`messages max_tokens max_completion_tokens temperature top_p n stop stream stream_options seed
		presence_penalty frequency_penalty logit_bias logprobs top_logprobs response_format tools tool_choice user
		input encoding_format dimensions input_type data_sources reasoning_effort simulate`)
	var unknown []string
	for name := range body {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

func (e *emulator) Read(r *simulator.Request) simulator.Call {
	refuse := func(status int, code, format string, args ...any) simulator.Call {
		reply := e.Error(simulator.Failure{Status: status, Code: code, Message: fmt.Sprintf(format, args...)})
		return simulator.Call{Reply: &reply}
	}
	deployment, endpoint, _ := strings.Cut(strings.TrimPrefix(r.HTTP.URL.Path, "/openai/deployments/"), "/")
	if !apiVersion.MatchString(r.HTTP.URL.Query().Get("api-version")) {
		return refuse(404, "404", "Resource not found")
	}
	if kind := r.HTTP.Header.Get("Content-Type"); r.HTTP.Method != http.MethodPost || kind != "application/json" {
		return refuse(404, "404", "Resource not found: %s of %q", r.HTTP.Method, kind)
	}
	key, bearer := r.HTTP.Header.Get("api-key"), strings.TrimPrefix(r.HTTP.Header.Get("Authorization"), "Bearer ")
	switch want := r.Config.APIKey; {
	case key != "" && bearer != "":
		return refuse(400, "", "both a key and a token")
	case bearer != "" && e.knows(bearer):
	case bearer != "":
		return refuse(401, "401", "Unauthorized. Access token is missing, invalid, audience is incorrect, or have expired.")
	case !want.IsZero() && key != want.Reveal():
		return refuse(401, "401", "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.")
	}
	if !slices.Contains(r.Config.Models, deployment) {
		return refuse(404, "DeploymentNotFound", "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.")
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal(r.Body, &body); err != nil {
		return refuse(400, "", "Invalid JSON: %v", err)
	}
	if unknown := unknownFields(body); len(unknown) > 0 {
		return refuse(400, "", "Unrecognized request arguments supplied: %s", strings.Join(unknown, ", "))
	}
	if body["messages"] == nil && body["input"] == nil {
		return refuse(400, "", "'messages' is a required property")
	}
	credential := key
	if credential == "" {
		credential = bearer
	}
	return simulator.Call{OpenAI: "/v1/" + endpoint, Model: deployment, Credential: credential}
}

func (e *emulator) Error(f simulator.Failure) simulator.Reply {
	code := f.Code
	if code == "" {
		code = fmt.Sprint(f.Status)
	}
	if f.Status == http.StatusNotFound && f.Code == "" {
		code = "DeploymentNotFound"
	}
	body, err := json.Marshal(map[string]any{"error": map[string]any{"code": code, "message": f.Message}})
	if err != nil {
		panic(err) // a map of strings
	}
	return simulator.Reply{Status: f.Status, Body: body, Code: code}
}

func (e *emulator) Lacks() []simulator.Lack { return nil }
