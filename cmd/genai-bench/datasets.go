package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/dataset/open"
	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/hub"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/core/settings"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// material is what the datasets of an invocation give.
type material struct {
	texts   dataset.Texts
	gallery *prompt.Gallery // nil: pictures are synthetic
}

// showsPictures tells the tasks whose requests have pictures in them.
func showsPictures(task string) bool {
	return task == string(backend.ImageTextToText) || task == string(backend.ImageToEmbedding)
}

// describe says which dataset is meant; flag is the one that names it.
func (b *benchmarking) describe() (d open.Description, flag string, err error) {
	s := b.core
	if s.DatasetConfig == "" {
		return open.FromPath(s.DatasetPath, s.DatasetPromptColumn, s.DatasetImageColumn), "dataset-path", nil
	}
	d, warnings, err := open.ReadConfig(s.DatasetConfig)
	for _, w := range warnings {
		b.notes = append(b.notes, fmt.Sprintf("--dataset-config %s: %s", s.DatasetConfig, w))
	}
	for _, ignored := range []struct{ flag, value string }{
		{"dataset-path", s.DatasetPath}, {"dataset-prompt-column", s.DatasetPromptColumn}, {"dataset-image-column", s.DatasetImageColumn},
	} {
		if ignored.value != "" {
			b.notes = append(b.notes, fmt.Sprintf("--%s is ignored: --dataset-config says which dataset, and which columns of it", ignored.flag))
		}
	}
	return d, "dataset-config", err
}

// material opens the dataset. Where read is not set it is only looked for: the
// benchmark will not take place, and nobody waits to be told so.
func (b *benchmarking) material(ctx context.Context, read bool) (m material, problems settings.Problems) {
	m.texts = dataset.BuiltIn()
	d, flag, err := b.describe()
	fail := func(err error) settings.Problems {
		return settings.Problems{{Flag: flag, Message: err.Error()}}
	}
	if err != nil {
		return m, fail(err)
	}
	s := b.core
	if s.DatasetPath == "" && s.DatasetConfig == "" {
		if showsPictures(s.Task) {
			return m, nil // synthetic ones
		}
		if s.Task == string(backend.TextToImage) {
			m.texts = dataset.BuiltInImagePrompts()
			return m, nil
		}
	}
	set, shown, err := b.openDataset(ctx, d)
	defer shown()
	if err != nil {
		return m, fail(err)
	}
	if !read {
		return m, nil
	}
	if showsPictures(s.Task) {
		records, err := set.Records(ctx)
		if err != nil {
			return m, fail(err)
		}
		m.gallery = prompt.NewGallery(records, d.LargeImages)
	} else if m.texts, err = set.Texts(ctx); err != nil {
		return m, fail(err)
	}
	b.used.dataset = set
	b.noteDataset(set)
	return m, nil
}

// conversations opens those that --conversation names; nil for none.
func (b *benchmarking) conversations(ctx context.Context) (dataset.Conversations, error) {
	if b.core.Conversation == "" {
		return nil, nil
	}
	d := open.FromPath(b.core.Conversation, "", "")
	d.Kind = open.File
	set, shown, err := b.openDataset(ctx, d)
	defer shown()
	if err != nil {
		return nil, err
	}
	conversations, err := set.Conversations(ctx)
	if err != nil {
		return nil, err
	}
	b.used.conversations = set
	b.noteDataset(set)
	return conversations, nil
}

// noteDataset keeps what the user should know of a dataset.
func (b *benchmarking) noteDataset(set *open.Dataset) {
	b.notes = append(b.notes, set.Notes()...)
	if note := badRows(set.Facts()); note != "" {
		b.notes = append(b.notes, note)
	}
}

// openDataset opens a dataset, which is closed with the invocation. shown ends
// the line that says how far that is; it is to be called when rows have been
// found.
func (b *benchmarking) openDataset(ctx context.Context, d open.Description) (set *open.Dataset, shown func(), err error) {
	line := newProgressLine(b.stderr, b.stderrTerminal, "looking for dataset "+d.Path)
	set, err = open.Open(ctx, d, open.Options{
		Hub: func(token secret.Secret, none bool) (*hub.Client, error) {
			config := hub.FromEnv(b.getenv, b.home)
			switch {
			case none:
				config.Token, config.TokenPath = secret.Secret{}, ""
			case !token.IsZero():
				config.Token = token
			}
			return hub.New(config)
		},
		Progress: func(what open.Work, file string, done, total int64) {
			line.show(func() string {
				from := ""
				if what == open.Fetching {
					from = " from the Hugging Face hub"
				}
				return fmt.Sprintf("%s %s%s: %s", what, file, from, megabytes(done, total))
			})
		},
	})
	if err != nil {
		return nil, line.end, err
	}
	b.opened = append(b.opened, set)
	return set, line.end, nil
}

// closeDatasets closes the datasets of the invocation.
func (b *benchmarking) closeDatasets() {
	for _, set := range b.opened {
		_ = set.Close() // it was only read
	}
	b.opened = nil
}

// badRows is the note about rows that were left out, "" where there are none.
func badRows(f open.Facts) string {
	if f.BadRows == 0 {
		return ""
	}
	which := ""
	if f.BadRows > len(f.Bad) {
		which = "; the first"
	}
	rows := "rows were"
	if f.BadRows == 1 {
		rows = "row was"
	}
	return fmt.Sprintf("dataset %s: %d bad %s left out, %d are good%s: %s", f.Name, f.BadRows, rows, f.Rows, which, strings.Join(f.Bad, "; "))
}

// usedDatasets are the datasets that requests are made of; nil: none.
type usedDatasets struct{ dataset, conversations *open.Dataset }

// describe writes into the metadata what was read so far.
func (u usedDatasets) describe(m *experiment.Metadata) {
	for _, of := range []struct {
		set  *open.Dataset
		into **experiment.DatasetMetadata
	}{{u.dataset, &m.Dataset}, {u.conversations, &m.Conversations}} {
		if of.set != nil {
			*of.into = datasetMetadata(of.set.Facts())
		}
	}
}

// lines say what was opened; the built-in text is not worth one.
func (u usedDatasets) lines() (lines []string) {
	for _, set := range []*open.Dataset{u.dataset, u.conversations} {
		if set == nil {
			continue
		}
		f := set.Facts()
		if f.Name == dataset.BuiltInName {
			continue
		}
		line := fmt.Sprintf("dataset %s: %d rows", f.Name, f.Rows)
		if f.Rows == 1 {
			line = fmt.Sprintf("dataset %s: 1 row", f.Name)
		}
		if f.Prompt != "" {
			line += ", prompts by " + f.Prompt
		}
		if f.Image != "" {
			line += ", pictures by " + f.Image
		}
		lines = append(lines, line)
	}
	return lines
}

func datasetMetadata(f open.Facts) *experiment.DatasetMetadata {
	m := &experiment.DatasetMetadata{
		Name: f.Name, Config: f.Config, Split: f.Split, Commit: f.Commit, PromptColumn: f.Prompt, ImageColumn: f.Image,
		Rows: f.Rows, BadRows: f.BadRows, FirstBadRows: f.Bad,
	}
	for _, file := range f.Files {
		m.Files = append(m.Files, experiment.DatasetFile(file))
	}
	return m
}

// noteLaterBadRows tells of bad rows that were found in the runs.
func (b *benchmarking) noteLaterBadRows() {
	for _, set := range b.opened {
		if note := badRows(set.Facts()); note != "" && !slices.Contains(b.notes, note) {
			fmt.Fprintf(b.stderr, "warning: %s\n", note)
		}
	}
}

var errInterruptedEarly = errors.New("interrupted before anything was measured")

// untilInterrupt is a context that an interrupt ends, for what takes long before
// the workers are there.
func untilInterrupt(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	over := make(chan struct{})
	go func() {
		select {
		case <-signals:
			cancel(errInterruptedEarly)
		case <-over:
		}
	}()
	return ctx, func() { signal.Stop(signals); close(over); cancel(nil) }
}
