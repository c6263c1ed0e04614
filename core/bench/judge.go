package bench

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/core/live"
	"github.com/genai-bench/genai-bench/core/load"
	"github.com/genai-bench/genai-bench/core/machine"
	"github.com/genai-bench/genai-bench/core/metrics"
)

// What a run may be like before its report warns.
const (
	// lateSendP50 and lateShareP99 are when the client holds the load up: half of
	// the requests late by more than a scheduler's turn, or one in a hundred by
	// more than a tenth of the latency that is measured.
	lateSendP50  = time.Millisecond
	lateShareP99 = 0.1
	// achievedMin of the rate asked for must have been sent, chance set aside.
	achievedMin = 0.99
	// busySamplesMax is the share of a run's seconds in which nearly all CPUs may
	// be in use.
	busySamplesMax = 0.25
	// throttledMax is the share of a run for which a limit of CPU time may hold
	// the client up.
	throttledMax  = 0.01
	waitedMin     = 10 * time.Millisecond // in all, for requests to be made
	bundledMax    = 0.05
	shortShareMax = 0.01
	errorRateMax  = 0.5
	tokensDiffer  = 0.01
)

// verdict is the sentences that a reader of a run's figures must know.
type verdict struct{ warnings, untrusted, client []string }

// note is a warning that leaves the figures as good as they are.
func (v *verdict) note(format string, args ...any) {
	v.warnings = append(v.warnings, fmt.Sprintf(format, args...))
}

// distrust is a warning for which the figures are not to be trusted.
func (v *verdict) distrust(format string, args ...any) {
	v.note(format, args...)
	v.untrusted = append(v.untrusted, v.warnings[len(v.warnings)-1])
}

// limited is a distrust because the client was the bottleneck.
func (v *verdict) limited(format string, args ...any) {
	v.distrust(format, args...)
	v.client = append(v.client, v.warnings[len(v.warnings)-1])
}

// window warns where warm-up and cool-down left nothing to measure.
func (v *verdict) window(a *metrics.Aggregate) {
	w := a.Window
	if total := a.NumRequests + a.NumCancelledRequests + a.NumAbortedRequests; total > 0 && w.WarmedUp+w.CooledDown >= total {
		v.distrust("nothing was measured: all %d requests are warm-up or cool-down", total)
	}
}

// judge puts the run's warnings into its figures.
func (x *experimenter) judge(r *oneRun, result load.Result, a *metrics.Aggregate) {
	v := &verdict{}
	v.lateness(a)
	v.rate(result, a, x.plan.burstiness())
	v.cpu(r.collect.usage)
	if stats := r.ahead.Stats(); stats.Waited > 0 && stats.WaitedFor > waitedMin {
		v.limited("%d requests had to be waited for while they were made, %s in all", stats.Waited, stats.WaitedFor.Round(time.Millisecond))
	}
	for _, l := range a.Broken() {
		v.distrust("the run's books do not balance: %s", l.Says)
	}
	if a.NumRequests > 0 && a.ErrorRate >= errorRateMax {
		v.distrust("%.0f %% of the requests failed; the latencies are those of the others", 100*float64(a.ErrorRate))
	}
	if rule := r.ruled.Load(); rule != nil && result.StopReason == stopRule(rule.Rule) {
		v.note("the run was ended by --stop-on %q: %s", rule.Rule, rule.Seen)
	}
	v.window(a)
	if result.StopReason == stopFailures {
		v.distrust("the run was stopped: %d requests in a row failed", r.failures.Load())
	}
	v.sessions(a)
	v.clocks(a)
	x.tokens(v, r, a)
	if n := a.NumCancelledRequests; n > 0 {
		v.note("%d requests had no answer when the run ended and were cancelled; they count in no figure", n)
	}
	a.WarningsOfRun, a.Untrusted, a.ClientLimits = v.warnings, v.untrusted, v.client
}

// lateness holds how late requests were sent against what is measured: in an
// open loop the time to the first output, in a closed one the time that a place
// is taken.
func (v *verdict) lateness(a *metrics.Aggregate) {
	measured, name := a.Stats.E2ELatency.P50, "E2E"
	if a.RequestRate > 0 && a.Stats.TTFT.P50.Exists() {
		measured, name = a.Stats.TTFT.P50, "TTFT"
	}
	p50, p99 := a.AddedStats.Lateness.P50, a.AddedStats.Lateness.P99
	switch {
	case !p50.Exists():
	case float64(p50) > lateSendP50.Seconds():
		v.limited("half of the requests left %s or more after they were due", milliseconds(p50))
	case measured.Exists() && p99 > lateShareP99*measured && float64(p99) > lateSendP50.Seconds():
		v.limited("1 %% of the requests left %s or more after they were due, where the %s measured is %s", milliseconds(p99), name, milliseconds(measured))
	}
}

func milliseconds(v metrics.Value) string { return fmt.Sprintf("%.3g ms", 1000*float64(v)) }

// rate holds what was sent against what was asked for. The number of random
// arrivals in a time varies of itself: by its square root for a Poisson process,
// less for the uniform ones, and by 1/√k of it for a gamma distribution of shape
// k; three times that is chance.
func (v *verdict) rate(result load.Result, a *metrics.Aggregate, burstiness float64) {
	if result.Missed > 0 {
		v.limited("%d arrivals of the open loop were never sent", result.Missed)
	}
	if result.Waited+result.Unsent > 0 {
		// The cap, not the client, held the load up.
		v.note("%d arrivals found --max-concurrency requests in flight and waited, %s on average and %s at most; %d more still stood in line at the end. While any waited the loop was a closed one",
			result.Waited, result.WaitMean.Round(time.Microsecond), result.WaitMax.Round(time.Microsecond), result.Unsent)
		return
	}
	if result.SessionWaited+result.SessionUnsent > 0 {
		held := ""
		if result.SessionUnsent > 0 {
			held = fmt.Sprintf("; %d more were still held back at the end", result.SessionUnsent)
		}
		v.note("requests of the trace's sessions that were due before the answer to the one before: %d, sent after it, %s later on average and %s at most%s. This server is slower than the one recorded, or the time scale is small",
			result.SessionWaited, result.SessionWaitMean.Round(time.Microsecond), result.SessionWaitMax.Round(time.Microsecond), held)
		return
	}
	if result.Asked <= 0 || result.Sent == 0 || result.StopReason != load.StopTime && result.StopReason != load.StopRequests {
		return
	}
	chance := 3 / math.Sqrt(float64(result.Sent-result.FollowUps)*min(burstiness, 1))
	if a.Distribution == string(load.Constant) || a.TimeScale > 0 {
		chance = 1 / float64(result.Sent) // the last one
	}
	if result.Achieved < result.Asked*(achievedMin-chance) {
		v.limited("%.4g requests/s were sent where %.4g were asked for", result.Achieved, result.Asked)
	}
}

// cpu says where there was not enough of it.
func (v *verdict) cpu(u machine.Usage) {
	if u.BusyShare > busySamplesMax || u.MachineShare() > machine.Busy {
		var who []string
		for _, part := range []struct {
			name    string
			seconds float64
		}{{"core", u.Core}, {"plugins", u.Plugins}, {"other programs", u.Machine - u.Core - u.Plugins}} {
			if s := part.seconds / u.Elapsed.Seconds(); s >= 0 {
				who = append(who, fmt.Sprintf("%s %.2g", part.name, s))
			}
		}
		// The sentence is the same for all runs, so that the report has it once.
		v.distrust("%s", live.BusyWarning)
		v.client = append(v.client, fmt.Sprintf("CPU usage above %.0f %%: of %d CPUs %s were in use on average", 100*machine.Busy, u.CPUs, strings.Join(who, ", ")))
	}
	if u.Throttled > throttledMax*u.Elapsed.Seconds() {
		v.limited("a limit of CPU time (cgroup) held the client up for %.2g s", u.Throttled)
	}
}

// sessions says where conversations were not held to their end.
func (v *verdict) sessions(a *metrics.Aggregate) {
	if s := a.Sessions; s != nil && s.Failed+s.Silent > 0 {
		silent := ""
		if s.Silent > 0 {
			silent = fmt.Sprintf(" (%d of them with an answer without text, to which nothing can be said)", s.Silent)
		}
		v.note("%d of %d conversations ended early%s, with a turn that failed or was given up; their %d further turns were not sent", s.Failed+s.Silent, s.Begun, silent, s.TurnsNotSent)
	}
}

func (v *verdict) clocks(a *metrics.Aggregate) {
	if share := a.InnerBundledShare; share.Exists() && float64(share) > bundledMax {
		v.note("%.0f %% of the output events were read several at a time; of those only the last one's arrival is exact", float64(share)*100)
	}
	if n := a.Clocks["user"]; n > 0 {
		v.note("%d requests were timed by the user clock, which a busy machine makes late", n)
	}
}

// tokens says where lengths are not what was asked for, or counts disagree.
func (x *experimenter) tokens(v *verdict, r *oneRun, a *metrics.Aggregate) {
	if n := a.NumCompletedRequests; n > 0 && float64(a.Short) > shortShareMax*float64(n) {
		hint := "the server ended them early"
		if !r.fix {
			hint = "backend " + x.plan.Backend.Name + " cannot fix the length of answers"
		}
		v.note("%d of %d answers are shorter than the scenario asks, %.4g tokens on average where %.4g were asked for: %s",
			a.Short, n, float64(a.Tokens.Output.MeanOfAsked), float64(a.Tokens.Output.MeanAsked), hint)
	}
	if c := a.Tokens.Output; c.Compared > 0 && math.Abs(float64(c.MeanDifference)) > 1+tokensDiffer*float64(c.MeanCounted) {
		v.note("the server counts %.4g output tokens an answer, the tokenizer %.4g of its text: is it the model's tokenizer, or are there tokens without text?", float64(c.MeanUsage), float64(c.MeanCounted))
	}
}

// clientOf is the usage as results have it.
func clientOf(u machine.Usage) *metrics.Client {
	return &metrics.Client{
		CPUs: u.CPUs, Seconds: u.Elapsed.Seconds(), CoreCPUSeconds: metrics.Value(u.Core), PluginCPUSeconds: metrics.Value(u.Plugins),
		MachineCPUShare: metrics.Value(u.MachineShare()), MachineCPUBusiest: metrics.Value(u.Busiest),
		ThrottledSeconds: metrics.Value(u.Throttled), CorePeakRSSBytes: metrics.Value(u.PeakRSSBytes),
	}
}
