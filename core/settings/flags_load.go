package settings

import (
	"time"

	"github.com/genai-bench/genai-bench/core/scenario"
)

// load declares the flags that say when it is sent, and when a run ends.
func (b *Benchmark) load(d declarer) {
	b.ExecutionEngine = "locust"
	d.value(enumValue{&b.ExecutionEngine, []string{"locust", "async"}}, "execution-engine", "locust: users that send, wait and repeat; async: exactly N in flight, or an open loop with --qps-level")
	b.IterationType = "num_concurrency"
	d.value(enumValue{&b.IterationType, []string{"num_concurrency", "batch_size"}}, "iteration-type", "what the levels of an experiment are; the task decides, save that embeddings and rerank can have num_concurrency too")
	b.NumConcurrency = scenario.NumConcurrency.DefaultLevels()
	d.value(&positiveInts{values: &b.NumConcurrency}, "num-concurrency", "requests in flight, repeatable; one run each")
	b.BatchSize = scenario.BatchSize.DefaultLevels()
	d.value(&positiveInts{values: &b.BatchSize}, "batch-size", "documents a request, repeatable; embeddings and rerank only")
	d.value(rates{&b.QPSLevels}, "qps-level", "requests per second, repeatable; makes the async engine an open loop. By Little's law, rate = concurrency / latency")
	b.Distribution = "exponential"
	d.value(enumValue{&b.Distribution, []string{"exponential", "uniform", "constant", "gamma"}}, "distribution", "time between two requests of the open loop")
	d.value(burstiness{&b.Burstiness}, "burstiness", "shape of --distribution gamma, as vLLM's: 1 is exponential, less has more bursts, inf is constant; implies gamma")
	d.value(rateRamp{&b.RateRamp}, "rate-ramp", "the open loop's rate grows from 0 over 30s, from 2 requests/s with 2:30s, by equal factors with exponential:2:30s; the ramp is warm-up unless that is set")
	d.value(count{&b.MaxConcurrency, 1}, "max-concurrency", "most requests in flight of the open loop; arrivals above wait in order and are counted. Default is no cap")
	d.value(count{&b.SpawnRate, 1}, "spawn-rate", "users started a second; default is all at once")
	d.value(&optionalDuration{d: &b.ConcurrencyRamp}, "concurrency-ramp", "users come one by one over this time; the ramp is warm-up unless that is set")
	d.value(thinkTime{&b.ThinkTime}, "think-time", "pause of a user between an answer and the next request: 2s, exponential:2s, uniform:1s,3s")
	d.value(ratio{&b.AbortRate, true}, "abort-rate", "share of requests that the client gives up on purpose; they count as aborted, neither as completed nor as errors")
	d.value(abortPoint{&b.AbortAfter}, "abort-after", "when it gives them up: 500ms after the send, or events:20 (output events, mostly tokens)")
	d.value(count{&b.NumWorkers, 0}, "num-workers", "plugin processes that share the load; 0 and 1 are one, enough for almost everyone")
	d.value(count{&b.MasterPort, 0}, "master-port", "accepted for compatibility; workers are reached without a port")
	d.value(limitValue{&b.MaxTimePerRun}, "max-time-per-run", "end of a run: minutes, or a duration as 90s")
	d.value(count{&b.MaxRequestsPerRun, 1}, "max-requests-per-run", "end of a run: exactly so many requests are sent")
	d.value(ratio{&b.WarmupRatio, false}, "warmup-ratio", "share of requests, first sent, left out of the statistics")
	d.value(count{&b.WarmupRequests, 0}, "warmup-requests", "number of requests, first sent, left out of the statistics")
	d.value(&optionalDuration{d: &b.WarmupTime}, "warmup-time", "requests sent in the first so long are left out of the statistics; default is the ramp")
	d.value(ratio{&b.CooldownRatio, false}, "cooldown-ratio", "share of requests, last sent, left out of the statistics")
	d.value(count{&b.CooldownRequests, 0}, "cooldown-requests", "number of requests, last sent, left out of the statistics")
	d.value(&optionalDuration{d: &b.CooldownTime}, "cooldown-time", "requests sent in the last so long are left out of the statistics")
	b.DrainTimeout = 60 * time.Second
	d.value(durationValue{&b.DrainTimeout}, "drain-timeout", "how long a run waits at its end for answers under way; then they are cancelled and recorded as such")

	b.PauseBetweenRuns = time.Second
	d.value(durationValue{&b.PauseBetweenRuns}, "pause-between-runs", "rest of the server between the end of a run and the next; 0 is none")
	d.list(&b.StopOn, "stop-on", "end a run early, repeatable: error-rate>0.5, errors, consecutive-errors, in-flight>500, ttft-p99>2s (also tpot, e2e; mean, max); judged from 20 requests on, or as \"error-rate>0.5 after 100\"")
	b.StopOnEnds = "run"
	d.value(enumValue{&b.StopOnEnds, []string{"run", "scenario", "experiment"}}, "stop-on-ends", "what --stop-on ends: the run, the scenario's further levels too, or the experiment")
}
