package bench

import (
	"sync"
	"time"

	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/live"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// collector takes finished requests off the workers' hands and, on a goroutine
// of its own, derives their metrics, journals them and tells the display. The
// workers never wait for the disk, unless it falls behind by backlog requests.
type collector struct {
	task      backend.Task
	journal   *experiment.Journal
	display   *live.Display
	tokenizer counter
	saveTexts bool

	in   chan *metrics.Record
	done sync.WaitGroup

	requests []metrics.Request
	events   *metrics.EventStats
	short    int // answers that are shorter than asked for, though they should not be
	err      error
}

// counter counts the tokens of a text.
type counter interface{ Count(text string) int }

// backlog is how many finished requests may wait to be journaled.
const backlog = 16 << 10

func newCollector(task backend.Task, journal *experiment.Journal, display *live.Display, tokenizer counter, saveTexts bool) *collector {
	c := &collector{
		task: task, journal: journal, display: display, tokenizer: tokenizer, saveTexts: saveTexts,
		in: make(chan *metrics.Record, backlog), events: metrics.NewEventStats(),
	}
	c.done.Go(func() {
		for rec := range c.in {
			c.take(rec)
		}
	})
	return c
}

// finish waits until everything is journaled. The first error of the journal
// is returned; what came after it is in memory all the same.
func (c *collector) finish() error {
	close(c.in)
	c.done.Wait()
	return c.err
}

func (c *collector) take(rec *metrics.Record) {
	o := rec.Outcome
	c.count(rec)
	r := metrics.Derive(c.task, rec)
	c.requests = append(c.requests, r)
	if r.OK() {
		c.events.Add(o)
		if rec.OutputTokensAsked > 0 && r.OutputTokens.Exists() && r.OutputTokens < metrics.Value(rec.OutputTokensAsked) {
			c.short++
		}
	}
	entry := experiment.JournaledEnd{Metrics: r, Events: experiment.PackEvents(o.SendStart, o.Events)}
	if c.saveTexts {
		for _, choice := range o.Choices {
			entry.Texts = append(entry.Texts, experiment.ChoiceTexts{Text: choice.Text, Reasoning: choice.ReasoningText, Tool: choice.ToolText})
		}
	}
	if err := c.journal.Write(experiment.Entry{Request: &entry}); err != nil && c.err == nil {
		c.err = err
	}
	finished := live.Finished{OK: r.OK(), Cancelled: r.Cancelled()}
	if r.TTFT.Exists() {
		finished.TTFT = time.Duration(float64(r.TTFT) * float64(time.Second))
	}
	if r.E2ELatency.Exists() {
		finished.E2E = time.Duration(float64(r.E2ELatency) * float64(time.Second))
	}
	if r.OutputTokens.Exists() {
		finished.OutputTokens = int64(r.OutputTokens)
	}
	c.display.Observe(finished)
}

// count counts the tokens of an answer whose provider did not.
func (c *collector) count(rec *metrics.Record) {
	rec.OutputTokensCounted = -1
	o := rec.Outcome
	if c.tokenizer == nil || o.Status != backend.StatusOK {
		return
	}
	generated := c.task == backend.TextToText || c.task == backend.ImageTextToText
	if !generated || o.Usage.Output != nil && o.Usage.Reasoning != nil {
		return
	}
	total, reasoning := 0, 0
	for _, choice := range o.Choices {
		n := c.tokenizer.Count(choice.ReasoningText)
		reasoning += n
		total += n + c.tokenizer.Count(choice.Text) + c.tokenizer.Count(choice.ToolText)
	}
	rec.OutputTokensCounted, rec.ReasoningTokensCounted = total, reasoning
}
