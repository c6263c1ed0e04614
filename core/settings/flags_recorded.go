package settings

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/genai-bench/genai-bench/core/trace"
)

// recorded declares the flags of recorded traffic and of conversations.
func (b *Benchmark) recorded(d declarer) {
	d.text(&b.Trace, "trace", "file of recorded traffic to replay: when requests came, how long they and their answers were, what they shared; Mooncake, Bailian, BurstGPT, Azure, or own JSONL, told by the names of fields")
	b.TraceFormat = "auto"
	d.value(enumValue{&b.TraceFormat, append([]string{"auto"}, trace.Formats()...)}, "trace-format", "format of the trace; auto is told by the names of fields, which Mooncake and Bailian may have in common")
	b.TraceTimeUnit = "auto"
	d.value(enumValue{&b.TraceTimeUnit, []string{"auto", "s", "ms"}}, "trace-time-unit", "unit of the trace's times; auto is what the format has")
	d.value(count{&b.TraceBlockTokens, 1}, "trace-block-tokens", "tokens that one of the trace's hash ids stands for; default is what the format has")
	d.value(durationValue{&b.TraceFrom}, "trace-from", "leave out what came before, in the trace's own time, as 10m")
	d.value(durationValue{&b.TraceUntil}, "trace-until", "leave out what came from then on; default is the trace's end")
	d.value(factors{&b.TimeScale}, "time-scale", "factor on the times of the trace, repeatable, one run each: 0.5 sends twice as fast as it was recorded, 2 half as fast (default 1)")
	d.text(&b.Conversation, "conversation", "file of conversations whose users speak again, the server answering anew: ShareGPT-style JSON, or JSONL, a conversation a line")
	d.value(count{&b.SessionTurns, 1}, "session-turns", "turns of a conversation, each a size of the traffic scenario, with the answers before it as history; with --conversation at most so many")
	d.value(thinkTime{&b.TurnDelay}, "turn-delay", "pause in a conversation between an answer and the next turn: 2s, exponential:2s, uniform:1s,3s")
}

// factors is a repeatable list of positive factors; commas separate too.
type factors struct{ values *[]float64 }

func (v factors) String() string {
	if v.values == nil {
		return ""
	}
	var parts []string
	for _, f := range *v.values {
		parts = append(parts, strconv.FormatFloat(f, 'g', -1, 64))
	}
	return strings.Join(parts, ",")
}

func (v factors) Type() string { return "factor" }

func (v factors) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		f, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		switch {
		case err != nil || math.IsNaN(f):
			return fmt.Errorf("%q is not a number", part)
		case f < 1e-6 || f > 1e6:
			return errors.New("must be from 0.000001 to 1000000: 1 is as it was recorded, 0.5 twice as fast")
		}
		*v.values = append(*v.values, f)
	}
	return nil
}
