package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/genai-bench/genai-bench/core/bench"
	"github.com/genai-bench/genai-bench/core/chattemplate"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/core/settings"
	"github.com/genai-bench/genai-bench/core/tokenizer"
)

// workload loads what requests are made of: the dataset, the tokenizer and,
// where it is counted, the model's chat template. Where it is known that there
// will be no benchmark, read is false, and datasets are only looked for.
func (b *benchmarking) workload(ctx context.Context, read bool) (bench.Workload, settings.Problems) {
	var load bench.Workload
	made, problems := b.material(ctx, read)
	wrong := func(flag string, err error) {
		problems = append(problems, settings.Problem{Flag: flag, Message: err.Error()})
	}
	s := b.core
	load.Gallery = made.gallery
	if s.ModelTokenizer != "" {
		if err := b.loadModel(ctx, &load); err != nil {
			wrong("model-tokenizer", err)
		}
	}
	if len(problems) > 0 || load.Tokenizer == nil && countsTokens(s.Task) {
		return load, problems
	}
	var counting prompt.Tokenizer // stays a nil interface where there is none
	if load.Tokenizer != nil {
		counting = load.Tokenizer
	}
	var err error
	if load.Corpus, err = prompt.NewCorpus(counting, s.ModelTokenizer, made.texts); err != nil {
		wrong("dataset-path", err)
	}
	return load, problems
}

// loadModel loads the tokenizer and, where it is wanted, the chat template that
// lies beside it.
func (b *benchmarking) loadModel(ctx context.Context, load *bench.Workload) error {
	t, path, err := b.findTokenizer(ctx, b.core.ModelTokenizer)
	if err != nil {
		return err
	}
	if t == nil {
		if t, err = tokenizer.Load(path); err != nil {
			return err
		}
	}
	load.Tokenizer = t
	if !b.core.CountTemplate {
		return nil
	}
	set, err := chatTemplates(path)
	if err != nil {
		return fmt.Errorf("%s: %w (--count-chat-template needs the folder or the Hugging Face name of a model that has one)", b.core.ModelTokenizer, err)
	}
	load.Template = bench.ChatTemplate{Set: set, Now: time.Now()}
	return nil
}

// chatTemplates loads the chat templates of a tokenizer's folder; path may also
// be a file in it, or "" for an encoding that has no files.
func chatTemplates(path string) (*chattemplate.Set, error) {
	if path == "" {
		return nil, chattemplate.ErrNoTemplate
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fileReason(err)
	}
	if !info.IsDir() {
		path = filepath.Dir(path)
	}
	return chattemplate.Load(path)
}

// randomSeed draws the seed of an experiment that was given none: another for
// every run of the program, so that a prefix cache never flatters the second.
func randomSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, says crypto/rand
	return binary.NativeEndian.Uint64(b[:]) >> 11
}
