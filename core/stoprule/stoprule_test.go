package stoprule_test

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/genai-bench/genai-bench/core/stoprule"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func TestRulesThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "compares nothing",
		"error-rate":                "compares nothing; a rule is written as error-rate>0.5",
		">0.5":                      "a rule begins with what it is about: error-rate, errors",
		"eror-rate>0.5":             `there is no figure "eror-rate"`,
		"error-rate>1.5":            `"1.5" is no share from 0 to 1`,
		"error-rate>150%":           `"150%" is no share`,
		"error-rate>":               `"" is no share`,
		"errors>many":               `"many" is no number`,
		"errors>NaN":                `"NaN" is no number`,
		"errors>inf":                `"inf" is no number`,
		"errors>-1":                 `"-1" is no number`,
		"ttft>2s":                   `"ttft" lacks a statistic: ttft-mean, ttft-max, or a percentile as ttft-p99`,
		"ttft-p>2s":                 `"ttft-p" has no percentile from p1 to p99`,
		"ttft-p100>2s":              `"ttft-p100" has no percentile`,
		"ttft-p99>soon":             `"soon" is no duration such as 500ms`,
		"ttft-p99>-2s":              `"-2s" is no duration`,
		"e2e-p99>2s after":          `"2s after" is no duration`,
		"e2e-p99>2s after 0":        "after 0 is no number of requests",
		"e2e-p99>2s after ten":      "after ten is no number of requests",
		"error-rate>0.5 and errors": `"0.5 and errors" is no share`,
	} {
		if _, err := stoprule.Parse(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

// ends makes so many ends of requests.
func ends(w *stoprule.Watch, n int, end stoprule.End) (v *stoprule.Verdict) {
	for range n {
		w.Sent(0, 0)
		if verdict := w.Ended(end); verdict != nil {
			v = verdict
		}
	}
	return v
}

func ok(ttftMS float64) stoprule.End {
	return stoprule.End{OK: true, TTFT: ttftMS / 1000, TPOT: math.NaN(), E2E: 2 * ttftMS / 1000}
}

var (
	failed  = stoprule.End{Error: true}
	aborted = stoprule.End{}
)

func TestWhenRulesHold(t *testing.T) {
	for name, c := range map[string]struct {
		rule   string
		happen func(*stoprule.Watch) *stoprule.Verdict
		want   string // what was seen; "" for no verdict
	}{
		"too few to judge":   {"error-rate>0.5", func(w *stoprule.Watch) *stoprule.Verdict { return ends(w, 19, failed) }, ""},
		"enough":             {"error-rate>0.5", func(w *stoprule.Watch) *stoprule.Verdict { return ends(w, 20, failed) }, "error-rate was 1 when 20 requests had ended"},
		"exactly the limit":  {"error-rate>50%", func(w *stoprule.Watch) *stoprule.Verdict { ends(w, 10, failed); return ends(w, 10, ok(1)) }, ""},
		"the limit included": {"error-rate >= 50%", func(w *stoprule.Watch) *stoprule.Verdict { ends(w, 10, ok(1)); return ends(w, 10, failed) }, "error-rate was 0.5 when 20 requests had ended"},
		"its own number":     {"errors>=3 after 4", func(w *stoprule.Watch) *stoprule.Verdict { ends(w, 1, ok(1)); return ends(w, 3, failed) }, "errors was 3 when 4 requests had ended"},
		"aborts are no ends": {"error-rate>0.1", func(w *stoprule.Watch) *stoprule.Verdict {
			ends(w, 15, ok(1))
			ends(w, 100, aborted)
			return ends(w, 3, failed)
		}, ""},
		"one success between": {"consecutive-errors>=5 after 1", func(w *stoprule.Watch) *stoprule.Verdict {
			ends(w, 4, failed)
			ends(w, 1, ok(1))
			return ends(w, 4, failed)
		}, ""},
		"errors in a row": {"consecutive-errors>=5 after 1", func(w *stoprule.Watch) *stoprule.Verdict {
			ends(w, 4, failed)
			ends(w, 3, aborted)
			return ends(w, 1, failed)
		}, "consecutive-errors was 5 when 5 requests had ended"},
		"a bare number is ms": {"ttft-mean>100", func(w *stoprule.Watch) *stoprule.Verdict { ends(w, 10, ok(50)); return ends(w, 10, ok(151)) }, "ttft-mean was 100.5ms when 20 requests had ended"},
		"the slowest":         {"e2e-max>1s after 2", func(w *stoprule.Watch) *stoprule.Verdict { ends(w, 1, ok(10)); return ends(w, 1, ok(501)) }, "e2e-max was 1.002s when 2 requests had ended"},
		"a percentile": {"ttft-p90>100ms", func(w *stoprule.Watch) *stoprule.Verdict {
			ends(w, 18, ok(100))
			ends(w, 2, ok(200))
			return ends(w, 1, ok(200))
		}, "ttft-p90 was > 100ms (0 of 21 were below) when 21 requests had ended"},
		"a percentile at its limit": {"ttft-p90>100ms", func(w *stoprule.Watch) *stoprule.Verdict { ends(w, 18, ok(100)); return ends(w, 2, ok(200)) }, ""},
		"a percentile from below":   {"ttft-p50<10ms", func(w *stoprule.Watch) *stoprule.Verdict { ends(w, 10, ok(10)); return ends(w, 10, ok(9)) }, "ttft-p50 was < 10ms (10 of 20 were below) when 20 requests had ended"},
		"no latency to judge":       {"tpot-p99>0ms", func(w *stoprule.Watch) *stoprule.Verdict { return ends(w, 100, ok(10)) }, ""},
		"failures have no latency":  {"ttft-p50>1s", func(w *stoprule.Watch) *stoprule.Verdict { ends(w, 100, failed); return ends(w, 1, ok(10)) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rule, err := stoprule.Parse(c.rule)
			if err != nil {
				t.Fatal(err)
			}
			v := c.happen(stoprule.NewWatch([]stoprule.Rule{rule}))
			switch {
			case v == nil && c.want != "":
				t.Errorf("the rule did not hold, want %q", c.want)
			case v != nil && (v.Seen != c.want || v.Rule.String() != strings.Join(strings.Fields(c.rule), " ")):
				t.Errorf("rule %q: %q, want %q", v.Rule, v.Seen, c.want)
			}
		})
	}
}

// On a server that stands still nothing ends: in-flight is judged by what is sent.
func TestInFlightIsJudgedWhileSending(t *testing.T) {
	rule, err := stoprule.Parse("in-flight>30")
	if err != nil {
		t.Fatal(err)
	}
	w := stoprule.NewWatch([]stoprule.Rule{rule})
	ends(w, 5, ok(1))
	for i := range 31 {
		v := w.Sent(0, 0)
		if (v != nil) != (i == 30) {
			t.Fatalf("verdict %v with %d in flight", v, i+1)
		}
		if v != nil && v.Seen != "in-flight was 31 when 36 requests had been sent" {
			t.Errorf("seen: %s", v.Seen)
		}
	}
	if v := w.Sent(0, 0); v != nil {
		t.Errorf("a second verdict: %v", v)
	}
}

// What was handed over ahead of its time is not in flight before.
func TestInFlightCountsWhatIsDue(t *testing.T) {
	rule, err := stoprule.Parse("in-flight>=3 after 1")
	if err != nil {
		t.Fatal(err)
	}
	w := stoprule.NewWatch([]stoprule.Rule{rule})
	for _, c := range []struct {
		at, now stamp.Nanos
		holds   bool
	}{{100, 0, false}, {110, 5, false}, {105, 6, false}, {120, 7, false}, {300, 104, false}, {310, 109, false}, {320, 110, true}} {
		if v := w.Sent(c.at, c.now); (v != nil) != c.holds {
			t.Errorf("at %d: %v", c.now, v)
		}
	}
}

func TestARunWithoutRules(t *testing.T) {
	w := stoprule.NewWatch(nil)
	if w.Sent(0, 0) != nil || w.Ended(failed) != nil {
		t.Error("no rule holds")
	}
}

// Percentile rules agree with the percentile by nearest rank.
func TestPercentilesAreThoseByNearestRank(t *testing.T) {
	for n := 1; n <= 40; n++ {
		for limit := 0; limit <= n+1; limit++ {
			for operator, holds := range map[string]func(p, limit int) bool{
				">":  func(p, limit int) bool { return p > limit },
				">=": func(p, limit int) bool { return p >= limit },
				"<":  func(p, limit int) bool { return p < limit },
				"<=": func(p, limit int) bool { return p <= limit },
			} {
				rule, err := stoprule.Parse("ttft-p75" + operator + strconv.Itoa(limit) + "ms after " + strconv.Itoa(n))
				if err != nil {
					t.Fatal(err)
				}
				w := stoprule.NewWatch([]stoprule.Rule{rule})
				var v *stoprule.Verdict
				for i := range n { // 1, 2, … n ms: the percentile's value is its rank
					v = ends(w, 1, ok(float64(i+1)))
				}
				p := (3*n + 3) / 4
				if got, want := v != nil, holds(p, limit); got != want {
					t.Fatalf("%d values, p75 = %d ms, %s %d ms: %v", n, p, operator, limit, got)
				}
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"error-rate>0.5", "ttft-p99 >= 2s after 40", "in-flight>500", "errors<=3", "e2e-mean<1", ">", "error-rate>50%"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rule, err := stoprule.Parse(text)
		if err != nil {
			return
		}
		again, err := stoprule.Parse(rule.String())
		if err != nil || again != rule {
			t.Errorf("%q is written %q, which is read as %+v, %v", text, rule, again, err)
		}
		ends(stoprule.NewWatch([]stoprule.Rule{rule}), 30, ok(5))
	})
}

func BenchmarkEnded(b *testing.B) {
	var rules []stoprule.Rule
	for _, text := range []string{"error-rate>0.5", "ttft-p99>2s", "e2e-p99>9s"} {
		rule, err := stoprule.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		rules = append(rules, rule)
	}
	w := stoprule.NewWatch(rules)
	b.ReportAllocs()
	for b.Loop() {
		w.Sent(0, 0)
		w.Ended(ok(5))
	}
}
