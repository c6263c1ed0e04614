package metrics

import "slices"

// Unit is the unit of latencies in results: "s" or "ms".
type Unit string

// The units of --metrics-time-unit.
const (
	InSeconds      Unit = "s"
	InMilliseconds Unit = "ms"
)

// Known tells whether u is one of the units.
func (u Unit) Known() bool { return u == InSeconds || u == InMilliseconds }

// factor is what a value in seconds is multiplied by.
func (u Unit) factor() Value {
	if u == InMilliseconds {
		return 1000
	}
	return 1
}

// ConvertRequest returns a request's metrics with its latencies in a unit, from
// another.
func ConvertRequest(r Request, from, to Unit) Request {
	if from == to {
		return r
	}
	by := to.factor() / from.factor()
	for _, v := range []*Value{
		&r.TTFT, &r.TPOT, &r.E2ELatency, &r.OutputLatency, &r.TTFTFromLeft, &r.TTFTFromIntended, &r.E2EFromIntended, &r.TTFOT,
		&r.TPOTToEnd, &r.ITLMean, &r.ITLMax, &r.DispatchLateness, &r.CapWait, &r.SendLateness, &r.HopLateness, &r.PluginLateness, &r.ReadLagMax, &r.Queued, &r.DNS, &r.Connect, &r.TLS, &r.Upload, &r.ResponseHeader, &r.RTT,
	} {
		*v *= by
	}
	return r
}

// ConvertAggregate returns a run's figures with its latencies in a unit, from
// another. Run durations stay in seconds, throughputs per second.
func ConvertAggregate(a Aggregate, from, to Unit) Aggregate {
	if from == to {
		return a
	}
	by := to.factor() / from.factor()
	s, x := &a.Stats, &a.AddedStats
	for _, p := range []*Stats{
		&s.TTFT, &s.TPOT, &s.E2ELatency, &s.OutputLatency, &x.TTFTFromLeft, &x.TTFTFromIntended, &x.E2EFromIntended, &x.TTFOT,
		&x.TPOTToEnd, &x.ITL, &x.ITLPerToken, &x.Lateness, &x.DispatchLateness, &x.CapWait, &x.SendLateness, &x.HopLateness, &x.PluginLateness, &x.ReadLag, &x.Upload, &x.Connect,
	} {
		*p = p.scaled(by)
	}
	a.Turns = slices.Clone(a.Turns)
	for i := range a.Turns {
		t := &a.Turns[i]
		t.TTFT, t.E2ELatency = t.TTFT.scaled(by), t.E2ELatency.scaled(by)
	}
	return a
}
