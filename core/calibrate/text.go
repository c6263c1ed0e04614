package calibrate

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/genai-bench/genai-bench/core/metrics"
)

// Write prints a calibration for a reader at a terminal.
func Write(w io.Writer, c *Calibration) error {
	sorted := *c
	sorted.Levels = slices.Clone(c.Levels)
	slices.SortStableFunc(sorted.Levels, func(a, b Level) int { return cmp.Compare(a.Load(), b.Load()) })
	c = &sorted
	var b strings.Builder
	fmt.Fprintf(&b, "How far reported times are from what happened, in ms (p50 / p99 / max of the requests, ITL of the tokens):\n\n")
	c.errors(&b)
	c.parts(&b)
	for i := range c.Levels {
		for _, warning := range c.Levels[i].Warnings() {
			fmt.Fprintf(&b, "%s: %s.\n", &c.Levels[i], warning)
		}
	}
	b.WriteString("\n" + c.verdict())
	if c.ClockNote != "" {
		fmt.Fprintf(&b, "Clock %s: %s.\n", c.Clock, c.ClockNote)
	}
	if c.Interrupted {
		b.WriteString("Interrupted: this is what was measured until then.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// errors is a row for each level, clock and kind of connection.
func (c *Calibration) errors(b *strings.Builder) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "Load\tClock\tConnections\tRequests\tTTFT\tITL\tE2E\t")
	for i := range c.Levels {
		l := &c.Levels[i]
		name := l.String()
		for k := range l.Groups {
			g := &l.Groups[k]
			connections := "kept"
			if g.New {
				connections = "new"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t\n", name, g.Clock, connections, g.Requests, g.TTFT, g.ITL, g.E2E)
			name = ""
		}
		if len(l.Groups) == 0 {
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t\t\t\t\n", name, "-", "-", 0)
		}
	}
	_ = t.Flush() // a strings.Builder takes everything
	b.WriteString("\n")
}

// parts is what the errors are made of and what the level cost, a row a level.
func (c *Calibration) parts(b *strings.Builder) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	b.WriteString("What they are made of (p99, ms), and what it cost:\n\n")
	fmt.Fprintln(t, "Load\tSend\tArrivals\tFlagged ones\tKnown to\tBundled\tSent late\tSimulator late\tCPU/request\tCPU/token\tSimulator's CPU\t")
	for i := range c.Levels {
		l := &c.Levels[i]
		g := l.group("")
		if g == nil {
			continue
		}
		of := l.CPU
		simulator := "-"
		if all := of.CoreSeconds + of.PluginSeconds + of.SimulatorSeconds; all.Exists() && all > 0 {
			simulator = fmt.Sprintf("%.0f%%", 100*float64(of.SimulatorSeconds/all))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", l, Milliseconds(g.Send.P99), Milliseconds(g.Exact.P99), Milliseconds(g.Flagged.P99), Milliseconds(l.Server.Width.P99), percent(l.BundledShare),
			Milliseconds(l.LateMS.P99), Milliseconds(l.Server.Late.P99), withUnit(of.RequestMS, "ms"), withUnit(of.TokenUS, "µs"), simulator)
	}
	_ = t.Flush()
	b.WriteString("\n")
}

// String is the three quantiles, "-" where there are none.
func (q Quantiles) String() string {
	if !q.P50.Exists() {
		return "-"
	}
	return Milliseconds(q.P50) + " / " + Milliseconds(q.P99) + " / " + Milliseconds(q.Max)
}

// Milliseconds writes a number of them in two significant digits, and not below
// a microsecond.
func Milliseconds(v metrics.Value) string {
	f := float64(v)
	switch {
	case !v.Exists():
		return "-"
	case f < 0.0005:
		return "0"
	case f >= 10:
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	digits := min(max(1-int(math.Floor(math.Log10(f))), 0), 3)
	return strconv.FormatFloat(f, 'f', digits, 64)
}

func percent(v metrics.Value) string {
	if !v.Exists() {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*float64(v))
}

func withUnit(v metrics.Value, unit string) string {
	if !v.Exists() {
		return "-"
	}
	return fmt.Sprintf("%.3g %s", float64(v), unit)
}

// verdict is what it comes to, in sentences.
func (c *Calibration) verdict() string {
	var b strings.Builder
	for i := range c.Levels {
		l := &c.Levels[i]
		if l.Searched {
			continue
		}
		if said := l.Within(""); said != "" {
			fmt.Fprintf(&b, "At %s: 99 of 100 reported times are within %s of what happened, which is known to %s ms (p99).\n", l, said, Milliseconds(l.Server.Width.P99))
		}
	}
	if p := c.Passage; p != nil {
		b.WriteString(c.passage(p) + "\n")
	}
	return b.String()
}

// finest is what errors are rounded up to: none is nothing.
const finest = metrics.Value(0.001)

// Within lists the errors of a level: "TTFT ±0.04 ms, ITL ±0.1 ms".
func (l *Level) Within(clock string) string {
	var parts []string
	for _, m := range []Metric{TTFT, TPOT, ITL, E2E} {
		if e := l.Error(m, clock); e.Exists() {
			parts = append(parts, fmt.Sprintf("%s ±%s ms", strings.ToUpper(string(m)), Milliseconds(max(e, finest))))
		}
	}
	return strings.Join(parts, ", ")
}

func (c *Calibration) passage(p *Passage) string {
	rate := len(c.Levels) > 0 && c.Levels[0].Rate > 0
	limit := strconv.FormatFloat(p.LimitMS, 'g', 3, 64)
	ended := ""
	if p.Ended != "" {
		ended = " (" + p.Ended + ")"
	}
	switch {
	case p.Within == 0 && p.Beyond == 0:
		return fmt.Sprintf("Nothing can be said of where the error passes %s ms%s.", limit, ended)
	case p.Beyond == 0:
		return fmt.Sprintf("The error stays within %s ms up to %s, the largest load tried%s.", limit, LoadName(p.Within, rate), ended)
	case p.Within == 0:
		return fmt.Sprintf("The error is above %s ms at %s already%s.", limit, LoadName(p.Beyond, rate), ended)
	}
	text := fmt.Sprintf("The error passes %s ms between %s and %s", limit, strconv.FormatFloat(p.Within, 'g', 6, 64), LoadName(p.Beyond, rate))
	for i := range c.Levels {
		if l := &c.Levels[i]; l.Client == "" && l.Load() == p.Beyond {
			m, e := l.Worst()
			text += fmt.Sprintf(": there a hundredth of the %s are %s ms or more wrong", strings.ToUpper(string(m)), Milliseconds(e))
			if l.Behind() {
				text += ", and the simulator itself is behind: on a machine of its own the client would go further"
			}
			break
		}
	}
	return text + "."
}
