package prompt_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

var promptsCounted = flag.Int("prompts", 60, "prompts of each scenario and tokenizer that TestRequestedAgainstCounted counts")

// TestRequestedAgainstCounted counts every prompt again, whole, by its token ids,
// and prints what was requested beside it:
//
//	go test ./core/prompt -run RequestedAgainstCounted -prompts 10000 -v
func TestRequestedAgainstCounted(t *testing.T) {
	cases := []struct {
		scenario string
		task     backend.Task
		batch    int
	}{
		{"D(100,100)", backend.TextToText, 0},
		{"N(480,240)/(300,150)", backend.TextToText, 0},
		{"U(1,4000)/(1,200)", backend.TextToText, 0},
		{"D(2000,200)", backend.TextToText, 0},
		{"E(64)", backend.TextToEmbeddings, 8},
		{"R(64,20)", backend.TextToRerank, 8},
	}
	t.Logf("%-8s %-22s %8s %12s %12s %8s %10s", "", "scenario", "prompts", "requested", "counted", "off", "prompts/s")
	public := publicTokenizers(t, "llama3", "qwen3", "t5")
	for _, name := range slices.Sorted(maps.Keys(public)) {
		corpus := mustCorpus(t, public[name], dataset.BuiltIn())
		for _, c := range cases {
			source := mustSource(t, corpus, prompt.Config{Task: c.task, Scenario: mustScenario(t, c.scenario), BatchSize: c.batch, Seed: 11})
			var requested, counted, off, prompts int
			var making time.Duration
			for i := 0; prompts < *promptsCounted; i++ {
				begun := time.Now()
				item := mustRequest(t, source, uint64(i))
				making += time.Since(begun)
				texts, sizes := textsOf(item)
				for k, text := range texts {
					n := len(public[name].AppendEncode(nil, text))
					requested, counted, prompts = requested+sizes[k], counted+n, prompts+1
					if n != sizes[k] {
						off++
					}
				}
			}
			t.Logf("%-8s %-22s %8d %12d %12d %8d %10.0f", name, c.scenario, prompts, requested, counted, off, float64(prompts)/making.Seconds())
			if off > 0 {
				t.Errorf("%s, %s: %d of %d prompts are not of the size that was asked for", name, c.scenario, off, prompts)
			}
		}
	}
}

// textsOf are the texts of a request, and how many tokens each was to have.
func textsOf(item prompt.Item) (texts []string, sizes []int) {
	switch r := item.Request; {
	case r.Embed != nil:
		texts = r.Embed.Inputs
	case r.Rerank != nil:
		return append([]string{r.Rerank.Query}, r.Rerank.Documents...),
			append([]int{item.Size.QueryTokens}, slices.Repeat([]int{item.Size.InputTokens}, len(r.Rerank.Documents))...)
	default:
		texts = []string{promptOf(item)}
	}
	return texts, slices.Repeat([]int{item.Size.InputTokens}, len(texts))
}

// BenchmarkAThousandASecond takes requests on a schedule, one each millisecond,
// as an open loop does, and tells how often one was not ready:
//
//	go test ./core/prompt -run xxx -bench AThousandASecond -benchtime 10000x
func BenchmarkAThousandASecond(b *testing.B) {
	for _, c := range []string{"D(2000,200)", "D(7800,200)"} {
		for name, public := range publicTokenizers(b, "llama3") {
			b.Run(fmt.Sprintf("%s/%s", name, c), func(b *testing.B) {
				source := mustSource(b, mustCorpus(b, public, dataset.BuiltIn()), prompt.Config{Scenario: mustScenario(b, c), Seed: 1})
				ahead := prompt.NewAhead(source, prompt.AheadOptions{})
				defer ahead.Close()
				if err := ahead.Ready(b.Context()); err != nil {
					b.Fatal(err)
				}
				var longest time.Duration
				begun := time.Now()
				for n := 0; b.Loop(); n++ {
					time.Sleep(time.Until(begun.Add(time.Duration(n) * time.Millisecond)))
					asked := time.Now()
					if _, err := ahead.Next(b.Context()); err != nil {
						b.Fatal(err)
					}
					longest = max(longest, time.Since(asked))
				}
				stats := ahead.Stats()
				b.ReportMetric(float64(stats.Waited), "waited-for")
				b.ReportMetric(float64(longest.Microseconds()), "longest-µs")
				b.ReportMetric(float64(stats.PeakBytes)/1e6, "MB-held")
				b.ReportMetric(float64(stats.Taken)/time.Since(begun).Seconds(), "requests/s")
			})
		}
	}
}
