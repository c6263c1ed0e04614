package bench_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/bench"
	"github.com/genai-bench/genai-bench/core/settings"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

func chatty() backend.Description {
	return backend.Description{
		Name: "chatty", APIBase: backend.Required, APIKey: backend.Required, APIKeyEnv: []string{"CHATTY_KEY"},
		Tasks: []backend.TaskSupport{
			{Task: backend.TextToText, Requests: []backend.Kind{backend.KindChat}, Streaming: backend.StreamingOptional},
			{Task: backend.TextToEmbeddings, Requests: []backend.Kind{backend.KindEmbed}, Streaming: backend.StreamingNo},
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
		"rate without the engine":   {func(s *settings.Benchmark) { s.QPSLevels = []float64{5} }, given(), []string{"--qps-level", "--execution-engine async"}},
		"nothing left to measure":   {func(s *settings.Benchmark) { s.WarmupRatio, s.CooldownRatio = 0.6, 0.4 }, given(), []string{"--warmup-ratio"}},
		"scenario that is none":     {func(s *settings.Benchmark) { s.Scenarios = []string{"D(10;5)"} }, given(), []string{"--traffic-scenario", "D(10;5)"}},
		"prefix longer than input":  {func(s *settings.Benchmark) { s.PrefixLen = 50 }, given(), []string{"prefix"}},
		"system message, no text":   {func(s *settings.Benchmark) { s.RequestParams = json.RawMessage(`{"system_message": 3}`) }, given(), []string{"system_message"}},
		"history of no turns":       {func(s *settings.Benchmark) { s.RequestParams = json.RawMessage(`{"chatHistory": [{"role":"USER"}]}`) }, given(), []string{"chatHistory", "turn 1"}},
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
		warnings int
	}{
		"concurrency":                   {func(s *settings.Benchmark) { s.NumConcurrency = []int{8, 1, 8} }, given(), []int{8, 1}, 0},
		"batch size for embeddings":     {func(s *settings.Benchmark) { s.Task, s.Scenarios = "text-to-embeddings", nil }, given("num-concurrency"), []int{1, 8}, 1},
		"rates are in thousandths":      {func(s *settings.Benchmark) { s.ExecutionEngine, s.QPSLevels = "async", []float64{0.5, 80} }, given("num-concurrency"), []int{500, 80000}, 1},
		"batch size means nothing":      {func(*settings.Benchmark) {}, given("batch-size", "master-port"), []int{1, 4}, 2},
		"iteration type that cannot be": {func(s *settings.Benchmark) { s.IterationType = "batch_size" }, given("iteration-type"), []int{1, 4}, 1},
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
			for _, l := range plan.Levels {
				numbers = append(numbers, l.Number(plan.Iteration))
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
