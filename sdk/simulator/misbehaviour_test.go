package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Every fault, as a plain client sees it.
func TestFaults(t *testing.T) {
	s := start(t, Config{})
	broken := func(t *testing.T, r reply, err error) {
		t.Helper()
		if err == nil && r.err == nil {
			t.Errorf("the answer ended well: status %d, %q", r.status, r.body)
		}
	}
	has := func(status int, parts ...string) func(*testing.T, reply, error) {
		return func(t *testing.T, r reply, err error) {
			t.Helper()
			if err != nil || r.err != nil || r.status != status {
				t.Fatalf("%v, %v, status %d: %s", err, r.err, r.status, r.body)
			}
			for _, p := range parts {
				if !strings.Contains(r.body, p) {
					t.Errorf("the body lacks %q:\n%s", p, r.body)
				}
			}
		}
	}
	lacks := func(parts ...string) func(*testing.T, reply, error) {
		return func(t *testing.T, r reply, err error) {
			t.Helper()
			has(200)(t, r, err)
			for _, p := range parts {
				if strings.Contains(r.body, p) {
					t.Errorf("the body has %q:\n%s", p, r.body)
				}
			}
		}
	}
	tests := map[string]struct {
		fault string
		check func(t *testing.T, r reply, err error)
		end   End
		kinds string // of the record's events
	}{
		"error": {"error=500", has(500, `"code":500`, `"type":"InternalServerError"`), EndComplete, "head error+body+end"},
		"rate limit": {"error=429; retry-after=1500ms; code=rate_limit_exceeded; message=slow down", func(t *testing.T, r reply, err error) {
			has(429, `"code":"rate_limit_exceeded"`, "slow down")(t, r, err)
			if r.header.Get("Retry-After") != "2" {
				t.Errorf("retry-after %q", r.header.Get("Retry-After"))
			}
		}, EndComplete, "head error+body+end"},
		"error as a string":  {"error=400; error-body=string", has(400, `{"error":"simulated: Bad Request"}`), EndComplete, "head error+body+end"},
		"error with detail":  {"error=422; error-body=detail", has(422, `{"detail":"simulated: Unprocessable Entity"}`), EndComplete, "head error+body+end"},
		"error in HTML":      {"error=502; error-body=html", has(502, "<h1>simulated: Bad Gateway</h1>"), EndComplete, "head error+body+end"},
		"error in text":      {"error=503; error-body=text", has(503, "simulated: Service Unavailable"), EndComplete, "head error+body+end"},
		"error without body": {"error=500; error-body=empty", func(t *testing.T, r reply, err error) { has(500)(t, r, err); mustEqual(t, "", r.body) }, EndComplete, "head+end"},
		"error with the key": {"error=401; echo-key", has(401, "(key secret-key)"), EndComplete, "head error+body+end"},
		"redirect": {"redirect=307", func(t *testing.T, r reply, err error) {
			has(307)(t, r, err)
			mustEqual(t, "/v1/chat/completions?redirected=1", r.header.Get("Location"))
		}, EndComplete, "head+end"},
		"empty body":             {"body=empty", func(t *testing.T, r reply, err error) { has(200)(t, r, err); mustEqual(t, "", r.body) }, EndComplete, "head+end"},
		"HTML":                   {"body=html", has(200, "<html>"), EndComplete, "head body+end"},
		"garbage body":           {"body=garbage", has(200, "{{{"), EndComplete, "head body+end"},
		"half an object":         {"body=truncated-json", has(200, `"mess`), EndComplete, "head body+end"},
		"disconnect before head": {"disconnect=before-head", broken, EndCut, ""},
		"reset before head": {"disconnect=before-head; reset", func(t *testing.T, _ reply, err error) {
			if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
				t.Errorf("error %v", err)
			}
		}, EndCut, ""},
		"disconnect mid-head":     {"disconnect=mid-head", broken, EndCut, ""},
		"disconnect mid-body":     {"disconnect=mid-body; after=3", broken, EndCut, "head role text text text"},
		"disconnect at the start": {"disconnect=mid-body; after=0", broken, EndCut, "head role"},
		"disconnect late":         {"disconnect=mid-body; after=99", broken, EndCut, "head role text text text text text text text"},
		"reset mid-body":          {"disconnect=mid-body; reset", broken, EndCut, "head role text text"},
		"cut before the finish":   {"cut=finish; after=1", lacks("finish_reason\":\"", "[DONE]", "usage"), EndComplete, "head role text end"},
		"cut before the end mark": {"cut=done", lacks("[DONE]"), EndComplete, "head role text text text text text text text text+finish usage end"},
		"cut within an event": {"cut=event", func(t *testing.T, r reply, err error) {
			lacks("[DONE]")(t, r, err)
			if strings.HasSuffix(r.body, "\n") {
				t.Errorf("the last event is whole: %q", r.body)
			}
		}, EndComplete, "head role text text end"},
		"error in the stream":        {"stream-error=500", has(200, `{"error":{"message":"simulated: generation failed","type":"InternalServerError","param":null,"code":500}}`), EndComplete, "head role text text error done end"},
		"coded error in the stream":  {"stream-error=overloaded; message=too busy; after=0", has(200, `"message":"too busy"`, `"code":"overloaded"`), EndComplete, "head role error done end"},
		"broken JSON in the stream":  {"garbage=json; after=7", has(200, `"delta":{"content":`+"\n\n", "[DONE]"), EndComplete, "head role text text text text text text text garbage text+finish usage done end"},
		"broken bytes in the stream": {"garbage=bytes; after=7", has(200, "\x00\xff\xfe"), EndComplete, "head role text text text text text text text garbage text+finish usage done end"},
		"no usage":                   {"usage=none", lacks("usage"), EndComplete, "head role text text text text text text text text+finish done end"},
		"usage with the finish":      {"usage=finish", has(200, `"delta":{},"logprobs":null,"finish_reason":"length","stop_reason":null}],"usage":{"prompt_tokens":5,"total_tokens":13,"completion_tokens":8}}`), EndComplete, "head role text text text text text text text text usage+finish done end"},
		"usage with the last text":   {"usage=last", has(200, `"finish_reason":"length","stop_reason":null}],"usage":{`), EndComplete, "head role text text text text text text text text+usage+finish done end"},
		"usage in every chunk": {"usage=cumulative", has(200, `"completion_tokens":0}`, `"completion_tokens":1}`, `"completion_tokens":7}`), EndComplete,
			"head role+usage text+usage text+usage text+usage text+usage text+usage text+usage text+usage text+usage+finish usage done end"},
		"usage null":             {"usage=null", has(200, `"usage":null}`, `"completion_tokens":8}`), EndComplete, "head role text text text text text text text text+finish usage done end"},
		"reasoning":              {"reasoning=reasoning; reasoning-count=3", has(200, `"delta":{"reasoning":`, `"reasoning_tokens":3`), EndComplete, "head role reasoning reasoning reasoning text text text text text+finish usage done end"},
		"reasoning_content":      {"reasoning=reasoning_content; reasoning-count=99", has(200, `"delta":{"reasoning_content":`), EndComplete, "head role reasoning reasoning reasoning reasoning reasoning reasoning reasoning reasoning+finish usage done end"},
		"both reasoning fields":  {"reasoning=both", has(200, `,"reasoning":`, `{"reasoning_content":`), EndComplete, "head role reasoning reasoning reasoning reasoning text text text text+finish usage done end"},
		"tool call":              {"output=tool", has(200, `"name":"simulate"`, `"finish_reason":"tool_calls"`), EndComplete, "head role tool tool tool tool tool tool tool tool tool+finish usage done end"},
		"refusal":                {"output=refusal", has(200, `"delta":{"refusal":`), EndComplete, "head role refusal refusal refusal refusal refusal refusal refusal refusal+finish usage done end"},
		"no output":              {"output=none", has(200, `"delta":{},"logprobs":null,"finish_reason":"length"`, `"completion_tokens":0`), EndComplete, "head role finish usage done end"},
		"filtered":               {"finish=content_filter", has(200, `"finish_reason":"content_filter"`), EndComplete, "head role text text text text text text text text+finish usage done end"},
		"role with the head":     {"first=early-role", has(200, `"role":"assistant"`), EndComplete, "head role text text text text text text text text+finish usage done end"},
		"no role":                {"first=none", lacks("role"), EndComplete, "head text text text text text text text text+finish usage done end"},
		"no choices first":       {"first=no-choices", has(200, `"choices":[],"prompt_filter_results"`), EndComplete, "head other role text text text text text text text text+finish usage done end"},
		"comments":               {"comments; tokens-per-chunk=4", has(200, ": keep-alive\n\ndata: "), EndComplete, "head role comment text comment text+finish usage done end"},
		"several tokens a chunk": {"tokens-per-chunk=3", has(200), EndComplete, "head role text text text+finish usage done end"},
		"close-delimited": {"framing=close", func(t *testing.T, r reply, err error) {
			has(200, "[DONE]")(t, r, err)
			mustEqual(t, "close", r.header.Get("X-Connection"))
		}, EndComplete, "head role text text text text text text text text+finish usage done end"},
		"Content-Length": {"framing=length; tokens-per-chunk=3; comments; first=no-choices", func(t *testing.T, r reply, err error) {
			has(200, "[DONE]")(t, r, err)
			mustEqual(t, fmt.Sprint(len(r.body)), r.header.Get("Content-Length"))
		}, EndComplete, "head other role comment text comment text comment text+finish usage done end"},
		"Content-Length and less":     {"framing=length; cut=finish", broken, EndCut, "head role text text"},
		"CRLF":                        {"newline=crlf", has(200, "data: [DONE]\r\n\r\n"), EndComplete, "head role text text text text text text text text+finish usage done end"},
		"CR":                          {"newline=cr", has(200, "data: [DONE]\r\r"), EndComplete, "head role text text text text text text text text+finish usage done end"},
		"delay":                       {"delay=30ms", has(200, "[DONE]"), EndComplete, "head role text text text text text text text text+finish usage done end"},
		"stall before the head, over": {"stall=before-head; stall-for=30ms", has(200, "[DONE]"), EndComplete, "head role text text text text text text text text+finish usage done end"},
		"stall mid-body, over":        {"stall=mid-body; stall-for=30ms", has(200, "[DONE]"), EndComplete, "head role text text text text text text text text+finish usage done end"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := client(t)
			c.Transport = credentialed{c.Transport}
			r, err := post(t, c, s, "/v1/chat/completions", name, test.fault, streamBody)
			test.check(t, r, err)
			got := truth(t, s, name)
			var kinds []string
			for _, e := range got.Events {
				kinds = append(kinds, e.Kinds.String())
			}
			var want []string
			for _, k := range strings.Fields(test.kinds) {
				var set Kinds
				if err := set.UnmarshalText([]byte(k)); err != nil {
					t.Fatal(err)
				}
				want = append(want, set.String())
			}
			if diff := cmp.Diff(want, kinds); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if got.End != test.end {
				t.Errorf("ended %q, want %q", got.End, test.end)
			}
			sent := 0
			for _, c := range got.Choices {
				sent += len(c.Text+c.Reasoning+c.Tool+c.Refusal) / 4
			}
			if sent != got.OutputTokens {
				t.Errorf("the texts have %d words, the record %d tokens", sent, got.OutputTokens)
			}
		})
	}
}

func mustEqual(t *testing.T, want, got string) {
	t.Helper()
	if want != got {
		t.Errorf("got %q, want %q", got, want)
	}
}

// credentialed sends a key and shows in a header whether the server closes.
type credentialed struct{ http.RoundTripper }

func (c credentialed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer secret-key")
	response, err := c.RoundTripper.RoundTrip(r)
	if err == nil && response.Close {
		response.Header.Set("X-Connection", "close")
	}
	return response, err
}

// However the chunks are cut, the body is the same.
func TestBordersKeepTheBody(t *testing.T) {
	s := start(t, Config{})
	for _, more := range []string{"", "; unicode", "; newline=crlf", "; unicode; ascii", "; tokens-per-chunk=3"} {
		var want string
		for i, borders := range []string{"", "bytes", "mid-rune", "mid-line", "mid-newline", "joined", "straddle", "trickled", "next-head", "random"} {
			fault := "newline=lf" + more
			if borders != "" {
				fault += "; borders=" + borders
			}
			body := strings.Replace(streamBody, `"model"`, `"seed":7,"model"`, 1)
			r, err := post(t, client(t), s, "/v1/chat/completions", fault+more, fault, body)
			if err != nil || r.err != nil {
				t.Fatalf("%s: %v, %v", fault, err, r.err)
			}
			text := textOf(t, r.body, "content")
			if i == 0 {
				want = text
			}
			if text != want || !strings.Contains(r.body, "[DONE]") {
				t.Errorf("%s: text %q, want %q", fault, text, want)
			}
			got := truth(t, s, fault+more)
			if got.Choices[0].Text != text || got.ResponseBytes != int64(len(r.body)) {
				t.Errorf("%s: the record has %q and %d bytes", fault, got.Choices[0].Text, got.ResponseBytes)
			}
		}
		if strings.Contains(more, "unicode") && !strings.ContainsFunc(want, func(r rune) bool { return r > 0xffff }) {
			t.Errorf("%s: %q has no letter beyond the basic plane", more, want)
		}
	}
}

// The cuts are where they are said to be, on the wire.
func TestBordersOnTheWire(t *testing.T) {
	s := start(t, Config{})
	tests := map[string]struct {
		fault string
		check func(raw string, r *Record) bool
	}{
		"bytes": {"borders=bytes", func(raw string, _ *Record) bool {
			return strings.Contains(raw, "\r\n1\r\nd\r\n1\r\na\r\n1\r\nt\r\n1\r\na\r\n")
		}},
		"mid-rune": {"borders=mid-rune; unicode", func(raw string, _ *Record) bool {
			return strings.Contains(raw, "\xf0\r\n") || strings.Contains(raw, "\xe6\r\n") || strings.Contains(raw, "\xc3\r\n") || strings.Contains(raw, "\xd0\r\n")
		}},
		"mid-newline": {"borders=mid-newline", func(raw string, _ *Record) bool { return strings.Contains(raw, "\r\n2\r\n\n\r\r\n1\r\n\n\r\n") }},
		"joined": {"borders=joined", func(_ string, r *Record) bool {
			return r.Events[1].Write == r.Events[3].Write && r.Events[4].Write > r.Events[3].Write
		}},
		"straddle": {"borders=straddle", func(_ string, r *Record) bool {
			w := r.Writes[r.Events[2].Write]
			e := r.Events[2]
			return w.Offset > e.Offset && w.Offset+int64(w.Bytes) > e.Offset+int64(e.Bytes)
		}},
		"trickled": {"borders=trickled", func(raw string, r *Record) bool {
			return len(r.Writes) > 3*(len(r.Events)-3) && strings.Count(raw, "data: ") == strings.Count(raw, "\n\n\r\n")
		}},
		"next-head": {"borders=next-head", func(raw string, _ *Record) bool { return strings.Contains(raw, "\n\n\r\n1\r\nd\r\n") }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			raw, _ := rawPost(t, s, name, test.fault, streamBody)
			if r := truth(t, s, name); !test.check(string(raw), r) {
				t.Errorf("not as asked:\n%q\n%+v", raw, r)
			}
		})
	}
}

// Where an answer stands still for good, the client's going ends it.
func TestStallsUntilTheClientGoes(t *testing.T) {
	s := start(t, Config{})
	for fault, kinds := range map[string]int{"stall=before-head": 0, "stall=mid-body; after=4": 6} {
		c := client(t)
		c.Timeout = 100 * time.Millisecond
		r, err := post(t, c, s, "/v1/chat/completions", fault, fault, streamBody)
		if err == nil && r.err == nil {
			t.Errorf("%s: the answer ended", fault)
		}
		if got := truth(t, s, fault); got.End != EndClientGone || len(got.Events) != kinds {
			t.Errorf("%s: ended %q after events %v", fault, got.End, got.Events)
		}
	}
}

func TestFaultsOfWholeAnswers(t *testing.T) {
	s := start(t, Config{})
	tests := map[string]func(r reply, err error) bool{
		"disconnect=mid-body": func(r reply, err error) bool { return err == nil && errors.Is(r.err, io.ErrUnexpectedEOF) },
		"framing=close": func(r reply, err error) bool {
			return r.err == nil && json.Valid([]byte(r.body)) && r.header.Get("Content-Length") == ""
		},
		"usage=none":       func(r reply, err error) bool { return !strings.Contains(r.body, "usage") },
		"cut=event":        func(r reply, err error) bool { return r.err == nil && !json.Valid([]byte(r.body)) },
		"garbage=json":     func(r reply, err error) bool { return r.err == nil && !json.Valid([]byte(r.body)) },
		"stream-error=503": func(r reply, err error) bool { return r.status == 200 && strings.Contains(r.body, `"code":503`) },
		"output=tool": func(r reply, err error) bool {
			return strings.Contains(r.body, `"content":null`) && strings.Contains(r.body, `"arguments":"`)
		},
		"output=refusal": func(r reply, err error) bool { return strings.Contains(r.body, `"refusal":" `) },
		"reasoning=both": func(r reply, err error) bool {
			return strings.Contains(r.body, `"reasoning":" `) && strings.Contains(r.body, `"reasoning_content":" `)
		},
		"unicode; ascii": func(r reply, err error) bool {
			return !strings.ContainsFunc(r.body, func(c rune) bool { return c > 127 })
		},
		"stall=mid-body; stall-for=20ms": func(r reply, err error) bool { return r.err == nil && json.Valid([]byte(r.body)) },
		"disconnect=before-head; reset":  func(r reply, err error) bool { return err != nil },
	}
	for fault, ok := range tests {
		t.Run(fault, func(t *testing.T) {
			r, err := post(t, client(t), s, "/v1/chat/completions", fault, fault, wholeBody)
			if !ok(r, err) {
				t.Errorf("%v, %v, status %d: %s", err, r.err, r.status, r.body)
			}
		})
	}
}

// Faults also come by the body, and by rate as the seed says.
func TestFaultsByBodyAndRate(t *testing.T) {
	fault := Fault{Error: 503}
	s := start(t, Config{Seed: 8, Faults: []FaultRate{{0.25, fault}, {0.25, Fault{Error: 429}}}})
	c := client(t)
	count := map[int]int{}
	for i := range 200 {
		r, err := post(t, c, s, "/v1/completions", fmt.Sprint(i), "", `{"prompt":"a","max_tokens":1}`)
		if err != nil {
			t.Fatal(err)
		}
		count[r.status]++
		if got := truth(t, s, fmt.Sprint(i)); (got.Fault != "") != (r.status != 200) {
			t.Errorf("request %d: fault %q, status %d", i, got.Fault, r.status)
		}
	}
	// 200 draws: 50 ± 6 and 100 ± 7; five deviations.
	if count[503] < 20 || count[503] > 80 || count[429] < 20 || count[429] > 80 || count[200] < 65 {
		t.Errorf("statuses %v, want about 100 of 200 and 50 of 503 and 429", count)
	}
	r, err := post(t, c, s, "/v1/completions", "own", "", `{"prompt":"a","max_tokens":1,"simulate":"error=418"}`)
	if err != nil || r.status != 418 {
		t.Errorf("%v, status %d, want 418 by the body's field", err, r.status)
	}
}

func TestFaultsOverHTTP2(t *testing.T) {
	s := start(t, Config{})
	c := client(t)
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	c.Transport.(*http.Transport).Protocols = p
	for fault, end := range map[string]End{
		"disconnect=before-head": EndCut, "disconnect=mid-head": EndCut, "disconnect=mid-body": EndCut,
		"borders=random": EndComplete, "borders=trickled": EndComplete, "framing=length": EndComplete,
	} {
		t.Run(fault, func(t *testing.T) {
			r, err := post(t, c, s, "/v1/chat/completions", fault, fault, streamBody)
			if whole := err == nil && r.err == nil; whole != (end == EndComplete) {
				t.Errorf("%v, %v, status %d: %s", err, r.err, r.status, r.body)
			}
			if got := truth(t, s, fault); got.End != end || got.Exact {
				t.Errorf("record %+v", got)
			}
		})
	}
}
