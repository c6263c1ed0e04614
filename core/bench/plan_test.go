package bench_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/bench"
	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/settings"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

func chatty() backend.Description {
	return backend.Description{
		Name: "chatty", APIBase: backend.Required, APIKey: backend.Required, APIKeyEnv: []string{"CHATTY_KEY"},
		Tasks: []backend.TaskSupport{
			{Task: backend.TextToText, Requests: []backend.Kind{backend.KindChat, backend.KindCompletion}, Streaming: backend.StreamingOptional},
			{Task: backend.ImageTextToText, Requests: []backend.Kind{backend.KindChat}, Streaming: backend.StreamingOptional},
			{Task: backend.TextToEmbeddings, Requests: []backend.Kind{backend.KindEmbed}, Streaming: backend.StreamingNo},
			{Task: backend.TextToImage, Requests: []backend.Kind{backend.KindImage}, Streaming: backend.StreamingNo},
		},
	}
}

func sound() *settings.Benchmark {
	return &settings.Benchmark{
		Task: "text-to-text", APIBase: "http://h", APIKey: secret.New("k"), APIModelName: "m", Stream: true,
		Scenarios: []string{"D(10,5)"}, ExecutionEngine: "locust", IterationType: "num_concurrency",
		NumConcurrency: []int{1, 4}, BatchSize: []int{1, 8}, MaxTimePerRun: time.Minute,
	}
}

func given(flags ...string) bench.Said {
	return bench.Said{Given: func(flag string) bool {
		for _, f := range flags {
			if f == flag {
				return true
			}
		}
		return false
	}}
}

func TestEveryMistakeOfAPlanIsNamed(t *testing.T) {
	cases := map[string]struct {
		change func(*settings.Benchmark)
		said   bench.Said
		want   []string
	}{
		"sound": {func(*settings.Benchmark) {}, given(), nil},
		"several at once": {func(s *settings.Benchmark) {
			s.Task, s.APIKey, s.MaxTimePerRun = "text-to-speech", secret.Secret{}, 0
		}, given(), []string{"backend chatty does not do text-to-speech", "CHATTY_KEY", "a run needs an end", "D(10,5) does not fit"}},
		"rate without the engine":  {func(s *settings.Benchmark) { s.QPSLevels = []float64{5} }, given(), []string{"--qps-level", "--execution-engine async"}},
		"nothing left to measure":  {func(s *settings.Benchmark) { s.WarmupRatio, s.CooldownRatio = 0.6, 0.4 }, given(), []string{"--warmup-ratio"}},
		"scenario that is none":    {func(s *settings.Benchmark) { s.Scenarios = []string{"D(10;5)"} }, given(), []string{"--traffic-scenario", "D(10;5)"}},
		"prefix longer than input": {func(s *settings.Benchmark) { s.PrefixLen = 50 }, given(), []string{"prefix"}},
		"system message, no text":  {func(s *settings.Benchmark) { s.RequestParams = json.RawMessage(`{"system_message": 3}`) }, given(), []string{"system_message"}},
		"history of no turns":      {func(s *settings.Benchmark) { s.RequestParams = json.RawMessage(`{"chatHistory": [{"role":"USER"}]}`) }, given(), []string{"chatHistory", "turn 1"}},
		"images in completions": {func(s *settings.Benchmark) {
			s.Task, s.Endpoint, s.Scenarios = "image-text-to-text", "completions", nil
		}, given(), []string{"--endpoint", "no completions for task image-text-to-text; it has chat"}},
		"system message in a completion": {func(s *settings.Benchmark) {
			s.Endpoint, s.RequestParams = "completions", json.RawMessage(`{"system_message":"be brief"}`)
		}, given(), []string{"system_message is for chats", "--endpoint chat"}},
		"history of an embedding": {func(s *settings.Benchmark) {
			s.Task, s.Scenarios, s.RequestParams = "text-to-embeddings", nil, json.RawMessage(`{"chatHistory":[{"role":"user","content":"hi"}]}`)
		}, given(), []string{"chatHistory is for chats", "text-to-embeddings has no messages"}},
		"rows of no pictures": {func(s *settings.Benchmark) {
			s.Task, s.Scenarios = "image-text-to-text", []string{"dataset"}
		}, given(), []string{"--traffic-scenario: dataset for task image-text-to-text needs a dataset of pictures", "I(512,512)"}},
		"number of pictures twice": {func(s *settings.Benchmark) {
			s.Task, s.Scenarios, s.RequestParams = "text-to-image", nil, json.RawMessage(`{"n":2}`)
		}, given(), []string{"--additional-request-params", "I(width,height,n)"}},
		"stream that is none": {func(s *settings.Benchmark) { s.RequestParams = json.RawMessage(`{"stream":"yes"}`) }, given(), []string{"stream must be true or false"}},
		"stream said twice":   {func(s *settings.Benchmark) { s.RequestParams = json.RawMessage(`{"stream":false}`) }, given("stream"), []string{"stream is false, and --stream is true"}},
		"batches and rates": {func(s *settings.Benchmark) {
			s.Task, s.Scenarios, s.ExecutionEngine, s.QPSLevels = "text-to-embeddings", nil, "async", []float64{5}
		}, given("batch-size"), []string{"--batch-size", "levels of this experiment are --qps-level"}},
		"batches and users":         {func(s *settings.Benchmark) { s.Task, s.Scenarios = "text-to-embeddings", nil }, given("num-concurrency"), []string{"--num-concurrency", "give one number"}},
		"half a client certificate": {func(s *settings.Benchmark) { s.ClientCert = "c.pem" }, given(), []string{"--client-key"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := sound()
			c.change(s)
			plan, problems := bench.NewPlan(s, chatty(), nil, c.said)
			text := problems.Error()
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("problems lack %q: %s", want, text)
				}
			}
			if (plan == nil) != (len(c.want) > 0) || (len(problems) > 0) != (len(c.want) > 0) {
				t.Errorf("plan %v, problems %v", plan != nil, problems)
			}
		})
	}
}

func TestTheLevelsOfAPlan(t *testing.T) {
	cases := map[string]struct {
		change   func(*settings.Benchmark)
		said     bench.Said
		numbers  []int
		names    string
		warnings int
	}{
		"concurrency":               {func(s *settings.Benchmark) { s.NumConcurrency = []int{8, 1, 8} }, given(), []int{8, 1}, "concurrency 8; concurrency 1", 0},
		"batch size for embeddings": {func(s *settings.Benchmark) { s.Task, s.Scenarios = "text-to-embeddings", nil }, given(), []int{1, 8}, "batch size 1; batch size 8", 0},
		"batches, several in flight": {func(s *settings.Benchmark) {
			s.Task, s.Scenarios, s.NumConcurrency = "text-to-embeddings", nil, []int{4}
		}, given("num-concurrency"), []int{1, 8}, "batch size 1 at concurrency 4; batch size 8 at concurrency 4", 0},
		"users of batches": {func(s *settings.Benchmark) {
			s.Task, s.Scenarios, s.BatchSize = "text-to-embeddings", nil, []int{8}
		}, given("iteration-type", "batch-size"), []int{1, 4}, "batch size 8; batch size 8 at concurrency 4", 0},
		"batches at a rate": {func(s *settings.Benchmark) {
			s.Task, s.Scenarios, s.BatchSize, s.ExecutionEngine, s.QPSLevels = "text-to-embeddings", nil, []int{8}, "async", []float64{5}
		}, given("batch-size"), []int{5000}, "batch size 8 at 5 req/s", 0},
		"rates are in thousandths":      {func(s *settings.Benchmark) { s.ExecutionEngine, s.QPSLevels = "async", []float64{0.5, 80} }, given("num-concurrency"), []int{500, 80000}, "0.5 req/s; 80 req/s", 1},
		"batch size means nothing":      {func(*settings.Benchmark) {}, given("batch-size", "master-port"), []int{1, 4}, "concurrency 1; concurrency 4", 2},
		"iteration type that cannot be": {func(s *settings.Benchmark) { s.IterationType = "batch_size" }, given("iteration-type"), []int{1, 4}, "concurrency 1; concurrency 4", 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := sound()
			c.change(s)
			plan, problems := bench.NewPlan(s, chatty(), nil, c.said)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			var numbers []int
			var names []string
			for _, l := range plan.Levels {
				numbers, names = append(numbers, l.Number(plan.Iteration)), append(names, l.String())
			}
			if got := strings.Join(names, "; "); got != c.names {
				t.Errorf("levels are called %s, want %s", got, c.names)
			}
			if diff := cmp.Diff(c.numbers, numbers); diff != "" {
				t.Errorf("levels (-want +got):\n%s", diff)
			}
			if len(plan.Warnings) != c.warnings {
				t.Errorf("warnings %q, want %d", plan.Warnings, c.warnings)
			}
		})
	}
}

func TestMessagesAreLiftedOutOfTheParameters(t *testing.T) {
	s := sound()
	s.RequestParams = json.RawMessage(`{"systemMessage":"be brief","chat_history":[{"role":"USER","message":"hi"},{"role":"CHATBOT","content":"hello"}],"temperature":0.5}`)
	plan, problems := bench.NewPlan(s, chatty(), nil, given())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	text := func(role, text string) backend.Message {
		return backend.Message{Role: role, Parts: []backend.Part{{Text: text}}}
	}
	want := []backend.Message{text("system", "be brief"), text("user", "hi"), text("assistant", "hello")}
	if diff := cmp.Diff(want, plan.Before); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if string(plan.Params) != `{"temperature":0.5}` {
		t.Errorf("left for the plugin: %s", plan.Params)
	}
}

// TestWhatParametersMeanToCore: those that decide what is measured are core's,
// the others the plugin's; what contradicts the scenarios is said.
func TestWhatParametersMeanToCore(t *testing.T) {
	type result struct {
		Kind    backend.Kind
		Stream  bool
		Voice   string
		Params  string
		Warning string
	}
	cases := map[string]struct {
		task, endpoint, scenario, params string
		want                             result
	}{
		"none":                  {"text-to-text", "auto", "D(10,5)", "", result{Kind: backend.KindChat, Stream: true}},
		"completions":           {"text-to-text", "completions", "D(10,5)", "", result{Kind: backend.KindCompletion, Stream: true}},
		"chat of an embedding":  {"text-to-embeddings", "chat", "E(5)", "", result{Kind: backend.KindEmbed, Warning: "--endpoint is ignored"}},
		"a whole answer":        {"text-to-text", "auto", "D(10,5)", `{"stream":false,"top_p":1}`, result{Kind: backend.KindChat, Params: `{"top_p":1}`}},
		"another length":        {"text-to-text", "auto", "D(10,5)", `{"max_completion_tokens":3}`, result{Kind: backend.KindChat, Stream: true, Params: `{"max_completion_tokens":3}`, Warning: "max_completion_tokens replaces the output length"}},
		"a length for rows":     {"text-to-text", "auto", "dataset", `{"max_tokens":3}`, result{Kind: backend.KindChat, Stream: true, Params: `{"max_tokens":3}`}},
		"the end may come":      {"text-to-text", "auto", "D(10,5)", `{"ignore_eos":false}`, result{Kind: backend.KindChat, Stream: true, Params: `{"ignore_eos":false}`, Warning: "may be shorter"}},
		"the usual voice":       {"text-to-speech", "auto", "A(10)", "", result{Kind: backend.KindSpeech, Voice: "alloy", Stream: true}},
		"another voice":         {"text-to-speech", "auto", "A(10)", `{"voice":"nova"}`, result{Kind: backend.KindSpeech, Voice: "nova", Params: `{"voice":"nova"}`, Stream: true}},
		"another picture":       {"text-to-image", "auto", "I(256,256)", `{"size":"auto"}`, result{Kind: backend.KindImage, Params: `{"size":"auto"}`, Warning: "size replaces the size"}},
		"one that is left away": {"text-to-text", "auto", "D(10,5)", `{"max_tokens":null}`, result{Kind: backend.KindChat, Stream: true, Params: `{"max_tokens":null}`}},
	}
	d := chatty()
	d.Tasks = append(d.Tasks, backend.TaskSupport{Task: backend.TextToSpeech, Requests: []backend.Kind{backend.KindSpeech}, Streaming: backend.StreamingYes})
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := sound()
			s.Task, s.Endpoint, s.Scenarios, s.RequestParams = c.task, c.endpoint, []string{c.scenario}, json.RawMessage(c.params)
			plan, problems := bench.NewPlan(s, d, nil, given())
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			got := result{plan.Kind, plan.Stream, plan.Voice, string(plan.Params), strings.Join(plan.Warnings, "; ")}
			if c.want.Warning != "" && strings.Contains(got.Warning, c.want.Warning) {
				got.Warning = c.want.Warning
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestMetadataSaysWhatAuthenticated: in the backend's own words, else whether
// there was a key; never the key.
func TestMetadataSaysWhatAuthenticated(t *testing.T) {
	for name, tc := range map[string]struct{ key, effective, want string }{
		"the backend's word": {"", `{"auth_type":"signed_by_profile","region":"r"}`, `{"auth_type":"signed_by_profile","has_api_key":false}`},
		"and a key":          {"PLANTED", `{"auth_type":"token"}`, `{"auth_type":"token","has_api_key":true}`},
		"a key alone":        {"PLANTED", `{}`, `{"auth_type":"api_key","has_api_key":true}`},
		"nothing":            {"", ``, `{"auth_type":"none","has_api_key":false}`},
		"another form":       {"", `{"auth_type":7}`, `{"auth_type":"none","has_api_key":false}`},
	} {
		p := &bench.Plan{Settings: &settings.Benchmark{APIKey: secret.New(tc.key)}, Backend: backend.Description{APIKey: backend.Optional}}
		m := p.Metadata(experiment.Metadata{BackendConfig: json.RawMessage(tc.effective)})
		if got := string(m.AuthConfig); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
		p.Backend.APIKey = backend.Unused
		if m := p.Metadata(experiment.Metadata{}); string(m.AuthConfig) != `{"auth_type":"none","has_api_key":false}` {
			t.Errorf("%s, but the backend has no use for a key: %s", name, m.AuthConfig)
		}
	}
}
