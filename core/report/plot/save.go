package plot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/genai-bench/genai-bench/core/calibrate"
	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/metrics"
)

// FileName is the name of a subplot's file, or of the combined figure's
// ("combined_plots_2x4"), as the Python tool makes it of a title.
func FileName(prefix, title string) string {
	return experiment.Sanitize(prefix+"_"+experiment.InFileName(title)) + ".png"
}

// InterimFileName is the name of a scenario's interim plot.
func InterimFileName(scenario string) string {
	return FileName("interim", scenario+"_output_speed_vs_throughput")
}

// OverviewFile is the name of an experiment's overview chart.
const OverviewFile = "overview.png"

// Write draws the charts that a benchmark leaves in its folder: the overview,
// and what AtTheEnd says, whole and each subplot alone. It
// returns the paths of the overview and of the whole.
func Write(folder string, e *experiment.Loaded) ([]string, error) {
	m, unit := &e.Metadata, e.Metadata.MetricsTimeUnit
	groups := ByScenario(unit, e)
	level := LevelOf(m.IterationType, slices.ContainsFunc(e.Runs, func(r experiment.Run) bool { return r.Figures.RequestRate > 0 }))
	overview, _, err := Compose(Overview(m.Task, level), groups, unit)
	if err != nil {
		return nil, err
	}
	overview.Title = m.Model
	if overview.Title == "" {
		overview.Title = m.APIModelName
	}
	overview.Subtitle = m.Task + " by " + m.APIBackend + ownError(m)
	path := filepath.Join(folder, OverviewFile)
	if err := SaveAs(path, overview); err != nil {
		return nil, err
	}
	all, _, err := Compose(AtTheEnd(m.Task).over(level), groups, unit)
	if err != nil {
		return []string{path}, err
	}
	all.Title = "Grouped by Traffic Scenario"
	paths, err := Save(folder, "traffic_scenario", all)
	return append([]string{path}, paths[:min(1, len(paths))]...), err
}

// ownError says how far the times of a chart may be off, where that was measured.
func ownError(m *experiment.Metadata) string {
	if m.Calibration == nil {
		return ""
	}
	worst := metrics.None()
	for i := range m.Calibration.Levels {
		if _, e := m.Calibration.Levels[i].Worst(); e.Exists() && !(worst >= e) {
			worst = e
		}
	}
	if !worst.Exists() {
		return ""
	}
	return ", times ±" + calibrate.Milliseconds(worst) + " ms"
}

// WriteInterim draws what is known of a scenario while the benchmark goes on
// with the next: the Python tool's interim plot. The path is "" where there is
// nothing to draw.
func WriteInterim(folder string, e *experiment.Loaded, scenario string) (string, error) {
	unit := e.Metadata.MetricsTimeUnit
	groups := slices.DeleteFunc(ByScenario(unit, e), func(g Group) bool { return g.Runs[0].Figures.Scenario != scenario })
	f, _, err := Compose(Interim(scenario), groups, unit)
	if err != nil {
		return "", err
	}
	if len(f.Subplots[0].Lines) == 0 {
		return "", nil
	}
	path := filepath.Join(folder, InterimFileName(scenario))
	return path, SaveAs(path, f)
}

// Save draws the figure into folder, under prefix, and each of its subplots
// that show something. It returns the paths in the order of the subplots, the
// combined figure's first.
func Save(folder, prefix string, f Figure) ([]string, error) {
	combined := filepath.Join(folder, FileName(prefix, fmt.Sprintf("combined_plots_%dx%d", f.Rows, f.Cols)))
	if err := SaveAs(combined, f); err != nil {
		return nil, err
	}
	paths := []string{combined}
	for _, s := range f.Subplots {
		if len(s.Lines) == 0 && len(s.Stacks) == 0 {
			continue
		}
		path := filepath.Join(folder, FileName(prefix, s.Title))
		if err := SaveAs(path, f.Alone(s)); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// Alone is a figure of one of f's subplots.
func (f *Figure) Alone(s Subplot) Figure {
	s.Row, s.Col = 0, 0
	return Figure{Rows: 1, Cols: 1, Width: 10 * pixelsPerInch, Height: 6 * pixelsPerInch, Subplots: []Subplot{s}, Legend: f.Legend}
}

// SaveAs draws the figure into a file, whole or not at all.
func SaveAs(path string, f Figure) error {
	if err := saveAs(path, f); err != nil {
		if e := new(fs.PathError); errors.As(err, &e) {
			err = e.Err // the path of the temporary file says nothing
		}
		return fmt.Errorf("drawing %s: %w", path, err)
	}
	return nil
}

func saveAs(path string, f Figure) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".plot-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already where the rename succeeded
	if err := errors.Join(f.PNG(tmp), tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
