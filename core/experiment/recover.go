package experiment

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Recovered is what Recover found.
type Recovered struct {
	Files []string // names of the run files that it wrote
	Torn  bool     // the last line of the journal was cut, and is lost
}

// Recover makes the files of runs that were begun and never ended, because the
// benchmark was killed, out of the journal in its folder. Runs that have their
// files are left alone, so that it may be called again. It must not be called
// while the benchmark runs: it would take the run under way for one cut off.
func Recover(path string) (Recovered, error) {
	data, err := os.ReadFile(filepath.Join(path, MetadataFile))
	if err != nil {
		return Recovered{}, fmt.Errorf("%s: %w", filepath.Join(path, MetadataFile), pathReason(err))
	}
	var m Metadata
	if err := json.Unmarshal(data, &m); err != nil {
		return Recovered{}, fmt.Errorf("%s: %w", filepath.Join(path, MetadataFile), err)
	}
	if m.MetricsTimeUnit == "" {
		m.MetricsTimeUnit = metrics.InSeconds
	}
	r := recovery{folder: &Folder{path: path}, metadata: m}
	torn, err := ReadJournal(filepath.Join(path, JournalFile), r.entry)
	if err == nil {
		err = r.flush()
	}
	r.close()
	return Recovered{Files: r.files, Torn: torn}, err
}

type recovery struct {
	folder   *Folder
	metadata Metadata
	files    []string

	begin *RunBegin
	spool *Spool
	table *metrics.Table
	end   stamp.Nanos
}

func (r *recovery) entry(e Entry) error {
	switch {
	case e.Begin != nil:
		if err := r.flush(); err != nil {
			return err
		}
		spool, err := r.folder.NewSpool()
		if err != nil {
			return err
		}
		r.begin, r.spool, r.end = e.Begin, spool, e.Begin.At
		r.table = metrics.NewTable(spool, r.run().Cuts())
	case e.Request != nil && r.begin != nil:
		q := &e.Request.Metrics
		r.end = max(r.end, q.EndNanos)
		return r.table.Add(q, e.Request.Events.Unpack(q.SendStartNanos))
	case e.End != nil:
		r.close()
	}
	return nil
}

// run is what is known of the run that was begun.
func (r *recovery) run() metrics.Run {
	b := r.begin
	return metrics.Run{Task: backend.Task(r.metadata.Task), Start: b.At, End: r.end, Warmup: b.Warmup, Cooldown: b.Cooldown, Objectives: b.Objectives}
}

func (r *recovery) close() {
	if r.spool != nil {
		_ = r.spool.Close() // temporary: what was written to it does not matter any more
	}
	r.begin, r.table, r.spool = nil, nil, nil
}

// flush writes the run that was begun, if it has requests.
func (r *recovery) flush() error {
	defer r.close()
	begin := r.begin
	if begin == nil || r.table.Len() == 0 {
		return nil
	}
	name := RunFileName(InFileName(begin.Scenario), r.metadata.Task, r.metadata.IterationType, begin.Level, r.end.Sub(begin.At))
	if _, err := os.Stat(r.folder.File(name)); err == nil {
		return nil // by an earlier Recover
	}
	a, err := r.table.Aggregate(r.run())
	if err != nil {
		return err
	}
	a.Scenario, a.IterationType, a.NumConcurrency, a.BatchSize = begin.Scenario, r.metadata.IterationType, begin.Level, 1
	if a.IterationType == batchSize {
		a.NumConcurrency, a.BatchSize = 1, begin.Level
	}
	a.RequestRate, a.StopReason = begin.Rate, "killed"
	a.WarningsOfRun = []string{"the benchmark was killed in this run; the figures are those of the requests that had ended until then"}
	a.Untrusted = a.WarningsOfRun
	if err := r.folder.WriteRun(name, a, r.table.Requests(), r.metadata.MetricsTimeUnit); err != nil {
		return err
	}
	r.files = append(r.files, name)
	return nil
}
