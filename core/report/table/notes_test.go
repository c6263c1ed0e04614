package table_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/clipperhouse/displaywidth"

	"github.com/genai-bench/genai-bench/core/report/table"
)

func TestClocksAreNamed(t *testing.T) {
	e := own()
	e.Runs[0].Figures.Clocks, e.Runs[0].Figures.BundledShare = map[string]int{"kernel": 1000}, 0.04
	e.Runs[1].Figures.Clocks, e.Runs[1].Figures.BundledShare = map[string]int{"kernel": 900, "user": 100}, 0.123
	var got bytes.Buffer
	if err := table.Write(&got, e, table.Options{Width: 120}); err != nil {
		t.Fatal(err)
	}
	want := "Timed by: kernel (1900 requests), user (100 requests). Output events read several at a time: at most 12.3 % in a run.\n"
	if !strings.Contains(got.String(), want) {
		t.Errorf("no %q in\n%s", want, got.String())
	}
}

// TestLongNamesFit: the names of datasets have no spaces at which to break.
func TestLongNamesFit(t *testing.T) {
	for what, name := range map[string]string{"ascii": "dataset:" + strings.Repeat("very-long-", 15), "wide": strings.Repeat("日本", 40)} {
		for _, width := range []int{60, 80, 100, 120} {
			t.Run(fmt.Sprint(what, width), func(t *testing.T) {
				e := own()
				e.Metadata.TrafficScenario = []string{name}
				for i := range e.Runs {
					e.Runs[i].Figures.Scenario = name
				}
				var got bytes.Buffer
				if err := table.Write(&got, e, table.Options{Width: width}); err != nil {
					t.Fatal(err)
				}
				for line := range strings.Lines(got.String()) {
					if w := displaywidth.String(strings.TrimSuffix(line, "\n")); w > width {
						t.Errorf("%d columns: %q", w, line)
					}
				}
				if !strings.Contains(strings.ReplaceAll(got.String(), "\n", ""), name) {
					t.Error("the name is not whole")
				}
			})
		}
	}
}
