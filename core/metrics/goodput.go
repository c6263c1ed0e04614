package metrics

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// The verdicts on a request.
const (
	goodputMet    = "met"
	goodputMissed = "missed"
)

// Objective is what a metric of a request must not exceed for the request to
// count towards goodput.
type Objective struct {
	Metric string        `json:"metric"` // a name of ObjectiveMetrics
	Limit  time.Duration `json:"limit_ns"`
}

// String is the objective as --goodput takes it: "ttft:100ms".
func (o Objective) String() string { return o.Metric + ":" + o.Limit.String() }

// objectiveMetrics are the metrics that an objective may be about. Those of
// generating need a task whose answers are made token by token.
var objectiveMetrics = []struct {
	name       string
	aliases    []string
	generating bool
	of         func(*Request) Value
}{
	{"ttft", nil, false, func(r *Request) Value { return r.TTFT }},
	{"ttfot", nil, true, func(r *Request) Value { return r.TTFOT }},
	{"tpot", nil, true, func(r *Request) Value { return r.TPOT }},
	{"itl", []string{"itl_mean"}, true, func(r *Request) Value { return r.ITLMean }},
	{"itl_max", nil, true, func(r *Request) Value { return r.ITLMax }},
	{"ntpot", []string{"per_output_token"}, true, func(r *Request) Value { return ratio(r.E2ELatency, r.OutputTokens) }},
	{"output_latency", nil, true, func(r *Request) Value { return r.OutputLatency }},
	{"e2e", []string{"e2el", "e2e_latency", "request_latency"}, false, func(r *Request) Value { return r.E2ELatency }},
	{"ttft_from_intended", nil, false, func(r *Request) Value { return r.TTFTFromIntended }},
	{"e2e_from_intended", []string{"e2e_latency_from_intended"}, false, func(r *Request) Value { return r.E2EFromIntended }},
}

// ObjectiveMetrics lists the names that objectives may have.
func ObjectiveMetrics() []string {
	var names []string
	for _, m := range objectiveMetrics {
		names = append(names, m.name)
	}
	return names
}

// ParseObjective reads "ttft:100" (milliseconds), "tpot:20ms", "e2e:3s".
func ParseObjective(text string) (Objective, error) {
	name, limit, found := strings.Cut(strings.TrimSpace(text), ":")
	if !found {
		return Objective{}, fmt.Errorf("%q must be METRIC:LIMIT, as ttft:100 (milliseconds) or e2e:3s", text)
	}
	name = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "-", "_")
	o := Objective{}
	for _, m := range objectiveMetrics {
		if m.name == name || slices.Contains(m.aliases, name) {
			o.Metric = m.name
		}
	}
	if o.Metric == "" {
		return o, fmt.Errorf("%q: %q is no metric of a request that can be an objective (there are %s)", text, name, strings.Join(ObjectiveMetrics(), ", "))
	}
	limit = strings.TrimSpace(limit)
	if ms, err := strconv.ParseFloat(limit, 64); err == nil {
		if math.IsNaN(ms) || ms <= 0 || ms > float64(math.MaxInt64)/1e6 {
			return o, fmt.Errorf("%q: the limit must be more than 0", text)
		}
		o.Limit = time.Duration(ms * 1e6)
	} else if o.Limit, err = time.ParseDuration(limit); err != nil {
		return o, fmt.Errorf("%q: %q is neither a number of milliseconds nor a duration such as 20ms or 3s", text, limit)
	}
	if o.Limit <= 0 {
		return o, fmt.Errorf("%q: the limit must be more than 0", text)
	}
	return o, nil
}

// Fits tells what keeps an objective from meaning something for a task's
// requests.
func (o Objective) Fits(task backend.Task, streamed bool) error {
	for _, m := range objectiveMetrics {
		switch {
		case m.name != o.Metric || Generates(task) && streamed:
		case m.generating && !Generates(task):
			return fmt.Errorf("%s: the answers of %s are not made token by token and have no %s", o, task, o.Metric)
		case Generates(task) && o.Metric != "e2e" && o.Metric != "ntpot" && o.Metric != "e2e_from_intended":
			return fmt.Errorf("%s: answers in one piece do not tell their %s", o, o.Metric)
		}
	}
	return nil
}

// Judge notes on the request whether it met all objectives. A failed request
// meets none; one that this client ended is not judged. The times between
// tokens of an answer that came at once are met: it has none to exceed the
// limit.
func (r *Request) Judge(objectives []Objective) {
	if len(objectives) == 0 || r.Cancelled() {
		return
	}
	r.Goodput = goodputMet
	for _, o := range objectives {
		if !r.meets(o) {
			r.Goodput = goodputMissed
		}
	}
}

func (r *Request) meets(o Objective) bool {
	if !r.OK() {
		return false
	}
	for _, m := range objectiveMetrics {
		if m.name != o.Metric {
			continue
		}
		v := m.of(r)
		between := m.name == "tpot" || m.name == "itl" || m.name == "itl_max"
		if !v.Exists() {
			return between && r.TTFT.Exists() && !(r.ITLMax > 0)
		}
		// In whole nanoseconds: a limit that is met exactly is met.
		return time.Duration(math.Round(float64(v)*1e9)) <= o.Limit
	}
	return false
}

// Goodput is how much of a run met all objectives.
type Goodput struct {
	Objectives []Objective `json:"objectives"`
	// RequestsPerSecond were completed in the window and met them.
	RequestsPerSecond Value `json:"requests_per_second"`
	Share             Value `json:"share"` // of all requests but those of warm-up and cool-down; failed ones count against it
	Met               int   `json:"met"`
	Of                int   `json:"of"`
}
