package metrics_test

import (
	"strings"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// TestBrokenBooksAreNamed holds the laws against a run that is sound, and
// against runs in which something was lost, doubled or timed wrongly.
func TestBrokenBooksAreNamed(t *testing.T) {
	sent := uint64(500)
	cases := map[string]struct {
		change func(i int, rec *metrics.Record) *metrics.Record // nil: lost
		sent   uint64
		broken string
	}{
		"a sound run": {func(_ int, rec *metrics.Record) *metrics.Record { return rec }, sent, ""},
		"an outcome was lost": {func(i int, rec *metrics.Record) *metrics.Record {
			if i == 77 {
				return nil
			}
			return rec
		}, sent, "500 requests were sent, 499 have an outcome"},
		"an outcome came twice": {func(i int, rec *metrics.Record) *metrics.Record {
			if i == 77 {
				rec.Index = 76
			}
			return rec
		}, 499, "1 outcomes belong to requests that had one"},
		"the plugin's clock runs ahead": {func(_ int, rec *metrics.Record) *metrics.Record {
			rec.Outcome.LastByte = rec.Outcome.LastByte.Add(100 * time.Millisecond)
			return rec
		}, sent, "Little's law"},
		"core takes long to hear of the end": {func(_ int, rec *metrics.Record) *metrics.Record {
			rec.Ended = rec.Ended.Add(50 * time.Millisecond)
			return rec
		}, sent, "Little's law"},
		"events were lost on the way": {func(_ int, rec *metrics.Record) *metrics.Record {
			if rec.Outcome.Usage.Output != nil {
				rec.Outcome.Usage.Output = number(6) // the events say 3
			}
			return rec
		}, sent, "the events of their streams"},
		"a byte of text is missing": {func(i int, rec *metrics.Record) *metrics.Record {
			if i == 300 && len(rec.Outcome.Choices) > 0 {
				rec.Outcome.Choices[0].Text = rec.Outcome.Choices[0].Text[1:]
			}
			return rec
		}, sent, "bytes of output, their events"},
		"more output than was received": {func(_ int, rec *metrics.Record) *metrics.Record {
			rec.Outcome.BytesReceived = 1
			return rec
		}, sent, "than were received"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var all []metrics.Request
			for i, rec := range many(500) {
				if o := rec.Outcome; o.Status == backend.StatusOK {
					for j := range o.Events {
						if o.Events[j].Kinds&backend.Output != 0 {
							o.Events[j].Bytes = 4
						}
					}
					o.Choices = []backend.Choice{{Text: "some wordy ok"[:12]}}
					o.BytesReceived = 400
				}
				if rec := c.change(i, rec); rec != nil {
					all = append(all, metrics.Derive(backend.TextToText, rec))
				}
			}
			a := metrics.Compute(metrics.Run{Start: at(0), End: at(6000), Sent: c.sent}, all, nil)
			var says []string
			for _, l := range a.Broken() {
				says = append(says, l.Says)
			}
			if c.broken == "" && (len(says) > 0 || len(a.Laws) < 4) {
				t.Errorf("broken: %q of %+v", says, a.Laws)
			}
			if c.broken != "" && !strings.Contains(strings.Join(says, "\n"), c.broken) {
				t.Errorf("no %q among %q", c.broken, says)
			}
		})
	}
}

// TestLittlesLawHoldsAtTheBorders: few requests, all of them over the window's
// borders, are no broken law.
func TestLittlesLawHoldsAtTheBorders(t *testing.T) {
	for name, run := range map[string]metrics.Run{
		"cut by time":           {Limit: at(1000)},
		"warm-up and cool-down": {Warmup: metrics.Cut{Requests: 5}, Cooldown: metrics.Cut{Requests: 5}},
		"one request":           {Warmup: metrics.Cut{Requests: 9}, Cooldown: metrics.Cut{Requests: 10}},
	} {
		t.Run(name, func(t *testing.T) {
			var all []metrics.Request
			for i := range 20 {
				sent := float64(i) * 60
				o := streamed(at(sent), at(sent+300), at(sent+500+float64(i%3)*200))
				all = append(all, metrics.Derive(backend.TextToText, &metrics.Record{Streamed: true, Index: uint64(i), Intended: at(sent), Dispatched: at(sent),
					Ended: o.LastByte.Add(100 * time.Microsecond), OutputTokensCounted: -1, Outcome: o}))
			}
			run.Start, run.End = at(0), at(3000)
			a := metrics.Compute(run, all, nil)
			if broken := a.Broken(); len(broken) > 0 {
				t.Errorf("%+v", broken)
			}
			if w := a.Window; w.StraddledStart+w.StraddledEnd == 0 {
				t.Errorf("nothing lies over a border: %+v", w)
			}
		})
	}
}

func TestSendLatenessIsSplit(t *testing.T) {
	cases := map[string]struct {
		intended, dispatched, received, sent stamp.Nanos
		setUp                                time.Duration
		late, hop, plugin                    float64
	}{
		"at once, warm connection":                {at(0), at(1), at(1.2), at(1.5), 0, 0.0005, 0.0002, 0.0003},
		"at once, the set-up is not the client's": {at(0), at(1), at(1.2), at(6.5), 5 * time.Millisecond, 0.0005, 0.0002, 0.0003},
		"ahead, in time":                          {at(250), at(0), at(0.2), at(250.01), 0, 0.00001, 0, 0.00001},
		"ahead, the set-up does not hide a delay": {at(250), at(0), at(0.2), at(253), 5 * time.Millisecond, 0.003, 0, 0.003},
		"ahead, but the set-up took longer":       {at(250), at(0), at(0.2), at(300.2), 300 * time.Millisecond, 0, 0, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := streamed(c.sent, c.sent.Add(time.Millisecond))
			o.Received, o.Connect.TCP, o.Connect.Reused = c.received, c.setUp, c.setUp == 0
			r := metrics.Derive(backend.TextToText, &metrics.Record{Streamed: true, Intended: c.intended, Dispatched: c.dispatched, OutputTokensCounted: -1, Outcome: o})
			near(t, "send lateness", r.SendLateness, c.late)
			near(t, "hop", r.HopLateness, c.hop)
			near(t, "plugin", r.PluginLateness, c.plugin)
		})
	}
}
