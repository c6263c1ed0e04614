package metrics_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

func TestObjectivesAreRead(t *testing.T) {
	cases := map[string]struct {
		text, wrong string
		want        metrics.Objective
	}{
		"a bare number is milliseconds": {"ttft:100", "", metrics.Objective{Metric: "ttft", Limit: 100 * time.Millisecond}},
		"a fraction of one":             {"tpot:0.5", "", metrics.Objective{Metric: "tpot", Limit: 500 * time.Microsecond}},
		"a duration":                    {"TPOT: 20ms", "", metrics.Objective{Metric: "tpot", Limit: 20 * time.Millisecond}},
		"vLLM's name":                   {"e2el:3s", "", metrics.Objective{Metric: "e2e", Limit: 3 * time.Second}},
		"with a dash":                   {"per-output-token:50ms", "", metrics.Objective{Metric: "ntpot", Limit: 50 * time.Millisecond}},
		"no limit":                      {"ttft", "METRIC:LIMIT", metrics.Objective{}},
		"no such metric":                {"speed:3", "there are ttft, ttfot, tpot, itl", metrics.Objective{}},
		"no such unit":                  {"ttft:3parsec", "3parsec", metrics.Objective{}},
		"nothing":                       {"ttft:0", "more than 0", metrics.Objective{}},
		"less than nothing":             {"ttft:-1s", "more than 0", metrics.Objective{}},
		"beyond all time":               {"ttft:1e300", "more than 0", metrics.Objective{}},
		"not a number":                  {"ttft:NaN", "more than 0", metrics.Objective{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := metrics.ParseObjective(c.text)
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("error %v, want %q", err, c.wrong)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
			again, err := metrics.ParseObjective(got.String())
			if err != nil || again != got {
				t.Errorf("%s is read as %v, %v", got, again, err)
			}
		})
	}
}

func FuzzParseObjective(f *testing.F) {
	f.Add("ttft:100")
	f.Add("e2e:3s")
	f.Fuzz(func(t *testing.T, text string) {
		if o, err := metrics.ParseObjective(text); err == nil && (o.Limit <= 0 || o.Metric == "") {
			t.Errorf("%q is %+v", text, o)
		}
	})
}

func TestObjectivesMustFitTheTask(t *testing.T) {
	tpot, e2e, ttft := metrics.Objective{Metric: "tpot", Limit: 1}, metrics.Objective{Metric: "e2e", Limit: 1}, metrics.Objective{Metric: "ttft", Limit: 1}
	for name, c := range map[string]struct {
		o        metrics.Objective
		task     backend.Task
		streamed bool
		fits     bool
	}{
		"tpot of text":           {tpot, backend.TextToText, true, true},
		"tpot of text in a lump": {tpot, backend.TextToText, false, false},
		"ttft of text in a lump": {ttft, backend.TextToText, false, false},
		"e2e of text in a lump":  {e2e, backend.TextToText, false, true},
		"tpot of embeddings":     {tpot, backend.TextToEmbeddings, false, false},
		"e2e of embeddings":      {e2e, backend.TextToEmbeddings, false, true},
		"ttft of speech":         {ttft, backend.TextToSpeech, true, true},
	} {
		if err := c.o.Fits(c.task, c.streamed); (err == nil) != c.fits {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGoodputCountsFailuresAgainst(t *testing.T) {
	// ttft 100 ms, e2e 150 ms, then the same with a second of delay.
	fast, slow := streamed(start, at(100), at(140)), streamed(start, at(1100), at(1140))
	one := streamed(start, at(100))
	empty := streamed(start)
	empty.LastByte = at(50)
	bad := &backend.Outcome{Status: backend.StatusError, Error: fault.New(fault.Server, "x")}
	gone := &backend.Outcome{Status: backend.StatusCancelled, Error: fault.New(fault.Cancelled, "x")}
	objectives := []metrics.Objective{{Metric: "ttft", Limit: 100 * time.Millisecond}, {Metric: "tpot", Limit: 40 * time.Millisecond}}
	var all []metrics.Request
	var verdicts []string
	for i, o := range []*backend.Outcome{fast, slow, one, empty, bad, gone} {
		r := metrics.Derive(backend.TextToText, &metrics.Record{Streamed: true, Index: uint64(i), OutputTokensCounted: -1, Outcome: o})
		r.Judge(objectives)
		verdicts = append(verdicts, r.Goodput)
		all = append(all, r)
	}
	want := []string{"met", "missed", "met", "missed", "missed", ""}
	if diff := cmp.Diff(want, verdicts); diff != "" {
		t.Errorf("a limit is met exactly, an answer of one token has no TPOT to exceed it (-want +got):\n%s", diff)
	}
	a := metrics.Compute(metrics.Run{Start: start, End: at(2000), Objectives: objectives}, all, nil)
	if g := a.Goodput; g.Met != 2 || g.Of != 5 || math.Abs(float64(g.Share)-0.4) > 1e-12 || math.Abs(float64(g.RequestsPerSecond)-2/1.15) > 1e-9 {
		t.Errorf("goodput %+v over %v s", g, a.RunDuration)
	}
	if a := metrics.Compute(metrics.Run{Start: start, End: at(2000)}, all, nil); a.Goodput != nil {
		t.Error("without objectives there is a goodput")
	}
}

func TestTokenCountsAreHeldAgainstEachOther(t *testing.T) {
	var all []metrics.Request
	for i := range 10 {
		o := streamed(start, at(100), at(120))
		o.Usage.Input, o.Usage.Output = number(110), number(200)
		rec := &metrics.Record{Streamed: true, Index: uint64(i), InputTokens: 100, InputTokensAsked: 100, OutputTokensAsked: 200, OutputTokensCounted: 199, Outcome: o}
		switch i {
		case 0:
			rec.OutputTokensCounted = 150
		case 1:
			o.Usage = backend.Usage{}
		}
		all = append(all, metrics.Derive(backend.TextToText, rec))
	}
	c := metrics.Compute(metrics.Run{Start: start, End: at(2000)}, all, nil).Tokens
	if c.Output.FromUsage != 9 || c.Output.FromTokenizer != 1 || c.Output.Compared != 9 || c.Output.Differ != 1 || c.Output.NotAsAsked != 1 {
		t.Errorf("output %+v", c.Output)
	}
	near(t, "mean difference", c.Output.MeanDifference, (50+8)/9.0)
	near(t, "asked", c.Output.MeanAsked, 200)
	near(t, "had", c.Output.MeanOfAsked, 199.9)
	if c.Input.Differ != 9 {
		t.Errorf("input %+v", c.Input)
	}
	near(t, "the chat template", c.Input.MeanDifference, 10)
}

func TestEachTaskHasItsOwnMetrics(t *testing.T) {
	answer := func(change func(*backend.Outcome)) *backend.Outcome {
		o := &backend.Outcome{Status: backend.StatusOK}
		o.SendStart, o.LastByte = start, at(500)
		change(o)
		return o
	}
	audio := func(o *backend.Outcome) {
		for _, ms := range []float64{100, 300, 500} {
			o.Events = append(o.Events, backend.Event{At: at(ms), Kinds: backend.Audio, Bytes: 4000})
		}
		o.Media = &backend.Media{Bytes: 12000, Duration: 2 * time.Second, Count: 1}
	}
	cases := map[string]struct {
		task  backend.Task
		rec   metrics.Record
		rates metrics.TaskRates
		ttft  float64
	}{
		"embeddings": {backend.TextToEmbeddings, metrics.Record{Inputs: 8, Outcome: answer(func(o *backend.Outcome) { o.Usage.Output = number(0) })}, metrics.TaskRates{Inputs: 16}, 0.5},
		"rerank":     {backend.TextToRerank, metrics.Record{Inputs: 4, Outcome: answer(func(*backend.Outcome) {})}, metrics.TaskRates{Inputs: 8}, 0.5},
		"pictures":   {backend.TextToImage, metrics.Record{Outcome: answer(func(o *backend.Outcome) { o.Media = &backend.Media{Count: 2} })}, metrics.TaskRates{Images: 4}, 0.5},
		"speech":     {backend.TextToSpeech, metrics.Record{Characters: 100, Outcome: answer(audio)}, metrics.TaskRates{Characters: 200, AudioBytes: 24000, AudioSeconds: 4}, 0.1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.rec.OutputTokensCounted = -1
			r := metrics.Derive(c.task, &c.rec)
			near(t, "ttft", r.TTFT, c.ttft)
			near(t, "e2e", r.E2ELatency, 0.5)
			for what, v := range map[string]metrics.Value{"tpot": r.TPOT, "itl": r.ITLMean, "itl max": r.ITLMax, "ttfot": r.TTFOT, "output latency": r.OutputLatency,
				"speed": r.OutputInferenceSpeed, "output throughput": r.OutputThroughput, "reasoning": r.ReasoningTokens} {
				near(t, what, v, math.NaN())
			}
			events := metrics.NewEventStats()
			events.Add(c.rec.Outcome)
			a := metrics.Compute(metrics.Run{Task: c.task, Start: start, End: at(1000)}, []metrics.Request{r}, events)
			want := c.rates
			for _, v := range []*metrics.Value{&want.Inputs, &want.Images, &want.Characters, &want.AudioBytes, &want.AudioSeconds} {
				if *v == 0 {
					*v = metrics.None()
				}
			}
			if diff := cmp.Diff(want, a.TaskRates, sameValues); diff != "" {
				t.Errorf("rates (-want +got):\n%s", diff)
			}
			if a.AddedStats.ITL.P50.Exists() {
				t.Error("there are times between tokens that do not exist")
			}
			if c.task == backend.TextToSpeech {
				near(t, "real-time factor", r.RealTimeFactor, 0.25)
				near(t, "audio throughput", r.AudioThroughput, 30000)
			}
		})
	}
}
