package chattemplate

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ownCases reads testdata/own.json: templates of our own and what Jinja2 makes of them (see
// testdata/make_own.py).
func ownCases(tb testing.TB) (ctx *Dict, now time.Time, cases []ownCase) {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "own.json"))
	if err != nil {
		tb.Fatal(err)
	}
	var file struct {
		Now     string          `json:"now"`
		Context json.RawMessage `json:"context"`
		Cases   []ownCase       `json:"cases"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		tb.Fatal(err)
	}
	if ctx, err = DecodeContext(file.Context); err != nil {
		tb.Fatal(err)
	}
	if now, err = time.Parse("2006-01-02T15:04:05.999999", file.Now); err != nil {
		tb.Fatal(err)
	}
	if len(file.Cases) == 0 {
		tb.Fatal("no cases")
	}
	return ctx, now, file.Cases
}

type ownCase struct {
	Template string  `json:"template"`
	Out      *string `json:"out"`
	Err      string  `json:"err"`
}

func TestEveryConstructRendersAsJinjaRendersIt(t *testing.T) {
	ctx, now, cases := ownCases(t)
	for _, c := range cases {
		t.Run(c.Template, func(t *testing.T) {
			var got string
			tpl, err := Parse(c.Template)
			if err == nil {
				got, err = tpl.RenderAt(ctx, now)
			}
			switch {
			case c.Out == nil && err == nil:
				t.Errorf("rendered %q, where Jinja says %s", got, c.Err)
			case c.Out != nil && err != nil:
				t.Errorf("%v, where Jinja renders %q", err, *c.Out)
			case c.Out != nil:
				if diff := cmp.Diff(*c.Out, got); diff != "" {
					t.Errorf("(-jinja +ours)\n%s", diff)
				}
			}
		})
	}
}
