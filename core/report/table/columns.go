package table

import (
	"cmp"
	"math"
	"strconv"

	"github.com/genai-bench/genai-bench/core/calibrate"
	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// column is one figure of the runs.
type column struct {
	head    string // two lines
	latency bool   // belongs to the latencies' table, where there are two
	value   func(*metrics.Aggregate) string
	// Of a latency that this tool measures with an error.
	metric calibrate.Metric
	figure func(*metrics.Aggregate) metrics.Value
}

func figure(head string, of func(*metrics.Aggregate) metrics.Value) column {
	return column{head: head, value: func(a *metrics.Aggregate) string { return number(of(a)) }}
}

func latency(head string, of func(*metrics.Aggregate) metrics.Value) column {
	c := figure(head, of)
	c.latency = true
	return c
}

// timed is a latency whose error is that of a metric.
func timed(m calibrate.Metric, head string, of func(*metrics.Aggregate) metrics.Value) column {
	c := latency(head, of)
	c.metric, c.figure = m, of
	return c
}

func counted(head string, of func(*metrics.Aggregate) int) column {
	return column{head: head, value: func(a *metrics.Aggregate) string { return strconv.Itoa(of(a)) }}
}

// countedIfAny is left out where there are none in any run.
func countedIfAny(head string, of func(*metrics.Aggregate) int) column {
	return column{head: head, value: func(a *metrics.Aggregate) string {
		if of(a) == 0 {
			return absent
		}
		return strconv.Itoa(of(a))
	}}
}

// columnsOf are what there is to tell of a task. Those without a value in any
// run are left out later.
func columnsOf(task backend.Task) []column {
	columns := []column{
		counted("\nOK", func(a *metrics.Aggregate) int { return a.NumCompletedRequests }),
		counted("\nFailed", func(a *metrics.Aggregate) int { return a.NumErrorRequests }),
		countedIfAny("Can-\ncelled", func(a *metrics.Aggregate) int { return a.NumCancelledRequests }),
		countedIfAny("\nAborted", func(a *metrics.Aggregate) int { return a.NumAbortedRequests }),
		// Of the open loop, whose level is what was asked for.
		figure("Achieved\nreq/s", func(a *metrics.Aggregate) metrics.Value {
			if a.Window.AchievedRate <= 0 || a.Window.AskedRate <= 0 || a.Sessions != nil {
				return metrics.None()
			}
			return metrics.Value(a.Window.AchievedRate)
		}),
		figure("Achieved\nsess./s", func(a *metrics.Aggregate) metrics.Value {
			if a.Window.AchievedRate <= 0 || a.Window.AskedRate <= 0 || a.Sessions == nil {
				return metrics.None()
			}
			return metrics.Value(a.Window.AchievedRate)
		}),
		figure("\nRPS", func(a *metrics.Aggregate) metrics.Value { return a.RequestsPerSecond }),
		figure("Good\nreq/s", func(a *metrics.Aggregate) metrics.Value {
			if a.Goodput == nil {
				return metrics.None()
			}
			return a.Goodput.RequestsPerSecond
		}),
		figure("Good\n%", func(a *metrics.Aggregate) metrics.Value {
			if a.Goodput == nil {
				return metrics.None()
			}
			return 100 * a.Goodput.Share
		}),
	}
	columns = append(columns, throughput(task)...)
	columns = append(columns, latencies(task)...)
	return append(columns, latency("Late\np99", func(a *metrics.Aggregate) metrics.Value { return a.AddedStats.Lateness.P99 }))
}

// throughput is what a task's answers are counted in.
func throughput(task backend.Task) []column {
	input := figure("Input\ntok/s", func(a *metrics.Aggregate) metrics.Value { return a.MeanInputThroughput })
	inputs := func(head string) column {
		return figure(head, func(a *metrics.Aggregate) metrics.Value { return a.TaskRates.Inputs })
	}
	switch task {
	case backend.TextToText, backend.ImageTextToText:
		return []column{figure("Output\ntok/s", func(a *metrics.Aggregate) metrics.Value { return a.MeanOutputThroughput }), input}
	case backend.TextToEmbeddings:
		return []column{inputs("Texts\n/s"), input}
	case backend.ImageToEmbedding:
		return []column{inputs("Images\n/s")}
	case backend.TextToRerank:
		return []column{inputs("Docs\n/s"), input}
	case backend.TextToImage:
		return []column{figure("Images\n/s", func(a *metrics.Aggregate) metrics.Value { return a.TaskRates.Images })}
	case backend.TextToSpeech:
		return []column{
			figure("Chars\n/s", func(a *metrics.Aggregate) metrics.Value { return a.TaskRates.Characters }),
			figure("Audio\nbytes/s", func(a *metrics.Aggregate) metrics.Value { return a.TaskRates.AudioBytes }),
			figure("Audio/req\nbytes/s", func(a *metrics.Aggregate) metrics.Value { return a.Stats.AudioThroughput.Mean }),
			figure("RTF\np50", func(a *metrics.Aggregate) metrics.Value { return a.AddedStats.RealTimeFactor.P50 }),
		}
	}
	return nil
}

// latencies are the times that mean something for a task. Those with a star are
// from when the schedule of an open loop wanted the request sent.
func latencies(task backend.Task) []column {
	intended := func(m calibrate.Metric, head string, of func(*metrics.Aggregate) metrics.Value) column {
		return timed(m, head, func(a *metrics.Aggregate) metrics.Value {
			if a.RequestRate <= 0 {
				return metrics.None()
			}
			return of(a)
		})
	}
	var columns []column
	if first := metrics.FirstOutput(task); first != "" {
		columns = append(columns,
			timed(calibrate.TTFT, first+"\np50", func(a *metrics.Aggregate) metrics.Value { return a.Stats.TTFT.P50 }),
			timed(calibrate.TTFT, first+"\np99", func(a *metrics.Aggregate) metrics.Value { return a.Stats.TTFT.P99 }),
			intended(calibrate.TTFT, first+star+"\np99", func(a *metrics.Aggregate) metrics.Value { return a.AddedStats.TTFTFromIntended.P99 }))
	}
	if metrics.Generates(task) {
		columns = append(columns,
			timed(calibrate.TPOT, "TPOT\np50", func(a *metrics.Aggregate) metrics.Value { return a.Stats.TPOT.P50 }),
			timed(calibrate.TPOT, "TPOT\np99", func(a *metrics.Aggregate) metrics.Value { return a.Stats.TPOT.P99 }),
			timed(calibrate.ITL, "ITL\np99", func(a *metrics.Aggregate) metrics.Value { return a.AddedStats.ITL.P99 }))
	}
	return append(columns,
		timed(calibrate.E2E, "E2E\np50", func(a *metrics.Aggregate) metrics.Value { return a.Stats.E2ELatency.P50 }),
		timed(calibrate.E2E, "E2E\np99", func(a *metrics.Aggregate) metrics.Value { return a.Stats.E2ELatency.P99 }),
		intended(calibrate.E2E, "E2E"+star+"\np99", func(a *metrics.Aggregate) metrics.Value { return a.AddedStats.E2EFromIntended.P99 }))
}

// star marks latencies from the intended send.
const star = "*"

// present drops the columns that say nothing about any run.
func present(columns []column, runs []experiment.Run) []column {
	var kept []column
	for _, c := range columns {
		for i := range runs {
			if c.value(&runs[i].Figures) != absent {
				kept = append(kept, c)
				break
			}
		}
	}
	return kept
}

// absent stands for what does not exist.
const absent = "-"

// number is a value in three significant digits, integers whole.
func number(v metrics.Value) string {
	f := float64(v)
	if !v.Exists() {
		return absent
	}
	if f == 0 {
		return "0"
	}
	magnitude := int(math.Floor(math.Log10(math.Abs(f))))
	if magnitude > 8 || magnitude < -6 {
		return strconv.FormatFloat(f, 'g', 3, 64)
	}
	return strconv.FormatFloat(f, 'f', max(2-magnitude, 0), 64)
}

// levelColumn says what numbers the runs of a scenario, and the number.
func levelColumn(runs []experiment.Run) (head, word string, of func(*experiment.Run) string) {
	for _, r := range runs {
		if r.Figures.RequestRate > 0 {
			head := "Asked\nreq/s"
			if r.Figures.Sessions != nil { // whose beginnings the rate is of
				head = "Asked\nsess./s"
			}
			return head, "rate", func(r *experiment.Run) string {
				rate := cmp.Or(r.Figures.RequestRate, float64(r.Level)/1000)
				if r.Figures.TimeScale > 0 { // a mean, of a trace
					return number(metrics.Value(rate))
				}
				return strconv.FormatFloat(rate, 'g', -1, 64)
			}
		}
	}
	plain := func(r *experiment.Run) string { return strconv.Itoa(r.Level) }
	for _, r := range runs {
		if r.Figures.IterationType == "batch_size" {
			return "Batch\nsize", "batch size", plain
		}
	}
	return "\nConc.", "concurrency", plain
}
