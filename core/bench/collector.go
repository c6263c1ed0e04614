package bench

import (
	"errors"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/live"
	"github.com/genai-bench/genai-bench/core/machine"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// collector takes finished requests off the workers' hands and, on a goroutine
// of its own, counts their tokens, derives their metrics, journals them, puts
// them into the run's table and tells the display. The workers never wait for
// the disk, unless it falls behind by backlog requests. It keeps nothing of a
// request in memory.
type collector struct {
	task       backend.Task
	journal    *experiment.Journal
	display    *live.Display
	tokenizer  counter
	saveTexts  bool
	objectives []metrics.Objective
	finished   func(*metrics.Request) // is told of each; set before the first

	in   chan *metrics.Record
	done sync.WaitGroup

	spool  *experiment.Spool
	table  *metrics.Table
	entry  experiment.JournaledEnd // of the request at hand
	packed experiment.Events       // its events
	watch  *machine.Watch
	usage  machine.Usage
	err    error
}

// counter counts the tokens of a text.
type counter interface{ Count(text string) int }

// backlog is how many finished requests may wait to be journaled.
const backlog = 16 << 10

// newCollector begins to collect a run's requests and to watch what they cost
// this machine. It is to be finished, and then closed.
func (x *experimenter) newCollector(run metrics.Run) (*collector, error) {
	spool, err := x.folder.NewSpool()
	if err != nil {
		return nil, err
	}
	c := &collector{
		task: x.plan.Task, journal: x.journal, display: x.display, tokenizer: x.counter(), saveTexts: x.plan.Settings.SaveTexts,
		objectives: run.Objectives, in: make(chan *metrics.Record, backlog),
		spool: spool, table: metrics.NewTable(spool, run.Cuts()),
		watch: machine.Start(x.pool.PIDs, x.display.CPU),
	}
	c.done.Go(func() {
		for rec := range c.in {
			c.take(rec)
		}
	})
	return c, nil
}

// finish waits until everything is journaled. The first error of the journal or
// the table is returned; what came after it was tried all the same.
func (c *collector) finish() error {
	close(c.in)
	c.done.Wait()
	c.usage = c.watch.Stop()
	return c.err
}

// close gives the table's place on the disk back.
func (c *collector) close() { _ = c.spool.Close() } // what was written to it does not matter any more

func (c *collector) take(rec *metrics.Record) {
	o := rec.Outcome
	c.count(rec)
	c.entry.Metrics = metrics.Derive(c.task, rec)
	r := &c.entry.Metrics
	r.Judge(c.objectives)
	c.entry.Events, c.entry.Texts = c.packed.Pack(o.SendStart, o.Events), c.entry.Texts[:0]
	if c.saveTexts {
		for _, choice := range o.Choices {
			c.entry.Texts = append(c.entry.Texts, experiment.ChoiceTexts{Text: choice.Text, Reasoning: choice.ReasoningText, Tool: choice.ToolText})
		}
	}
	if err := errors.Join(c.journal.Write(experiment.Entry{Request: &c.entry}), c.table.Add(r, o.Events)); err != nil && c.err == nil {
		c.err = err
	}
	finished := live.Finished{OK: r.OK(), Cancelled: r.Cancelled(), Aborted: r.Aborted(), TTFT: duration(r.TTFT), E2E: duration(r.E2ELatency),
		Late: duration(r.DispatchLateness) + duration(r.SendLateness), ReadLag: duration(r.ReadLagMax)}
	if r.OutputTokens.Exists() {
		finished.OutputTokens = int64(r.OutputTokens)
	}
	c.display.Observe(finished)
	if c.finished != nil {
		c.finished(r)
	}
}

// duration is a metric in seconds as a time; 0 where it does not exist.
func duration(v metrics.Value) time.Duration {
	if !v.Exists() {
		return 0
	}
	return time.Duration(float64(v) * float64(time.Second))
}

// count counts the tokens of an answer, also where its provider did: the two
// counts are shown side by side. It costs some 10 µs a kilobyte of text, off the
// path of the requests.
func (c *collector) count(rec *metrics.Record) {
	rec.OutputTokensCounted = -1
	o := rec.Outcome
	if c.tokenizer == nil || o.Status != backend.StatusOK || !metrics.Generates(c.task) {
		return
	}
	total, reasoning, bytes := 0, 0, 0
	for _, choice := range o.Choices {
		bytes += len(choice.Text) + len(choice.ReasoningText) + len(choice.ToolText)
		n := c.tokenizer.Count(choice.ReasoningText)
		reasoning += n
		total += n + c.tokenizer.Count(choice.Text) + c.tokenizer.Count(choice.ToolText)
	}
	if bytes == 0 && o.Usage.Output != nil {
		return // there is no text to hold the provider's count against
	}
	rec.OutputTokensCounted, rec.ReasoningTokensCounted = total, reasoning
}

// describe notes on the record what its request is counted in, other than the
// tokens of a prompt.
func describe(rec *metrics.Record, item *prompt.Item) {
	switch q := item.Request; {
	case q.Embed != nil:
		rec.Inputs = len(q.Embed.Inputs) + len(q.Embed.Images)
	case q.Rerank != nil:
		rec.Inputs = len(q.Rerank.Documents)
	case q.Speech != nil:
		rec.Characters = utf8.RuneCountInString(q.Speech.Text)
	}
	if rec.Inputs > 0 && rec.InputTokensAsked > 0 {
		// The scenario names the size of one document; the request has a batch of
		// them, all exact.
		rec.InputTokensAsked = item.InputTokens
	}
}
