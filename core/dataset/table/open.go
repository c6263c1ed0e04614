package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Format is a kind of file.
type Format string

// The formats.
const (
	Text      Format = "text"
	CSV       Format = "csv"
	TSV       Format = "tsv"
	JSON      Format = "json"
	JSONLines Format = "jsonl"
	Parquet   Format = "parquet"
)

// suffixes of files, in lower case, by format.
var suffixes = []struct {
	format Format
	what   string
	ends   []string
}{
	{Text, "text, a line an entry", []string{".txt"}},
	{CSV, "columns named in the first row", []string{".csv"}},
	{TSV, "the same with tabs", []string{".tsv"}},
	{JSON, "a list", []string{".json"}},
	{JSONLines, "a JSON value a line", []string{".jsonl", ".ndjson"}},
	{Parquet, "Parquet", []string{".parquet"}},
}

// Compressed suffixes, which may follow the others.
var compressed = []string{".gz", ".zst"}

// FormatOf tells a file's format by its suffix in any case, "" where it has
// none that is known.
func FormatOf(name string) Format {
	name = strings.ToLower(name)
	for _, end := range compressed {
		if inner, ok := strings.CutSuffix(name, end); ok {
			name = inner
			break
		}
	}
	for _, s := range suffixes {
		if slices.ContainsFunc(s.ends, func(end string) bool { return strings.HasSuffix(name, end) }) {
			return s.format
		}
	}
	return ""
}

// Supported lists the files that are read, for a message.
func Supported() string {
	var texts []string
	for _, s := range suffixes {
		texts = append(texts, fmt.Sprintf("%s (%s)", strings.Join(s.ends, " "), s.what))
	}
	return strings.Join(texts, ", ") + ", each also with " + strings.Join(compressed, " or ")
}

// Options of Open.
type Options struct {
	Format Format // "": by the suffix
	Field  string // of a JSON object: where the list of rows is
	Comma  rune   // of CSV; 0: by the format
	// Progress of unpacking a compressed file, in bytes of it; may be nil.
	Progress func(done, total int64)
}

// Open opens a file; name is what messages call it.
func Open(ctx context.Context, path, name string, o Options) (Source, error) {
	if o.Format == "" {
		o.Format = FormatOf(path)
	}
	end := strings.ToLower(filepath.Ext(path))
	if !slices.Contains(compressed, end) {
		return openPlain(path, name, o)
	}
	unpacked, sum, err := unpack(ctx, path, name, end, o.Progress)
	if err != nil {
		return nil, err
	}
	source, err := openPlain(unpacked, name, o)
	if err != nil {
		os.Remove(unpacked)
		return nil, err
	}
	return &temporary{source, unpacked, sum}, nil
}

func openPlain(path, name string, o Options) (Source, error) {
	switch o.Format {
	case Text:
		return openText(path, name)
	case CSV:
		return openCSV(path, name, commaOr(o.Comma, ','))
	case TSV:
		return openCSV(path, name, commaOr(o.Comma, '\t'))
	case JSON:
		return openJSON(path, name, o.Field)
	case JSONLines:
		return openJSONLines(path, name)
	case Parquet:
		return openParquet(path, name)
	}
	return nil, fmt.Errorf("%s: format %q is not known (give a file of %s)", name, filepath.Ext(path), Supported())
}

func commaOr(comma, other rune) rune {
	if comma == 0 {
		return other
	}
	return comma
}

// unpackedBytesMax is how large a compressed file may become.
const unpackedBytesMax = 64 << 30

// unpack writes a compressed file's contents into a temporary file: rows in any
// order cannot be read from a compressed one. sum is the checksum of the file as
// it is.
func unpack(ctx context.Context, path, name, end string, progress func(done, total int64)) (unpacked, sum string, err error) {
	f, err := openFile(path, name)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = f.Close() }() // it is only read
	in := f.pass(ctx, Wanted{Progress: progress})
	var plainText io.Reader
	if end == ".gz" {
		plainText, err = gzip.NewReader(in)
	} else {
		var z *zstd.Decoder
		if z, err = zstd.NewReader(in, zstd.WithDecoderMaxMemory(256<<20), zstd.WithDecoderConcurrency(1)); err == nil {
			defer z.Close()
			plainText = z
		}
	}
	if err != nil {
		return "", "", fmt.Errorf("%s: is not compressed as its suffix %s says: %w", name, end, oneLine(err))
	}
	out, err := os.CreateTemp("", "genai-bench-dataset-*"+filepath.Ext(strings.TrimSuffix(path, filepath.Ext(path))))
	if err != nil {
		return "", "", fmt.Errorf("%s: a place to unpack it: %w", name, err)
	}
	defer func() {
		if closing := out.Close(); err == nil {
			err = closing
		}
		if err != nil {
			os.Remove(out.Name())
		}
	}()
	n, err := io.Copy(out, io.LimitReader(plainText, unpackedBytesMax+1))
	switch {
	case ctx.Err() != nil:
		return "", "", context.Cause(ctx)
	case err != nil:
		return "", "", fmt.Errorf("%s: unpacking it to %s: %w (set TMPDIR to a folder with room)", name, filepath.Dir(out.Name()), oneLine(plain(err)))
	case n > unpackedBytesMax:
		return "", "", fmt.Errorf("%s: %w", name, errors.New("holds more than 64 GiB (unpack it)"))
	}
	return out.Name(), f.sum, nil
}

// temporary is a source whose file goes with it.
type temporary struct {
	Source
	path string
	sum  string // of the compressed file
}

func (t *temporary) SHA256() string { return t.sum }

func (t *temporary) Close() error {
	err := t.Source.Close()
	if removing := os.Remove(t.path); err == nil {
		err = removing
	}
	return err
}
