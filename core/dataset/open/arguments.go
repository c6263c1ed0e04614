package open

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/genai-bench/genai-bench/core/nearest"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// Arguments are those of Python's datasets.load_dataset that are honoured.
type Arguments struct {
	Name      string      // of a config, or subset; "": the only or default one
	Split     string      // "": train, or else the first
	Revision  string      // "": main
	DataDir   string      // "": the whole repository
	DataFiles []SplitFile // nil: as the repository says
	Token     secret.Secret
	NoToken   bool // "token": false

	Field string // of JSON: where the list of rows is
	Comma rune   // of CSV
}

// SplitFile is the files of a split, as patterns.
type SplitFile struct {
	Split    string
	Patterns []string
}

// Treatment is what becomes of an argument of load_dataset.
type Treatment string

// The treatments.
const (
	Honoured Treatment = "honoured"
	Ignored  Treatment = "ignored with a warning"
	Refused  Treatment = "refused"
)

// Argument is one of load_dataset's.
type Argument struct {
	Name      string
	Treatment Treatment
	Note      string // what it does here, or why it does nothing
	read      func(*Arguments, json.RawMessage) error
}

// LoadDatasetArguments are all of load_dataset's arguments besides path, and
// those of the readers behind it that matter.
func LoadDatasetArguments() []Argument {
	text := func(place func(*Arguments) *string) func(*Arguments, json.RawMessage) error {
		return func(a *Arguments, raw json.RawMessage) error {
			if err := json.Unmarshal(raw, place(a)); err != nil {
				return errors.New("must be a text")
			}
			return nil
		}
	}
	return []Argument{
		{"name", Honoured, "the config of the dataset; where it is missing: the only one, or the default one", text(func(a *Arguments) *string { return &a.Name })},
		{"subset", Honoured, "another word for `name`, as the hub's pages have it", text(func(a *Arguments) *string { return &a.Name })},
		{"split", Honoured, "also `train[:1000]`, `train[10%:20%]`, `train+test`; where it is missing: `train`, or else the first, with a note", text(func(a *Arguments) *string { return &a.Split })},
		{"revision", Honoured, "a branch, a tag or a commit", text(func(a *Arguments) *string { return &a.Revision })},
		{"data_dir", Honoured, "only the files below this folder", text(func(a *Arguments) *string { return &a.DataDir })},
		{"data_files", Honoured, "a file or a pattern (`*`, `**`, `[0-9]`), a list of them, or an object from split to them; inside the repository or folder, not at an address", readDataFiles},
		{"token", Honoured, "a text is the token, `true` is `HF_TOKEN` as without it, `false` is none", readToken},
		{"use_auth_token", Honoured, "the old name of `token`", readToken},
		{"field", Honoured, "of JSON files: the key that has the list of rows", text(func(a *Arguments) *string { return &a.Field })},
		{"sep", Honoured, "of CSV files: the separator", readComma},
		{"delimiter", Honoured, "of CSV files: the separator", readComma},
		{"encoding", Honoured, "only `utf-8`", readEncoding},
		{"streaming", Ignored, "rows are always read when they are needed", nil},
		{"cache_dir", Ignored, "`HF_HUB_CACHE` or `HF_HOME` says where the cache is", nil},
		{"download_mode", Ignored, "what the cache has is used", nil},
		{"keep_in_memory", Ignored, "rows stay in their files", nil},
		{"num_proc", Ignored, "one reader is enough", nil},
		{"verification_mode", Ignored, "downloads are always checked against the hub's sizes and checksums", nil},
		{"ignore_verifications", Ignored, "downloads are always checked against the hub's sizes and checksums", nil},
		{"save_infos", Ignored, "nothing is written", nil},
		{"trust_remote_code", Ignored, "a dataset's code is never run; the Parquet files that the hub made of it are read", nil},
		{"columns", Ignored, "only the columns that are used are read", nil},
		{"drop_labels", Ignored, "labels are not used", nil},
		{"drop_metadata", Ignored, "the metadata of pictures is used where a column of it is asked for", nil},
		{"features", Refused, "a column is what its file says", nil},
		{"filters", Refused, "give a file that has only the rows that are wanted", nil},
		{"task", Refused, "name the columns with prompt_column and image_column", nil},
		{"storage_options", Refused, "files of other storage systems are not read; download them", nil},
		{"download_config", Refused, "set HF_ENDPOINT, HF_HUB_CACHE, HF_TOKEN and proxies in the environment", nil},
		{"column_names", Refused, "put a first row with the names into the file", nil},
		{"names", Refused, "put a first row with the names into the file", nil},
		{"header", Refused, "the first row has the names of the columns", nil},
		{"quotechar", Refused, "quotes are \"", nil},
		{"skiprows", Refused, "the first row has the names of the columns", nil},
	}
}

// readArguments reads huggingface_kwargs.
func readArguments(raw json.RawMessage) (a Arguments, warnings []string, err error) {
	given := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &given); err != nil {
		return a, nil, errors.New("huggingface_kwargs must be an object")
	}
	all := LoadDatasetArguments()
	var names []string
	for _, argument := range all {
		names = append(names, argument.Name)
	}
	for name := range given {
		if !slices.Contains(names, name) {
			return a, nil, unknownKey("huggingface_kwargs", name, names)
		}
	}
	if given["name"] != nil && given["subset"] != nil && !bytes.Equal(given["name"], given["subset"]) {
		return a, nil, errors.New("huggingface_kwargs: name and subset differ, and mean the same (leave one out)")
	}
	for _, argument := range all {
		value := bytes.TrimSpace(given[argument.Name])
		if len(value) == 0 || string(value) == "null" {
			continue
		}
		switch argument.Treatment {
		case Honoured:
			if err := argument.read(&a, value); err != nil {
				return a, nil, fmt.Errorf("huggingface_kwargs: %s %w", argument.Name, err)
			}
		case Ignored:
			if string(value) != "false" {
				warnings = append(warnings, fmt.Sprintf("huggingface_kwargs: %s is ignored: %s", argument.Name, argument.Note))
			}
		case Refused:
			return a, nil, fmt.Errorf("huggingface_kwargs: %s is refused: %s", argument.Name, argument.Note)
		}
	}
	return a, warnings, nil
}

// unknownKey is the error of a key that nobody knows.
func unknownKey(where, key string, known []string) error {
	hint := "it knows " + strings.Join(known, ", ")
	if near := nearest.Words(key, known); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return fmt.Errorf("%s has no key %q (%s)", where, clip(key), hint)
}

func readToken(a *Arguments, raw json.RawMessage) error {
	var use bool
	if json.Unmarshal(raw, &use) == nil {
		a.NoToken = !use
		return nil
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return errors.New("must be a text, true or false")
	}
	a.Token = secret.New(text)
	return nil
}

func readComma(a *Arguments, raw json.RawMessage) error {
	var text string
	if json.Unmarshal(raw, &text) != nil || utf8.RuneCountInString(text) != 1 || strings.ContainsAny(text, "\"\r\n\uFFFD") {
		return errors.New(`must be one character, such as ";"`)
	}
	a.Comma, _ = utf8.DecodeRuneInString(text)
	return nil
}

func readEncoding(_ *Arguments, raw json.RawMessage) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		switch strings.ReplaceAll(strings.ToLower(text), "_", "-") {
		case "utf-8", "utf8", "utf-8-sig":
			return nil
		}
	}
	return errors.New("must be utf-8 (convert the files: iconv -t utf-8)")
}

func readDataFiles(a *Arguments, raw json.RawMessage) error {
	files, err := splitFiles(raw)
	if err != nil {
		return err
	}
	for _, f := range files {
		for _, p := range f.Patterns {
			if strings.Contains(p, "://") {
				return fmt.Errorf("names an address, %s (download the file and give its path)", clip(p))
			}
		}
	}
	a.DataFiles = files
	return nil
}

var errDataFiles = errors.New("must be a path, a list of paths, or an object from split to them")

// splitFiles reads data_files: a path, a list of paths, an object from split to
// one of those, or a list of {"split", "path"}.
func splitFiles(raw json.RawMessage) ([]SplitFile, error) {
	if patterns, ok := patternsOf(raw); ok {
		return []SplitFile{{"train", patterns}}, nil
	}
	var list []struct {
		Split string          `json:"split"`
		Path  json.RawMessage `json:"path"`
	}
	var found []SplitFile
	add := func(split string, raw json.RawMessage) error {
		patterns, ok := patternsOf(raw)
		if !ok || split == "" {
			return errDataFiles
		}
		if slices.ContainsFunc(found, func(f SplitFile) bool { return f.Split == split }) {
			return fmt.Errorf("names the split %s twice", clip(split))
		}
		found = append(found, SplitFile{split, patterns})
		return nil
	}
	if json.Unmarshal(raw, &list) == nil {
		for _, item := range list {
			if err := add(item.Split, item.Path); err != nil {
				return nil, err
			}
		}
		if len(found) == 0 {
			return nil, errDataFiles
		}
		return found, nil
	}
	// An object, whose order is that of the splits.
	dec := json.NewDecoder(bytes.NewReader(raw))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, errDataFiles
	}
	for dec.More() {
		key, err := dec.Token()
		split, ok := key.(string)
		var value json.RawMessage
		if err != nil || !ok || dec.Decode(&value) != nil {
			return nil, errDataFiles
		}
		if err := add(split, value); err != nil {
			return nil, err
		}
	}
	if len(found) == 0 {
		return nil, errDataFiles
	}
	return found, nil
}

func patternsOf(raw json.RawMessage) ([]string, bool) {
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}, true
	}
	var many []string
	if json.Unmarshal(raw, &many) == nil && len(many) > 0 && !slices.Contains(many, "") {
		return many, true
	}
	return nil, false
}
