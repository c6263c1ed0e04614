package simulator

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/secret"
)

func TestStreamSaysWhatTheRecordSays(t *testing.T) {
	s := start(t, Config{Seed: 3})
	r, err := post(t, client(t), s, "/v1/chat/completions", "one", "", streamBody)
	if err != nil || r.err != nil || r.status != 200 {
		t.Fatalf("%v, %v, status %d: %s", err, r.err, r.status, r.body)
	}
	got := truth(t, s, "one")
	text := textOf(t, r.body, "content")
	if len(text) != 8*4 {
		t.Errorf("text %q is not eight words of four bytes", text)
	}
	want := []Choice{{Text: text, Finish: "length", Reason: "length", Tokens: 8}}
	if diff := cmp.Diff(want, got.Choices); diff != "" {
		t.Errorf("choices (-want +got):\n%s", diff)
	}
	var kinds []string
	for _, e := range got.Events {
		kinds = append(kinds, e.Kinds.String())
	}
	wantKinds := strings.Fields("head role text text text text text text text text+finish usage done end")
	if diff := cmp.Diff(wantKinds, kinds); diff != "" {
		t.Errorf("kinds of events (-want +got):\n%s", diff)
	}
	all := events(r.body)
	var last map[string]any
	if err := json.Unmarshal([]byte(all[len(all)-2]), &last); err != nil {
		t.Fatal(err)
	}
	if in, out := dig(t, last, "usage", "prompt_tokens"), dig(t, last, "usage", "completion_tokens"); in != 5.0 || out != 8.0 {
		t.Errorf("usage %v in, %v out, want 5 (19 bytes) and 8", in, out)
	}
	if got.PromptTokens != 5 || got.OutputTokens != 8 || got.End != EndComplete || got.Status != 200 || !got.UsageSent || !got.Exact {
		t.Errorf("record %+v", got)
	}
	if got.ResponseBytes != int64(len(r.body)) {
		t.Errorf("%d bytes of body, want %d", got.ResponseBytes, len(r.body))
	}
	if id := r.header.Get("X-Request-Id"); id != "one" {
		t.Errorf("x-request-id %q", id)
	}
}

// The moments of a record follow the life of a request.
func TestMomentsAreInOrder(t *testing.T) {
	s := start(t, Config{StepTime: 3 * ms, PrefillTime: 3 * ms})
	if _, err := post(t, client(t), s, "/v1/chat/completions", "one", "", streamBody); err != nil {
		t.Fatal(err)
	}
	r := truth(t, s, "one")
	order := []int64{int64(r.Accepted), int64(r.RequestStart), int64(r.HeadRead), int64(r.BodyRead), int64(r.Queued), int64(r.Prefilled), int64(r.Decoded), int64(r.Ended)}
	for i := 1; i < len(order); i++ {
		if order[i] < order[i-1] || order[0] == 0 {
			t.Errorf("moment %d is before the one before it: %v", i, order)
		}
	}
	if r.RequestReceived > r.RequestStart || runtime.GOOS == "linux" && r.RequestReceived < r.Accepted.Add(-time.Second) {
		t.Errorf("the kernel received the request at %d, it was read at %d, the connection accepted at %d", r.RequestReceived, r.RequestStart, r.Accepted)
	}
	last := r.Queued
	for i, w := range r.Writes {
		if w.Before < last || w.After < w.Before {
			t.Errorf("write %d is out of order: %+v after %d", i, w, last)
		}
		last = w.After
	}
	first, _ := r.First(Output)
	if before, _ := r.Interval(first); before < r.Prefilled {
		t.Errorf("the first token left at %d, before its prefill ended at %d", before, r.Prefilled)
	}
	final, _ := r.Last(Text)
	if before, _ := r.Interval(final); before < r.Decoded {
		t.Errorf("the last token left at %d, before it was made at %d", before, r.Decoded)
	}
	if d := r.Decoded.Sub(r.Prefilled); d != 7*3*ms {
		t.Errorf("seven steps of 3 ms took %v by the engine's schedule", d)
	}
}

// What makes the record the truth: no byte is at a reader before the write that
// carried it began, whatever the borders of chunks.
func TestNoByteArrivesBeforeItsWrite(t *testing.T) {
	s := start(t, Config{StepTime: ms})
	for i, fault := range []string{"", "borders=bytes", "borders=joined", "borders=straddle", "borders=trickled; piece-delay=300us", "borders=next-head", "borders=random", "borders=mid-line; piece-delay=300us"} {
		t.Run(fault, func(t *testing.T) {
			id := fmt.Sprint("id", i)
			raw, got := rawPost(t, s, id, fault, streamBody)
			r, ends := truth(t, s, id), bodyEnds(t, raw)
			if len(ends) != int(r.ResponseBytes) {
				t.Fatalf("%d bytes of body, the record says %d", len(ends), r.ResponseBytes)
			}
			seen := func(rawEnd int) arrival {
				for _, a := range got {
					if a.end >= rawEnd {
						return a
					}
				}
				t.Fatalf("byte %d never came", rawEnd)
				return arrival{}
			}
			bytes := 0
			for n, w := range r.Writes {
				bytes += w.Bytes
				if w.Bytes > 0 && seen(ends[w.Offset]).at < w.Before {
					t.Errorf("write %d at %d was read at %d", n, w.Before, seen(ends[w.Offset]).at)
				}
			}
			if bytes != len(ends) {
				t.Errorf("the writes have %d bytes, the body %d", bytes, len(ends))
			}
			offset := int64(0)
			for _, e := range r.Events {
				if e.Kinds&(Head|LastByte) != 0 {
					continue
				}
				w := r.Writes[e.Write]
				if last := e.Offset + int64(e.Bytes) - 1; e.Offset != offset || last < w.Offset || last >= w.Offset+int64(w.Bytes) {
					t.Errorf("event %+v does not end in its write %+v", e, w)
				}
				offset += int64(e.Bytes)
			}
			if offset != int64(len(ends)) {
				t.Errorf("the events have %d bytes, the body %d", offset, len(ends))
			}
		})
	}
}

func TestWholeAnswers(t *testing.T) {
	s := start(t, Config{})
	c := client(t)
	tests := map[string]struct {
		path, body string
		object     string
		prompt     float64
		choices    int
	}{
		"chat":                {"/v1/chat/completions", wholeBody, "chat.completion", 5, 1},
		"chat of two":         {"/v1/chat/completions", `{"model":"m","n":2,"messages":[{"role":"system","content":"abcd"},{"role":"user","content":[{"type":"text","text":"abcd"}]}],"max_completion_tokens":8}`, "chat.completion", 2, 2},
		"chat with a picture": {"/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,"}},{"type":"text","text":"abcd"}]}],"max_tokens":8}`, "chat.completion", 257, 1},
		"completion":          {"/v1/completions", `{"model":"m","prompt":"hello","max_tokens":8}`, "text_completion", 2, 1},
		"two prompts of two":  {"/v1/completions", `{"model":"m","prompt":["abcd","efghi"],"n":2,"max_tokens":8}`, "text_completion", 3, 4},
		"token ids":           {"/v1/completions", `{"model":"m","prompt":[1,2,3],"max_tokens":8}`, "text_completion", 3, 1},
		"lists of token ids":  {"/v1/completions", `{"model":"m","prompt":[[1,2,3],[4]],"max_tokens":8}`, "text_completion", 4, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := post(t, c, s, test.path, name, "", test.body)
			if err != nil || r.status != 200 {
				t.Fatalf("%v, status %d: %s", err, r.status, r.body)
			}
			v, got := r.json(t), truth(t, s, name)
			if v["object"] != test.object || len(dig(t, v, "choices").([]any)) != test.choices || len(got.Choices) != test.choices {
				t.Errorf("answer %v", v)
			}
			for i, want := range got.Choices {
				text := dig(t, v, "choices", i, "text")
				if test.object == "chat.completion" {
					text = dig(t, v, "choices", i, "message", "content")
				}
				if text != want.Text || len(want.Text) != 32 || want.Finish != "length" {
					t.Errorf("choice %d is %q, the record has %+v", i, text, want)
				}
			}
			if in, out := dig(t, v, "usage", "prompt_tokens"), dig(t, v, "usage", "completion_tokens"); in != test.prompt || out != float64(8*test.choices) {
				t.Errorf("usage %v in, %v out, want %v and %v", in, out, test.prompt, 8*test.choices)
			}
			if got.OutputTokens != 8*test.choices || !got.UsageSent {
				t.Errorf("record says %d tokens, usage sent %v", got.OutputTokens, got.UsageSent)
			}
		})
	}
}

func TestRequestErrors(t *testing.T) {
	s := start(t, Config{Models: []string{"m", "n"}, MaxModelLen: 100, APIKey: secret.New("right"), MaxBodyBytes: 4096})
	tests := map[string]struct {
		method, path, key, body string
		status                  int
		message                 string
	}{
		"wrong key":          {"POST", "/v1/chat/completions", "wrong", wholeBody, 401, "Incorrect API key"},
		"no such model":      {"POST", "/v1/chat/completions", "right", `{"model":"x","messages":[{"content":"a"}]}`, 404, "The model `x` does not exist. Valid aliases: m, n."},
		"no such path":       {"POST", "/v1/nothing", "right", `{}`, 404, "Not Found"},
		"wrong method":       {"GET", "/v1/completions", "right", "", 405, "Method Not Allowed"},
		"no JSON":            {"POST", "/v1/chat/completions", "right", `{"model":`, 400, "unexpected end of JSON"},
		"wrong type":         {"POST", "/v1/chat/completions", "right", `{"model":"m","messages":"hi"}`, 400, "messages"},
		"no messages":        {"POST", "/v1/chat/completions", "right", `{"model":"m"}`, 400, "at least one"},
		"no prompt":          {"POST", "/v1/completions", "right", `{"model":"m"}`, 400, "prompt must be"},
		"no tokens":          {"POST", "/v1/completions", "right", `{"model":"m","prompt":"a","max_tokens":0}`, 400, "max_tokens must be at least 1"},
		"absurdly many":      {"POST", "/v1/completions", "right", `{"model":"m","prompt":"a","min_tokens":9223372036854775807}`, 400, "at most 1073741824"},
		"too many choices":   {"POST", "/v1/completions", "right", `{"model":"m","prompt":"a","n":1000}`, 400, "n must be between"},
		"too long":           {"POST", "/v1/completions", "right", `{"model":"m","prompt":"abcd","max_tokens":100}`, 400, "maximum context length is 100 tokens"},
		"options unstreamed": {"POST", "/v1/completions", "right", `{"model":"m","prompt":"a","stream_options":{}}`, 400, "only be defined when"},
		"body too large":     {"POST", "/v1/completions", "right", `{"prompt":"` + strings.Repeat("a", 5000) + `"}`, 413, "more than 4096 bytes"},
		"unknown fault":      {"POST", "/v1/completions", "right", `{"model":"m","prompt":"a","simulate":"stal=1"}`, 400, `no key \"stal\"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := client(t)
			request, err := http.NewRequestWithContext(t.Context(), test.method, s.URL()+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+test.key)
			response, err := c.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != test.status || !strings.Contains(string(body), test.message) {
				t.Errorf("%v, status %d, body %s; want %d with %q", err, response.StatusCode, body, test.status, test.message)
			}
			if !json.Valid(body) {
				t.Errorf("body %q is no JSON", body)
			}
		})
	}
}

// The shapes of errors, as vLLM 0.32 has them.
func TestErrorShape(t *testing.T) {
	s := start(t, Config{Models: []string{"tiny"}})
	r, err := post(t, client(t), s, "/v1/chat/completions", "x", "", `{"model":"nope","messages":[{"role":"user","content":"hi"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	want := "{\"error\":{\"code\":404,\"message\":\"The model `nope` does not exist. Valid aliases: tiny.\",\"param\":\"model\",\"type\":\"NotFoundError\"}}"
	if r.body != want {
		t.Errorf("error %s\nwant  %s", r.body, want)
	}
}

func TestModelsHealthAndControl(t *testing.T) {
	s := start(t, Config{Models: []string{"a", "b"}, MaxModelLen: 77, APIKey: secret.New("")})
	get := func(path string) string {
		t.Helper()
		response, err := client(t).Get(s.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != 200 {
			t.Fatalf("%s: %v, status %d: %s", path, err, response.StatusCode, body)
		}
		return string(body)
	}
	var models map[string]any
	if err := json.Unmarshal([]byte(get("/v1/models")), &models); err != nil {
		t.Fatal(err)
	}
	if dig(t, models, "data", 1, "id") != "b" || dig(t, models, "data", 0, "max_model_len") != 77.0 {
		t.Errorf("models %v", models)
	}
	get("/health")
	for len(s.Records(0)) < 2 { // a record may end a little after its answer
		time.Sleep(ms)
	}
	for _, id := range []string{"r1", "r2", "r3"} {
		if _, err := post(t, client(t), s, "/v1/completions", id, "", `{"prompt":"a","max_tokens":1}`); err != nil {
			t.Fatal(err)
		}
		truth(t, s, id)
	}
	var ids []string
	for _, line := range strings.Split(strings.TrimSpace(get("/simulator/requests?since=4")), "\n") {
		var r Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		ids = append(ids, r.ID)
		if want := s.Truth(r.ID)[0]; !cmp.Equal(*want, r) {
			t.Errorf("record over HTTP differs:\n%s", cmp.Diff(*want, r))
		}
	}
	// The first two were of models and health.
	if diff := cmp.Diff([]string{"r2", "r3"}, ids); diff != "" {
		t.Errorf("requests since 4 (-want +got):\n%s", diff)
	}
	if body := get("/simulator/requests?id=r1"); !strings.Contains(body, `"id":"r1"`) || strings.Count(body, "\n") != 1 {
		t.Errorf("request by id: %s", body)
	}
	if body := get("/simulator/config"); !strings.Contains(body, `"max_model_len":77`) {
		t.Errorf("config %s", body)
	}
	if body := get("/simulator/stats"); !strings.Contains(body, `"output_tokens":3`) {
		t.Errorf("stats %s", body)
	}
}

func TestJournalForgetsTheOldest(t *testing.T) {
	s := start(t, Config{JournalSize: 3})
	c := client(t)
	for i := range 5 {
		id := fmt.Sprint("id", i%4) // the first id comes twice
		if _, err := post(t, c, s, "/v1/completions", id, "", `{"prompt":"a","max_tokens":1}`); err != nil {
			t.Fatal(err)
		}
	}
	for len(s.Records(5)) == 0 {
		time.Sleep(ms)
	}
	var ids []string
	for _, r := range s.Records(0) {
		ids = append(ids, r.ID)
	}
	if diff := cmp.Diff([]string{"id2", "id3", "id0"}, ids); diff != "" {
		t.Errorf("remembered (-want +got):\n%s", diff)
	}
	if len(s.Truth("id1")) != 0 || len(s.Truth("id0")) != 1 {
		t.Errorf("truth by id keeps what the journal forgot: %d, %d", len(s.Truth("id1")), len(s.Truth("id0")))
	}
	ctx, cancel := context.WithTimeout(t.Context(), ms)
	defer cancel()
	if _, err := s.Await(ctx, "never"); err == nil || !strings.Contains(err.Error(), `no request "never" has ended`) {
		t.Errorf("error %v", err)
	}
}

func TestSeedsDecide(t *testing.T) {
	run := func(seed uint64, body string) []Choice {
		s := start(t, Config{Seed: seed, EOSProbability: 0.1})
		c := client(t)
		if _, err := post(t, c, s, "/v1/chat/completions", "one", "", streamBody); err != nil {
			t.Fatal(err)
		}
		if _, err := post(t, c, s, "/v1/chat/completions", "two", "", body); err != nil {
			t.Fatal(err)
		}
		return append(truth(t, s, "one").Choices, truth(t, s, "two").Choices...)
	}
	a, b, c := run(1, wholeBody), run(1, wholeBody), run(2, wholeBody)
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("the same seed gave other answers:\n%s", diff)
	}
	if cmp.Equal(a, c) {
		t.Error("another seed gave the same answers")
	}
	seeded := `{"model":"m","seed":9,"prompt":"a","max_tokens":20,"messages":[{"content":"a"}]}`
	s := start(t, Config{})
	for _, id := range []string{"first", "second"} {
		if _, err := post(t, client(t), s, "/v1/chat/completions", id, "", seeded); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(truth(t, s, "first").Choices, truth(t, s, "second").Choices); diff != "" {
		t.Errorf("the request's own seed does not decide:\n%s", diff)
	}
}

func TestAnswerLength(t *testing.T) {
	s := start(t, Config{EOSProbability: 0.2, DefaultMaxTokens: 30, Seed: 4})
	c := client(t)
	lengths := func(extra string) (counts []int, finish map[string]int) {
		finish = map[string]int{}
		for i := range 60 {
			id := fmt.Sprint(extra, i)
			if _, err := post(t, c, s, "/v1/completions", id, "", `{"prompt":"a"`+extra+`}`); err != nil {
				t.Fatal(err)
			}
			r := truth(t, s, id)
			counts = append(counts, r.OutputTokens)
			finish[r.Choices[0].Finish]++
		}
		return counts, finish
	}
	for _, n := range first(lengths(`,"max_tokens":40,"ignore_eos":true`)) {
		if n != 40 {
			t.Errorf("ignore_eos gave %d tokens, want 40", n)
		}
	}
	for _, n := range first(lengths(`,"max_tokens":40,"min_tokens":20`)) {
		if n < 20 || n > 40 {
			t.Errorf("%d tokens with min_tokens 20 and max_tokens 40", n)
		}
	}
	counts, finish := lengths(`,"max_tokens":5`)
	total := 0
	for _, n := range counts {
		total += n
	}
	// P(more than 5 tokens) = 0.8^5 = 0.33.
	if total == 5*len(counts) || finish["stop"] == 0 || finish["length"] == 0 || finish["length"] > 40 {
		t.Errorf("lengths %v, finish %v", counts, finish)
	}
}

func first[A, B any](a A, _ B) A { return a }

// A cancelled request leaves the batch; a closing server breaks off the rest.
func TestClientGone(t *testing.T) {
	s := start(t, Config{StepTime: 2 * ms})
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL()+"/v1/completions", strings.NewReader(`{"prompt":"a","max_tokens":100000,"stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Request-Id", "left")
	response, err := client(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if _, err := io.ReadFull(response.Body, buf); err != nil {
		t.Fatal(err)
	}
	cancel()
	_ = response.Body.Close()
	if r := truth(t, s, "left"); r.End != EndClientGone || r.OutputTokens == 0 || r.OutputTokens == 100000 {
		t.Errorf("ended %q after %d tokens", r.End, r.OutputTokens)
	}
	for s.Stats().Running > 0 {
		time.Sleep(ms)
	}
}

func TestKeepAlive(t *testing.T) {
	s := start(t, Config{})
	c := client(t)
	for i, body := range []string{streamBody, wholeBody, streamBody, `{"broken`} {
		if _, err := post(t, c, s, "/v1/chat/completions", fmt.Sprint(i), "", body); err != nil {
			t.Fatal(err)
		}
		if r := truth(t, s, fmt.Sprint(i)); r.ConnectionUse != i+1 || r.Connection != 1 {
			t.Errorf("request %d: use %d of connection %d", i, r.ConnectionUse, r.Connection)
		}
	}
}

func TestHTTP2AndTLS(t *testing.T) {
	protocols := func(set func(*http.Protocols, bool)) *http.Protocols {
		p := new(http.Protocols)
		set(p, true)
		return p
	}
	tests := map[string]struct {
		tls       bool
		protocols *http.Protocols
		want      string
	}{
		"h2c":               {false, protocols((*http.Protocols).SetUnencryptedHTTP2), "HTTP/2.0"},
		"HTTP/1.1":          {false, protocols((*http.Protocols).SetHTTP1), "HTTP/1.1"},
		"HTTP/2 over TLS":   {true, protocols((*http.Protocols).SetHTTP2), "HTTP/2.0"},
		"HTTP/1.1 over TLS": {true, protocols((*http.Protocols).SetHTTP1), "HTTP/1.1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := New(Config{StepTime: ms})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			transport := &http.Transport{Protocols: test.protocols}
			if test.tls {
				if err := s.ListenTLS("127.0.0.1:0"); err != nil {
					t.Fatal(err)
				}
				pool := x509.NewCertPool()
				if !pool.AppendCertsFromPEM(s.CertificatePEM()) {
					t.Fatal("no certificate")
				}
				transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
			} else if err := s.Listen("127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			defer transport.CloseIdleConnections()
			c := &http.Client{Transport: transport}
			var wait sync.WaitGroup
			for i := range 8 {
				wait.Go(func() {
					id := fmt.Sprint(name, i)
					r, err := post(t, c, s, "/v1/chat/completions", id, "", streamBody)
					if err != nil || r.err != nil || r.status != 200 {
						t.Errorf("%v, %v, status %d", err, r.err, r.status)
						return
					}
					got, err := s.Await(t.Context(), id)
					if err != nil || got[0].Protocol != test.want || got[0].Exact != (test.want == "HTTP/1.1") || got[0].Choices[0].Text != textOf(t, r.body, "content") {
						t.Errorf("%v, record %+v", err, got)
					}
				})
			}
			wait.Wait()
		})
	}
}

func TestListenErrors(t *testing.T) {
	s := start(t, Config{})
	if err := s.Listen("127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "already listening on 127.0.0.1:") {
		t.Errorf("error %v", err)
	}
	other, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Listen(strings.TrimPrefix(s.URL(), "http://")); err == nil || !strings.Contains(err.Error(), "port 0 takes a free one") {
		t.Errorf("error %v", err)
	}
	if other.URL() != "" {
		t.Errorf("URL %q without a listener", other.URL())
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if err := other.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	if err := other.Listen("127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "after Close") {
		t.Errorf("error %v", err)
	}
}

// Close ends stalled and streaming requests, and nothing is left (goleak).
func TestCloseBreaksOff(t *testing.T) {
	s := start(t, Config{StepTime: ms})
	c := client(t)
	var wait sync.WaitGroup
	for _, fault := range []string{"stall=before-head", "stall=mid-body", ""} {
		wait.Go(func() {
			r, err := post(t, c, s, "/v1/completions", "x", fault, `{"prompt":"a","max_tokens":100000,"stream":true}`)
			if err == nil && r.err == nil {
				t.Errorf("%q: the answer ended well: %d bytes", fault, len(r.body))
			}
		})
	}
	for s.Stats().InFlight < 3 || s.Stats().Steps < 20 {
		time.Sleep(ms)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wait.Wait()
}

// Whatever the body, there is an answer, and it is JSON or a stream.
func FuzzBodies(f *testing.F) {
	paths := []string{"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/rerank", "/v1/images/generations", "/v1/audio/speech"}
	for _, seed := range []string{
		streamBody, wholeBody, `{"prompt":["a",[1]],"n":3}`, `{"prompt":[[1,2],[3]],"stream":true,"max_tokens":3}`,
		`{"messages":[{"content":[{"type":"text","text":"a"},{"type":"image_url"}]}],"min_tokens":5,"seed":-1}`,
		`{"input":["a"],"dimensions":3,"query":"b","documents":["c",{"text":"d"}]}`, `{"simulate":"borders=random; usage=none","prompt":"a"}`,
	} {
		for i := range paths {
			f.Add(i, []byte(seed))
		}
	}
	s, err := New(Config{MaxModelLen: 200, EmbeddingDimensions: 4, ImageSteps: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	f.Fuzz(func(t *testing.T, i int, body []byte) {
		if bytes.Contains(body, []byte("simulate")) && (bytes.Contains(body, []byte("stall")) || bytes.ContainsAny(body, "0123456789")) {
			t.Skip("may ask for a long pause")
		}
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, paths[uint(i)%uint(len(paths))], bytes.NewReader(body))
		answer := httptest.NewRecorder()
		broken := false // off, as a fault may ask
		func() {
			defer func() {
				v := recover()
				if broken = v == any(http.ErrAbortHandler); v != nil && !broken {
					panic(v)
				}
			}()
			s.Handler().ServeHTTP(answer, request)
		}()
		switch answer.Header().Get("Content-Type") {
		case "application/json":
			if !json.Valid(answer.Body.Bytes()) {
				t.Errorf("status %d with %q", answer.Code, answer.Body)
			}
		case "":
			if !broken {
				t.Errorf("no answer to %q", body)
			}
		}
	})
}
