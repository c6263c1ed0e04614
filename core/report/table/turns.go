package table

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/olekukonko/tablewriter/tw"

	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/metrics"
)

// turns has a table for each run of conversations: their turns, one below the
// other, since what a turn costs depends on the history before it.
func (p *printer) turns() (string, error) {
	var b strings.Builder
	for i := range p.e.Runs {
		r := &p.e.Runs[i]
		if len(r.Figures.Turns) < 2 {
			continue
		}
		if b.Len() == 0 {
			b.WriteString("By turn of the conversation\n\n")
		}
		b.WriteString(p.wrap(p.run(r)+sessions(r.Figures.Sessions), "", ""))
		text, err := p.turnsOf(r)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// turnColumn is a column of a table of turns.
type turnColumn struct {
	head  string // two lines
	value func(*metrics.TurnFigures) string
}

func turnColumns() []turnColumn {
	type turn = metrics.TurnFigures
	return []turnColumn{
		{"\nTurn", func(t *turn) string {
			if t.OrLater {
				return strconv.Itoa(t.Turn) + "+"
			}
			return strconv.Itoa(t.Turn)
		}},
		{"\nOK", func(t *turn) string { return strconv.Itoa(t.Completed) }},
		{"\nFailed", func(t *turn) string { return strconv.Itoa(t.Failed) }},
		{"Input\ntokens", func(t *turn) string { return number(t.InputTokens.Mean) }},
		{"Cached\ntokens", func(t *turn) string { return number(t.CachedTokens.Mean) }},
		{"Output\ntokens", func(t *turn) string { return number(t.OutputTokens.Mean) }},
		{"TTFT\np50", func(t *turn) string { return number(t.TTFT.P50) }},
		{"TTFT\np99", func(t *turn) string { return number(t.TTFT.P99) }},
		{"E2E\np50", func(t *turn) string { return number(t.E2ELatency.P50) }},
		{"E2E\np99", func(t *turn) string { return number(t.E2ELatency.P99) }},
	}
}

// turnsOf is the table of one run, in as many pieces as it takes for each to fit.
func (p *printer) turnsOf(r *experiment.Run) (string, error) {
	all := slices.DeleteFunc(turnColumns(), func(c turnColumn) bool {
		return !slices.ContainsFunc(r.Figures.Turns, func(t metrics.TurnFigures) bool { return c.value(&t) != absent })
	})
	return p.turnPieces(r, all[0], all[1:])
}

func (p *printer) turnPieces(r *experiment.Run, turn turnColumn, columns []turnColumn) (string, error) {
	header, align := []string{turn.head}, []tw.Align{tw.AlignRight}
	for _, c := range columns {
		header, align = append(header, c.head), append(align, tw.AlignRight)
	}
	rows := make([][]string, len(r.Figures.Turns))
	for i := range rows {
		t := &r.Figures.Turns[i]
		rows[i] = append(rows[i], turn.value(t))
		for _, c := range columns {
			rows[i] = append(rows[i], c.value(t))
		}
	}
	text, err := render(header, align, rows)
	if err != nil || p.width == 0 || widest(text) <= p.width || len(columns) < 2 {
		return text, err
	}
	left, err := p.turnPieces(r, turn, columns[:len(columns)/2])
	if err != nil {
		return "", err
	}
	right, err := p.turnPieces(r, turn, columns[len(columns)/2:])
	return left + right, err
}

// sessions says what became of the conversations of a run.
func sessions(s *metrics.Sessions) string {
	if s == nil {
		return ""
	}
	text := fmt.Sprintf(": %d conversations, %d of them to their end", s.Begun, s.Completed)
	if n := s.Failed + s.Silent; n > 0 {
		text += fmt.Sprintf(", %d ended early (%d turns not sent)", n, s.TurnsNotSent)
	}
	if s.Unfinished > 0 {
		text += fmt.Sprintf(", %d cut off by the run's end (%d turns not sent)", s.Unfinished, s.TurnsLeft)
	}
	return text
}
