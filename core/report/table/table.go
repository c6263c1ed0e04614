package table

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/clipperhouse/displaywidth"
	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// Options say how to print.
type Options struct {
	Width int // of the terminal in columns; 0: not limited
	// Dim shows figures that are smaller than this tool's own error in grey, by
	// codes for a terminal. They have a mark in any case.
	Dim bool
}

// Write prints the experiment. Where one table is too wide there are two, of
// throughput and of latency; where those are, each scenario has its own.
func Write(w io.Writer, e *experiment.Loaded, o Options) error {
	e = e.In(e.Metadata.MetricsTimeUnit)
	p := printer{e: e, width: o.Width}
	p.head, p.word, p.level = levelColumn(e.Runs)
	task := backend.Task(e.Metadata.Task)
	columns := present(columnsOf(task), e.Runs)
	text, err := p.fitted(columns)
	if err != nil {
		return fmt.Errorf("table: %w", err)
	}
	turns, err := p.turns()
	if err != nil {
		return fmt.Errorf("table: %w", err)
	}
	marked := doubtfulCell.MatchString(text)
	if o.Dim {
		text = grey(text)
	}
	client, err := p.client()
	if err != nil {
		return fmt.Errorf("table: %w", err)
	}
	text = p.limits() + text + p.caption(columns) + turns + p.failures() + p.tokens(task) + client + p.clocks() + p.ownError(marked) + p.warnings()
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	return nil
}

type printer struct {
	e          *experiment.Loaded
	width      int
	head, word string // of the level
	level      func(*experiment.Run) string
}

// caption says what the headings have no room for.
func (p *printer) caption(columns []column) string {
	var parts []string
	if slices.ContainsFunc(columns, func(c column) bool { return c.latency }) {
		parts = append(parts, "Latencies in "+map[metrics.Unit]string{metrics.InSeconds: "seconds", metrics.InMilliseconds: "milliseconds"}[p.e.Metadata.MetricsTimeUnit])
	}
	if slices.ContainsFunc(columns, func(c column) bool { return strings.HasPrefix(c.head, "Late") }) {
		parts = append(parts, "Late: how long after they were due requests were sent")
	}
	if slices.ContainsFunc(columns, func(c column) bool { return strings.Contains(c.head, star) }) {
		parts = append(parts, star+": from when the schedule wanted the request sent, the others from its first byte")
	}
	if slices.ContainsFunc(columns, func(c column) bool { return strings.HasPrefix(c.head, "RTF") }) {
		parts = append(parts, "RTF: time that a second of speech takes")
	}
	if o := p.objectives(); o != "" {
		parts = append(parts, "Good: "+o)
	}
	if parts == nil {
		return ""
	}
	return p.wrap(strings.Join(parts, ". ")+".", "", "") + "\n"
}

// fitted lays columns out so that they fit, as far as they can.
func (p *printer) fitted(columns []column) (text string, err error) {
	for _, layout := range []func([]column) (string, error){p.whole, p.halves, p.byScenario} {
		if text, err = layout(columns); err != nil || p.width == 0 || widest(text) <= p.width {
			break
		}
	}
	return text, err
}

// whole is everything in one table.
func (p *printer) whole(columns []column) (string, error) {
	return p.table(columns, p.e.Runs, true)
}

// halves are a table of throughput and one of latency.
func (p *printer) halves(columns []column) (string, error) {
	return p.two(columns, p.e.Runs)
}

// byScenario has the scenarios as headings, and as many tables under each as it
// takes.
func (p *printer) byScenario(columns []column) (string, error) {
	var all strings.Builder
	for _, s := range p.e.Scenarios() {
		var runs []experiment.Run
		for _, r := range p.e.Runs {
			if r.Figures.Scenario == s {
				runs = append(runs, r)
			}
		}
		all.WriteString(p.wrap(plain(s), "", ""))
		for _, latency := range []bool{false, true} {
			tables, err := p.pieces(ofKind(columns, latency), runs)
			if err != nil {
				return "", err
			}
			all.WriteString(tables)
		}
	}
	return all.String(), nil
}

// pieces are as many tables as it takes for each to fit, without scenarios.
func (p *printer) pieces(columns []column, runs []experiment.Run) (string, error) {
	text, err := p.table(columns, runs, false)
	if err != nil || p.width == 0 || widest(text) <= p.width || len(columns) < 2 {
		return text, err
	}
	left, err := p.pieces(columns[:len(columns)/2], runs)
	if err != nil {
		return "", err
	}
	right, err := p.pieces(columns[len(columns)/2:], runs)
	return left + right, err
}

// ofKind are the columns of latencies, or the others.
func ofKind(columns []column, latency bool) []column {
	return slices.DeleteFunc(slices.Clone(columns), func(c column) bool { return c.latency != latency })
}

func (p *printer) two(columns []column, runs []experiment.Run) (string, error) {
	both := ""
	for _, latency := range []bool{false, true} {
		if half := ofKind(columns, latency); len(half) > 0 {
			text, err := p.table(half, runs, true)
			if err != nil {
				return "", err
			}
			both += text
		}
	}
	return both, nil
}

// table renders columns of runs, with the scenario where it changes.
func (p *printer) table(columns []column, runs []experiment.Run, scenarios bool) (string, error) {
	var header []string
	var align []tw.Align
	if scenarios {
		header, align = append(header, "\nScenario"), append(align, tw.AlignLeft)
	}
	header, align = append(header, p.head), append(align, tw.AlignRight)
	for _, c := range columns {
		header = append(header, c.head)
		align = append(align, tw.AlignRight)
	}
	var rows [][]string
	last := ""
	for i := range runs {
		r := &runs[i]
		var row []string
		if scenarios {
			name := plain(r.Figures.Scenario)
			if i > 0 && name == last {
				name = ""
			} else {
				last = name
			}
			row = append(row, name)
		}
		row = append(row, p.level(r))
		for _, c := range columns {
			row = append(row, p.cell(c, r))
		}
		rows = append(rows, row)
	}
	return render(header, align, rows)
}

// render draws a table, and an empty line after it.
func render(header []string, align []tw.Align, rows [][]string) (string, error) {
	var out bytes.Buffer
	alignment := tw.CellAlignment{PerColumn: align}
	none := tw.BorderNone
	none.Overwrite = true
	t := tablewriter.NewTable(&out,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders: none,
			Symbols: tw.NewSymbols(tw.StyleLight),
			Settings: tw.Settings{
				Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off, ShowHeader: tw.On},
				Lines:      tw.Lines{ShowTop: tw.Off, ShowBottom: tw.Off, ShowHeaderLine: tw.On},
			},
		})),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAlignmentConfig(alignment), tablewriter.WithRowAlignmentConfig(alignment),
		tablewriter.WithTrimSpace(tw.Off), tablewriter.WithTrimLine(tw.Off))
	t.Header(header)
	for _, row := range rows {
		if err := t.Append(row); err != nil {
			return "", err
		}
	}
	if err := t.Render(); err != nil {
		return "", err
	}
	var trimmed strings.Builder
	for line := range strings.Lines(out.String()) {
		trimmed.WriteString(strings.TrimRightFunc(line, unicode.IsSpace) + "\n")
	}
	trimmed.WriteString("\n")
	return trimmed.String(), nil
}

// widest is the width of the longest line in columns of a terminal.
func widest(text string) int {
	w := 0
	for line := range strings.Lines(text) {
		w = max(w, displaywidth.String(strings.TrimRight(line, "\n")))
	}
	return w
}

// plain is text of others made fit for a terminal: one line, and no character
// that commands it.
func plain(text string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, text)), " ")
}
