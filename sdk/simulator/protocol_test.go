package simulator

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/secret"
)

// framed is a provider of its own kind: JSON behind four bytes of length, the
// model in the path, a key in a header of its own, usage with the end.
type framed struct{}

func (framed) Match(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/framed/") }

func (framed) Read(r *Request) Call {
	if r.HTTP.Header.Get("X-Key") != r.Config.APIKey.Reveal() {
		return Call{Reply: &Reply{Status: 403, Body: []byte(`{"oops":"who?"}`), Code: "who"}}
	}
	model, action, _ := strings.Cut(strings.TrimPrefix(r.HTTP.URL.Path, "/framed/"), "/")
	call := Call{Model: model, Credential: r.HTTP.Header.Get("X-Key")}
	var body struct {
		Say    string
		Length int
		Things []string
	}
	if err := json.Unmarshal(r.Body, &body); err != nil && action != "token" {
		return Call{Reply: &Reply{Status: 400, Body: []byte(`{"oops":"no JSON"}`), Code: "json"}}
	}
	var things []Prompt
	for _, text := range body.Things {
		things = append(things, Prompt{Text: text})
	}
	switch action {
	case "token":
		call.Reply = &Reply{ContentType: "text/plain", Body: []byte("a token")}
	case "openai":
		call.OpenAI = "/v1/chat/completions"
	case "embed":
		call.Embed = &Embed{Prompts: things, Render: func(v Vectors) Reply {
			return Reply{Body: fmt.Appendf(nil, `{"vectors":%d,"of":%d,"tokens":%d}`, len(v.Vectors), len(v.Vectors[0]), v.PromptTokens), Usage: true}
		}}
	case "rerank":
		call.Rerank = &Rerank{Query: body.Say, Documents: things, TopN: 2, Render: func(r Ranking) Reply {
			return Reply{Body: fmt.Appendf(nil, `{"ranks":%d,"sorted":%v}`, len(r.Results), r.Results[0].Score >= r.Results[1].Score)}
		}}
	default:
		call.Generate = &Generate{
			Prompts: []Prompt{{Text: body.Say}}, MaxTokens: body.Length, Stream: action == "stream",
			Renderer: func() Renderer { return &frames{} },
		}
	}
	return call
}

func (framed) Error(f Failure) Reply {
	return Reply{Status: f.Status, Body: []byte(`{"oops":` + quote(f.Message) + `}`), Code: orString(f.Code, "oops")}
}

func (framed) Lacks() []Lack {
	return []Lack{
		{What: "newline", Why: "frames have no lines"},
		{What: "stream-error", Only: "whole", Why: "errors have a status"},
	}
}

type frames struct{ count int }

func (f *frames) send(a *Answer, kinds Kinds, tokens int, text string) {
	f.count++
	a.Send(kinds, 0, tokens, append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
}

func (*frames) Finish(reason string) (sent, means string) {
	if reason == "length" {
		return "TOO_LONG", reason
	}
	return reason, reason
}
func (*frames) Head(*Answer) Reply {
	return Reply{ContentType: "application/framed", Header: http.Header{"X-Own": {"yes"}}}
}
func (f *frames) Start(a *Answer) { f.send(a, Role, 0, `{"start":true}`) }
func (f *frames) Tokens(a *Answer, t Tokens) {
	f.send(a, t.Kind, t.Count(), string(append(a.AppendText([]byte(`{"text":`), t.Choice, t.First, t.Last), '}')))
	if t.Ends {
		output, _ := a.Sent()
		f.send(a, FinishReason|UsageReport, 0, fmt.Sprintf(`{"end":%q,"in":%d,"out":%d,"frames":%d}`, t.Finish, a.PromptTokens(), output, f.count))
	}
}
func (*frames) End(*Answer)                   {}
func (f *frames) Terminate(a *Answer)         { f.send(a, Done, 0, "") }
func (f *frames) Comment(a *Answer)           { f.send(a, Comment, 0, "{}") }
func (f *frames) Garbage(a *Answer, _ string) { f.send(a, Garbage, 0, "{{{") }
func (f *frames) Fail(a *Answer, e Failure) string {
	f.send(a, Error, 0, `{"oops":`+quote(e.Message)+`}`)
	return "own-" + e.Code
}
func (*frames) Whole(a *Answer) Reply {
	return Reply{Body: []byte(`{"text":` + quote(a.Choice(0).Text) + `}`), Usage: true}
}

// unframe reads frames; rest is what is left.
func unframe(body string) (frames []string, rest string) {
	for len(body) >= 4 {
		n := int(binary.BigEndian.Uint32([]byte(body)))
		if n > len(body)-4 {
			break
		}
		frames, body = append(frames, body[4:4+n]), body[4+n:]
	}
	return frames, body
}

func framedServer(t *testing.T) (*Server, func(path, id, fault string) reply) {
	config := Config{Models: []string{"m"}, Protocols: []Protocol{framed{}}, KeepBodies: true, EmbeddingDimensions: 5}
	s := start(t, config)
	c := client(t)
	return s, func(path, id, fault string) reply {
		t.Helper()
		r, err := post(t, c, s, path, id, fault, `{"model":"m","say":"hello there","length":4,"things":["a","b","c"],"messages":[{"role":"user","content":"hi"}]}`)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

func TestProtocolStream(t *testing.T) {
	s, ask := framedServer(t)
	tests := map[string]struct {
		kinds  string // of the record's events
		frames int    // that were read whole
		end    End
		code   string
	}{
		"":                                    {"head, role, text, text, text, text, usage+finish, done, end", 7, EndComplete, ""},
		"comments":                            {"head, role, comment, text, comment, text, comment, text, comment, text, usage+finish, done, end", 11, EndComplete, ""},
		"tokens-per-chunk=3":                  {"head, role, text, text, usage+finish, done, end", 5, EndComplete, ""},
		"reasoning=reasoning":                 {"head, role, reasoning, reasoning, text, text, usage+finish, done, end", 7, EndComplete, ""},
		"cut=done":                            {"head, role, text, text, text, text, usage+finish, end", 6, EndComplete, ""},
		"cut=finish":                          {"head, role, text, text, end", 3, EndComplete, ""},
		"cut=event":                           {"head, role, text, text, end", 3, EndComplete, ""},
		"stream-error=500":                    {"head, role, text, text, error, end", 4, EndComplete, "own-500"},
		"garbage=json; after=0":               {"head, role, garbage, text, text, text, text, usage+finish, done, end", 8, EndComplete, ""},
		"framing=length":                      {"head, role, text, text, text, text, usage+finish, done, end", 7, EndComplete, ""},
		"framing=length; cut=finish":          {"head, role, text, text", 3, EndCut, ""},
		"borders=bytes":                       {"head, role, text, text, text, text, usage+finish, done, end", 7, EndComplete, ""},
		"borders=joined; disconnect=mid-body": {"head, role, text, text", 3, EndCut, ""},
	}
	for fault, want := range tests {
		t.Run(orString(fault, "plain"), func(t *testing.T) {
			id := "stream-" + fault
			got := ask("/framed/m/stream", id, fault)
			if got.status != 200 || got.header.Get("Content-Type") != "application/framed" || got.header.Get("X-Own") != "yes" {
				t.Fatalf("status %d, header %v: %s", got.status, got.header, got.body)
			}
			r := truth(t, s, id)
			var kinds []string
			text := 0
			for _, e := range r.Events {
				kinds = append(kinds, e.Kinds.String())
				text += e.Tokens
			}
			if all := strings.Join(kinds, ", "); all != want.kinds || r.End != want.end || r.ErrorCode != want.code {
				t.Errorf("events %s, end %s, code %q; want %s, %s, %q", all, r.End, r.ErrorCode, want.kinds, want.end, want.code)
			}
			frames, rest := unframe(got.body)
			if len(frames) != want.frames || (rest != "") != (fault == "cut=event") {
				t.Errorf("%d frames and %q, want %d", len(frames), rest, want.frames)
			}
			if r.OutputTokens != text || r.Choices[0].Tokens != text {
				t.Errorf("%d tokens, choice %+v, want %d", r.OutputTokens, r.Choices[0], text)
			}
			if ended := strings.Contains(want.kinds, "finish"); ended {
				if c := r.Choices[0]; c.Finish != "TOO_LONG" || c.Reason != "length" || !r.UsageSent {
					t.Errorf("finish %q means %q, usage sent %v", c.Finish, c.Reason, r.UsageSent)
				}
			}
			if diff := cmp.Diff([]string{"hello there"}, r.Prompts); diff != "" {
				t.Errorf("prompts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProtocolAnswers(t *testing.T) {
	s, ask := framedServer(t)
	tests := map[string]struct {
		path, fault string
		status      int
		body        string // part of it
		code        string
		aside       bool
	}{
		"whole":              {"/framed/m/whole", "", 200, `{"text":"`, "", false},
		"embed":              {"/framed/m/embed", "", 200, `{"vectors":3,"of":5,"tokens":3}`, "", false},
		"rerank":             {"/framed/m/rerank", "", 200, `{"ranks":2,"sorted":true}`, "", false},
		"token":              {"/framed/m/token", "error=500", 200, "a token", "", true},
		"openai":             {"/framed/m/openai", "", 200, `"object":"chat.completion"`, "", false},
		"openai's error":     {"/framed/m/openai", "error=429; code=slow", 429, `{"oops":`, "slow", false},
		"unknown model":      {"/framed/other/whole", "", 404, `{"oops":`, "oops", false},
		"error":              {"/framed/m/whole", "error=503; message=later", 503, `{"oops":"later"}`, "oops", false},
		"error as text":      {"/framed/m/whole", "error=503; message=later; error-body=text", 503, "later", "", false},
		"html":               {"/framed/m/whole", "body=html", 200, "<html>", "", false},
		"no form":            {"/framed/m/stream", "newline=crlf", 400, "frames have no lines", "oops", false},
		"no form at all":     {"/framed/m/stream", "borders=mid-newline", 400, "frames have no lines", "oops", false},
		"no form when whole": {"/framed/m/whole", "stream-error=500", 400, "errors have a status", "oops", false},
		"no such fault":      {"/framed/m/whole", "nonsense", 400, `{"oops":`, "oops", false},
		"not the protocol's": {"/v1/chat/completions", "", 200, `"object":"chat.completion"`, "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := s.Stats().Aside
			got := ask(test.path, name, test.fault)
			r := truth(t, s, name)
			if got.status != test.status || !strings.Contains(got.body, test.body) {
				t.Errorf("status %d, body %s; want %d, %s", got.status, got.body, test.status, test.body)
			}
			if r.ErrorCode != test.code || r.Aside != test.aside || (s.Stats().Aside > before) != test.aside {
				t.Errorf("code %q, aside %v; want %q, %v", r.ErrorCode, r.Aside, test.code, test.aside)
			}
		})
	}
}

func TestProtocolRefuses(t *testing.T) {
	s := start(t, Config{Protocols: []Protocol{framed{}}, MaxBodyBytes: 100, APIKey: secret.New("key")})
	got, err := post(t, client(t), s, "/framed/m/whole", "refused", "error=500", "{}")
	if err != nil || got.status != 403 {
		t.Fatalf("%v, status %d: a refusal comes before any fault", err, got.status)
	}
	if r := truth(t, s, "refused"); r.ErrorCode != "who" || r.Aside {
		t.Errorf("code %q, aside %v", r.ErrorCode, r.Aside)
	}
	got, err = post(t, client(t), s, "/framed/m/whole", "large", "", strings.Repeat(" ", 101))
	if err != nil || got.status != 413 || !strings.Contains(got.body, "oops") {
		t.Errorf("%v, status %d: %s", err, got.status, got.body)
	}
}
