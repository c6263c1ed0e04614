package open

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/dataset/lambda"
	"github.com/genai-bench/genai-bench/core/dataset/table"
)

// Description says which dataset is meant, and what of it.
type Description struct {
	// Path is a file, a folder or the name of a dataset of the hub; "" and
	// dataset.BuiltInName are the built-in text.
	Path string
	Kind Kind
	// Format of a file; "": by its suffix.
	Format table.Format
	// Arguments of datasets of the hub, and of folders in its layout.
	Arguments Arguments

	PromptColumn string // "": found out
	ImageColumn  string // "": found out
	// PromptLambda makes the prompt of a row: a Python lambda, the name of a
	// column, or a text that is the prompt of every row.
	PromptLambda string
	LargeImages  bool // pictures of more than picture.PixelsMax pixels are allowed

	config bool // written in a file: messages name its keys, not flags
}

// Kind says where a path is looked for.
type Kind string

// The kinds.
const (
	Anywhere    Kind = ""            // a file or folder where there is one, else the hub
	File        Kind = "file"        // a file or folder
	HuggingFace Kind = "huggingface" // a folder in the hub's layout, else the hub
)

// FromPath describes the dataset that --dataset-path, --dataset-prompt-column and
// --dataset-image-column name.
func FromPath(path, promptColumn, imageColumn string) Description {
	return Description{Path: path, PromptColumn: promptColumn, ImageColumn: imageColumn}
}

// builtIn tells whether the built-in text is meant.
func (d Description) builtIn() bool {
	return d.Kind == Anywhere && (d.Path == "" || d.Path == dataset.BuiltInName)
}

// sayColumn tells how a column is named, for an error.
func (d Description) sayColumn(what string) string {
	if d.config {
		return what + "_column"
	}
	return "--dataset-" + what + "-column"
}

// configBytesMax bounds a --dataset-config file.
const configBytesMax = 1 << 20

// ReadConfig reads a file of --dataset-config. Warnings are of what it says
// without effect. The error is one line and names the file.
func ReadConfig(path string) (d Description, warnings []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return d, nil, fmt.Errorf("%s: %w", path, plain(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, configBytesMax+1))
	if err != nil {
		return d, nil, fmt.Errorf("%s: %w", path, plain(err))
	}
	if len(data) > configBytesMax {
		return d, nil, fmt.Errorf("%s: is larger than %d MiB (is it the dataset itself? --dataset-path takes that)", path, configBytesMax>>20)
	}
	if d, warnings, err = parseConfig(data); err != nil {
		return d, nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, warnings, nil
}

// wireConfig is the Python tool's DatasetConfig.
type wireConfig struct {
	Source struct {
		Type         string          `json:"type"`
		Path         *string         `json:"path"`
		FileFormat   *string         `json:"file_format"`
		Kwargs       json.RawMessage `json:"huggingface_kwargs"`
		LoaderClass  *string         `json:"loader_class"`
		LoaderKwargs json.RawMessage `json:"loader_kwargs"`
	} `json:"source"`
	PromptColumn *string `json:"prompt_column"`
	ImageColumn  *string `json:"image_column"`
	PromptLambda *string `json:"prompt_lambda"`
	Unsafe       bool    `json:"unsafe_allow_large_images"`
}

// keys of the objects of a configuration.
var (
	configKeys = []string{"source", "prompt_column", "image_column", "prompt_lambda", "unsafe_allow_large_images"}
	sourceKeys = []string{"type", "path", "file_format", "huggingface_kwargs", "loader_class", "loader_kwargs", "csv_column_index"}
)

func parseConfig(data []byte) (d Description, warnings []string, err error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var top, source map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return d, nil, whereJSON(data, err)
	}
	if top == nil {
		return d, nil, errors.New(`is null, not an object (write {"source": {"type": "file", "path": …}})`)
	}
	if err := onlyKeys("the configuration", top, configKeys); err != nil {
		return d, nil, err
	}
	if top["source"] == nil || json.Unmarshal(top["source"], &source) != nil || source == nil {
		return d, nil, errors.New(`has no source (write "source": {"type": "file", "path": …})`)
	}
	if err := onlyKeys("source", source, sourceKeys); err != nil {
		return d, nil, err
	}
	var wire wireConfig
	if err := json.Unmarshal(data, &wire); err != nil {
		return d, nil, whereJSON(data, err)
	}
	d = Description{
		Path: value(wire.Source.Path), Kind: Kind(wire.Source.Type), PromptColumn: value(wire.PromptColumn),
		ImageColumn: value(wire.ImageColumn), PromptLambda: value(wire.PromptLambda), LargeImages: wire.Unsafe, config: true,
	}
	switch wire.Source.Type {
	case "file", "huggingface":
	case "custom":
		return d, nil, errors.New("source.type custom names a Python class, which cannot be run here (write the data as JSON lines: source.type file)")
	case "":
		return d, nil, errors.New("source has no type (file or huggingface)")
	default:
		return d, nil, fmt.Errorf("source.type %q is not known (file or huggingface)", clip(wire.Source.Type))
	}
	if d.Path == "" {
		return d, nil, errors.New("source has no path (a file, a folder or the name of a dataset)")
	}
	if wire.Source.LoaderClass != nil || given(wire.Source.LoaderKwargs) {
		warnings = append(warnings, "loader_class and loader_kwargs are ignored: they are of source.type custom")
	}
	if source["csv_column_index"] != nil { // in an example of the Python tool, which ignores it
		warnings = append(warnings, "csv_column_index is ignored: prompt_column names the column")
	}
	if format := value(wire.Source.FileFormat); format != "" {
		if d.Format, err = formatOf(format); err != nil {
			return d, nil, err
		}
		if d.Kind == HuggingFace {
			warnings = append(warnings, "file_format is ignored: source.type is huggingface")
			d.Format = ""
		}
	}
	if given(wire.Source.Kwargs) {
		var more []string
		if d.Arguments, more, err = readArguments(wire.Source.Kwargs); err != nil {
			return d, nil, err
		}
		if d.Kind == File {
			warnings = append(warnings, "huggingface_kwargs are ignored: source.type is file")
			d.Arguments, more = Arguments{}, nil
		}
		warnings = append(warnings, more...)
	}
	if lambda.Is(d.PromptLambda) {
		if _, err := lambda.Compile(d.PromptLambda); err != nil {
			return d, nil, fmt.Errorf("prompt_lambda %w", err)
		}
	}
	if d.PromptLambda != "" && d.PromptColumn != "" {
		warnings = append(warnings, "prompt_column is ignored: prompt_lambda makes the prompts")
	}
	return d, warnings, nil
}

func given(raw json.RawMessage) bool {
	return len(raw) > 0 && string(bytes.TrimSpace(raw)) != "null"
}

func value(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

func formatOf(text string) (table.Format, error) {
	formats := map[string]table.Format{
		"txt": table.Text, "text": table.Text, "csv": table.CSV, "tsv": table.TSV, "json": table.JSON,
		"jsonl": table.JSONLines, "parquet": table.Parquet,
	}
	f, ok := formats[text]
	if !ok {
		return "", fmt.Errorf("source.file_format %q is not known (txt, csv, tsv, json, jsonl or parquet)", clip(text))
	}
	return f, nil
}

func onlyKeys(where string, object map[string]json.RawMessage, known []string) error {
	keys := make([]string, 0, len(object))
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if !slices.Contains(known, key) {
			return unknownKey(where, key, known)
		}
	}
	return nil
}

// whereJSON words an error of the JSON of a configuration, with its line.
func whereJSON(data []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	line := func(offset int64) int {
		return bytes.Count(data[:max(0, min(offset, int64(len(data))))], []byte("\n")) + 1
	}
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d is not JSON: %s", line(syntax.Offset-1), syntax.Error())
	case errors.As(err, &kind) && kind.Field == "":
		return fmt.Errorf(`is a JSON %s, not an object (write {"source": {"type": "file", "path": …}})`, kind.Value)
	case errors.As(err, &kind):
		return fmt.Errorf("line %d: %s is a %s", line(kind.Offset), kind.Field, kind.Value)
	}
	return err
}

// clip makes a text that comes from outside fit an error's line.
func clip(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return '?'
		}
		return r
	}, text)
	return table.Clip(text)
}
