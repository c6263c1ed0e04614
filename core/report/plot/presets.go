package plot

import (
	"slices"
	"strings"
)

// Labels of the presets; subplot titles are file names, and exact.
const (
	outputThroughputLabel = "Output Throughput of Server (tokens/s)"
	totalThroughputLabel  = "Total Throughput (Input + Output) of Server (tokens/s)"
	inferenceSpeedLabel   = "Output Inference Speed per Request (tokens/s)"
	rpsLabel              = "RPS (req/s)"
	audioLabel            = "Audio Throughput per Request (bytes/s)"

	outputThroughput = "mean_output_throughput_tokens_per_s"
	inputThroughput  = "mean_input_throughput_tokens_per_s"
	totalThroughput  = "mean_total_tokens_throughput_tokens_per_s"
	rps              = "requests_per_second"
	concurrency      = "num_concurrency"
	errorRate        = "error_rate"
)

// Preset returns a configuration by its name, those of the Python tool, and
// whether there is one of that name. Each call makes a new one.
func Preset(name string) (Config, bool) {
	switch name {
	case "2x4_default":
		return Config{Layout{2, 4, []int{32, 12}}, append([]Plot{
			{Title: "Output Inference Speed per Request vs Output Throughput of Server", XField: outputThroughput, XLabel: outputThroughputLabel, YField: "stats.output_inference_speed.mean", YLabel: inferenceSpeedLabel},
			{Title: "TTFT vs Output Throughput of Server", XField: outputThroughput, XLabel: outputThroughputLabel, YField: "stats.ttft.mean", YLabel: "TTFT (s)", Position: [2]int{0, 1}},
			{Title: "Output Inference Speed per Request vs Total Throughput (Input + Output) of Server", XField: totalThroughput, XLabel: totalThroughputLabel, YField: "stats.output_inference_speed.mean", YLabel: inferenceSpeedLabel, Position: [2]int{1, 0}},
			{Title: "TTFT vs Total Throughput (Input + Output) of Server", XField: totalThroughput, XLabel: totalThroughputLabel, YField: "stats.ttft.mean", YLabel: "TTFT (s)", Position: [2]int{1, 1}},
		}, latencyAndErrors()...)}, true
	case "2x4_tts":
		return Config{Layout{2, 4, []int{32, 12}}, append([]Plot{
			{Title: "Audio Throughput per Request vs RPS", XField: rps, XLabel: rpsLabel, YField: "stats.audio_throughput.mean", YLabel: audioLabel},
			{Title: "TTFB vs RPS", XField: rps, XLabel: rpsLabel, YField: "stats.ttft.mean", YLabel: "TTFB (s)", YScale: "linear", Position: [2]int{0, 1}},
			{Title: "Audio Throughput per Request vs Concurrency", XField: concurrency, XLabel: "Concurrency", YField: "stats.audio_throughput.mean", YLabel: audioLabel, Position: [2]int{1, 0}},
			{Title: "TTFB vs Concurrency", XField: concurrency, XLabel: "Concurrency", YField: "stats.ttft.mean", YLabel: "TTFB (s)", YScale: "linear", Position: [2]int{1, 1}},
		}, latencyAndErrors()...)}, true
	case "simple_2x2":
		return Config{Layout{2, 2, []int{16, 12}}, []Plot{
			{Title: "Throughput vs Latency", XField: outputThroughput, YField: "stats.e2e_latency.mean"},
			{Title: "RPS vs Error Rate", XField: rps, YField: errorRate, Type: "scatter", Position: [2]int{0, 1}},
			{Title: "Concurrency vs TTFT", XField: concurrency, YField: "stats.ttft.mean", YScale: "linear", Position: [2]int{1, 0}},
			{Title: "Throughput Distribution", XField: concurrency, YField: totalThroughput, Position: [2]int{1, 1}},
		}}, true
	case "multi_line_latency":
		return Config{Layout{2, 2, []int{16, 12}}, []Plot{
			{Title: "Latency Percentiles Comparison", XField: rps, XLabel: "Requests Per Second", YLabel: "Latency (s)", YFields: []YField{
				{"stats.e2e_latency.mean", "Mean Latency", "blue", "-"},
				{"stats.e2e_latency.p90", "P90 Latency", "orange", "--"},
				{"stats.e2e_latency.p99", "P99 Latency", "red", "-."},
			}},
			{Title: "TTFT Performance Analysis", XField: outputThroughput, XLabel: "Output Throughput (tokens/s)", YLabel: "Time to First Token (s) (log scale)", YScale: "log", YFields: []YField{
				{"stats.ttft.mean", "Mean TTFT (s)", "green", "-"},
				{"stats.ttft.p95", "P95 TTFT (s)", "purple", "--"},
			}, Position: [2]int{0, 1}},
			{Title: "Throughput Components", XField: concurrency, XLabel: "Concurrency Level", YLabel: "Throughput (tokens/s)", YFields: []YField{
				{outputThroughput, "Output Throughput", "", ""},
				{totalThroughput, "Total Throughput", "", ""},
			}, Position: [2]int{1, 0}},
			{Title: "Request Success Rate", XField: concurrency, XLabel: "Concurrency Level", YField: errorRate, YLabel: "Error Rate", Type: "bar", Position: [2]int{1, 1}},
		}}, true
	case "single_scenario_analysis":
		return Config{Layout{2, 2, []int{16, 12}}, []Plot{
			{Title: "Latency Percentiles vs RPS", XField: rps, XLabel: "Requests Per Second", YLabel: "E2E Latency (s)", YFields: []YField{
				{"stats.e2e_latency.mean", "Mean", "blue", "-"},
				{"stats.e2e_latency.p90", "P90", "orange", "--"},
				{"stats.e2e_latency.p99", "P99", "red", "-."},
			}},
			{Title: "TTFT Analysis", XField: outputThroughput, XLabel: "Output Throughput (tokens/s)", YLabel: "TTFT (s)", YFields: []YField{
				{"stats.ttft.mean", "Mean TTFT (s)", "green", "-"},
				{"stats.ttft.p95", "P95 TTFT (s)", "purple", "--"},
			}, Position: [2]int{0, 1}},
			{Title: "Throughput vs Concurrency", XField: concurrency, XLabel: "Concurrency", YField: outputThroughput, YLabel: "Output Throughput (tokens/s)", Position: [2]int{1, 0}},
			{Title: "Error Rate vs Concurrency", XField: concurrency, XLabel: "Concurrency", YField: errorRate, YLabel: "Error Rate", Type: "bar", Position: [2]int{1, 1}},
		}}, true
	}
	return Config{}, false
}

// PresetNames lists what Preset knows.
func PresetNames() []string {
	return []string{"2x4_default", "2x4_tts", "simple_2x2", "multi_line_latency", "single_scenario_analysis"}
}

// AtTheEnd is what is drawn at the end of a benchmark of a task: the Python
// tool's preset or, where the task has no output tokens that half of it would be
// about, the other half.
func AtTheEnd(task string) Config {
	name := "2x4_default"
	switch task {
	case "text-to-speech":
		name = "2x4_tts"
	case "text-to-embeddings", "image-to-embeddings", "text-to-rerank", "text-to-image":
		c := grid(2, latencyAndErrors()...)
		c.Layout.FigSize = []int{16, 12}
		return c
	}
	c, _ := Preset(name)
	return c
}

// latencyAndErrors is the right half of both 2x4 presets.
func latencyAndErrors() []Plot {
	return []Plot{
		{Title: "Mean E2E Latency per Request vs RPS", XField: rps, XLabel: rpsLabel, YField: "stats.e2e_latency.mean", YLabel: "Mean E2E Latency per Request (s)", Position: [2]int{0, 2}},
		{Title: "Error Rates by HTTP Status vs Concurrency", XField: concurrency, XLabel: "Concurrency", YField: errorRate, YLabel: "Error Rate", Type: "bar", Position: [2]int{0, 3}},
		{Title: "P90 E2E Latency per Request vs RPS", XField: rps, XLabel: rpsLabel, YField: "stats.e2e_latency.p90", YLabel: "P90 E2E Latency per Request (s)", Position: [2]int{1, 2}},
		{Title: "P99 E2E Latency per Request vs RPS", XField: rps, XLabel: rpsLabel, YField: "stats.e2e_latency.p99", YLabel: "P99 E2E Latency per Request (s)", Position: [2]int{1, 3}},
	}
}

// Level is the field that numbers the runs of a scenario, and its name for
// eyes: concurrency, batch size, or in an open loop the rate.
type Level struct{ Field, Name string }

// LevelOf returns the level of an experiment by its metadata's iteration type.
func LevelOf(iterationType string, openLoop bool) Level {
	switch {
	case openLoop:
		return Level{"request_rate", "Request Rate (req/s)"}
	case iterationType == "batch_size":
		return Level{"batch_size", "Batch Size"}
	}
	return Level{concurrency, "Concurrency"}
}

// over puts the experiment's level where a preset has the concurrency, which
// is 1 throughout in an experiment that varies something else. Titles, which
// are file names, stay.
func (c Config) over(level Level) Config {
	c.Plots = slices.Clone(c.Plots)
	for i := range c.Plots {
		if p := &c.Plots[i]; p.XField == concurrency {
			p.XField, p.XLabel = level.Field, level.Name
		}
	}
	return c
}

// Overview is the figure that sums up an experiment of a task: how latencies
// and throughput go with the level, what one buys with the other, and errors.
func Overview(task string, level Level) Config {
	percentiles := func(metric string) []YField {
		return []YField{{Field: "stats." + metric + ".p50", Label: "p50", LineStyle: "-"}, {Field: "stats." + metric + ".p99", Label: "p99", LineStyle: "--"}}
	}
	word, _, _ := strings.Cut(level.Name, " (")
	over := func(title, ylabel string, fields ...YField) Plot {
		return Plot{Title: title + " vs " + word, XField: level.Field, XLabel: level.Name, YFields: fields, YLabel: ylabel, YScale: "linear"}
	}
	ttft := over("TTFT", "TTFT (s)", percentiles("ttft")...)
	e2e := over("E2E Latency per Request", "E2E Latency (s)", percentiles("e2e_latency")...)
	requests := over("Request Throughput", rpsLabel, YField{Field: rps})
	tradeoff := Plot{Title: "P99 E2E Latency per Request vs RPS", XField: rps, XLabel: rpsLabel, YField: "stats.e2e_latency.p99", YLabel: "P99 E2E Latency per Request (s)"}
	errors := Plot{Title: "Error Rates by HTTP Status vs " + word, XField: level.Field, XLabel: level.Name, YField: errorRate, YLabel: "Error Rate", Type: "bar"}
	switch {
	case task == "text-to-text" || task == "image-text-to-text":
		return grid(3,
			ttft,
			over("TPOT", "TPOT (s)", percentiles("tpot")...),
			e2e,
			over("Output Throughput of Server", outputThroughputLabel, YField{Field: outputThroughput}),
			Plot{Title: "Output Speed per Request vs Throughput of Server", XField: outputThroughput, XLabel: outputThroughputLabel, YField: "stats.output_inference_speed.mean", YLabel: inferenceSpeedLabel},
			errors,
		)
	case task == "text-to-speech":
		ttft.Title, ttft.YLabel = "TTFB vs "+word, "TTFB (s)"
		return grid(3, ttft, over("Audio Throughput per Request", audioLabel, YField{Field: "stats.audio_throughput.mean"}), e2e, requests, tradeoff, errors)
	case strings.HasSuffix(task, "-to-embeddings"):
		return grid(2, e2e, over("Input Throughput of Server", "Input Throughput of Server (tokens/s)", YField{Field: inputThroughput}), tradeoff, errors)
	}
	return grid(2, e2e, requests, tradeoff, errors)
}

// grid puts plots into two rows.
func grid(cols int, plots ...Plot) Config {
	for i := range plots {
		plots[i].Position = [2]int{i / cols, i % cols}
	}
	return Config{Layout{Rows: 2, Cols: cols, FigSize: []int{7 * cols, 11}}, plots}
}

// Interim is the plot that a benchmark shows after each scenario.
func Interim(scenario string) Config {
	return Config{Layout{1, 1, []int{10, 6}}, []Plot{{
		Title:  "Output Inference Speed per Request vs Output Throughput of Server - " + scenario,
		XField: outputThroughput, XLabel: outputThroughputLabel, YField: "stats.output_inference_speed.mean", YLabel: inferenceSpeedLabel,
	}}}
}
