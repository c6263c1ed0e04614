package table

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/genai-bench/genai-bench/core/calibrate"
	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/metrics"
)

// doubtful marks figures that are smaller than this tool's own error.
const doubtful = "~"

// cell is a run's figure in a column.
func (p *printer) cell(c column, r *experiment.Run) string {
	text := c.value(&r.Figures)
	if c.metric == "" || text == absent {
		return text
	}
	l := p.calibrated(r)
	if l == nil {
		return text
	}
	limit := l.Error(c.metric, mostly(r.Figures.Clocks)) // milliseconds
	if p.e.Metadata.MetricsTimeUnit == metrics.InSeconds {
		limit /= 1000
	}
	if limit.Exists() && c.figure(&r.Figures) < limit {
		return doubtful + text
	}
	return text
}

// calibrated is the calibration at a run's level, or nil.
func (p *printer) calibrated(r *experiment.Run) *calibrate.Level {
	c := p.e.Metadata.Calibration
	if c == nil || r.Figures.IterationType == "batch_size" {
		return nil
	}
	return c.For(r.Figures.NumConcurrency, r.Figures.RequestRate)
}

// mostly is the clock by which the most requests were timed.
func mostly(clocks map[string]int) string {
	most := ""
	for _, clock := range slices.Sorted(maps.Keys(clocks)) {
		if most == "" || clocks[clock] > clocks[most] {
			most = clock
		}
	}
	return most
}

// doubtfulCell is such a figure in a table that has been laid out.
var doubtfulCell = regexp.MustCompile(`(^|\s)(` + doubtful + `[0-9][0-9.e+-]*)`)

// grey dims the figures that are smaller than this tool's error: SGR 2 of ECMA-48.
func grey(text string) string { return doubtfulCell.ReplaceAllString(text, "$1\x1b[2m$2\x1b[0m") }

// ownError says how far this tool's times may be from what happened, as far as
// that is known.
func (p *printer) ownError(marked bool) string {
	c := p.e.Metadata.Calibration
	if c == nil {
		if p.e.Metadata.Clock == "" {
			return "" // another tool's
		}
		return p.wrap("How far these times are off was not measured (benchmark --calibrate does; genai-bench calibrate tells of any load).", "", "") + "\n"
	}
	var lines, missing []string
	seen := map[string]bool{}
	for i := range p.e.Runs {
		r := &p.e.Runs[i]
		name := p.word + " " + p.level(r)
		if seen[name] {
			continue
		}
		seen[name] = true
		l := p.calibrated(r)
		if l == nil || len(l.Groups) == 0 {
			missing = append(missing, name)
			continue
		}
		line := name + ": " + plain(l.Within(mostly(r.Figures.Clocks)))
		for _, w := range l.Warnings() {
			line += "; " + plain(w)
		}
		lines = append(lines, line)
	}
	if missing != nil {
		lines = append(lines, "not measured at "+strings.Join(missing, ", "))
	}
	heading := fmt.Sprintf("This tool's own error on this machine, by the %s clock (99 of 100 times are within it)", plain(c.Clock))
	if marked {
		heading += "; " + doubtful + " marks figures smaller than that"
	}
	return p.list(strings.TrimSuffix(p.wrap(heading+":", "", ""), "\n"), lines)
}
