package settings_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/genai-bench/genai-bench/core/settings"
)

// TestCalibrateHasDefaultsThatTypingReplaces: lists too, and everything else is
// as benchmark has it.
func TestCalibrateHasDefaultsThatTypingReplaces(t *testing.T) {
	type chosen struct {
		Scenarios   []string
		Concurrency []int
		Lasting     time.Duration
		Timeout     time.Duration
		Clock       string
	}
	of := func(b *settings.Benchmark) chosen {
		return chosen{b.Scenarios, b.NumConcurrency, b.MaxTimePerRun, b.RequestTimeout, b.Clock}
	}
	plain := settings.BenchmarkFlags(pflag.NewFlagSet("benchmark", pflag.ContinueOnError))
	for name, c := range map[string]struct {
		args []string
		want chosen
	}{
		"nothing typed": {nil, chosen{[]string{"U(50,150)/(25,75)"}, []int{64}, 8 * time.Second, plain.RequestTimeout, plain.Clock}},
		"typed": {
			[]string{"--num-concurrency", "1", "--num-concurrency", "512", "--traffic-scenario", "D(1,2)", "--max-time-per-run", "90s", "--clock", "user"},
			chosen{[]string{"D(1,2)"}, []int{1, 512}, 90 * time.Second, plain.RequestTimeout, "user"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fs := pflag.NewFlagSet("calibrate", pflag.ContinueOnError)
			b := settings.CalibrateFlags(fs)
			if err := fs.Parse(c.args); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, of(b)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if fs.Lookup("api-base") != nil {
				t.Error("calibrate has its own server")
			}
		})
	}
}
