package table

import "github.com/genai-bench/genai-bench/core/metrics"

// clientColumns are what the measuring machine was like: how late requests were
// handed over and sent, how long arrivals waited to be read, and what it cost.
// Its times are in milliseconds whatever the unit of the experiment's: they are
// microseconds where all is well.
func clientColumns(unit metrics.Unit) []column {
	inMilliseconds := metrics.Value(1)
	if unit == metrics.InSeconds {
		inMilliseconds = 1000
	}
	var columns []column
	for _, part := range []struct {
		head string
		of   func(*metrics.Aggregate) *metrics.Stats
		read bool
	}{
		{"Dispatch", func(a *metrics.Aggregate) *metrics.Stats { return &a.AddedStats.DispatchLateness }, false},
		{"Send", func(a *metrics.Aggregate) *metrics.Stats { return &a.AddedStats.SendLateness }, false},
		{"Read", func(a *metrics.Aggregate) *metrics.Stats { return &a.AddedStats.ReadLag }, true},
	} {
		for _, q := range []struct {
			name string
			of   func(*metrics.Stats) metrics.Value
		}{
			{"p50", func(s *metrics.Stats) metrics.Value { return s.P50 }},
			{"p99", func(s *metrics.Stats) metrics.Value { return s.P99 }},
			{"max", func(s *metrics.Stats) metrics.Value { return s.Max }},
		} {
			c := figure(part.head+"\n"+q.name, func(a *metrics.Aggregate) metrics.Value { return inMilliseconds * q.of(part.of(a)) })
			c.latency = part.read // the second of two tables, where one is too wide
			columns = append(columns, c)
		}
	}
	cost := func(head string, of func(*metrics.Client, *metrics.Aggregate) metrics.Value) {
		c := figure(head, func(a *metrics.Aggregate) metrics.Value {
			if a.Client == nil {
				return metrics.None()
			}
			return of(a.Client, a)
		})
		c.latency = true
		columns = append(columns, c)
	}
	cost("CPU\n%", func(c *metrics.Client, _ *metrics.Aggregate) metrics.Value { return 100 * c.MachineCPUShare })
	cost("CPU ms\n/req", func(c *metrics.Client, a *metrics.Aggregate) metrics.Value {
		n := a.NumRequests + a.NumCancelledRequests + a.NumAbortedRequests
		if n == 0 {
			return metrics.None()
		}
		return 1000 * (c.CoreCPUSeconds + c.PluginCPUSeconds) / metrics.Value(n)
	})
	return columns
}

// client tells of the measuring machine.
func (p *printer) client() (string, error) {
	columns := present(clientColumns(p.e.Metadata.MetricsTimeUnit), p.e.Runs)
	if len(columns) == 0 {
		return "", nil
	}
	text, err := p.fitted(columns)
	if err != nil {
		return "", err
	}
	heading := "The client: how long after they were due requests were handed over (Dispatch) and then sent, how long arrivals waited to be read, all in ms; the CPUs in use and what a request cost"
	return p.wrap(heading+":", "", "") + text, nil
}
