package settings_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/genai-bench/genai-bench/core/settings"
)

func TestTimeScales(t *testing.T) {
	for text, c := range map[string]struct {
		want []float64
		err  string
	}{
		"0.5":       {want: []float64{0.5}},
		"1, 2,1e-3": {want: []float64{1, 2, 0.001}},
		"0":         {err: "0.5 twice as fast"},
		"-1":        {err: "must be from"},
		"NaN":       {err: `"NaN" is not a number`},
		"fast":      {err: `"fast" is not a number`},
		"1e7":       {err: "must be from"},
	} {
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		b := settings.BenchmarkFlags(fs)
		err := fs.Set("time-scale", text)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: error %v, want %q", text, err, c.err)
		}
		if diff := cmp.Diff(c.want, b.TimeScale); c.err == "" && diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}
