package table

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"

	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// failures says of every run what failed how often, and the first message of
// the most frequent kind.
func (p *printer) failures() string {
	var lines []string
	for i := range p.e.Runs {
		r := &p.e.Runs[i]
		a := &r.Figures
		if a.NumErrorRequests == 0 {
			continue
		}
		word := ""
		kinds, kind := a.ErrorClasses, func(q *metrics.Request) string { return q.ErrorClass }
		if len(kinds) == 0 { // the Python tool knows only codes
			word = "with code "
			kinds, kind = a.ErrorCodesFrequency, func(q *metrics.Request) string { return fmt.Sprint(*q.ErrorCode) }
		}
		names := slices.SortedFunc(maps.Keys(kinds), func(x, y string) int {
			return cmp.Or(cmp.Compare(kinds[y], kinds[x]), cmp.Compare(x, y))
		})
		var counts []string
		for _, name := range names {
			counts = append(counts, fmt.Sprintf("%d %s%s", kinds[name], word, name))
		}
		text := fmt.Sprintf("%s: %d of %d requests: %s", p.run(r), a.NumErrorRequests, a.NumRequests, strings.Join(counts, ", "))
		if len(names) > 0 {
			message, known := a.ErrorExamples[names[0]]
			if !known {
				message = firstMessage(r.Requests, func(q *metrics.Request) bool { return kind(q) == names[0] })
			}
			if message = shown(message); message != "" {
				text += ` ("` + message + `")`
			}
		}
		lines = append(lines, text)
	}
	return p.list("Failed requests", lines)
}

// firstMessage is the first message of a kind of failure among requests. A file
// that cannot be read to there has none: its figures are shown all the same.
func firstMessage(requests experiment.Requests, of func(*metrics.Request) bool) string {
	if requests == nil {
		return ""
	}
	for q, err := range requests {
		if err != nil {
			return ""
		}
		if q.ErrorCode != nil && q.ErrorMessage != nil && of(q) {
			return *q.ErrorMessage
		}
	}
	return ""
}

// shown is a message as a table has room for it.
func shown(message string) string {
	message = plain(message)
	const longest = 160 // characters
	if utf8.RuneCountInString(message) > longest {
		message = string([]rune(message)[:longest-1]) + "…"
	}
	return message
}

// limits says at the top of the report where the client was the bottleneck.
func (p *printer) limits() string {
	var lines []string
	for i := range p.e.Runs {
		r := &p.e.Runs[i]
		if len(r.Figures.ClientLimits) > 0 {
			lines = append(lines, p.run(r)+": "+plain(strings.Join(r.Figures.ClientLimits, "; ")))
		}
	}
	if lines == nil {
		return ""
	}
	heading := "The client was the bottleneck: these runs tell of this machine as much as of the server."
	return p.list(strings.TrimSuffix(p.wrap(heading, "", ""), "\n"), lines)
}

// objectives says what a good request is.
func (p *printer) objectives() string {
	for i := range p.e.Runs {
		if g := p.e.Runs[i].Figures.Goodput; g != nil {
			var parts []string
			for _, o := range g.Objectives {
				parts = append(parts, plain(o.Metric)+" ≤ "+o.Limit.String())
			}
			return strings.Join(parts, ", ") + ", failed requests counted against"
		}
	}
	return ""
}

// tokens says whose counts of tokens the figures are made of, and how far the
// server's and the tokenizer's are apart.
func (p *printer) tokens(task backend.Task) string {
	text := ""
	for _, side := range []struct {
		name string
		of   func(*metrics.TokenTruth) metrics.TokenCounts
	}{
		{"Input", func(t *metrics.TokenTruth) metrics.TokenCounts { return t.Input }},
		{"Output", func(t *metrics.TokenTruth) metrics.TokenCounts { return t.Output }},
	} {
		var usage, own, compared, differ int
		var difference float64
		for i := range p.e.Runs {
			c := side.of(&p.e.Runs[i].Figures.Tokens)
			usage, own, compared, differ = usage+c.FromUsage, own+c.FromTokenizer, compared+c.Compared, differ+c.Differ
			if c.Compared > 0 && c.MeanDifference.Exists() {
				difference += float64(c.MeanDifference) * float64(c.Compared)
			}
		}
		if usage+own == 0 || side.name == "Output" && !metrics.Generates(task) {
			continue
		}
		var sources []string
		if usage > 0 {
			sources = append(sources, fmt.Sprintf("the server's count (%d requests)", usage))
		}
		if own > 0 {
			sources = append(sources, fmt.Sprintf("the tokenizer's (%d)", own))
		}
		line := side.name + " tokens: " + strings.Join(sources, ", ") + "."
		if compared > 0 {
			line += fmt.Sprintf(" Against the tokenizer's, %s of %d differ by more than 1 %%%s.", noneOr(differ), compared, moreOrFewer(difference/float64(compared)))
		}
		text += p.wrap(line, "", "")
	}
	if text == "" {
		return ""
	}
	return text + "\n"
}

func noneOr(n int) string {
	if n == 0 {
		return "none"
	}
	return strconv.Itoa(n)
}

// moreOrFewer says by how many tokens the server's count differs on average.
func moreOrFewer(d float64) string {
	switch {
	case math.Abs(d) < 0.005:
		return ""
	case d < 0:
		return "; the server counts " + number(metrics.Value(-d)) + " fewer a request"
	}
	return "; the server counts " + number(metrics.Value(d)) + " more a request"
}

// clocks says by which clocks requests were timed, and how many of the output
// events have no exact time of their own.
func (p *printer) clocks() string {
	requests := map[string]int{}
	bundled := metrics.None()
	for i := range p.e.Runs {
		a := &p.e.Runs[i].Figures
		for clock, n := range a.Clocks {
			requests[clock] += n
		}
		if a.BundledShare.Exists() && (!bundled.Exists() || a.BundledShare > bundled) {
			bundled = a.BundledShare
		}
	}
	var parts []string
	for _, clock := range slices.Sorted(maps.Keys(requests)) {
		parts = append(parts, fmt.Sprintf("%s (%d requests)", plain(clock), requests[clock]))
	}
	if parts == nil {
		return "" // nothing was stamped: a share of no events says nothing
	}
	text := "Timed by: " + strings.Join(parts, ", ") + "."
	if note := plain(p.e.Metadata.ClockNote); note != "" {
		text += " A better clock: " + strings.TrimSuffix(note, ".") + "."
	}
	if bundled.Exists() {
		text += fmt.Sprintf(" Output events read several at a time: at most %.1f %% in a run.", 100*float64(bundled))
	}
	return p.wrap(text, "", "") + "\n"
}

// warnings lists each warning once, with the runs that it is about.
func (p *printer) warnings() string {
	var order []string
	about := map[string][]string{}
	for i := range p.e.Runs {
		r := &p.e.Runs[i]
		for _, w := range r.Figures.WarningsOfRun {
			w = plain(w)
			if about[w] == nil {
				order = append(order, w)
			}
			about[w] = append(about[w], p.run(r))
		}
	}
	var lines []string
	for _, w := range order {
		where := strings.Join(about[w], "; ")
		if n := len(about[w]); n == len(p.e.Runs) && n > 1 {
			where = "every run"
		}
		lines = append(lines, where+": "+w)
	}
	return p.list("Warnings", lines)
}

// run names a run: "D(100,100), concurrency 8".
func (p *printer) run(r *experiment.Run) string {
	return fmt.Sprintf("%s, %s %s", plain(r.Figures.Scenario), p.word, p.level(r))
}

// list is a heading with items, wrapped at the width.
func (p *printer) list(heading string, items []string) string {
	if len(items) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(heading + "\n")
	for _, item := range items {
		b.WriteString(p.wrap(item, "  - ", "    "))
	}
	b.WriteString("\n")
	return b.String()
}

// wrap breaks text at spaces, and a word that is longer than a line where the
// line ends.
func (p *printer) wrap(text, first, rest string) string {
	var b strings.Builder
	line, empty := first, true
	for word := range strings.FieldsSeq(text) {
		if !empty && p.width > 0 && displaywidth.String(line)+1+displaywidth.String(word) > p.width {
			b.WriteString(line + "\n")
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		for _, r := range word {
			if !empty && p.width > 0 && displaywidth.String(line)+displaywidth.Rune(r) > p.width {
				b.WriteString(line + "\n")
				line = rest
			}
			line, empty = line+string(r), false
		}
	}
	return b.String() + line + "\n"
}
