package experiment

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/genai-bench/genai-bench/core/metrics"
)

// Run is one run of a loaded experiment.
type Run struct {
	File     string // name in the folder
	Level    int    // concurrency or batch size
	Figures  metrics.Aggregate
	Requests Requests     // read from the file each time they are gone over; nil: there are none
	Unit     metrics.Unit // of the latencies
}

// Loaded is an experiment read from its folder, one of this tool's or of the
// Python tool's.
type Loaded struct {
	Path     string
	Metadata Metadata
	// Runs are sorted by scenario, in the metadata's order, and level.
	Runs []Run
	// Problems are things that do not keep the rest from being read: a run file
	// that is broken, a level without a run, two files of one run.
	Problems []string
}

// runFilePattern is what the Python tool's loader takes for a run file.
var runFilePattern = regexp.MustCompile(`^.+_.+_(?:concurrency|batch_size)_\d+_time_\d+s\.json$`)

// Load reads an experiment's folder.
func Load(path string) (*Loaded, error) {
	data, err := os.ReadFile(filepath.Join(path, MetadataFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: no %s in it, so it is no experiment's folder", path, MetadataFile)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(path, MetadataFile), pathReason(err))
	}
	l := &Loaded{Path: path}
	if err := json.Unmarshal(data, &l.Metadata); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(path, MetadataFile), err)
	}
	if l.Metadata.MetricsTimeUnit == "" {
		l.Metadata.MetricsTimeUnit = metrics.InSeconds
	}
	if !l.Metadata.MetricsTimeUnit.Known() {
		return nil, fmt.Errorf("%s: metrics_time_unit is %q (s and ms are known)", filepath.Join(path, MetadataFile), l.Metadata.MetricsTimeUnit)
	}
	if l.Metadata.Task == "" {
		l.Problems = append(l.Problems, MetadataFile+" names no task; it is taken for one without tokens")
	}
	files, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, pathReason(err))
	}
	type key struct {
		scenario string
		level    int
	}
	seen := map[key]int{}
	for _, f := range files {
		if f.IsDir() || !runFilePattern.MatchString(f.Name()) {
			continue
		}
		run, err := readRun(path, f.Name(), l.Metadata.MetricsTimeUnit)
		if err != nil {
			l.Problems = append(l.Problems, err.Error())
			continue
		}
		k := key{run.Figures.Scenario, run.Level}
		if before, twice := seen[k]; twice {
			l.Problems = append(l.Problems, fmt.Sprintf("%s and %s are the same run; the second is used", l.Runs[before].File, run.File))
			l.Runs[before] = run
			continue
		}
		seen[k] = len(l.Runs)
		l.Runs = append(l.Runs, run)
	}
	l.sort()
	l.findMissing()
	return l, nil
}

// LoadAll reads the experiment in a folder or, where it is none itself, those
// in its direct subfolders, sorted by name. Subfolders that are no experiments
// are passed over; one that cannot be read is a problem.
func LoadAll(path string) (all []*Loaded, problems []string, err error) {
	if _, err := os.Stat(filepath.Join(path, MetadataFile)); err == nil {
		one, err := Load(path)
		if err != nil {
			return nil, nil, err
		}
		return []*Loaded{one}, nil, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, pathReason(err))
	}
	for _, e := range entries {
		folder := filepath.Join(path, e.Name())
		if _, err := os.Stat(filepath.Join(folder, MetadataFile)); err != nil {
			continue
		}
		one, err := Load(folder)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		all = append(all, one)
	}
	if len(all) == 0 && len(problems) == 0 {
		return nil, nil, fmt.Errorf("%s: there is no experiment in it, nor in its subfolders (no %s)", path, MetadataFile)
	}
	return all, problems, nil
}

// findMissing notes the runs that the metadata announce and the folder lacks.
func (l *Loaded) findMissing() {
	have := map[string][]int{}
	for _, r := range l.Runs {
		have[r.Figures.Scenario] = append(have[r.Figures.Scenario], r.Level)
	}
	want, word := l.Metadata.NumConcurrency, "concurrency"
	if l.Metadata.IterationType == batchSize {
		want, word = l.Metadata.BatchSize, "batch size"
	}
	for _, s := range l.Metadata.TrafficScenario {
		levels, any := have[s]
		if !any {
			l.Problems = append(l.Problems, fmt.Sprintf("scenario %s has no run", s))
			continue
		}
		var missing []string
		for _, level := range want {
			if !slices.Contains(levels, level) {
				missing = append(missing, strconv.Itoa(level))
			}
		}
		if len(missing) > 0 {
			l.Problems = append(l.Problems, fmt.Sprintf("scenario %s has no run of %s %s", s, word, strings.Join(missing, ", ")))
		}
	}
}

// batchSize is the iteration type of experiments over batch sizes.
const batchSize = "batch_size"

// sort puts the runs into the order of the metadata's scenarios, then levels.
func (l *Loaded) sort() {
	order := map[string]int{}
	for i, s := range l.Metadata.TrafficScenario {
		order[s] = i - len(l.Metadata.TrafficScenario) // those that are not named come after
	}
	slices.SortStableFunc(l.Runs, func(a, b Run) int {
		return cmp.Or(
			cmp.Compare(order[a.Figures.Scenario], order[b.Figures.Scenario]),
			cmp.Compare(a.Figures.Scenario, b.Figures.Scenario),
			cmp.Compare(a.Level, b.Level),
		)
	})
}

func readRun(folder, name string, unit metrics.Unit) (Run, error) {
	file := RunFile{Aggregated: emptyAggregate(), TimeUnit: unit}
	if err := readFigures(filepath.Join(folder, name), &file); err != nil {
		return Run{}, fmt.Errorf("%s: %w", name, err)
	}
	if !file.TimeUnit.Known() {
		return Run{}, fmt.Errorf("%s: _time_unit is %q (s and ms are known)", name, file.TimeUnit)
	}
	a := &file.Aggregated
	// As the Python tool writes it, the rate of errors is always 0.
	if a.NumRequests > 0 {
		a.ErrorRate = metrics.Value(a.NumErrorRequests) / metrics.Value(a.NumRequests)
	}
	run := Run{File: name, Level: a.NumConcurrency, Figures: *a, Requests: requestsIn(filepath.Join(folder, name)), Unit: file.TimeUnit}
	if a.IterationType == batchSize {
		run.Level = a.BatchSize
	}
	return run, nil
}

// emptyAggregate has what the Python tool's loader takes for granted where a
// key is missing, and no statistics.
func emptyAggregate() metrics.Aggregate {
	a := metrics.PythonTool(nil, 0, 0, 0)
	a.NumConcurrency, a.BatchSize, a.IterationType = 1, 1, "num_concurrency"
	return a
}

// Scenarios lists the scenarios that have runs, in order.
func (l *Loaded) Scenarios() []string {
	var names []string
	for _, r := range l.Runs {
		if !slices.Contains(names, r.Figures.Scenario) {
			names = append(names, r.Figures.Scenario)
		}
	}
	return names
}

// In returns the experiment with all latencies in one unit.
func (l *Loaded) In(unit metrics.Unit) *Loaded {
	out := *l
	out.Runs = slices.Clone(l.Runs)
	for i, r := range out.Runs {
		from := r.Unit
		r.Figures = metrics.ConvertAggregate(r.Figures, from, unit)
		r.Requests = converted(r.Requests, from, unit)
		r.Unit = unit
		out.Runs[i] = r
	}
	out.Metadata.MetricsTimeUnit = unit
	return &out
}
