package chattemplate

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type goldenCase struct {
	Template string          `json:"tpl"`
	Case     string          `json:"case"`
	Context  json.RawMessage `json:"ctx"`
	Out      *string         `json:"out"`
	Err      *string         `json:"err"`
}

type goldenFile struct {
	Templates map[string]string `json:"templates"`
	Cases     []goldenCase      `json:"cases"`
}

// golden reads templates of public models with what Python renders. They carry licences of their
// own and are not committed; without them the test is skipped, and fails under CI.
func golden(tb testing.TB) goldenFile {
	tb.Helper()
	folder := os.Getenv("GENAI_BENCH_GOLDEN")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "golden")
	}
	file, err := os.Open(filepath.Join(folder, "chat-templates", "cases.json.gz"))
	if err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("golden data missing: %v (set GENAI_BENCH_GOLDEN)", err)
		}
		tb.Skipf("SKIPPED, NOTHING WAS CHECKED: golden data missing: %v (set GENAI_BENCH_GOLDEN)", err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		tb.Fatal(err)
	}
	var g goldenFile
	if err := json.NewDecoder(z).Decode(&g); err != nil {
		tb.Fatal(err)
	}
	if len(g.Cases) == 0 {
		tb.Fatal("the golden file holds no cases")
	}
	return g
}

// goldenDay is when the golden file was made, which some templates write into their text.
var goldenDay = time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)

func TestTemplatesOfModelsRenderAsPythonRendersThem(t *testing.T) {
	g := golden(t)
	rendered, refused := 0, 0
	for _, c := range g.Cases {
		t.Run(c.Template+"/"+c.Case, func(t *testing.T) {
			tpl, err := Parse(g.Templates[c.Template])
			if err != nil {
				t.Fatal(err)
			}
			ctx, err := DecodeContext(c.Context)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tpl.RenderAt(ctx, goldenDay)
			switch {
			case c.Out == nil && err == nil:
				t.Errorf("rendered what Python refuses (%s):\n%s", *c.Err, got)
			case c.Out == nil:
				refused++
			case err != nil:
				t.Error(err)
			default:
				if diff := cmp.Diff(*c.Out, got); diff != "" {
					t.Errorf("(-python +ours)\n%s", diff)
					return
				}
				rendered++
			}
		})
	}
	t.Logf("%d rendered alike, %d refused alike, of %d", rendered, refused, len(g.Cases))
}

func BenchmarkRender(b *testing.B) {
	tpl, err := Parse("{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] | trim }}</s>\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}")
	if err != nil {
		b.Fatal(err)
	}
	ctx, err := DecodeContext([]byte(`{"bos_token":"<s>","add_generation_prompt":true,"messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"Hello!"}]}`))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tpl.Render(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
