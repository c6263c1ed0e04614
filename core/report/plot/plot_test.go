package plot_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/core/report/plot"
)

// python loads a folder that the Python tool made.
func python(t *testing.T, name string) *experiment.Loaded {
	t.Helper()
	e, err := experiment.Load(filepath.Join("..", "..", "metrics", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func compose(t *testing.T, c plot.Config, e *experiment.Loaded, unit metrics.Unit) plot.Figure {
	t.Helper()
	f, missing, err := plot.Compose(c, plot.ByScenario(unit, e), unit)
	if err != nil || len(missing) > 0 {
		t.Fatalf("missing %v, %v", missing, err)
	}
	return f
}

func TestAPlotShowsTheFiguresOfTheRunFiles(t *testing.T) {
	e := python(t, "chat")
	preset, _ := plot.Preset("2x4_default")
	f := compose(t, preset, e, metrics.InMilliseconds)
	at := slices.IndexFunc(f.Subplots, func(s plot.Subplot) bool { return s.Title == "TTFT vs Output Throughput of Server" })
	s := f.Subplots[at]
	if s.Y.Label != "TTFT (ms)" || s.Y.Scale != plot.Log10 || s.X.Label != "Output Throughput of Server (tokens/s)" {
		t.Errorf("axes %+v, %+v", s.X, s.Y)
	}
	var got, want []plot.Point
	for _, l := range s.Lines {
		got = append(got, l.Points...)
	}
	for _, r := range e.Runs { // by scenario and level
		text := map[int]string{1: "1", 4: "4", 16: "16"}[r.Level]
		want = append(want, plot.Point{X: float64(r.Figures.MeanOutputThroughput), Y: 1000 * float64(r.Figures.Stats.TTFT.Mean), Text: text})
	}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(a) })
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Errorf("points (-file +plot):\n%s", diff)
	}
	if len(f.Legend) != 3 || f.Legend[1].Label != "Scenario: N(120,30)/(40,10)" {
		t.Errorf("legend %+v", f.Legend)
	}
}

func TestErrorsAreStackedByCode(t *testing.T) {
	e := python(t, "errors")
	e.Runs[1].Figures.ErrorCodesFrequency = map[string]int{"500": 12, "429": 6} // of 74
	preset, _ := plot.Preset("2x4_default")
	f := compose(t, preset, e, metrics.InSeconds)
	at := slices.IndexFunc(f.Subplots, func(s plot.Subplot) bool { return strings.HasPrefix(s.Title, "Error Rates") })
	s := f.Subplots[at]
	var labels []string
	for _, k := range s.Legend {
		labels = append(labels, k.Label)
	}
	if diff := cmp.Diff([]string{"429 Too Many Requests", "500 Internal Server Error"}, labels); diff != "" {
		t.Error(diff)
	}
	if len(s.Stacks) != 2 || len(s.Stacks[1].Layers) != 2 || s.Stacks[1].Layers[0].Height != 6.0/74 || s.Stacks[1].Text != "24.3%" {
		t.Errorf("stacks %+v", s.Stacks)
	}
	if f := compose(t, preset, python(t, "chat"), metrics.InSeconds); f.Subplots[at].Note != "no failed requests" {
		t.Errorf("without errors: %+v", f.Subplots[at])
	}
}

func TestEveryPresetDrawsEveryFolder(t *testing.T) {
	for _, name := range plot.PresetNames() {
		config, ok := plot.Preset(name)
		if !ok || len(config.Check()) > 0 {
			t.Errorf("%s: %v", name, config.Check())
		}
		for _, folder := range []string{"chat", "chat-ms", "embed", "errors", "speech"} {
			e := python(t, folder)
			f, _, err := plot.Compose(config, plot.ByScenario(metrics.InSeconds, e), metrics.InSeconds)
			if err != nil {
				t.Errorf("%s of %s: %v", name, folder, err)
				continue
			}
			for _, s := range f.Subplots {
				if len(s.Lines)+len(s.Stacks) == 0 && s.Note == "" {
					t.Errorf("%s of %s: %q is empty and says nothing", name, folder, s.Title)
				}
			}
		}
	}
}

func TestWhatIsDrawn(t *testing.T) {
	red, blue := color.RGBA{0xd6, 0x27, 0x28, 0xff}, color.RGBA{0x1f, 0x77, 0xb4, 0xff}
	f := plot.Figure{Rows: 1, Cols: 2, Width: 800, Height: 400, Subplots: []plot.Subplot{
		{Title: "line", Lines: []plot.Line{{Color: red, Points: []plot.Point{{X: 1, Y: 1}, {X: 2, Y: 2}}}}},
		{Col: 1, Title: "bars", X: plot.Axis{Scale: plot.Even, Ticks: []float64{1, 16}},
			Stacks: []plot.Stack{{X: 16, Slots: 1, Layers: []plot.Layer{{Height: 1, Color: blue}}}}},
	}}
	var first, second bytes.Buffer
	if err := f.PNG(&first); err != nil {
		t.Fatal(err)
	}
	if err := f.PNG(&second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("drawn twice, the bytes differ (%v)", err)
	}
	picture, err := png.Decode(&first)
	if err != nil || picture.Bounds() != image.Rect(0, 0, 800, 400) {
		t.Fatalf("%v, %v", picture.Bounds(), err)
	}
	count := map[color.RGBA]image.Rectangle{}
	pixels := map[color.RGBA]int{}
	for y := range 400 {
		for x := range 800 {
			r, g, b, _ := picture.At(x, y).RGBA()
			c := color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 0xff}
			pixels[c]++
			count[c] = count[c].Union(image.Rect(x, y, x+1, y+1))
		}
	}
	if box := count[red]; pixels[red] < 200 || box.Max.X > 400 || box.Dx() < 80 || box.Dy() < 80 {
		t.Errorf("the line: %d pixels in %v", pixels[red], box)
	}
	if box := count[blue]; pixels[blue] != box.Dx()*box.Dy() || box.Min.X < 600 || box.Dy() < 200 {
		t.Errorf("the bar, at the second tick: %d pixels in %v", pixels[blue], box)
	}
}

func TestOddFiguresAreDrawn(t *testing.T) {
	point := func(x, y float64) []plot.Line { return []plot.Line{{Points: []plot.Point{{X: x, Y: y, Text: "1"}}}} }
	for name, s := range map[string]plot.Subplot{
		"nothing":            {Note: "no data"},
		"one point":          {Lines: point(3, 4)},
		"zeros":              {Lines: point(0, 0)},
		"negative":           {Lines: point(-3, -4)},
		"one logarithmic":    {Y: plot.Axis{Scale: plot.Log10}, X: plot.Axis{Scale: plot.Log2, Ticks: []float64{8}}, Lines: point(8, 0.003)},
		"huge and tiny":      {Y: plot.Axis{Scale: plot.Log10}, Lines: []plot.Line{{Points: []plot.Point{{X: 1e-9, Y: 1e-300}, {X: 1e300, Y: 1e300}}}}},
		"not on a tick":      {X: plot.Axis{Scale: plot.Even, Ticks: []float64{1}}, Lines: point(2, 2)},
		"a very long title":  {Title: strings.Repeat("word ", 60), Lines: point(1, 1)},
		"a word too long":    {Title: strings.Repeat("w", 300), X: plot.Axis{Label: strings.Repeat("x", 300)}, Lines: point(1, 1)},
		"letters of no font": {Title: "日本語 \x00 <&>", Lines: point(1, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			f := plot.Figure{Rows: 1, Cols: 1, Width: 300, Height: 200, Subplots: []plot.Subplot{s}}
			if err := f.PNG(&bytes.Buffer{}); err != nil {
				t.Error(err)
			}
		})
	}
	if err := (&plot.Figure{Rows: 1, Cols: 1, Width: 1 << 30, Height: 1 << 30}).PNG(&bytes.Buffer{}); err == nil {
		t.Error("a picture of 2^60 pixels was begun")
	}
}

func TestMistakesInAConfiguration(t *testing.T) {
	config := plot.Config{
		Layout: plot.Layout{Rows: 6, Cols: 0, FigSize: []int{1}},
		Plots: []plot.Plot{
			{Title: "a", XField: "requests_per_second", Position: [2]int{-1, 0}},
			{XField: "", YField: "error_rate", YFields: []plot.YField{{Field: "x", Color: "infrared", LineStyle: "~"}}, Type: "pie", YScale: "cubic", Position: [2]int{-1, 0}},
		},
	}
	if got := len(config.Check()); got != 14 {
		t.Errorf("%d mistakes found:\n%s", got, strings.Join(config.Check(), "\n"))
	}
	e := python(t, "errors")
	for field, want := range map[string]string{
		"stats.ttft.p98":        "no figure",
		"scenario":              "no number",
		"stats.ttft":            "no number",
		"error_codes_frequency": "no number",
	} {
		config := plot.Config{Layout: plot.Layout{Rows: 1, Cols: 1}, Plots: []plot.Plot{{Title: "t", XField: "num_concurrency", YField: field}}}
		if _, _, err := plot.Compose(config, plot.ByScenario(metrics.InSeconds, e), metrics.InSeconds); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestWriteLeavesThePythonToolsFiles(t *testing.T) {
	folder := t.TempDir()
	e := python(t, "errors")
	paths, err := plot.Write(folder, e)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"overview.png",
		"traffic_scenario_Error Rates by HTTP Status vs Concurrency.png",
		"traffic_scenario_Mean E2E Latency per Request vs RPS.png",
		"traffic_scenario_Output Inference Speed per Request vs Output Throughput of Server.png",
		"traffic_scenario_Output Inference Speed per Request vs Total Throughput Input + Output of Server.png",
		"traffic_scenario_P90 E2E Latency per Request vs RPS.png",
		"traffic_scenario_P99 E2E Latency per Request vs RPS.png",
		"traffic_scenario_TTFT vs Output Throughput of Server.png",
		"traffic_scenario_TTFT vs Total Throughput Input + Output of Server.png",
		"traffic_scenario_combined_plots_2x4.png",
	}
	var got []string
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range entries {
		got = append(got, f.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if len(paths) != 2 || filepath.Base(paths[0]) != plot.OverviewFile || filepath.Base(paths[1]) != want[9] {
		t.Errorf("paths %v", paths)
	}
	data, err := os.ReadFile(filepath.Join(folder, "traffic_scenario_combined_plots_2x4.png"))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := png.DecodeConfig(bytes.NewReader(data)); err != nil || c.Width != 3200 || c.Height != 1200 {
		t.Errorf("combined: %d × %d, %v", c.Width, c.Height, err)
	}
	if _, err := plot.Write(filepath.Join(folder, "absent"), e); err == nil || strings.Count(err.Error(), "absent") != 1 || strings.Contains(err.Error(), ".plot") {
		t.Errorf("into a folder that is not there: %v", err)
	}
}

func TestTheInterimPlotOfAScenario(t *testing.T) {
	folder := t.TempDir()
	e := python(t, "chat")
	path, err := plot.WriteInterim(folder, e, "N(120,30)/(40,10)")
	if err != nil || filepath.Base(path) != "interim_N120_30_40_10_output_speed_vs_throughput.png" {
		t.Fatalf("%s, %v", path, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := png.DecodeConfig(bytes.NewReader(data)); err != nil || c.Width != 1000 || c.Height != 600 {
		t.Errorf("%+v, %v", c, err)
	}
	if path, err := plot.WriteInterim(folder, e, "D(1,1)"); path != "" || err != nil {
		t.Errorf("of a scenario without runs: %q, %v", path, err)
	}
}

// TestNoChartIsAboutWhatATaskHasNot: nothing is drawn of output tokens where
// there are none.
func TestNoChartIsAboutWhatATaskHasNot(t *testing.T) {
	folder := t.TempDir()
	if _, err := plot.Write(folder, python(t, "embed")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range entries {
		got = append(got, f.Name())
	}
	want := []string{
		"overview.png",
		"traffic_scenario_Mean E2E Latency per Request vs RPS.png",
		"traffic_scenario_P90 E2E Latency per Request vs RPS.png",
		"traffic_scenario_P99 E2E Latency per Request vs RPS.png",
		"traffic_scenario_combined_plots_2x2.png",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestBatchSizesAreOnTheAxis: in an experiment over batch sizes the
// concurrency is 1 throughout.
func TestBatchSizesAreOnTheAxis(t *testing.T) {
	e := python(t, "embed")
	f := compose(t, plot.Overview(e.Metadata.Task, plot.LevelOf(e.Metadata.IterationType, false)), e, metrics.InSeconds)
	if s := f.Subplots[0]; s.X.Label != "Batch Size" || !slices.Equal(s.X.Ticks, []float64{1, 4}) {
		t.Errorf("axis %+v", s.X)
	}
}

// TestSeveralExperimentsHaveTheirOwnSeries: scenarios of the same name do not
// collide.
func TestSeveralExperimentsHaveTheirOwnSeries(t *testing.T) {
	a, b := python(t, "errors"), python(t, "errors")
	b.Path = "elsewhere/again"
	groups := plot.ByScenario(metrics.InSeconds, a, b)
	if len(groups) != 2 || groups[0].Label == groups[1].Label || len(groups[1].Runs) != 2 {
		t.Errorf("groups %+v", groups)
	}
}

func BenchmarkWrite(b *testing.B) {
	e, err := experiment.Load(filepath.Join("..", "..", "metrics", "testdata", "chat"))
	if err != nil {
		b.Fatal(err)
	}
	folder := b.TempDir()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := plot.Write(folder, e); err != nil {
			b.Fatal(err)
		}
	}
}
