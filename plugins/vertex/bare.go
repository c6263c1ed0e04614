package main

import (
	"bytes"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// bareWatcher hands on an event stream and keeps what stands in it outside of
// events: a line that begins an object or a list, and whatever follows. Google
// ends a stream that fails with such an object, without "data:" before it, as its
// own client (google.golang.org/genai, api_client.go) expects; to readers of event
// streams that is an unknown field.
type bareWatcher struct {
	src   stamp.SpanReader
	begun bool // the line
	text  []byte
}

// bareBytesMax bounds what is kept.
const bareBytesMax = 1 << 20

// NextSpan implements stamp.SpanReader.
func (w *bareWatcher) NextSpan() (stamp.Span, error) {
	span, err := w.src.NextSpan()
	if err == nil {
		w.watch(span.Bytes)
	}
	return span, err
}

func (w *bareWatcher) watch(b []byte) {
	for len(w.text) == 0 && len(b) > 0 {
		if !w.begun && (b[0] == '{' || b[0] == '[') {
			break
		}
		w.begun = true
		end := bytes.IndexAny(b, "\r\n")
		if end < 0 {
			return
		}
		b, w.begun = b[end+1:], false
	}
	w.text = append(w.text, b[:min(len(b), bareBytesMax-len(w.text))]...)
}
