package openaiwire

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

func TestList(t *testing.T) {
	type told struct {
		Vectors *backend.Vectors
		Media   *backend.Media
		Usage   backend.Usage
		Class   fault.Class
		Error   string
	}
	for name, tc := range map[string]struct {
		kind backend.Kind
		body string
		want told
	}{
		"embeddings": {
			backend.KindEmbed, `{"object":"list","data":[{"index":0,"embedding":[0.1,-2e-3]},{"embedding":[0.3,0.4]}],"usage":{"prompt_tokens":44,"total_tokens":44}}`,
			told{Vectors: &backend.Vectors{Count: 2, Dimensions: 2}, Usage: backend.Usage{Source: backend.UsageFinal, Input: ptr(44)}},
		},
		"embeddings in base64, without usage": {
			backend.KindEmbed, `{"data":[{"embedding":"AAAAAAAAAAAAAAAA"}]}`, told{Vectors: &backend.Vectors{Count: 1, Dimensions: 3}},
		},
		"embeddings in base64 with padding": {
			backend.KindEmbed, `{"data":[{"embedding":"AAAAAA=="}]}`, told{Vectors: &backend.Vectors{Count: 1, Dimensions: 1}},
		},
		"by encoding/json": {
			backend.KindEmbed, `{"d\u0061ta":[{"embedding":[1,2,3]}],"usage":{"prompt_tokens":4.0}}`,
			told{Vectors: &backend.Vectors{Count: 1, Dimensions: 3}, Usage: backend.Usage{Source: backend.UsageFinal, Input: ptr(4)}},
		},
		"rerank": {
			backend.KindRerank, `{"results":[{"index":0,"relevance_score":0.9},{"index":1}],"usage":{"total_tokens":61,"prompt_tokens":61}}`,
			told{Vectors: &backend.Vectors{Count: 2}, Usage: backend.Usage{Source: backend.UsageFinal, Input: ptr(61)}},
		},
		"rerank, total alone": {
			backend.KindRerank, `{"results":[{}],"usage":{"total_tokens":61}}`,
			told{Vectors: &backend.Vectors{Count: 1}, Usage: backend.Usage{Source: backend.UsageFinal, Input: ptr(61)}},
		},
		"rerank as a bare list": {backend.KindRerank, `[{"index":0},{"index":1}]`, told{Vectors: &backend.Vectors{Count: 2}}},
		"image by address":      {backend.KindImage, `{"created":1,"data":[{"url":"https://x/1.png"}]}`, told{Media: &backend.Media{Count: 1}}},
		"image in the answer": {
			backend.KindImage, `{"data":[{"b64_json":"AAAA"},{"b64_json":"AAA="}],"usage":{"input_tokens":5,"output_tokens":7}}`,
			told{Media: &backend.Media{Count: 2, Bytes: 5}, Usage: backend.Usage{Source: backend.UsageFinal, Input: ptr(5), Output: ptr(7)}},
		},
		"no image":   {backend.KindImage, `{"data":[]}`, told{Media: &backend.Media{}, Class: fault.Protocol, Error: "the server answered 200 with no image"}},
		"no results": {backend.KindRerank, `{"results":[]}`, told{Vectors: &backend.Vectors{}, Class: fault.Protocol, Error: "the server answered 200 with no results"}},
		"no list":    {backend.KindEmbed, `{"a":1}`, told{Class: fault.Protocol, Error: `the answer lists no results: "{\"a\":1}"`}},
		"error":      {backend.KindEmbed, `{"error":{"message":"m","code":429}}`, told{Class: fault.RateLimited, Error: "m"}},
	} {
		t.Run(name, func(t *testing.T) {
			rec := backend.NewRecorder(&backend.Request{}, 0, nil, nil)
			l, err := parseList([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if failure := l.record(rec, tc.kind, []byte(tc.body)); failure != nil {
				rec.Fail(failure)
			}
			out := rec.Outcome(context.Background())
			got := told{Vectors: out.Vectors, Media: out.Media, Usage: out.Usage}
			if out.Error != nil {
				got.Class, got.Error = out.Error.Class, out.Error.Message
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, body := range []string{"", "null", "3", `{"data":[`, `[{]`} {
		if l, err := parseList([]byte(body)); err == nil {
			t.Errorf("%q was taken for a list: %+v", body, l)
		}
	}
}

// FuzzList: what the scanner counts, encoding/json counts too.
func FuzzList(f *testing.F) {
	f.Add([]byte(`{"data":[{"embedding":[1,2]},{"b64_json":"AAAA"}],"usage":{"prompt_tokens":3}}`))
	f.Add([]byte(` [{"embedding":[]}]`))
	f.Add([]byte(`{"results":[{"embedding":"AAA="}],"data":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var fast list
		s := &scanner{data: body}
		if !fast.scan(s) || !s.end() {
			return
		}
		slow, err := decodeList(body)
		if err != nil {
			t.Fatalf("the scanner accepts what encoding/json refuses: %v", err)
		}
		if diff := cmp.Diff(slow, fast, cmp.AllowUnexported(list{}, tokenCounts{})); diff != "" {
			t.Errorf("the scanner (+) and encoding/json (-) differ: %s", diff)
		}
	})
}
