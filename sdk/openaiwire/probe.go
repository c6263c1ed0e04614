package openaiwire

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// modelEntry is one model of GET /v1/models.
type modelEntry struct {
	ID            string `json:"id"`
	OwnedBy       string `json:"owned_by"`
	MaxModelLen   int64  `json:"max_model_len"`  // vLLM, SGLang
	ContextLength int64  `json:"context_length"` // Together, OpenRouter
}

// Probe asks for the list of models, which is free: does the server answer, is
// the key good, does it know the model? A server that has no such list passes.
func (c *Client) Probe(ctx context.Context) (backend.Probe, error) {
	var exchange stamp.Exchange
	reply, failure := c.get(ctx, c.settings.Address.V1("/models"), &exchange)
	if failure != nil {
		failure.Hint = connectHint(failure.Class)
		return backend.Probe{Failure: c.explain(failure)}, nil
	}
	probe := backend.Probe{ServerName: reply.header.Get("Server")}
	probe.Latency = exchange.LastByte.Sub(exchange.SendStart)
	switch reply.status {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented, http.StatusTooManyRequests:
		return probe, nil // it is there, and does not say more
	default:
		probe.Failure = c.explain(c.completed(reply.failure(), reply.header))
		return probe, nil
	}
	models, err := parseModels(reply.body)
	if err != nil {
		failure := jsonhttp.NotProtocol(reply.body)
		failure.Hint = "check --api-base"
		probe.Failure = c.explain(failure)
		return probe, nil
	}
	for _, m := range models {
		probe.Models = append(probe.Models, m.ID)
	}
	if len(models) == 0 {
		return probe, nil
	}
	switch owner := models[0].OwnedBy; owner {
	case "vllm", "sglang", "llamacpp":
		probe.ServerName = owner
	}
	if c.settings.Dialect.VersionPath != "" {
		probe.ServerVersion = c.version(ctx)
	}
	wanted := c.model()
	found := slices.IndexFunc(models, func(m modelEntry) bool { return sameModel(m.ID, wanted) })
	switch {
	case found >= 0:
		probe.MaxModelLen = max(models[found].MaxModelLen, models[found].ContextLength)
	case probe.ServerName == "llamacpp": // serves what it has loaded, whatever the name
	default:
		failure := fault.New(fault.NotFound, "the server does not offer the model %q", wanted)
		failure.Hint = nearHint(wanted, probe.Models)
		probe.Failure = c.explain(failure)
	}
	return probe, nil
}

// ProbeByRefusal asks for nothing: it posts an empty object where requests of a
// kind go. A server that refuses that as a bad request (400 or 422) is there,
// took the credentials and knows the model, and nothing was generated. It is for
// providers without a list of models, or whose list has other names.
func (c *Client) ProbeByRefusal(ctx context.Context, kind backend.Kind) (backend.Probe, error) {
	return c.refusal(ctx, kind, []byte("{}"))
}

// ProbeModelByRefusal is ProbeByRefusal with the model's name in the object, for
// providers whose addresses do not name it. Whether a server looks for the model
// before it misses the rest is up to the server.
func (c *Client) ProbeModelByRefusal(ctx context.Context, kind backend.Kind) (backend.Probe, error) {
	body, err := json.Marshal(map[string]string{"model": c.model()})
	if err != nil {
		return backend.Probe{}, err
	}
	return c.refusal(ctx, kind, body)
}

func (c *Client) refusal(ctx context.Context, kind backend.Kind, body []byte) (backend.Probe, error) {
	var exchange stamp.Exchange
	reply, failure := c.fetch(ctx, &httpclient.Call{Method: http.MethodPost, URL: c.URL(kind), Body: body}, &exchange)
	if failure != nil {
		if failure.Hint == "" {
			failure.Hint = connectHint(failure.Class)
		}
		return backend.Probe{Failure: c.explain(failure)}, nil
	}
	probe := backend.Probe{ServerName: reply.header.Get("Server"), Latency: exchange.LastByte.Sub(exchange.SendStart)}
	if reply.status/100 == 2 {
		probe.Failure = c.explain(fault.New(fault.Protocol, "the server answered an empty request with %d", reply.status))
		return probe, nil
	}
	refused := c.completed(reply.failure(), reply.header)
	switch refused.Class {
	case fault.Auth, fault.Permission, fault.NotFound: // some say so with 400
		probe.Failure = c.explain(refused)
		return probe, nil
	}
	switch reply.status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusTooManyRequests:
		return probe, nil // it is there
	}
	probe.Failure = c.explain(refused)
	return probe, nil
}

// model is the model that goes out: a parameter of that name wins.
func (c *Client) model() string {
	if i := indexOf(c.params, "model"); i >= 0 {
		return stringOf(c.params[i].value)
	}
	return c.settings.Config.Model
}

// sameModel: Ollama lists "llama3:latest" and answers to "llama3".
func sameModel(listed, wanted string) bool {
	return listed == wanted || listed == wanted+":latest"
}

// version asks the server for its version; "" where it does not tell.
func (c *Client) version(ctx context.Context) string {
	var exchange stamp.Exchange
	reply, failure := c.get(ctx, c.settings.Address.Join(c.settings.Dialect.VersionPath), &exchange)
	if failure != nil || reply.status != http.StatusOK {
		return ""
	}
	var answer struct {
		Version string `json:"version"`
	}
	decodeInto(json.RawMessage(reply.body), &answer)
	return answer.Version
}

// reply is an answer read whole.
type reply struct {
	status int
	header http.Header
	body   []byte
	sent   http.Header // of the call, with what signed it
}

func (r *reply) failure() *fault.Error {
	return newRedactor(jsonhttp.SecretsOfHeader(r.sent)).fault(withHeaders(statusFault(r.status, r.header, r.body, nil), r.header))
}

func (c *Client) get(ctx context.Context, url string, exchange *stamp.Exchange) (*reply, *fault.Error) {
	return c.fetch(ctx, &httpclient.Call{Method: http.MethodGet, URL: url}, exchange)
}

// fetch makes a call outside the measurement and reads the answer whole.
func (c *Client) fetch(ctx context.Context, call *httpclient.Call, exchange *stamp.Exchange) (*reply, *fault.Error) {
	call.Header = make(http.Header, len(c.header)+2)
	for name, values := range c.header {
		call.Header[name] = values
	}
	call.Header["Accept"] = contentJSON
	if call.Body != nil {
		call.Header["Content-Type"] = contentJSON
	}
	if c.settings.Sign != nil {
		if err := c.settings.Sign(ctx, call); err != nil {
			return nil, signFault(err)
		}
	}
	answer, failure := c.http.Do(ctx, call, exchange)
	if failure != nil {
		return nil, newRedactor(jsonhttp.SecretsOfHeader(call.Header)).fault(failure)
	}
	defer func() { _ = answer.Body.Close() }() // never fails
	body, err := answer.Body.ReadAll(modelsBytesMax)
	if err != nil && answer.Status == http.StatusOK {
		return nil, jsonhttp.TransportFault(err)
	}
	return &reply{status: answer.Status, header: answer.Header, body: body, sent: call.Header}, nil
}

// modelsBytesMax bounds the list of models; OpenRouter's is about 1 MiB.
const modelsBytesMax = 32 << 20

// parseModels reads {"data":[…]}, or the bare list that Together sends.
func parseModels(body []byte) ([]modelEntry, error) {
	var bare []modelEntry
	if json.Unmarshal(body, &bare) == nil {
		return bare, nil
	}
	var listed struct {
		Data []modelEntry `json:"data"`
	}
	if err := json.Unmarshal(body, &listed); err != nil {
		return nil, err
	}
	return listed.Data, nil
}

// connectHint is what to do where no answer came.
func connectHint(class fault.Class) string {
	switch class {
	case fault.TLS:
		return "check --api-base (http or https?), and the certificate authority"
	case fault.Cancelled:
		return ""
	}
	return "is the server running, and is --api-base right?"
}

// nearHint lists the models there are, the most similar ones where there are many.
func nearHint(wanted string, models []string) string {
	const shown = 5
	sorted := slices.Clone(models)
	lower := strings.ToLower(wanted)
	distance := make(map[string]int, len(sorted))
	for _, m := range sorted {
		distance[m] = editDistance(lower, strings.ToLower(m))
		if strings.Contains(strings.ToLower(m), lower) || strings.Contains(lower, strings.ToLower(m)) {
			distance[m] /= 2
		}
	}
	slices.SortStableFunc(sorted, func(a, b string) int { return distance[a] - distance[b] })
	if len(sorted) <= shown {
		return "it offers " + strings.Join(sorted, ", ")
	}
	return fmt.Sprintf("the nearest of its %d models: %s", len(sorted), strings.Join(sorted[:shown], ", "))
}

// editDistance is Levenshtein's, by bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
