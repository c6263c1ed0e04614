package frame_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/plugins/bedrock/frame"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// encode makes a message with the SDK's encoder.
func encode(t testing.TB, payload string, headers ...string) []byte {
	t.Helper()
	var m eventstream.Message
	for i := 0; i < len(headers); i += 2 {
		m.Headers.Set(headers[i], eventstream.StringValue(headers[i+1]))
	}
	m.Payload = []byte(payload)
	var b bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// spans hands out bytes in pieces, of which the n-th (from 1) arrives at n.
type spans struct {
	pieces [][]byte
	given  int
	end    error
}

func (s *spans) NextSpan() (stamp.Span, error) {
	if s.given == len(s.pieces) {
		if s.end != nil {
			return stamp.Span{}, s.end
		}
		return stamp.Span{}, io.EOF
	}
	piece := s.pieces[s.given]
	s.given++
	at := stamp.Nanos(s.given)
	return stamp.Span{Bytes: piece, Arrival: stamp.Arrival{At: at, Read: at + 1}}, nil
}

// cut cuts all into pieces of n bytes.
func cut(all []byte, n int) [][]byte {
	var pieces [][]byte
	for len(all) > 0 {
		n := min(n, len(all))
		pieces = append(pieces, bytes.Clone(all[:n]))
		all = all[n:]
	}
	return pieces
}

// story is what a stream was read as: a line for each message, the error last.
func story(src stamp.SpanReader) []string {
	var lines []string
	r := frame.NewReader(src)
	for {
		m, err := r.Next()
		if err != nil {
			return append(lines, err.Error())
		}
		lines = append(lines, fmt.Sprintf("%s %s%s%s %s", m.MessageType, m.EventType, m.ExceptionType, m.ErrorCode, m.Payload))
	}
}

func TestEveryCut(t *testing.T) {
	all := bytes.Join([][]byte{
		encode(t, `{"a":1}`, ":message-type", "event", ":event-type", "chunk", "other", "x"),
		encode(t, "", ":message-type", "event", ":event-type", "empty"),
		encode(t, strings.Repeat("long ", 200), ":message-type", "event", ":event-type", "long"),
		encode(t, `{"message":"slow down"}`, ":message-type", "exception", ":exception-type", "throttlingException"),
	}, nil)
	want := []string{
		`event chunk {"a":1}`, "event empty ", "event long " + strings.Repeat("long ", 200),
		`exception throttlingException {"message":"slow down"}`, "EOF",
	}
	for n := 1; n <= len(all); n++ {
		if diff := cmp.Diff(want, story(&spans{pieces: cut(all, n)})); diff != "" {
			t.Fatalf("in pieces of %d: %s", n, diff)
		}
	}
}

// A message arrives with its last byte, whatever else came with that or before.
func TestArrival(t *testing.T) {
	one := encode(t, "one", ":event-type", "a")
	two := encode(t, "two", ":event-type", "b")
	both := append(bytes.Clone(one), two...)
	for name, tc := range map[string]struct {
		pieces [][]byte
		want   []stamp.Nanos
	}{
		"each by itself":         {[][]byte{one, two}, []stamp.Nanos{1, 2}},
		"both at once":           {[][]byte{both}, []stamp.Nanos{1, 1}},
		"last byte late":         {[][]byte{both[:len(both)-1], both[len(both)-1:]}, []stamp.Nanos{1, 2}},
		"second begins early":    {[][]byte{both[:len(one)+3], both[len(one)+3:]}, []stamp.Nanos{1, 2}},
		"first ends with second": {[][]byte{both[:5], both[5:]}, []stamp.Nanos{2, 2}},
		"prelude alone":          {[][]byte{one[:12], one[12:], two[:12], two[12:]}, []stamp.Nanos{2, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			r := frame.NewReader(&spans{pieces: tc.pieces})
			for i, want := range tc.want {
				m, err := r.Next()
				if err != nil || m.Arrival != (stamp.Arrival{At: want, Read: want + 1}) {
					t.Errorf("message %d: %+v, %v", i, m.Arrival, err)
				}
			}
		})
	}
}

func TestBroken(t *testing.T) {
	good := encode(t, `{"a":1}`, ":event-type", "chunk")
	change := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	for name, tc := range map[string]struct {
		bytes []byte
		want  error
	}{
		"nothing":                {nil, io.EOF},
		"cut in the prelude":     {good[:7], frame.ErrUnfinished},
		"cut in the headers":     {good[:20], frame.ErrUnfinished},
		"cut before the CRC":     {good[:len(good)-1], frame.ErrUnfinished},
		"length":                 {change(3), frame.ErrMalformed},
		"headers":                {change(15), frame.ErrMalformed},
		"payload":                {change(len(good) - 6), frame.ErrMalformed},
		"CRC":                    {change(len(good) - 1), frame.ErrMalformed},
		"text":                   {[]byte("<html>Not Found</html>"), frame.ErrMalformed},
		"JSON":                   {[]byte(`{"message":"no stream"}`), frame.ErrMalformed},
		"text after the message": {append(bytes.Clone(good), "data: [DONE]\n\n"...), frame.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 5, 1000} {
				r := frame.NewReader(&spans{pieces: cut(tc.bytes, n)})
				var err error
				for err == nil {
					_, err = r.Next()
				}
				if !errors.Is(err, tc.want) {
					t.Errorf("in pieces of %d: %v, want %v", n, err, tc.want)
				}
				if _, again := r.Next(); !errors.Is(again, tc.want) {
					t.Errorf("the second time: %v", again)
				}
			}
		})
	}
	r := frame.NewReader(&spans{pieces: [][]byte{good[:9]}, end: iotest.ErrTimeout})
	if _, err := r.Next(); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("the source's error becomes %v", err)
	}
}

// FuzzAgainstSDK: whatever this reader takes, the SDK's decoder reads as the
// same; what the decoder refuses, so does this reader. However the bytes are
// cut, the story is one.
func FuzzAgainstSDK(f *testing.F) {
	f.Add(encode(f, `{"a":1}`, ":message-type", "event", ":event-type", "chunk"), 3)
	f.Add(append(encode(f, "x", "k", "v"), encode(f, "y")...), 1)
	f.Add([]byte("HTTP/1.1 200 OK"), 2)
	f.Fuzz(func(t *testing.T, all []byte, n int) {
		if n < 1 {
			n = 1
		}
		got := story(&spans{pieces: cut(all, n)})
		if diff := cmp.Diff(story(&spans{pieces: [][]byte{all}}), got); diff != "" {
			t.Fatalf("cut into pieces of %d: %s", n, diff)
		}
		reader := bytes.NewReader(all)
		for i, line := range got[:len(got)-1] {
			m, err := eventstream.NewDecoder().Decode(reader, nil)
			if err != nil {
				t.Fatalf("message %d (%s): the SDK refuses it: %v", i, line, err)
			}
			if !strings.HasSuffix(line, " "+string(m.Payload)) {
				t.Fatalf("message %d (%s): the SDK reads %q", i, line, m.Payload)
			}
		}
	})
}

func BenchmarkNext(b *testing.B) {
	payload := `{"bytes":"eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImluZGV4IjowLCJkZWx0YSI6eyJ0eXBlIjoidGV4dF9kZWx0YSIsInRleHQiOiIgc2VhIn19","p":"abcdef"}`
	one := encode(b, payload, ":message-type", "event", ":event-type", "chunk", ":content-type", "application/json")
	src := &spans{pieces: [][]byte{one}}
	r := frame.NewReader(src)
	b.ReportAllocs()
	for b.Loop() {
		src.given = 0
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
