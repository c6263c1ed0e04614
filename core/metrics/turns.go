package metrics

// Sessions counts the conversations of a run. Every one that was begun is
// completed, failed, silent or unfinished.
type Sessions struct {
	Begun      int `json:"begun"`
	Completed  int `json:"completed"`  // had all of their turns answered
	Failed     int `json:"failed"`     // ended with a turn that failed, or that the client gave up on purpose
	Silent     int `json:"silent"`     // ended with an answer that has no text
	Unfinished int `json:"unfinished"` // were still held when the run ended
	// Turns that were never sent: because of a failed or silent turn before them,
	// and because of the run's end.
	TurnsNotSent int `json:"turns_not_sent"`
	TurnsLeft    int `json:"turns_left"`
}

// TurnFigures are the requests that are one and the same turn of their
// conversations. Statistics are as those of the run: of completed requests,
// warm-up and cool-down left out.
type TurnFigures struct {
	Turn         int   `json:"turn"`               // from 1
	OrLater      bool  `json:"or_later,omitempty"` // and all after it
	Completed    int   `json:"num_completed_requests"`
	Failed       int   `json:"num_error_requests"`
	TTFT         Stats `json:"ttft"`
	E2ELatency   Stats `json:"e2e_latency"`
	InputTokens  Stats `json:"num_input_tokens"` // the history is in them
	CachedTokens Stats `json:"num_cached_input_tokens"`
	OutputTokens Stats `json:"num_output_tokens"`
}

// turnsMax is how many turns have figures of their own; later ones share the
// last's.
const turnsMax = 50

// turns makes the figures by turn, where any request is of a conversation.
func (g *aggregation) turns() error {
	most := 0
	turn := make([]uint8, g.rows)
	if err := g.words(requestLayout().number("turn"), func(row int, word uint64) {
		turn[row] = uint8(min(word, turnsMax))
		most = max(most, int(min(word, turnsMax+1)))
	}); err != nil || most == 0 {
		return err
	}
	all := make([]TurnFigures, min(most, turnsMax))
	for i := range all {
		all[i] = TurnFigures{Turn: i + 1, OrLater: i+1 == turnsMax && most > turnsMax}
	}
	for row, c := range g.Table.phases {
		switch t := turn[row]; {
		case t == 0 || !c.inside():
		case c&succeeded != 0:
			all[t-1].Completed++
		case c&failed != 0:
			all[t-1].Failed++
		}
	}
	for _, m := range []struct {
		key  string
		into func(*TurnFigures) *Stats
	}{
		{"ttft", func(f *TurnFigures) *Stats { return &f.TTFT }},
		{"e2e_latency", func(f *TurnFigures) *Stats { return &f.E2ELatency }},
		{"num_input_tokens", func(f *TurnFigures) *Stats { return &f.InputTokens }},
		{"num_cached_input_tokens", func(f *TurnFigures) *Stats { return &f.CachedTokens }},
		{"num_output_tokens", func(f *TurnFigures) *Stats { return &f.OutputTokens }},
	} {
		columns := make([][]float64, len(all))
		if err := g.values(m.key, func(row int, v Value) {
			if t, c := turn[row], g.Table.phases[row]; t > 0 && c&succeeded != 0 && c.inside() {
				columns[t-1] = append(columns[t-1], float64(v))
			}
		}); err != nil {
			return err
		}
		for i := range all {
			*m.into(&all[i]) = Summarize(columns[i])
		}
	}
	g.a.Turns = all
	return nil
}
