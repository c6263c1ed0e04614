package metrics

import (
	"cmp"
	"slices"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// aggregation is an Aggregate being made. Its columns hold a few numbers of
// every request for as long as it takes.
type aggregation struct {
	*Table
	run Run
	a   *Aggregate

	order     []int32 // rows in the order of sending
	due       []stamp.Nanos
	sent, end []stamp.Nanos
	counted   func(row int) bool // completed in the window
	doubled   int                // rows with the index of another
	column    []float64          // of the metric being summarized
}

// asAdded takes the order in which requests were added for that of sending.
func (g *aggregation) asAdded() error {
	g.order = make([]int32, g.rows)
	for i := range g.order {
		g.order[i] = int32(i)
	}
	return nil
}

// sort puts the rows into the order of sending and reads their times.
func (g *aggregation) sort() error {
	if err := g.asAdded(); err != nil {
		return err
	}
	indices := make([]uint64, g.rows)
	if err := g.words(requestLayout().number("index"), func(row int, word uint64) { indices[row] = word }); err != nil {
		return err
	}
	slices.SortStableFunc(g.order, func(a, b int32) int { return cmp.Compare(indices[a], indices[b]) })
	for i := 1; i < len(g.order); i++ {
		if indices[g.order[i]] == indices[g.order[i-1]] {
			g.doubled++
		}
	}
	var err error
	if g.due, err = g.moments("intended_ns"); err != nil {
		return err
	}
	for _, late := range []string{"cap_wait", "dispatch_lateness"} {
		if err := g.values(late, func(row int, v Value) {
			if v.Exists() {
				g.due[row] = g.due[row].Add(time.Duration(float64(v) * 1e9))
			}
		}); err != nil {
			return err
		}
	}
	if g.sent, err = g.moments("send_start_ns"); err != nil {
		return err
	}
	g.end, err = g.moments("last_byte_ns")
	return err
}

// forget lets go of the columns that hold the window together.
func (g *aggregation) forget() error {
	g.order, g.due, g.sent, g.end, g.counted = nil, nil, nil, nil, nil
	return nil
}

// phases notes which part of the run each request belongs to.
func (g *aggregation) phases() error {
	var times []stamp.Nanos
	if g.run.Warmup.Time > 0 || g.run.Cooldown.Time > 0 {
		times = make([]stamp.Nanos, g.rows)
		for i, row := range g.order {
			times[i] = g.due[row]
		}
	}
	w := &g.a.Window
	w.WarmedUp, w.CooledDown = cut(g.rows, times, g.run)
	g.Table.phases = slices.Clone(g.tally.classes)
	for i, row := range g.order {
		c := &g.Table.phases[row]
		switch {
		case i < w.WarmedUp:
			*c |= warmup
		case i >= len(g.order)-w.CooledDown:
			*c |= cooldown
		case g.end != nil && w.Limit != 0 && *c&succeeded != 0 && g.end[row] > w.Limit:
			*c |= afterLimit
			w.AfterLimit++
		}
	}
	return nil
}

// window finds the measured window. It begins with the first send after the
// warm-up and ends with the last completion before the cool-down's first send
// and the run's time limit. What began before it and ended in it counts for
// throughput; what ends after it does not: leaving out the former too would make
// a steady server look slower the more requests are in flight. A window in which
// nothing was completed is that of the requests themselves, to the last of them.
func (g *aggregation) window() error {
	w, classes := &g.a.Window, g.Table.phases
	first := func(of func(class) bool) (t stamp.Nanos) {
		for row, at := range g.sent {
			if at != 0 && of(classes[row]) && (t == 0 || at < t) {
				t = at
			}
		}
		return t
	}
	start, until := first(class.inside), w.Limit
	if cool := first(func(c class) bool { return c&cooldown != 0 }); cool != 0 && (until == 0 || cool < until) {
		until = cool
	}
	all := true // or only those that are neither warm-up nor cool-down
	g.counted = func(row int) bool {
		c := classes[row]
		return c&succeeded != 0 && (all || c.inside()) && g.end[row] > start && (until == 0 || g.end[row] <= until)
	}
	last := func() (t stamp.Nanos) {
		for row := range g.end {
			if g.counted(row) {
				t = max(t, g.end[row])
			}
		}
		return t
	}
	end := last()
	if end == 0 {
		until, all = 0, false
		end = last()
	}
	if start == 0 || end == 0 {
		g.counted = nil
		return nil
	}
	w.Start, w.End = start, end
	for row, c := range classes {
		if c&succeeded == 0 {
			continue
		}
		if g.end[row] > w.SendEnd {
			w.Drained++
		}
		switch counted := g.counted(row); {
		case counted && g.sent[row] < start:
			w.StraddledStart++
		case !counted && g.sent[row] >= start && g.sent[row] < end && g.end[row] > end:
			w.StraddledEnd++
		}
	}
	return nil
}

// throughput divides what was completed inside the window by the window.
func (g *aggregation) throughput() error {
	a := g.a
	if g.counted == nil {
		a.RunDuration = a.Window.RunEnd.Sub(a.Window.RunStart).Seconds()
		a.RequestsPerSecond, a.MeanInputThroughput, a.MeanOutputThroughput, a.MeanTotalThroughput = 0, 0, 0, 0
		return g.goodput(0)
	}
	met := 0
	for row := range g.end {
		if g.counted(row) {
			a.Window.Completed++
			if g.Table.phases[row]&good != 0 {
				met++
			}
		}
	}
	a.RunDuration = a.Window.End.Sub(a.Window.Start).Seconds()
	seconds := Value(a.RunDuration)
	a.RequestsPerSecond = ratio(Value(a.Window.Completed), seconds)
	input, err := g.sumValues("num_input_tokens")
	if err != nil {
		return err
	}
	output, err := g.sumValues("num_output_tokens")
	if err != nil {
		return err
	}
	a.MeanInputThroughput = ratio(input, seconds)
	a.MeanOutputThroughput = ratio(output, seconds)
	a.MeanTotalThroughput = ratio(input+output, seconds)
	r := &a.TaskRates
	for key, rate := range map[string]*Value{"num_inputs": &r.Inputs, "num_images": &r.Images, "num_characters": &r.Characters, "audio_bytes": &r.AudioBytes} {
		n, err := g.sumInts(key)
		if err != nil {
			return err
		}
		if n > 0 {
			*rate = ratio(Value(n), seconds)
		}
	}
	spoken, err := g.sumValues("audio_duration_s")
	if err != nil {
		return err
	}
	if spoken > 0 {
		r.AudioSeconds = ratio(spoken, seconds)
	}
	return g.goodput(met)
}

// goodput counts the requests that met all objectives; inWindow were completed
// in the window.
func (g *aggregation) goodput(inWindow int) error {
	if len(g.run.Objectives) == 0 {
		return nil
	}
	p := &Goodput{Objectives: g.run.Objectives, RequestsPerSecond: 0}
	for _, c := range g.Table.phases {
		if c.inside() && c&(succeeded|failed) != 0 {
			p.Of++
			if c&good != 0 {
				p.Met++
			}
		}
	}
	p.Share = ratio(Value(p.Met), Value(p.Of))
	if g.counted != nil {
		p.RequestsPerSecond = ratio(Value(inWindow), Value(g.a.RunDuration))
	}
	g.a.Goodput = p
	return nil
}

// sumValues adds up a metric of the requests completed in the window.
func (g *aggregation) sumValues(key string) (sum Value, err error) {
	err = g.values(key, func(row int, v Value) {
		if v.Exists() && g.counted(row) {
			sum += v
		}
	})
	return sum, err
}

func (g *aggregation) sumInts(key string) (sum int64, err error) {
	err = g.words(requestLayout().number(key), func(row int, word uint64) {
		if g.counted(row) {
			sum += int64(word)
		}
	})
	return sum, err
}

// statistics summarizes the successful requests, a metric at a time.
func (g *aggregation) statistics() error {
	s, x := &g.a.Stats, &g.a.AddedStats
	for _, m := range []struct {
		into *Stats
		keys []string // whose values are added up
	}{
		{&s.TTFT, []string{"ttft"}},
		{&s.TPOT, []string{"tpot"}},
		{&s.E2ELatency, []string{"e2e_latency"}},
		{&s.OutputLatency, []string{"output_latency"}},
		{&s.OutputInferenceSpeed, []string{"output_inference_speed"}},
		{&s.InputTokens, []string{"num_input_tokens"}},
		{&s.OutputTokens, []string{"num_output_tokens"}},
		{&s.ReasoningTokens, []string{"num_reasoning_tokens"}},
		{&s.TotalTokens, []string{"total_tokens"}},
		{&s.InputThroughput, []string{"input_throughput"}},
		{&s.OutputThroughput, []string{"output_throughput"}},
		{&s.AudioThroughput, []string{"audio_throughput"}},
		{&x.TTFTFromLeft, []string{"ttft_from_left"}},
		{&x.TTFTFromIntended, []string{"ttft_from_intended"}},
		{&x.E2EFromIntended, []string{"e2e_latency_from_intended"}},
		{&x.TTFOT, []string{"ttfot"}},
		{&x.TPOTToEnd, []string{"tpot_to_end"}},
		{&x.Lateness, []string{"dispatch_lateness", "send_lateness"}},
		{&x.DispatchLateness, []string{"dispatch_lateness"}},
		{&x.SendLateness, []string{"send_lateness"}},
		{&x.HopLateness, []string{"hop_lateness"}},
		{&x.PluginLateness, []string{"plugin_lateness"}},
		{&x.CapWait, []string{"cap_wait"}},
		{&x.Upload, []string{"upload"}},
		{&x.Connect, []string{"dns", "connect", "tls"}},
		{&x.RealTimeFactor, []string{"real_time_factor"}},
		{&x.AudioSeconds, []string{"audio_duration_s"}},
	} {
		if err := g.summarize(m.into, m.keys); err != nil {
			return err
		}
	}
	return nil
}

func (g *aggregation) summarize(into *Stats, keys []string) error {
	column := g.column[:0]
	for k, key := range keys {
		i := 0
		if err := g.values(key, func(row int, v Value) {
			c := g.Table.phases[row]
			switch {
			case c&succeeded == 0 || !c.inside():
				return
			case k == 0:
				column = append(column, float64(v))
			default:
				column[i] += float64(v)
			}
			i++
		}); err != nil {
			return err
		}
	}
	g.column = column
	*into = Summarize(column)
	return nil
}

// eventStatistics are those of single events: as they were added up on the way
// or, where warm-up and cool-down are to be left out, of the events kept.
func (g *aggregation) eventStatistics() error {
	x := &g.a.AddedStats
	x.ITL, x.ITLPerToken, x.ReadLag, g.a.BundledShare, g.a.InnerBundledShare = NoStats(), NoStats(), NoStats(), None(), None()
	if g.keepEvents {
		g.events = NewEventStats()
		if err := g.eachEvents(func(row int, events []backend.Event) {
			if c := g.Table.phases[row]; c&succeeded != 0 && c.inside() {
				g.events.add(events)
			}
		}); err != nil {
			return err
		}
	}
	if g.events != nil {
		x.ITL, x.ITLPerToken, x.ReadLag = g.events.summaries()
		if g.run.Task != "" && !Generates(g.run.Task) { // pieces of sound are no tokens
			x.ITL, x.ITLPerToken = NoStats(), NoStats()
		}
		g.a.InnerBundledShare = g.events.InnerBundledShare()
		g.a.BundledShare = ratio(Value(g.events.bundled), Value(g.events.outputs))
	}
	return nil
}
