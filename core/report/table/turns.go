package table

import (
	"fmt"
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
		text, err := turnsOf(r)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// turnsOf is the table of one run.
func turnsOf(r *experiment.Run) (string, error) {
	type turns = metrics.TurnFigures
	columns := []struct {
		head  string
		value func(*turns) string
	}{
		{"\nTurn", func(t *turns) string {
			if t.OrLater {
				return strconv.Itoa(t.Turn) + "+"
			}
			return strconv.Itoa(t.Turn)
		}},
		{"\nOK", func(t *turns) string { return strconv.Itoa(t.Completed) }},
		{"\nFailed", func(t *turns) string { return strconv.Itoa(t.Failed) }},
		{"Input\ntokens", func(t *turns) string { return number(t.InputTokens.Mean) }},
		{"Cached\ntokens", func(t *turns) string { return number(t.CachedTokens.Mean) }},
		{"Output\ntokens", func(t *turns) string { return number(t.OutputTokens.Mean) }},
		{"TTFT\np50", func(t *turns) string { return number(t.TTFT.P50) }},
		{"TTFT\np99", func(t *turns) string { return number(t.TTFT.P99) }},
		{"E2E\np50", func(t *turns) string { return number(t.E2ELatency.P50) }},
		{"E2E\np99", func(t *turns) string { return number(t.E2ELatency.P99) }},
	}
	var header []string
	var align []tw.Align
	rows := make([][]string, len(r.Figures.Turns))
	for _, c := range columns {
		cells := make([]string, len(rows))
		any := false
		for i := range rows {
			cells[i] = c.value(&r.Figures.Turns[i])
			any = any || cells[i] != absent
		}
		if !any {
			continue
		}
		header, align = append(header, c.head), append(align, tw.AlignRight)
		for i := range rows {
			rows[i] = append(rows[i], cells[i])
		}
	}
	return render(header, align, rows)
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
