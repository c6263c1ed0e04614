package settings

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/genai-bench/genai-bench/core/load"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/core/scenario"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// Benchmark is everything that the benchmark command can be told, save the
// options of the chosen plugin. Times that are 0 are not limited.
type Benchmark struct {
	// Target
	APIBackend    string
	APIBase       string
	APIKey        secret.Secret
	Task          string
	APIModelName  string
	RequestParams json.RawMessage
	Stream        bool

	// Labels: written into the results, without any effect
	ServerEngine   string
	ServerVersion  string
	ServerGPUType  string
	ServerGPUCount string
	Model          string

	// Workload
	ModelTokenizer string
	Scenarios      []string
	DatasetPath    string
	PrefixLen      int
	PrefixRatio    float64
	CountTemplate  bool
	Seed           uint64
	SeedGiven      bool

	// Load
	ExecutionEngine   string
	IterationType     string
	NumConcurrency    []int
	BatchSize         []int
	QPSLevels         []float64
	Distribution      string
	Burstiness        float64 // 0: not given
	RateRamp          load.RateRamp
	MaxConcurrency    int // of the open loop; 0: no cap
	SpawnRate         int
	ConcurrencyRamp   time.Duration
	ThinkTime         load.Think
	AbortRate         float64
	AbortAfter        AbortPoint
	NumWorkers        int
	MasterPort        int
	MaxTimePerRun     time.Duration
	MaxRequestsPerRun int
	WarmupRatio       float64
	WarmupRequests    int
	WarmupTime        time.Duration
	CooldownRatio     float64
	CooldownRequests  int
	CooldownTime      time.Duration
	DrainTimeout      time.Duration
	PauseBetweenRuns  time.Duration
	StopOn            []string
	StopOnEnds        string

	// Transport
	RequestTimeout time.Duration
	ConnectTimeout time.Duration
	HeaderTimeout  time.Duration
	IdleTimeout    time.Duration
	CAFile         string
	ClientCert     string
	ClientKey      string
	Insecure       bool
	Headers        []string
	Proxy          string
	Clock          string

	// Results
	MetricsTimeUnit      string
	ExperimentBaseDir    string
	ExperimentFolderName string
	LogDir               string
	SaveTexts            bool
	Goodput              []metrics.Objective
	Strict               bool

	// This program
	Config      string
	PluginDirs  []string
	NoPreflight bool
	Yes         bool
}

// The groups of flags in --help, in the order shown.
const (
	groupTarget    = "Target"
	groupWorkload  = "Workload"
	groupLoad      = "Load"
	groupTransport = "Transport"
	groupResults   = "Results"
	groupLabels    = "Labels (stored with the results, without effect)"
	groupProgram   = "Program"
)

// Groups lists the groups of core's flags in the order in which --help shows
// them; a plugin's groups come after the first.
func Groups() []string {
	return []string{groupTarget, groupWorkload, groupLoad, groupTransport, groupResults, groupLabels, groupProgram}
}

// groupAnnotation is where a flag remembers its group.
const groupAnnotation = "genai-bench-group"

// GroupOf returns the group of a flag, "" for one that has none.
func GroupOf(f *pflag.Flag) string {
	if g := f.Annotations[groupAnnotation]; len(g) == 1 {
		return g[0]
	}
	return ""
}

// BenchmarkFlags declares core's flags of the benchmark command and returns
// the struct that they fill.
func BenchmarkFlags(fs *pflag.FlagSet) *Benchmark {
	b := &Benchmark{}
	fs.SortFlags = false
	add := func(group string, v pflag.Value, name, usage string) *pflag.Flag {
		f := fs.VarPF(v, name, "", usage)
		f.Annotations = map[string][]string{groupAnnotation: {group}}
		return f
	}
	text := func(group string, p *string, name, usage string) {
		fs.StringVar(p, name, *p, usage)
		fs.Lookup(name).Annotations = map[string][]string{groupAnnotation: {group}}
	}
	list := func(group string, p *[]string, name, usage string) {
		fs.StringArrayVar(p, name, nil, usage)
		fs.Lookup(name).Annotations = map[string][]string{groupAnnotation: {group}}
	}
	flag := func(group string, p *bool, name, usage string) {
		fs.BoolVar(p, name, *p, usage)
		fs.Lookup(name).Annotations = map[string][]string{groupAnnotation: {group}}
	}

	text(groupTarget, &b.APIBackend, "api-backend", "backend to measure; genai-bench plugins list shows those found")
	text(groupTarget, &b.APIBase, "api-base", "address of the server, as http://127.0.0.1:8000, with or without /v1")
	add(groupTarget, secretValue{&b.APIKey}, "api-key", "key for the server; better by the backend's environment variable")
	add(groupTarget, enumValue{&b.Task, taskNames()}, "task", "what is asked of the model")
	text(groupTarget, &b.APIModelName, "api-model-name", "model as the server names it")
	add(groupTarget, jsonObject{&b.RequestParams}, "additional-request-params", `JSON object merged into every request, as '{"temperature": 0.5}'`)
	b.Stream = true
	flag(groupTarget, &b.Stream, "stream", "ask for streamed answers; --stream=false for whole ones")

	text(groupWorkload, &b.ModelTokenizer, "model-tokenizer", "tokenizer: a folder, a tokenizer.json, or a Hugging Face name")
	list(groupWorkload, &b.Scenarios, "traffic-scenario", "sizes of requests, repeatable: D(in,out), N(mean,sd)/(mean,sd), U(min,max)/(min,max), dataset; default by task")
	text(groupWorkload, &b.DatasetPath, "dataset-path", "text file to make prompts of, a line an entry; default is a built-in public-domain text")
	add(groupWorkload, count{&b.PrefixLen, 0}, "prefix-len", "tokens at the start that all prompts of a scenario share")
	add(groupWorkload, ratio{&b.PrefixRatio, true}, "prefix-ratio", "the same as a share of each prompt; D scenarios only")
	flag(groupWorkload, &b.CountTemplate, "count-chat-template", "sizes count the whole chat as the model's template renders it, which is what servers report; default is the bare prompt")
	seed := add(groupWorkload, (*seedValue)(b), "seed", "whole number that decides the workload: the same seed sends the same bytes; default is drawn anew and recorded")
	seed.DefValue = ""

	b.ExecutionEngine = "locust"
	add(groupLoad, enumValue{&b.ExecutionEngine, []string{"locust", "async"}}, "execution-engine", "locust: users that send, wait and repeat; async: exactly N in flight, or an open loop with --qps-level")
	b.IterationType = "num_concurrency"
	add(groupLoad, enumValue{&b.IterationType, []string{"num_concurrency", "batch_size"}}, "iteration-type", "what the levels of an experiment are; the task decides")
	b.NumConcurrency = scenario.NumConcurrency.DefaultLevels()
	add(groupLoad, &positiveInts{values: &b.NumConcurrency}, "num-concurrency", "requests in flight, repeatable; one run each")
	b.BatchSize = scenario.BatchSize.DefaultLevels()
	add(groupLoad, &positiveInts{values: &b.BatchSize}, "batch-size", "documents a request, repeatable; embeddings and rerank only")
	add(groupLoad, rates{&b.QPSLevels}, "qps-level", "requests per second, repeatable; makes the async engine an open loop. By Little's law, rate = concurrency / latency")
	b.Distribution = "exponential"
	add(groupLoad, enumValue{&b.Distribution, []string{"exponential", "uniform", "constant", "gamma"}}, "distribution", "time between two requests of the open loop")
	add(groupLoad, burstiness{&b.Burstiness}, "burstiness", "shape of --distribution gamma, as vLLM's: 1 is exponential, less has more bursts, inf is constant; implies gamma")
	add(groupLoad, rateRamp{&b.RateRamp}, "rate-ramp", "the open loop's rate grows from 0 over 30s, from 2 requests/s with 2:30s, by equal factors with exponential:2:30s; the ramp is warm-up unless that is set")
	add(groupLoad, count{&b.MaxConcurrency, 1}, "max-concurrency", "most requests in flight of the open loop; arrivals above wait in order and are counted. Default is no cap")
	add(groupLoad, count{&b.SpawnRate, 1}, "spawn-rate", "users started a second; default is all at once")
	add(groupLoad, &optionalDuration{d: &b.ConcurrencyRamp}, "concurrency-ramp", "users come one by one over this time; the ramp is warm-up unless that is set")
	add(groupLoad, thinkTime{&b.ThinkTime}, "think-time", "pause of a user between an answer and the next request: 2s, exponential:2s, uniform:1s,3s")
	add(groupLoad, ratio{&b.AbortRate, true}, "abort-rate", "share of requests that the client gives up on purpose; they count as aborted, neither as completed nor as errors")
	add(groupLoad, abortPoint{&b.AbortAfter}, "abort-after", "when it gives them up: 500ms after the send, or events:20 (output events, mostly tokens)")
	add(groupLoad, count{&b.NumWorkers, 0}, "num-workers", "plugin processes that share the load; 0 and 1 are one, enough for almost everyone")
	add(groupLoad, count{&b.MasterPort, 0}, "master-port", "accepted for compatibility; workers are reached without a port")
	add(groupLoad, limitValue{&b.MaxTimePerRun}, "max-time-per-run", "end of a run: minutes, or a duration as 90s")
	add(groupLoad, count{&b.MaxRequestsPerRun, 1}, "max-requests-per-run", "end of a run: exactly so many requests are sent")
	add(groupLoad, ratio{&b.WarmupRatio, false}, "warmup-ratio", "share of requests, first sent, left out of the statistics")
	add(groupLoad, count{&b.WarmupRequests, 0}, "warmup-requests", "number of requests, first sent, left out of the statistics")
	add(groupLoad, &optionalDuration{d: &b.WarmupTime}, "warmup-time", "requests sent in the first so long are left out of the statistics; default is the ramp")
	add(groupLoad, ratio{&b.CooldownRatio, false}, "cooldown-ratio", "share of requests, last sent, left out of the statistics")
	add(groupLoad, count{&b.CooldownRequests, 0}, "cooldown-requests", "number of requests, last sent, left out of the statistics")
	add(groupLoad, &optionalDuration{d: &b.CooldownTime}, "cooldown-time", "requests sent in the last so long are left out of the statistics")
	b.DrainTimeout = 60 * time.Second
	add(groupLoad, durationValue{&b.DrainTimeout}, "drain-timeout", "how long a run waits at its end for answers under way; then they are cancelled and recorded as such")

	b.PauseBetweenRuns = time.Second
	add(groupLoad, durationValue{&b.PauseBetweenRuns}, "pause-between-runs", "rest of the server between the end of a run and the next; 0 is none")
	list(groupLoad, &b.StopOn, "stop-on", "end a run early, repeatable: error-rate>0.5, errors, consecutive-errors, in-flight>500, ttft-p99>2s (also tpot, e2e; mean, max); judged from 20 requests on, or as \"error-rate>0.5 after 100\"")
	b.StopOnEnds = "run"
	add(groupLoad, enumValue{&b.StopOnEnds, []string{"run", "scenario", "experiment"}}, "stop-on-ends", "what --stop-on ends: the run, the scenario's further levels too, or the experiment")

	b.RequestTimeout = 10 * time.Minute
	add(groupTransport, durationValue{&b.RequestTimeout}, "request-timeout", "limit of one request, first byte sent to last byte received; 0 is none")
	b.ConnectTimeout = 10 * time.Second
	add(groupTransport, durationValue{&b.ConnectTimeout}, "connect-timeout", "limit of name look-up, connection and TLS together; 0 is none")
	add(groupTransport, durationValue{&b.HeaderTimeout}, "header-timeout", "limit from the request sent to the head of the answer; 0 is none")
	add(groupTransport, durationValue{&b.IdleTimeout}, "idle-timeout", "limit between two pieces of an answer; 0 is none")
	text(groupTransport, &b.CAFile, "ca-file", "PEM file of certificate authorities to trust besides the system's")
	text(groupTransport, &b.ClientCert, "client-cert", "PEM file of the certificate to show to the server")
	text(groupTransport, &b.ClientKey, "client-key", "PEM file of its key")
	flag(groupTransport, &b.Insecure, "insecure", "do not verify the server's certificate")
	add(groupTransport, headerLines{&b.Headers}, "header", `header sent with every request, repeatable, as "X-Team: perf"; values are not stored`)
	text(groupTransport, &b.Proxy, "proxy", "URL of a proxy; none ignores the environment's")
	b.Clock = "auto"
	add(groupTransport, enumValue{&b.Clock, []string{"auto", "packet", "socket", "user"}}, "clock", "how arrivals are timed; auto is the best that works here")

	b.MetricsTimeUnit = "s"
	add(groupResults, enumValue{&b.MetricsTimeUnit, []string{"s", "ms"}}, "metrics-time-unit", "unit of latencies, shown and stored")
	text(groupResults, &b.ExperimentBaseDir, "experiment-base-dir", "where the experiment's folder is made; default is the current folder")
	text(groupResults, &b.ExperimentFolderName, "experiment-folder-name", "name of the experiment's folder; default says backend, task, model and time")
	text(groupResults, &b.LogDir, "log-dir", "folder for the log; default is the experiment's own")
	add(groupResults, &objectives{&b.Goodput}, "goodput", "limit that a request must meet to count as good, repeatable, as ttft:100 (ms), tpot:20ms, e2e:3s; failed requests count against; "+strings.Join(metrics.ObjectiveMetrics(), ", ")+" are known")
	flag(groupResults, &b.Strict, "strict", "exit code 3 where a run has a warning for which its figures are not to be trusted")
	flag(groupResults, &b.SaveTexts, "save-texts", "keep the text of every answer in the journal")

	text(groupLabels, &b.ServerEngine, "server-engine", "engine of the server, as vLLM, SGLang, TGI")
	text(groupLabels, &b.ServerVersion, "server-version", "its version")
	text(groupLabels, &b.ServerGPUType, "server-gpu-type", "its accelerator, as H100, MI300")
	text(groupLabels, &b.ServerGPUCount, "server-gpu-count", "how many of them")
	text(groupLabels, &b.Model, "model", "name of the model in results; default is the last part of --model-tokenizer or --api-model-name")

	text(groupProgram, &b.Config, "config", "YAML or JSON file of settings, its keys the names of flags")
	list(groupProgram, &b.PluginDirs, "plugin-dir", "folder searched for plugins before all others, repeatable")
	flag(groupProgram, &b.NoPreflight, "no-preflight", "start without asking the server first whether it would work")
	flag(groupProgram, &b.Yes, "yes", "answer questions with yes")
	return b
}

func taskNames() []string {
	var names []string
	for _, t := range backend.Tasks() {
		names = append(names, string(t))
	}
	return names
}
