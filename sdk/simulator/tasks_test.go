package simulator

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"image/png"
	"math"
	"strings"
	"testing"
)

func TestEmbeddings(t *testing.T) {
	s := start(t, Config{EmbeddingDimensions: 12})
	c := client(t)
	r, err := post(t, c, s, "/v1/embeddings", "float", "", `{"model":"m","input":["abcd","efghi"]}`)
	if err != nil || r.status != 200 {
		t.Fatalf("%v, status %d: %s", err, r.status, r.body)
	}
	v := r.json(t)
	vector := dig(t, v, "data", 1, "embedding").([]any)
	norm := 0.0
	for _, x := range vector {
		norm += x.(float64) * x.(float64)
	}
	if len(vector) != 12 || math.Abs(norm-1) > 1e-3 || dig(t, v, "usage", "prompt_tokens") != 3.0 || dig(t, v, "data", 1, "index") != 1.0 {
		t.Errorf("answer %s", r.body)
	}
	r, err = post(t, c, s, "/v1/embeddings", "base64", "", `{"model":"m","input":"abcd","encoding_format":"base64","dimensions":3}`)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(dig(t, r.json(t), "data", 0, "embedding").(string))
	if err != nil || len(raw) != 12 || math.Abs(float64(math.Float32frombits(binary.LittleEndian.Uint32(raw)))) > 1 {
		t.Errorf("%v, vector %x", err, raw)
	}
	if got := truth(t, s, "base64"); got.PromptTokens != 1 || got.OutputTokens != 0 || got.Prefilled == 0 {
		t.Errorf("record %+v", got)
	}
}

func TestRerank(t *testing.T) {
	s := start(t, Config{})
	r, err := post(t, client(t), s, "/v1/rerank", "x", "", `{"model":"m","query":"abcd","documents":["one","two",{"text":"three"}],"top_n":2}`)
	if err != nil || r.status != 200 {
		t.Fatalf("%v, status %d: %s", err, r.status, r.body)
	}
	v := r.json(t)
	results := dig(t, v, "results").([]any)
	if len(results) != 2 || dig(t, results, 0, "relevance_score").(float64) < dig(t, results, 1, "relevance_score").(float64) ||
		dig(t, v, "usage", "prompt_tokens") != 3.0+1+1+2 {
		t.Errorf("answer %s", r.body)
	}
}

func TestImages(t *testing.T) {
	s := start(t, Config{ImageSteps: 3, StepTime: ms})
	r, err := post(t, client(t), s, "/v1/images/generations", "x", "", `{"model":"m","prompt":"a cat","n":2,"size":"64x32"}`)
	if err != nil || r.status != 200 {
		t.Fatalf("%v, status %d: %s", err, r.status, r.body)
	}
	raw, err := base64.StdEncoding.DecodeString(dig(t, r.json(t), "data", 1, "b64_json").(string))
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(raw))
	if err != nil || picture.Bounds().Dx() != 64 || picture.Bounds().Dy() != 32 {
		t.Errorf("%v, picture %v", err, picture.Bounds())
	}
	if got := truth(t, s, "x"); got.Decoded.Sub(got.Admitted) != 3*ms {
		t.Errorf("made in %v, want three steps", got.Decoded.Sub(got.Admitted))
	}
}

func TestSpeech(t *testing.T) {
	s := start(t, Config{})
	text := strings.Repeat("abcde", 9) // 45 characters: 3 s, 38 tokens of 80 ms
	tests := map[string]struct {
		extra string
		bytes int
		start string
	}{
		"mp3": {``, 116 * 417, "\xff\xfb\x90\x00"},
		"wav": {`,"response_format":"wav"`, 44 + 38*3840, "RIFF"},
		"pcm": {`,"response_format":"pcm"`, 38 * 3840, "\x00"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := post(t, client(t), s, "/v1/audio/speech", name, "", `{"model":"m","voice":"v","input":"`+text+`"`+test.extra+`}`)
			if err != nil || r.status != 200 || r.err != nil {
				t.Fatalf("%v, status %d: %s", err, r.status, r.body)
			}
			if len(r.body) != test.bytes || !strings.HasPrefix(r.body, test.start) {
				t.Errorf("%d bytes of sound that start with %q, want %d with %q", len(r.body), r.body[:4], test.bytes, test.start)
			}
			if got := truth(t, s, name); got.OutputTokens != 38 || got.Events[1].Kinds != Audio {
				t.Errorf("%d tokens, events %+v", got.OutputTokens, got.Events[1])
			}
		})
	}
}

func TestBadTaskRequests(t *testing.T) {
	s := start(t, Config{Models: []string{"m"}})
	for body, path := range map[string]string{
		`{"model":"m","input":[]}`:                              "/v1/embeddings",
		`{"model":"m","input":"a","dimensions":0}`:              "/v1/embeddings",
		`{"model":"m","input":"a","encoding_format":"octal"}`:   "/v1/embeddings",
		`{"model":"m","query":"a","documents":[]}`:              "/v1/rerank",
		`{"model":"m","query":"a","documents":[1]}`:             "/v1/rerank",
		`{"model":"m","prompt":""}`:                             "/v1/images/generations",
		`{"model":"m","prompt":"a","n":0}`:                      "/v1/images/generations",
		`{"model":"m","prompt":"a","size":"big"}`:               "/v1/images/generations",
		`{"model":"m","input":""}`:                              "/v1/audio/speech",
		`{"model":"m","input":"a","response_format":"vinyl"}`:   "/v1/audio/speech",
		`{"model":"m","input":"a","response_format":["vinyl"]}`: "/v1/audio/speech",
	} {
		r, err := post(t, client(t), s, path, "", "", body)
		if err != nil || r.status != 400 {
			t.Errorf("%s %s: %v, status %d: %s", path, body, err, r.status, r.body)
		}
	}
	if r, err := post(t, client(t), s, "/v1/rerank", "", "", `{"model":"x","query":"a","documents":["a"]}`); err != nil || r.status != 404 {
		t.Errorf("unknown model: %v, status %d", err, r.status)
	}
}
