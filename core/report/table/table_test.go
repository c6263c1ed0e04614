package table_test

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clipperhouse/displaywidth"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/genai-bench/genai-bench/core/calibrate"
	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/core/report/table"
)

var update = flag.Bool("update", false, "write the golden files anew")

// python loads a folder of the Python tool.
func python(t *testing.T, name string) *experiment.Loaded {
	t.Helper()
	e, err := experiment.Load(filepath.Join("..", "..", "metrics", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// stats are statistics of a single number, with another as p99.
func stats(p50, p99 float64) metrics.Stats {
	s := metrics.NoStats()
	s.P50, s.P99 = metrics.Value(p50), metrics.Value(p99)
	return s
}

// own is an experiment as this tool makes it: an open loop that lost requests,
// with hostile texts.
func own() *experiment.Loaded {
	code, message := 429, "slow down\x1b[31m\nplease, "+strings.Repeat("very ", 50)+"much"
	failed := metrics.Request{Status: "error", ErrorCode: &code, ErrorMessage: &message, ErrorClass: "rate_limited"}
	run := func(rate float64, failures int) experiment.Run {
		a := metrics.PythonTool(nil, 0, 0, 0)
		a.Scenario, a.NumConcurrency, a.IterationType = "D(100,100)", int(rate*1000), "num_concurrency"
		a.RequestRate = rate
		a.NumCompletedRequests, a.NumErrorRequests, a.NumRequests, a.NumCancelledRequests = 1000, failures, 1000+failures, 3
		a.RequestsPerSecond, a.MeanOutputThroughput, a.MeanInputThroughput = 99.6, 9960, 12345.6
		a.Stats.TTFT, a.Stats.TPOT, a.Stats.E2ELatency = stats(0.0352, 0.148), stats(0.00402, 0.00616), stats(0.24, 0.36)
		a.AddedStats.ITL, a.AddedStats.Lateness = stats(0.004, 0.0091), stats(0.00001, 0.000052)
		a.AddedStats.TTFTFromIntended, a.AddedStats.E2EFromIntended = stats(0.0353, 0.151), stats(0.241, 0.365)
		a.Window.AskedRate, a.Window.AchievedRate = rate, 0.998*rate
		a.Goodput = &metrics.Goodput{Objectives: []metrics.Objective{{Metric: "ttft", Limit: 100 * time.Millisecond}, {Metric: "tpot", Limit: 5 * time.Millisecond}},
			RequestsPerSecond: 88.2, Share: 0.871, Met: 871, Of: 1000}
		a.Tokens.Output = metrics.TokenCounts{FromUsage: 990, FromTokenizer: 10, Compared: 990, Differ: 12, MeanDifference: 0.98}
		a.Tokens.Input = metrics.TokenCounts{FromUsage: 1000, Compared: 1000, Differ: 1000, MeanDifference: 11}
		a.WarningsOfRun = []string{"12 % of the output events were read several at a time; of those only the last one's arrival is exact"}
		if failures > 0 {
			a.ErrorCodesFrequency = map[string]int{"429": failures}
			a.ErrorClasses = map[string]int{"rate_limited": failures - 1, "server": 1}
			a.ClientLimits = []string{"7 arrivals of the open loop were never sent", "half of the requests left 1.2 ms or more after they were due"}
			a.WarningsOfRun = append(a.WarningsOfRun, a.ClientLimits...)
			a.Untrusted = a.ClientLimits
		}
		return experiment.Run{Level: a.NumConcurrency, Figures: a, Requests: experiment.RequestsOf([]metrics.Request{failed}), Unit: metrics.InSeconds}
	}
	return &experiment.Loaded{
		Metadata: experiment.Metadata{Task: "text-to-text", MetricsTimeUnit: metrics.InMilliseconds, TrafficScenario: []string{"D(100,100)"}},
		Runs:     []experiment.Run{run(0.5, 0), run(100, 18)},
	}
}

// ofTurns is a run of conversations in an open loop.
func ofTurns() *experiment.Loaded {
	a := metrics.PythonTool(nil, 0, 0, 0)
	a.Scenario, a.NumConcurrency, a.IterationType, a.RequestRate = "D(200,50)/3turns", 2000, "num_concurrency", 2
	a.NumCompletedRequests, a.NumErrorRequests, a.NumRequests, a.RequestsPerSecond = 55, 1, 56, 5.8
	a.Stats.TTFT, a.Stats.E2ELatency = stats(0.04, 0.1), stats(0.8, 0.9)
	a.Window.AskedRate, a.Window.AchievedRate = 2, 1.99
	a.Sessions = &metrics.Sessions{Begun: 20, Completed: 17, Failed: 1, Unfinished: 2, TurnsNotSent: 1, TurnsLeft: 3}
	mean := func(v metrics.Value) metrics.Stats {
		s := metrics.NoStats()
		s.Mean = v
		return s
	}
	turn := func(n, ok, failed int, input, cached metrics.Value, ttft float64) metrics.TurnFigures {
		return metrics.TurnFigures{Turn: n, Completed: ok, Failed: failed, InputTokens: mean(input), CachedTokens: mean(cached),
			OutputTokens: mean(50), TTFT: stats(ttft, 2*ttft), E2ELatency: stats(0.7+ttft, 0.8+ttft)}
	}
	a.Turns = []metrics.TurnFigures{turn(1, 20, 0, 200, 0, 0.05), turn(2, 18, 1, 450, 240, 0.03), turn(3, 17, 0, 700, 490, 0.031)}
	return &experiment.Loaded{
		Metadata: experiment.Metadata{Task: "text-to-text", MetricsTimeUnit: metrics.InMilliseconds, TrafficScenario: []string{a.Scenario}},
		Runs:     []experiment.Run{{Level: 2000, Figures: a, Unit: metrics.InSeconds}},
	}
}

// ofTask is a run of another task than text: each is told in what it is counted
// in.
func ofTask(task string) *experiment.Loaded {
	a := metrics.PythonTool(nil, 0, 0, 0)
	a.Scenario, a.NumConcurrency, a.IterationType = "scenario", 4, "num_concurrency"
	a.NumCompletedRequests, a.NumRequests, a.RequestsPerSecond, a.MeanInputThroughput = 100, 100, 5, 640
	a.Stats.E2ELatency, a.Stats.TTFT, a.AddedStats.Lateness = stats(0.8, 0.9), stats(0.1, 0.2), stats(0.00001, 0.00002)
	switch task {
	case "text-to-speech":
		a.TaskRates.Characters, a.TaskRates.AudioBytes, a.TaskRates.AudioSeconds = 500, 240000, 30
		a.Stats.AudioThroughput.Mean, a.AddedStats.RealTimeFactor = 68000, stats(0.133, 0.2)
	case "text-to-image":
		a.TaskRates.Images, a.MeanInputThroughput = 10, metrics.None()
	case "text-to-rerank":
		a.TaskRates.Inputs = 500
	}
	return &experiment.Loaded{
		Metadata: experiment.Metadata{Task: task, MetricsTimeUnit: metrics.InSeconds, TrafficScenario: []string{"scenario"}},
		Runs:     []experiment.Run{{Level: 4, Figures: a, Unit: metrics.InSeconds}},
	}
}

// calibrated is an experiment whose machine cannot tell times below 5 ms at one
// level, and was not calibrated at the other.
func calibrated() *experiment.Loaded {
	e := own()
	e.Metadata.Clock, e.Metadata.ClockNote = "socket", "run as root for the packet clock"
	for i := range e.Runs {
		a := &e.Runs[i].Figures
		a.Clocks, a.BundledShare = map[string]int{"socket": 1000}, 0.031
		a.AddedStats.DispatchLateness, a.AddedStats.SendLateness, a.AddedStats.ReadLag = stats(0, 0.00001), stats(0.00001, 0.00004), stats(0.00002, 0.0013)
		a.Client = &metrics.Client{CPUs: 2, CoreCPUSeconds: 0.4, PluginCPUSeconds: 0.9, MachineCPUShare: 0.31}
	}
	of := func(ms metrics.Value) calibrate.Errors {
		return calibrate.Errors{Quantiles: calibrate.Quantiles{P50: ms / 9, P99: ms, Max: 2 * ms}, N: 900}
	}
	l := calibrate.NewJoiner().Level()
	l.Rate, l.StepMS, l.Requests = 100, 4, 900
	l.Groups = []calibrate.Group{
		{Clock: "socket", Requests: 900, TTFT: of(0.31), TPOT: of(5), ITL: of(9.2), E2E: of(0.4)},
		{Clock: "socket", New: true, Requests: 64, TTFT: of(400), TPOT: of(400), ITL: of(400), E2E: of(400)},
	}
	l.ClientLimits = []string{"CPU usage was above 90 %"}
	e.Metadata.Calibration = &calibrate.Calibration{Clock: "socket", Levels: []calibrate.Level{l}}
	return e
}

func TestGolden(t *testing.T) {
	allFailed := own()
	allFailed.Runs = allFailed.Runs[:1]
	a := &allFailed.Runs[0].Figures
	*a = metrics.Compute(metrics.Run{}, nil, nil)
	a.Scenario, a.NumErrorRequests, a.NumRequests, a.ErrorClasses = "D(100,100)", 5, 5, map[string]int{"connect": 5}
	cases := map[string]struct {
		experiment *experiment.Loaded
		width      int
	}{
		"python-chat-120":   {python(t, "chat"), 120},
		"python-chat-80":    {python(t, "chat"), 80},
		"python-chat-60":    {python(t, "chat"), 60},
		"python-chat-ms":    {python(t, "chat-ms"), 120},
		"python-errors-100": {python(t, "errors"), 100},
		"python-embed":      {python(t, "embed"), 80},
		"python-speech":     {python(t, "speech"), 80},
		"own-120":           {own(), 120},
		"own-80":            {own(), 80},
		"own-unlimited":     {own(), 0},
		"all-failed":        {allFailed, 100},
		"speech":            {ofTask("text-to-speech"), 110},
		"images":            {ofTask("text-to-image"), 80},
		"rerank":            {ofTask("text-to-rerank"), 80},
		"turns-110":         {ofTurns(), 110},
		"turns-60":          {ofTurns(), 60},
		"calibrated-120":    {calibrated(), 120},
		"calibrated-dim":    {calibrated(), 120},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			dim := strings.HasSuffix(name, "-dim")
			if err := table.Write(&got, c.experiment, table.Options{Width: c.width, Dim: dim}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(got.String()) {
				line = strings.TrimSuffix(line, "\n")
				if w := displaywidth.String(sgr.ReplaceAllString(line, "")); c.width >= 60 && w > c.width {
					t.Errorf("a line is %d columns wide: %q", w, line)
				}
				if strings.ContainsAny(sgr.ReplaceAllString(line, ""), "\x1b\r\t") || !dim && sgr.MatchString(line) {
					t.Errorf("a character that commands terminals is in %q", line)
				}
			}
			golden := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("(-golden +got):\n%s", diff)
			}
		})
	}
}

// sgr are the codes for grey and its end.
var sgr = regexp.MustCompile("\x1b\\[[02]m")

// TestFiguresAreThoseOfTheRunFiles reads numbers back out of the text.
func TestFiguresAreThoseOfTheRunFiles(t *testing.T) {
	e := python(t, "chat")
	var got bytes.Buffer
	if err := table.Write(&got, e, table.Options{}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(got.String(), "\n")
	row := 0
	for _, line := range lines {
		cells := strings.Fields(line)
		if row == len(e.Runs) || len(cells) < 8 || !strings.ContainsAny(cells[len(cells)-1][:1], "0123456789") {
			continue
		}
		a := e.Runs[row].Figures
		row++
		last := cells[len(cells)-1]
		want := float64(a.Stats.E2ELatency.P99)
		shown, err := strconv.ParseFloat(last, 64)
		if err != nil || math.Abs(shown-want) > 0.006*want {
			t.Errorf("row %d ends with %s, E2E p99 is %v", row, last, want)
		}
	}
	if row != len(e.Runs) {
		t.Errorf("%d rows of %d runs in\n%s", row, len(e.Runs), got.String())
	}
}

// TestOnlyWhatIsBelowTheErrorIsMarked: at 100 req/s TPOT is known to 5 ms and
// ITL to 9.2; at 0.5 nothing was measured, and nothing is marked.
func TestOnlyWhatIsBelowTheErrorIsMarked(t *testing.T) {
	for name, change := range map[string]func(*experiment.Loaded){
		"milliseconds": func(*experiment.Loaded) {},
		"seconds":      func(e *experiment.Loaded) { e.Metadata.MetricsTimeUnit = metrics.InSeconds },
	} {
		t.Run(name, func(t *testing.T) {
			e := calibrated()
			change(e)
			var got bytes.Buffer
			if err := table.Write(&got, e, table.Options{}); err != nil {
				t.Fatal(err)
			}
			var marked []string
			for _, word := range strings.Fields(got.String()) {
				if strings.HasPrefix(word, "~") && len(word) > 1 {
					marked = append(marked, word)
				}
			}
			// TPOT p50 and ITL p99; TPOT p99 is 6.16 ms.
			want := []string{"~4.02", "~9.10"}
			if name == "seconds" {
				want = []string{"~0.00402", "~0.00910"}
			}
			if diff := cmp.Diff(want, marked); diff != "" {
				t.Errorf("marked (-want +got):\n%s\nin\n%s", diff, got.String())
			}
		})
	}
}

// TestReportingChangesNothing: a report is a pure function.
func TestReportingChangesNothing(t *testing.T) {
	a, b := own(), own()
	if err := table.Write(&bytes.Buffer{}, a, table.Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	nan := cmp.Comparer(func(x, y metrics.Value) bool { return x == y || !x.Exists() && !y.Exists() })
	if diff := cmp.Diff(b, a, nan, cmpopts.IgnoreFields(experiment.Run{}, "Requests")); diff != "" {
		t.Error(diff)
	}
}

// FuzzRunFile: a folder may come from anywhere; it is printed or refused, and
// its texts command no terminal.
func FuzzRunFile(f *testing.F) {
	const name = "D1_1_text-to-text_num_concurrency_1_time_1s.json"
	f.Add([]byte(`{"aggregated_metrics":{"scenario":"a\u001b[2J","num_error_requests":3,"error_codes_frequency":{"x":3},"requests_per_second":1e308,"warnings":["\n"],"stats":{"ttft":{"p50":5e-324}}},"individual_request_metrics":[{"error_code":1,"error_message":"\r"},{}],"_time_unit":"ms"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		for file, content := range map[string][]byte{name: data, experiment.MetadataFile: []byte(`{"task":"text-to-text"}`)} {
			if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		e, err := experiment.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := table.Write(&out, e, table.Options{Width: 80}); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(out.String(), "\x1b\r\x00\a") {
			t.Errorf("commands for a terminal in %q", out.String())
		}
	})
}
