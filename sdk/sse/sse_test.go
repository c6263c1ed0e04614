package sse_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/sse"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// pieces hands out each string as one span whose arrival is its number, from 1.
// The bytes are overwritten once the next span was asked for, as the contract
// of SpanReader allows.
type pieces struct {
	parts []string
	next  int
	buf   []byte
	err   error // after the last part; nil is io.EOF
}

func (p *pieces) NextSpan() (stamp.Span, error) {
	for i := range p.buf {
		p.buf[i] = 'X'
	}
	for p.next < len(p.parts) && p.parts[p.next] == "" {
		p.next++
	}
	if p.next == len(p.parts) {
		if p.err != nil {
			return stamp.Span{}, p.err
		}
		return stamp.Span{}, io.EOF
	}
	p.buf = append(p.buf[:0], p.parts[p.next]...)
	p.next++
	at := stamp.Nanos(p.next)
	return stamp.Span{Bytes: p.buf, Arrival: stamp.Arrival{At: at, Read: at + 100}}, nil
}

type got struct {
	Name, Data, ID string
	At             stamp.Nanos
}

func readAll(t testing.TB, r *sse.Reader) ([]got, error) {
	t.Helper()
	var events []got
	for {
		e, err := r.Next()
		if err != nil && !errors.Is(err, sse.ErrUnfinished) {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return events, err
		}
		events = append(events, got{string(e.Name), string(e.Data), string(e.ID), e.Arrival.At})
		if err != nil {
			return events, err
		}
	}
}

func TestStreams(t *testing.T) {
	broken := errors.New("broken pipe")
	for name, tc := range map[string]struct {
		parts   []string
		srcErr  error
		want    []got
		wantErr error
	}{
		"one event":                         {parts: []string{"data: a\n\n"}, want: []got{{"", "a", "", 1}}},
		"no space after the colon":          {parts: []string{"data:a\n\n"}, want: []got{{"", "a", "", 1}}},
		"only one space is dropped":         {parts: []string{"data:  a \n\n"}, want: []got{{"", " a ", "", 1}}},
		"carriage returns":                  {parts: []string{"data: a\r\rdata: b\r\r"}, want: []got{{"", "a", "", 1}, {"", "b", "", 1}}},
		"both":                              {parts: []string{"data: a\r\n\r\ndata: b\r\n\r\n"}, want: []got{{"", "a", "", 1}, {"", "b", "", 1}}},
		"mixed line ends":                   {parts: []string{"data: a\rdata: b\ndata: c\r\n\ndata: d\n\r"}, want: []got{{"", "a\nb\nc", "", 1}, {"", "d", "", 1}}},
		"byte order mark":                   {parts: []string{"\xEF\xBB\xBFdata: a\n\n"}, want: []got{{"", "a", "", 1}}},
		"byte order mark cut":               {parts: []string{"\xEF", "\xBB", "\xBFdata: a\n\n"}, want: []got{{"", "a", "", 3}}},
		"byte order mark only once":         {parts: []string{"data: a\n\n\xEF\xBB\xBFdata: b\n\n"}, want: []got{{"", "a", "", 1}}},
		"comments":                          {parts: []string{": keep-alive\n\n:\n\ndata: a\n:no\n\n"}, want: []got{{"", "a", "", 1}}},
		"several data lines":                {parts: []string{"data: a\ndata\ndata:\ndata: b\n\n"}, want: []got{{"", "a\n\n\nb", "", 1}}},
		"empty data is an event":            {parts: []string{"data\n\n"}, want: []got{{"", "", "", 1}}},
		"no data is no event":               {parts: []string{"event: ping\n\ndata: a\n\n"}, want: []got{{"", "a", "", 1}}},
		"event name does not last":          {parts: []string{"event: x\nevent: y\ndata: a\n\ndata: b\n\n"}, want: []got{{"y", "a", "", 1}, {"", "b", "", 1}}},
		"id lasts":                          {parts: []string{"id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n"}, want: []got{{"", "a", "7", 1}, {"", "b", "7", 1}, {"", "c", "", 1}}},
		"id with NUL is ignored":            {parts: []string{"id: 7\nid: 8\x00\ndata: a\n\n"}, want: []got{{"", "a", "7", 1}}},
		"unknown fields and retry":          {parts: []string{"retry: 5\nDATA: x\ndatas: x\n data: x\ndata: a\n\n"}, want: []got{{"", "a", "", 1}}},
		"a colon in the value":              {parts: []string{"data: {\"a\":\"b: c\"}\n\n"}, want: []got{{"", `{"a":"b: c"}`, "", 1}}},
		"cut inside a rune":                 {parts: []string{"data: \xE2\x82", "\xAC\n\n"}, want: []got{{"", "€", "", 2}}},
		"completed by the second line feed": {parts: []string{"data: a\n", "\n"}, want: []got{{"", "a", "", 2}}},
		"no wait for the line feed after the last carriage return": {
			parts: []string{"data: a\r\n\r", "\ndata: b\r\n", "\r\n"},
			want:  []got{{"", "a", "", 1}, {"", "b", "", 3}},
		},
		"cut between every pair of bytes": {
			parts: strings.Split("data: a\r\n\r\n", ""), want: []got{{"", "a", "", 10}},
		},
		"each event has its own span": {
			parts: []string{"data: a\n\nda", "ta: b\n\n", "data: c\n\ndata: d\n\n"},
			want:  []got{{"", "a", "", 1}, {"", "b", "", 2}, {"", "c", "", 3}, {"", "d", "", 3}},
		},
		"nothing":             {},
		"only a comment":      {parts: []string{": bye"}},
		"trailing blank line": {parts: []string{"data: a\n\n\n\n"}, want: []got{{"", "a", "", 1}}},
		"unfinished line": {
			parts: []string{"data: a\n\ndata: [DONE]"}, want: []got{{"", "a", "", 1}, {"", "[DONE]", "", 1}}, wantErr: sse.ErrUnfinished,
		},
		"unfinished event": {
			parts: []string{"event: e\nda", "ta: b\n"}, want: []got{{"e", "b", "", 2}}, wantErr: sse.ErrUnfinished,
		},
		"unfinished field": {
			parts: []string{"dat"}, want: []got{{"", "", "", 1}}, wantErr: sse.ErrUnfinished,
		},
		"source fails": {parts: []string{"data: a\n\nda"}, srcErr: broken, want: []got{{"", "a", "", 1}}, wantErr: broken},
		"too large": {
			parts: []string{"data: a\n\ndata: " + strings.Repeat("x", 100)}, want: []got{{"", "a", "", 1}}, wantErr: sse.ErrTooLarge,
		},
		"too large in many lines": {parts: []string{strings.Repeat("data: x\n", 60)}, wantErr: sse.ErrTooLarge},
		"too large in many spans": {parts: strings.Split("data: "+strings.Repeat("x", 100), ""), wantErr: sse.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			r := sse.NewReader(&pieces{parts: tc.parts, err: tc.srcErr}, 100)
			events, err := readAll(t, r)
			if diff := cmp.Diff(tc.want, events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if !errors.Is(err, tc.wantErr) {
				t.Errorf("error %v, want %v", err, tc.wantErr)
			}
			if _, again := r.Next(); again == nil {
				t.Error("Next works again after its error")
			}
		})
	}
}

func TestUnfinishedIsFollowedByEOF(t *testing.T) {
	r := sse.NewReader(&pieces{parts: []string{"data: a"}}, 0)
	if _, err := r.Next(); !errors.Is(err, sse.ErrUnfinished) {
		t.Fatalf("got %v", err)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Fatalf("got %v, want io.EOF", err)
	}
}

// FuzzBorders: where a stream is cut into spans never changes its events.
func FuzzBorders(f *testing.F) {
	f.Add("data: a\r\n\r\ndata: \xE2\x82\xAC\n\n", uint8(3))
	f.Add("\xEF\xBB\xBFevent: x\rdata: a\r\rid: 7\n\ndata", uint8(1))
	f.Add("data: "+strings.Repeat("x", 200)+"\n\n", uint8(7))
	f.Fuzz(func(t *testing.T, stream string, size uint8) {
		whole, wholeErr := readAll(t, sse.NewReader(&pieces{parts: []string{stream}}, 150))
		var parts []string
		for rest := stream; rest != ""; {
			n := min(int(size)+1, len(rest))
			parts, rest = append(parts, rest[:n]), rest[n:]
		}
		cut, cutErr := readAll(t, sse.NewReader(&pieces{parts: parts}, 150))
		for i := range whole {
			whole[i].At = 0
		}
		for i := range cut {
			cut[i].At = 0
		}
		if diff := cmp.Diff(whole, cut); diff != "" {
			t.Errorf("events (-whole +cut):\n%s", diff)
		}
		if fmt.Sprint(wholeErr) != fmt.Sprint(cutErr) {
			t.Errorf("errors: whole %v, cut %v", wholeErr, cutErr)
		}
	})
}

type endless struct{ span stamp.Span }

func (e *endless) NextSpan() (stamp.Span, error) { return e.span, nil }

func chunkStream() *endless {
	event := `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}]}` + "\n\n"
	return &endless{span: stamp.Span{Bytes: []byte(event), Arrival: stamp.Arrival{At: 1, Read: 2}}}
}

func TestNoAllocationPerEvent(t *testing.T) {
	r := sse.NewReader(chunkStream(), 0)
	allocs := testing.AllocsPerRun(1000, func() {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations per event", allocs)
	}
}

func BenchmarkNext(b *testing.B) {
	r := sse.NewReader(chunkStream(), 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
