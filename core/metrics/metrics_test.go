package metrics_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// TestThePythonToolsFiguresAreRecomputed reads the folders that the Python tool
// 0.0.5 made and computes every aggregate again from the individual requests.
func TestThePythonToolsFiguresAreRecomputed(t *testing.T) {
	type runFile struct {
		Aggregated json.RawMessage   `json:"aggregated_metrics"`
		Requests   []metrics.Request `json:"individual_request_metrics"`
	}
	files, err := filepath.Glob("testdata/*/*_time_*s.json")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d run files, %v", len(files), err)
	}
	ratioOf := func(t *testing.T, dir, flag string) float64 {
		data, err := os.ReadFile(filepath.Join(dir, "experiment_metadata.json"))
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`--` + flag + ` ([0-9.]+)`).FindSubmatch(data)
		if found == nil {
			return 0
		}
		x, err := strconv.ParseFloat(string(found[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	warmed := false
	for _, path := range files {
		t.Run(strings.TrimPrefix(path, "testdata/"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var file runFile
			if err := json.Unmarshal(data, &file); err != nil {
				t.Fatal(err)
			}
			var want, got map[string]any
			if err := json.Unmarshal(file.Aggregated, &want); err != nil {
				t.Fatal(err)
			}
			duration := time.Duration(math.Round(want["run_duration"].(float64) * 1e9))
			warm, cool := ratioOf(t, filepath.Dir(path), "warmup-ratio"), ratioOf(t, filepath.Dir(path), "cooldown-ratio")
			warmed = warmed || warm > 0
			mine, err := json.Marshal(metrics.PythonTool(file.Requests, duration, warm, cool))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(mine, &got); err != nil {
				t.Fatal(err)
			}
			// Known to be wrong in the Python tool: the rate is taken before the
			// number of requests is set, and so is always 0.
			errors, all := want["num_error_requests"].(float64), want["num_requests"].(float64)
			if want["error_rate"].(float64) != 0 {
				t.Error("the Python tool's error_rate is not 0: the exception is out of date")
			}
			want["error_rate"] = errors / all
			for _, label := range []string{"scenario", "num_concurrency", "batch_size", "iteration_type"} {
				delete(want, label) // of the run, not computed
			}
			for key := range got {
				if _, known := want[key]; !known {
					delete(got, key) // ours
				}
			}
			for _, stats := range got["stats"].(map[string]any) {
				delete(stats.(map[string]any), "p999") // ours
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateApprox(1e-9, 1e-12)); diff != "" {
				t.Errorf("(-Python +recomputed):\n%s", diff)
			}
		})
	}
	if !warmed {
		t.Error("no folder with a warm-up ratio was read")
	}
}

func TestPercentilesAreNumpys(t *testing.T) {
	cases := map[string]struct {
		values []float64
		want   map[string]float64
	}{
		"two":            {[]float64{0.1, 0.2}, map[string]float64{"p90": 0.19, "p99": 0.199, "mean": 0.15}},
		"two larger":     {[]float64{1.3, 0.9}, map[string]float64{"p90": 1.26, "p99": 1.296}},
		"powers":         {[]float64{1, 2, 4, 8, 16}, map[string]float64{"p90": 12.8, "p50": 4, "p25": 2, "stddev": math.Sqrt(29.76)}},
		"one":            {[]float64{7}, map[string]float64{"p25": 7, "p99": 7, "stddev": 0, "min": 7, "max": 7, "sum": 7}},
		"with none":      {[]float64{math.NaN(), 3, math.Inf(1)}, map[string]float64{"min": 3, "max": 3}},
		"nothing at all": {nil, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := metrics.Summarize(c.values)
			if c.want == nil && s.P50.Exists() {
				t.Errorf("statistics of nothing: %+v", s)
			}
			for key, want := range c.want {
				if got := float64(s.Get(key)); math.Abs(got-want) > 1e-12 {
					t.Errorf("%s = %v, want %v", key, got, want)
				}
			}
		})
	}
}

// TestThePythonToolsOwnVectors are those of its tests.
func TestThePythonToolsOwnVectors(t *testing.T) {
	request := func(input, output, ttft, tpot, e2e metrics.Value) metrics.Request {
		return metrics.Request{InputTokens: input, OutputTokens: output, TotalTokens: input + output, TTFT: ttft, TPOT: tpot, E2ELatency: e2e}
	}
	code := 500
	a := metrics.PythonTool([]metrics.Request{
		request(2, 10, 0.1, 0.2, 1.0), request(3, 11, 0.2, 0.3, 1.5), {ErrorCode: &code},
	}, 1500*time.Millisecond, 0, 0)
	near(t, "ttft", a.Stats.TTFT.Mean, 0.15)
	near(t, "tpot", a.Stats.TPOT.Mean, 0.25)
	near(t, "e2e", a.Stats.E2ELatency.Mean, 1.25)
	near(t, "input throughput", a.MeanInputThroughput, 10.0/3)
	near(t, "output throughput", a.MeanOutputThroughput, 14)
	near(t, "total throughput", a.MeanTotalThroughput, 52.0/3)
	near(t, "requests per second", a.RequestsPerSecond, 4.0/3)
	if a.NumCompletedRequests != 2 || a.NumRequests != 3 {
		t.Errorf("%d completed of %d", a.NumCompletedRequests, a.NumRequests)
	}

	var ten []metrics.Request
	for i := range 10 {
		ten = append(ten, request(1, 2, metrics.Value(i), 1, 1))
	}
	cut := metrics.PythonTool(ten, time.Second, 0.1, 0.1)
	near(t, "the first is out", cut.Stats.TTFT.Min, 1)
	near(t, "the last is out", cut.Stats.TTFT.Max, 8)
	if cut.NumRequests != 10 {
		t.Errorf("%d requests", cut.NumRequests)
	}
}

const start = stamp.Nanos(1_000_000_000_000)

func at(ms float64) stamp.Nanos { return start.Add(time.Duration(ms * float64(time.Millisecond))) }

func number(n int64) *int64 { return &n }

// streamed is a chat answer: role, then text at the times given.
func streamed(sendStart stamp.Nanos, texts ...stamp.Nanos) *backend.Outcome {
	o := &backend.Outcome{Status: backend.StatusOK}
	o.SendStart, o.Clock = sendStart, stamp.ClockSocket
	o.Events = append(o.Events, backend.Event{At: sendStart.Add(time.Millisecond), Kinds: backend.Role})
	for _, a := range texts {
		o.Events = append(o.Events, backend.Event{At: a, Kinds: backend.Text, ReadLag: 50 * time.Microsecond})
		o.LastByte = a
	}
	o.LastByte = o.LastByte.Add(10 * time.Millisecond) // usage and [DONE] follow
	o.Usage = backend.Usage{Input: number(20), Output: number(int64(len(texts))), Source: backend.UsageFinal}
	return o
}

func near(t *testing.T, what string, got metrics.Value, want float64) {
	t.Helper()
	if math.IsNaN(want) != !got.Exists() || got.Exists() && math.Abs(float64(got)-want) > 1e-9 {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestTheMetricsOfAStreamedAnswer(t *testing.T) {
	rec := &metrics.Record{Streamed: true, RequestID: "r", Intended: at(-5), Dispatched: at(-2), InputTokens: 18, OutputTokensCounted: -1,
		Outcome: streamed(start, at(100), at(120), at(160))}
	rec.Outcome.Left = at(3)
	r := metrics.Derive(backend.TextToText, rec)
	near(t, "ttft", r.TTFT, 0.1)
	near(t, "e2e", r.E2ELatency, 0.17)
	near(t, "tpot", r.TPOT, 0.03)
	near(t, "tpot to the end", r.TPOTToEnd, 0.035)
	near(t, "output latency", r.OutputLatency, 0.07)
	near(t, "output throughput", r.OutputThroughput, 2/0.07)
	near(t, "inference speed", r.OutputInferenceSpeed, 1/0.03)
	near(t, "input throughput", r.InputThroughput, 200)
	near(t, "ttft from left", r.TTFTFromLeft, 0.097)
	near(t, "ttft from intended", r.TTFTFromIntended, 0.105)
	near(t, "itl mean", r.ITLMean, 0.03)
	near(t, "itl max", r.ITLMax, 0.04)
	near(t, "dispatch lateness", r.DispatchLateness, 0.003)
	near(t, "send lateness", r.SendLateness, 0.002)
	near(t, "read lag", r.ReadLagMax, 0.00005)
	near(t, "input tokens", r.InputTokens, 20)
	near(t, "own count", r.InputTokensOwn, 18)
	if r.InputSource != "usage" || r.OutputSource != "usage" || r.Clock != "socket" {
		t.Errorf("sources %q, %q, clock %q", r.InputSource, r.OutputSource, r.Clock)
	}
}

func TestWhatDoesNotExistIsNull(t *testing.T) {
	oneToken := streamed(start, at(100))
	atOnce := streamed(start, at(100), at(100))
	noOutput := streamed(start)
	noOutput.LastByte = at(50)
	noUsage := streamed(start, at(100), at(120))
	noUsage.Usage = backend.Usage{}
	failed := streamed(start, at(100), at(120))
	failed.Status, failed.Error = backend.StatusError, &fault.Error{Class: fault.Truncated, Message: "cut", Partial: true}
	cases := map[string]struct {
		outcome             *backend.Outcome
		counted             int
		ttft, tpot, e2e     float64
		output, outputSpeed float64
	}{
		"one token has no TPOT, and is kept":         {oneToken, -1, 0.1, math.NaN(), 0.11, 1, math.NaN()},
		"two tokens at one moment: no division by 0": {atOnce, -1, 0.1, math.NaN(), 0.11, 2, math.NaN()},
		"an empty answer has no first token":         {noOutput, -1, math.NaN(), math.NaN(), 0.05, 0, math.NaN()},
		"without usage, what core counted":           {noUsage, 3, 0.1, 0.01, 0.13, 3, 100},
		"without usage and count, no tokens":         {noUsage, -1, 0.1, math.NaN(), 0.13, math.NaN(), math.NaN()},
		"a failure has no latency":                   {failed, -1, math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := metrics.Derive(backend.TextToText, &metrics.Record{Streamed: true, OutputTokensCounted: c.counted, Outcome: c.outcome})
			near(t, "ttft", r.TTFT, c.ttft)
			near(t, "tpot", r.TPOT, c.tpot)
			near(t, "e2e", r.E2ELatency, c.e2e)
			near(t, "output tokens", r.OutputTokens, c.output)
			near(t, "inference speed", r.OutputInferenceSpeed, c.outputSpeed)
			if _, err := json.Marshal(r); err != nil {
				t.Errorf("cannot be written: %v", err)
			}
		})
	}
}

func TestAnAnswerInOnePieceHasNoFirstToken(t *testing.T) {
	r := metrics.Derive(backend.TextToText, &metrics.Record{OutputTokensCounted: -1, Outcome: streamed(start, at(100))})
	near(t, "ttft", r.TTFT, math.NaN())
	near(t, "tpot", r.TPOT, math.NaN())
	near(t, "e2e", r.E2ELatency, 0.11)
	near(t, "output tokens", r.OutputTokens, 1)
}

func TestErrorsHaveTheCodesOfThePythonTool(t *testing.T) {
	for want, e := range map[int]*fault.Error{
		429: {Class: fault.RateLimited, HTTPStatus: 429}, 503: {Class: fault.Connect}, 408: {Class: fault.TimeoutIdle},
		500: {Class: fault.Truncated, HTTPStatus: 200}, 499: {Class: fault.Cancelled},
	} {
		if got := metrics.ErrorCode(e); got != want {
			t.Errorf("%v: %d, want %d", e, got, want)
		}
	}
	for _, class := range fault.Classes() {
		if code := metrics.ErrorCode(fault.New(class, "x")); code < 400 || code > 599 {
			t.Errorf("%v has code %d; 0 would count as success in the Python tool", class, code)
		}
	}
}

// done is a request sent and answered at times in milliseconds.
func done(index uint64, sent, ended float64, out int64) metrics.Request {
	o := streamed(at(sent), at(ended-10))
	o.Usage.Output = number(out)
	r := metrics.Derive(backend.TextToText, &metrics.Record{Streamed: true, Index: index, OutputTokensCounted: -1, Outcome: o})
	return r
}

func failedRequest(index uint64, class fault.Class, status backend.Status) metrics.Request {
	o := &backend.Outcome{Status: status, Error: fault.New(class, "x")}
	return metrics.Derive(backend.TextToText, &metrics.Record{Index: index, Outcome: o})
}

func TestThroughputIsOverTheHonestWindow(t *testing.T) {
	requests := func() []metrics.Request {
		return []metrics.Request{
			done(3, 1500, 3500, 40), // ends after the limit
			done(0, 500, 1500, 10), done(1, 500, 2000, 20), done(2, 1500, 2500, 30),
			failedRequest(4, fault.Server, backend.StatusError), failedRequest(5, fault.Cancelled, backend.StatusCancelled),
		}
	}
	t.Run("limited by time", func(t *testing.T) {
		a := metrics.Compute(metrics.Run{Start: at(0), End: at(4000), Limit: at(3000)}, requests(), nil)
		near(t, "duration", metrics.Value(a.RunDuration), 2.0) // first send 0.5 s, last completion inside 2.5 s
		near(t, "requests per second", a.RequestsPerSecond, 1.5)
		near(t, "output throughput", a.MeanOutputThroughput, 30)
		near(t, "error rate", a.ErrorRate, 0.2)
		if a.NumCompletedRequests != 4 || a.NumErrorRequests != 1 || a.NumCancelledRequests != 1 || a.NumRequests != 5 || a.Window.AfterLimit != 1 {
			t.Errorf("counts %+v", a)
		}
		near(t, "latency counts all", a.Stats.E2ELatency.Max, 2.0)
		near(t, "the Python tool's way", a.ReferenceStyle.RequestsPerSecond, 1)
	})
	t.Run("limited by number", func(t *testing.T) {
		a := metrics.Compute(metrics.Run{Start: at(0), End: at(4000)}, requests(), nil)
		near(t, "duration", metrics.Value(a.RunDuration), 3.0)
		near(t, "requests per second", a.RequestsPerSecond, 4/3.0)
	})
	t.Run("warm-up and cool-down by the order of sending", func(t *testing.T) {
		var all []metrics.Request
		for i := range 10 { // the first sent is the last to end
			all = append(all, done(uint64(i), float64(i)*100, float64(3000-i*100), 10))
		}
		a := metrics.Compute(metrics.Run{Start: at(0), End: at(4000), Warmup: metrics.Cut{Ratio: 0.2}, Cooldown: metrics.Cut{Ratio: 0.1}}, all, nil)
		if a.Window.WarmedUp != 2 || a.Window.CooledDown != 1 || a.NumRequests != 10 {
			t.Errorf("window %+v of %d", a.Window, a.NumRequests)
		}
		near(t, "duration", metrics.Value(a.RunDuration), 2.6) // request 2 sent at 0.2 s and ended at 2.8 s
		near(t, "requests per second", a.RequestsPerSecond, 7/2.6)
	})
	t.Run("a steady closed loop is not made slower by warm-up and cool-down", func(t *testing.T) {
		for _, users := range []int{1, 4, 25} {
			var all []metrics.Request
			for i := range 100 { // every answer takes 100 ms, sent when the one before is there
				sent := float64(i/users)*100 + float64(i%users)*100/float64(users)
				all = append(all, done(uint64(i), sent, sent+100, 10))
			}
			a := metrics.Compute(metrics.Run{Start: at(0), End: at(12000), Warmup: metrics.Cut{Ratio: 0.25}, Cooldown: metrics.Cut{Ratio: 0.25}}, all, nil)
			want := float64(users) * 10
			if got := float64(a.RequestsPerSecond); math.Abs(got/want-1) > 0.021 {
				t.Errorf("%d users: %v requests per second, want %v (window %+v)", users, got, want, a.Window)
			}
			near(t, "tokens go with requests", a.MeanOutputThroughput, 10*float64(a.RequestsPerSecond))
		}
	})
	t.Run("every request has its phase", func(t *testing.T) {
		all := requests()
		metrics.Compute(metrics.Run{Start: at(0), End: at(4000), Limit: at(3000), Warmup: metrics.Cut{Ratio: 0.17}, Cooldown: metrics.Cut{Ratio: 0.17}}, all, nil)
		var got []metrics.Phase
		for _, r := range all { // by order of sending
			got = append(got, r.Phase)
		}
		want := []metrics.Phase{metrics.PhaseWarmup, "", "", metrics.PhaseAfterLimit, "", metrics.PhaseCooldown}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("phases (-want +got):\n%s", diff)
		}
	})
	t.Run("nothing is left between warm-up and cool-down", func(t *testing.T) {
		for _, ratios := range [][2]float64{{0.7, 0.7}, {1, 0}, {2, -1}, {0.5, 0.5}} {
			a := metrics.Compute(metrics.Run{Start: at(0), End: at(4000), Warmup: metrics.Cut{Ratio: ratios[0]}, Cooldown: metrics.Cut{Ratio: ratios[1]}}, requests(), nil)
			if a.RequestsPerSecond != 0 || a.Stats.TTFT.P50.Exists() || a.NumCompletedRequests != 4 || a.Window.WarmedUp+a.Window.CooledDown != 6 {
				t.Errorf("%v: %+v", ratios, a.Window)
			}
		}
	})
	t.Run("every request failed", func(t *testing.T) {
		a := metrics.Compute(metrics.Run{Start: at(0), End: at(1000)}, []metrics.Request{failedRequest(0, fault.Connect, backend.StatusError)}, nil)
		near(t, "error rate", a.ErrorRate, 1)
		near(t, "ttft", a.Stats.TTFT.P50, math.NaN())
		if _, err := json.Marshal(a); err != nil {
			t.Error(err)
		}
	})
}

func TestEventStatisticsSpreadGapsOverTokens(t *testing.T) {
	s := metrics.NewEventStats()
	o := streamed(start, at(100), at(110), at(130))
	o.Events[3].Tokens = 2 // two tokens in one event
	o.Events[3].Flags = stamp.Bundled
	s.Add(o)
	a := metrics.Compute(metrics.Run{Start: start, End: at(1000)}, []metrics.Request{done(0, 0, 100, 3)}, s)
	near(t, "itl max", a.AddedStats.ITL.Max, 0.02)
	near(t, "itl mean", a.AddedStats.ITL.Mean, 0.015)
	near(t, "per token max", a.AddedStats.ITLPerToken.Max, 0.01)
	near(t, "bundled share", a.BundledShare, 1/3.0)
	near(t, "bundled, last ones left out", s.InnerBundledShare(), 0)
}

func TestUnitsConvertThereAndBack(t *testing.T) {
	r := done(0, 0, 500, 5)
	ms := metrics.ConvertRequest(r, metrics.InSeconds, metrics.InMilliseconds)
	near(t, "ttft in ms", ms.TTFT, float64(r.TTFT)*1000)
	near(t, "throughput keeps its unit", ms.InputThroughput, float64(r.InputThroughput))
	back := metrics.ConvertRequest(ms, metrics.InMilliseconds, metrics.InSeconds)
	if diff := cmp.Diff(r, back, cmp.Comparer(func(a, b metrics.Value) bool {
		return a == b || !a.Exists() && !b.Exists() || math.Abs(float64(a-b)) < 1e-12*math.Abs(float64(a))
	})); diff != "" {
		t.Error(diff)
	}
	a := metrics.Compute(metrics.Run{Start: start, End: at(1000)}, []metrics.Request{r}, nil)
	b := metrics.ConvertAggregate(a, metrics.InSeconds, metrics.InMilliseconds)
	near(t, "aggregate", b.Stats.E2ELatency.P50, float64(a.Stats.E2ELatency.P50)*1000)
	near(t, "duration stays", metrics.Value(b.RunDuration), a.RunDuration)
}

// TestEveryLatencyIsConverted finds by their names the metrics that a new
// field's author forgot to convert.
func TestEveryLatencyIsConverted(t *testing.T) {
	plain := regexp.MustCompile(`Tokens|Throughput|Speed|Asked$|AudioSeconds|RealTimeFactor`)
	check := func(t *testing.T, in, out reflect.Value, of func(reflect.Value) float64) {
		t.Helper()
		for i := range in.NumField() {
			field := in.Type().Field(i)
			if field.Type != reflect.TypeFor[metrics.Value]() && field.Type != reflect.TypeFor[metrics.Stats]() {
				continue
			}
			want := 1000.0
			if plain.MatchString(field.Name) {
				want = 1
			}
			if got := of(out.Field(i)); got != want {
				t.Errorf("%s of 1 s becomes %v in ms, want %v", field.Name, got, want)
			}
		}
	}
	value := func(v reflect.Value) float64 { return v.Float() }
	var r metrics.Request
	for i := range reflect.ValueOf(r).NumField() {
		if f := reflect.ValueOf(&r).Elem().Field(i); f.Type() == reflect.TypeFor[metrics.Value]() {
			f.SetFloat(1)
		}
	}
	check(t, reflect.ValueOf(r), reflect.ValueOf(metrics.ConvertRequest(r, metrics.InSeconds, metrics.InMilliseconds)), value)

	var a metrics.Aggregate
	ones := metrics.Summarize([]float64{1})
	for _, part := range []reflect.Value{reflect.ValueOf(&a.Stats).Elem(), reflect.ValueOf(&a.AddedStats).Elem()} {
		for i := range part.NumField() {
			part.Field(i).Set(reflect.ValueOf(ones))
		}
	}
	b := metrics.ConvertAggregate(a, metrics.InSeconds, metrics.InMilliseconds)
	maximum := func(v reflect.Value) float64 { return v.FieldByName("Max").Float() }
	check(t, reflect.ValueOf(a.Stats), reflect.ValueOf(b.Stats), maximum)
	check(t, reflect.ValueOf(a.AddedStats), reflect.ValueOf(b.AddedStats), maximum)
}

// TestRequestsAreWrittenAsEncodingJSONWould holds AppendJSON against the
// standard library, with every field set and with none.
func TestRequestsAreWrittenAsEncodingJSONWould(t *testing.T) {
	type plain metrics.Request // has no methods
	var zero, full metrics.Request
	code, text := 429, "say \"no\",\n\u2028 <é> \\ \x00"
	for i := range reflect.TypeFor[metrics.Request]().NumField() {
		switch f := reflect.ValueOf(&full).Elem().Field(i); f.Kind() {
		case reflect.Float64:
			f.SetFloat([]float64{0.1, 1e-9, -3, 1e22, math.NaN()}[i%5])
		case reflect.String:
			f.SetString([]string{"ok", text, "a<b"}[i%3])
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int, reflect.Int32, reflect.Int64:
			f.SetInt(int64(-i))
		case reflect.Uint64:
			f.SetUint(math.MaxUint64)
		case reflect.Pointer:
			f.Set(map[bool]reflect.Value{true: reflect.ValueOf(&code), false: reflect.ValueOf(&text)}[f.Type() == reflect.TypeOf(&code)])
		default:
			t.Fatalf("field %d is of kind %v", i, f.Kind())
		}
	}
	for name, r := range map[string]metrics.Request{"zero": zero, "full": full, "derived": done(0, 0, 500, 5)} {
		want, err := json.Marshal(plain(r))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(r.AppendJSON(nil))); diff != "" {
			t.Errorf("%s (-encoding/json +AppendJSON):\n%s", name, diff)
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	r := done(0, 0, 500, 5)
	var buffer []byte
	b.ReportAllocs()
	for b.Loop() {
		buffer = r.AppendJSON(buffer[:0])
	}
}

func BenchmarkDerive(b *testing.B) {
	var texts []stamp.Nanos
	for i := range 100 {
		texts = append(texts, at(float64(100+i*10)))
	}
	rec := &metrics.Record{Streamed: true, OutputTokensCounted: -1, Outcome: streamed(start, texts...)}
	b.ReportAllocs()
	for b.Loop() {
		metrics.Derive(backend.TextToText, rec)
	}
}
