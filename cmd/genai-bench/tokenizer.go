package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/genai-bench/genai-bench/core/hub"
	"github.com/genai-bench/genai-bench/core/tokenizer"
)

// loadTokenizer loads what --model-tokenizer names: a file or a folder where
// there is one, else an encoding or a model of OpenAI's, else a model of the
// Hugging Face hub, from its cache or over the network.
func (a *app) loadTokenizer(ctx context.Context, name string) (*tokenizer.Tokenizer, error) {
	t, path, err := a.findTokenizer(ctx, name)
	if err != nil || t != nil {
		return t, err
	}
	return tokenizer.Load(path)
}

// findTokenizer returns one of OpenAI's tokenizers, or the file or folder of
// another.
func (a *app) findTokenizer(ctx context.Context, name string) (t *tokenizer.Tokenizer, path string, err error) {
	_, err = os.Stat(name)
	if err == nil {
		return nil, name, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("%s: %w", name, fileReason(err))
	}
	if t, err := tokenizer.OpenAI(name); err == nil {
		return t, "", nil
	}
	if looksLikePath(name) {
		return nil, "", fmt.Errorf("%s: there is no such file or folder (give the folder of the model, its tokenizer.json, or a Hugging Face name such as org/name)", name)
	}
	path, err = a.hubTokenizer(ctx, name)
	if err != nil {
		return nil, "", fmt.Errorf("%s is no file or folder here, and the Hugging Face hub gives none: %w", name, err)
	}
	return nil, path, nil
}

// looksLikePath tells what cannot be a name on the hub.
func looksLikePath(name string) bool {
	if !hub.ValidName(name) || filepath.IsAbs(name) {
		return true
	}
	for _, end := range []string{".json", ".model", ".txt", ".tiktoken"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

func (a *app) hubTokenizer(ctx context.Context, name string) (dir string, err error) {
	client, err := hub.New(hub.FromEnv(a.getenv, a.home))
	if err != nil {
		return "", err
	}
	defer client.Close()
	line := newProgressLine(a.stderr, a.stderrTerminal, "looking for the tokenizer of "+name)
	defer line.end()
	return client.TokenizerFolder(ctx, name, "", func(file string, done, total int64) {
		line.show(func() string {
			return fmt.Sprintf("fetching the tokenizer of %s from the Hugging Face hub: %s, %s", name, file, megabytes(done, total))
		})
	})
}
