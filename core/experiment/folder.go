package experiment

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/genai-bench/genai-bench/core/metrics"
)

// Folder is an experiment that is being written.
type Folder struct {
	path string
}

// Name is the name of an experiment that the user gave none:
// <backend>_[<engine>_][<version>_]<task>_<model>_<YYYYmmdd_HHMMSS>, each part
// sanitised.
func Name(backend, engine, version, task, model string, at time.Time) string {
	var parts []string
	for _, part := range []string{backend, engine, version, task, model} {
		if part != "" {
			parts = append(parts, Sanitize(part))
		}
	}
	return strings.Join(append(parts, at.Format("20060102_150405")), "_")
}

// Sanitize makes text safe as one part of a path: separators, control
// characters and what other systems refuse become "_", and no name begins with
// a dot.
func Sanitize(text string) string {
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || strings.ContainsRune(`/\:*?"<>|`, r) || r == unicode.ReplacementChar {
			return '_'
		}
		return r
	}, text)
	if strings.HasPrefix(clean, ".") {
		clean = "_" + clean[1:]
	}
	const longest = 200 // of 255 bytes that file systems allow; more is put around
	if len(clean) > longest {
		clean = strings.ToValidUTF8(clean[:longest], "")
	}
	return clean
}

// InFileName is a scenario or a title as the Python tool puts it into file
// names: slashes and commas become underscores, brackets go.
func InFileName(text string) string {
	return strings.NewReplacer("/", "_", ",", "_", "(", "", ")", "").Replace(text)
}

// Create makes an experiment's folder. A folder that is there and not empty is
// refused: results are never mixed.
func Create(base, name string) (*Folder, error) {
	path, err := filepath.Abs(filepath.Join(base, Sanitize(name)))
	if err != nil {
		return nil, fmt.Errorf("experiment folder %s: %w", name, err)
	}
	entries, err := os.ReadDir(path)
	switch {
	case err == nil && len(entries) > 0:
		return nil, fmt.Errorf("experiment folder %s: it is not empty (give another --experiment-folder-name, or remove it)", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("experiment folder %s: %w", path, pathReason(err))
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("experiment folder %s: %w", path, pathReason(err))
	}
	return &Folder{path: path}, nil
}

// Path is the folder's absolute path.
func (f *Folder) Path() string { return f.path }

// File is the path of a file in the folder.
func (f *Folder) File(name string) string { return filepath.Join(f.path, name) }

// WriteMetadata writes the metadata, or writes it anew.
func (f *Folder) WriteMetadata(m Metadata) error {
	m.FolderName = f.path
	return writeJSON(f.File(MetadataFile), m)
}

// RunFile is one run's file without its requests: the figures, and the unit of
// latencies.
type RunFile struct {
	Aggregated metrics.Aggregate
	TimeUnit   metrics.Unit
}

// RunFileName is the name of a run's file. scenario is as in file names; level
// is the concurrency or batch size, in an open loop the rate in thousandths;
// took is the run's real duration, in whole seconds and at least one.
func RunFileName(scenario, task, iterationType string, level int, took time.Duration) string {
	seconds := max(1, int(math.Round(took.Seconds())))
	return fmt.Sprintf("%s_%s_%s_%d_time_%ds.json", Sanitize(scenario), task, iterationType, level, seconds)
}

// WriteRun writes a run's file, its latencies converted from seconds to unit.
// The requests stand a line each, in their order.
func (f *Folder) WriteRun(name string, a metrics.Aggregate, requests Requests, unit metrics.Unit) error {
	return writeFile(f.File(name), func(w io.Writer) error {
		figures, err := json.MarshalIndent(metrics.ConvertAggregate(a, metrics.InSeconds, unit), indent, indent)
		if err != nil {
			return err
		}
		out := bufio.NewWriterSize(w, 1<<16)
		// bufio keeps the first error for Flush.
		fmt.Fprintf(out, "{\n%s\"aggregated_metrics\": %s,\n%s\"individual_request_metrics\": [", indent, figures, indent)
		line, separator := []byte{}, "\n"
		for r, err := range requests {
			if err != nil {
				return err
			}
			c := metrics.ConvertRequest(*r, metrics.InSeconds, unit)
			line = c.AppendJSON(append(line[:0], separator+indent+indent...))
			separator = ",\n"
			_, _ = out.Write(line)
		}
		fmt.Fprintf(out, "\n%s],\n%s\"_time_unit\": %q\n}\n", indent, indent, unit)
		return out.Flush()
	})
}

// indent is that of the Python tool's files.
const indent = "    "

// writeJSON writes a value as an indented file, whole or not at all.
func writeJSON(path string, v any) error {
	return writeFile(path, func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", indent)
		return encoder.Encode(v)
	})
}

// writeFile writes a file whole or not at all.
func writeFile(path string, content func(io.Writer) error) error {
	err := func() error {
		tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
		if err != nil {
			return err
		}
		defer os.Remove(tmp.Name()) // gone already where the rename succeeded
		if err = content(tmp); err == nil {
			err = tmp.Chmod(0o644)
		}
		if err == nil {
			err = tmp.Sync()
		}
		if err := errors.Join(err, tmp.Close()); err != nil {
			return err
		}
		return os.Rename(tmp.Name(), path)
	}()
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, pathReason(err))
	}
	return nil
}

// pathReason strips the path that os errors repeat.
func pathReason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	var link *os.LinkError // of a rename
	if errors.As(err, &link) {
		return link.Err
	}
	return err
}
