// Package demo is a small tokenizer of the project's own: 8,192 byte-level tokens trained on
// public-domain text, with the special tokens and the template of a chat. It is free of other
// people's licences and loads in a few milliseconds, for demonstrations and tests.
package demo

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/genai-bench/genai-bench/core/tokenizer"
)

//go:generate go run ../internal/trainbpe -size 8192 -out tokenizer.json ../../dataset/builtin/text.txt

//go:embed tokenizer.json tokenizer_config.json
var files embed.FS

// Load returns the tokenizer.
func Load() (*tokenizer.Tokenizer, error) {
	data, err := files.ReadFile("tokenizer.json")
	if err != nil {
		return nil, fmt.Errorf("demo tokenizer: %w", err)
	}
	t, err := tokenizer.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("demo tokenizer: %w", err)
	}
	return t, nil
}

// WriteTo writes tokenizer.json and tokenizer_config.json to a folder, which it makes where it
// is missing, for programs that want a tokenizer by path.
func WriteTo(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("write the demo tokenizer: %w", err)
	}
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			return fmt.Errorf("write the demo tokenizer: %w", err)
		}
		return nil
	})
}
