package scenario

import (
	"fmt"
	"slices"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// Accepted lists the kinds of scenarios that a task takes.
func Accepted(task backend.Task) []Kind {
	switch task {
	case backend.TextToText:
		return []Kind{Constant, Normal, Uniform, Rows}
	case backend.TextToEmbeddings:
		return []Kind{Embedding, Rows}
	case backend.TextToRerank:
		return []Kind{Rerank, Rows}
	case backend.TextToImage, backend.ImageTextToText, backend.ImageToEmbedding:
		return []Kind{Image, Rows}
	case backend.TextToSpeech:
		return []Kind{Speech, Rows}
	}
	return nil
}

// Fits returns nil where the task takes the scenario, else an error that shows
// the scenarios that it takes.
func (s Scenario) Fits(task backend.Task) error {
	accepted := Accepted(task)
	if slices.Contains(accepted, s.kind) {
		return nil
	}
	var forms []string
	for _, k := range accepted {
		forms = append(forms, k.Form())
		if k == Uniform {
			forms = append(forms, prefixed.Form())
		}
	}
	if len(forms) == 0 {
		return fmt.Errorf("traffic scenario %s: unknown task %q", s, task)
	}
	return fmt.Errorf("traffic scenario %s does not fit task %s, which takes %s", s, task, strings.Join(forms, ", "))
}

// Defaults lists the scenarios that a task is measured with where the user
// names none; with a dataset of the user's own that is "dataset" alone. They
// are those of the Python tool 0.0.5, save R(2048,100), which its help promises
// where its code has 2096.
func Defaults(task backend.Task, ownDataset bool) []Scenario {
	if ownDataset {
		return []Scenario{{kind: Rows}}
	}
	d := func(in, out int) Scenario { return Scenario{kind: Constant, input: pair{a: in}, output: pair{a: out}} }
	var list []Scenario
	switch task {
	case backend.TextToText:
		normal := Scenario{kind: Normal, input: pair{480, 240}, output: pair{300, 150}}
		list = []Scenario{normal, d(100, 100), d(100, 1000), d(2000, 200), d(7800, 200)}
	case backend.TextToEmbeddings:
		for _, tokens := range []int{64, 128, 256, 512, 1024} {
			list = append(list, Scenario{kind: Embedding, input: pair{a: tokens}})
		}
	case backend.TextToRerank:
		for _, tokens := range []int{64, 128, 256, 512, 1024, 2048, 4096} {
			list = append(list, Scenario{kind: Rerank, input: pair{a: tokens}, output: pair{a: 100}})
		}
	case backend.TextToSpeech:
		for _, characters := range []int{100, 500, 1000, 2000, 4000} {
			list = append(list, Scenario{kind: Speech, input: pair{a: characters}})
		}
	case backend.TextToImage:
		for _, size := range []pair{{512, 512}, {1024, 1024}, {1024, 1792}} {
			list = append(list, Scenario{kind: Image, input: size, output: pair{a: 1}})
		}
	case backend.ImageTextToText, backend.ImageToEmbedding:
		for _, size := range []pair{{512, 512}, {1024, 512}, {2048, 2048}} {
			list = append(list, Scenario{kind: Image, input: size, output: pair{a: 1}})
		}
	}
	return list
}

// Iteration is what the levels of an experiment are: what --iteration-type
// takes and the results store.
type Iteration string

// The iteration types.
const (
	NumConcurrency Iteration = "num_concurrency" // requests in flight
	BatchSize      Iteration = "batch_size"      // documents a request, one request in flight
)

// IterationOf returns the iteration type of a task; each task has one.
func IterationOf(task backend.Task) Iteration {
	if task == backend.TextToEmbeddings || task == backend.TextToRerank {
		return BatchSize
	}
	return NumConcurrency
}

// DefaultLevels returns the levels that are measured where the user names none.
func (i Iteration) DefaultLevels() []int {
	if i == BatchSize {
		return []int{1, 2, 4, 8, 24, 48, 96}
	}
	return []int{1, 2, 4, 8, 16, 32, 64, 128, 256}
}
