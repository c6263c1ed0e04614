package nearest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/nearest"
)

func TestWords(t *testing.T) {
	columns := []string{"question", "answers", "context", "id", "title", "num-workers"}
	for name, c := range map[string]struct {
		word string
		want []string
	}{
		"a letter too few":    {"qestion", []string{"question"}},
		"two letters swapped": {"titel", []string{"title"}},
		"a beginning":         {"con", []string{"context"}},
		"part of a word":      {"num-work", []string{"num-workers"}},
		"itself":              {"answers", []string{"answers"}},
		"nothing like it":     {"prompt", nil},
		"too short to tell":   {"de", nil},
		"no word":             {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, nearest.Words(c.word, columns)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
