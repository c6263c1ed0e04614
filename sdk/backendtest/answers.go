package backendtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// variants are answers that a backend must understand, by the fault that makes
// the simulator give them. Those with a stream's field say so.
func variants() (both, streams []string) {
	both = []string{
		"", "usage=none", "reasoning=reasoning", "reasoning=reasoning_content", "reasoning=both; reasoning-count=3",
		"reasoning=reasoning; reasoning-count=99", "output=tool", "output=refusal", "output=none", "finish=content_filter",
		"finish=stop", "finish=no_such_reason", "unicode", "unicode; ascii", "framing=close", "delay=20ms", "stall=mid-body; stall-for=20ms",
	}
	streams = []string{
		"usage=finish", "usage=last", "usage=cumulative", "usage=null", "usage=final",
		"first=early-role", "first=none", "first=no-choices", "comments", "tokens-per-chunk=3", "framing=length",
		"newline=crlf", "newline=cr", "cut=done", "tokens-per-chunk=8",
		"borders=bytes", "borders=bytes; unicode; newline=crlf", "borders=mid-rune; unicode", "borders=mid-rune; unicode; piece-delay=1ms",
		"borders=mid-line; piece-delay=1ms", "borders=mid-newline; piece-delay=1ms", "borders=joined", "borders=straddle",
		"borders=straddle; newline=crlf; unicode", "borders=trickled; piece-delay=1ms", "borders=next-head", "borders=random; unicode",
	}
	return both, streams
}

func (k *kit) answers() []test {
	var tests []test
	both, streams := variants()
	add := func(stream bool, faults []string) {
		name := "whole"
		if stream {
			name = "stream"
		}
		tests = append(tests, test{name: name, skip: k.streams(stream), run: func(t *testing.T) {
			s := k.open(t, setup{})
			for _, f := range faults {
				name := f
				if name == "" {
					name = "plain"
				}
				k.sub(t, name, func(t *testing.T) {
					if why := k.lacks(f, stream); why != "" {
						t.Skip(why)
					}
					r := s.request(f)
					setStream(r, stream)
					_, record := s.doOK(t, r)
					if record.Stream != stream {
						t.Errorf("a stream was asked of the server: %v, want %v", record.Stream, stream)
					}
				})
			}
		}})
	}
	add(true, append(both, streams...))
	add(false, both)
	for _, support := range k.description.Tasks {
		for _, kind := range support.Requests {
			tests = append(tests, test{
				name: fmt.Sprintf("%s by %s", support.Task, kind),
				run:  func(t *testing.T) { k.answersTask(t, support, kind) },
			})
		}
	}
	return append(tests,
		test{name: "two choices", skip: firstOf(k.streams(true), k.lacks("n", true)), run: func(t *testing.T) {
			s := k.open(t, setup{})
			r := s.request("")
			r.Params = []byte(k.Params.TwoChoices)
			if o, _ := s.doOK(t, r); len(o.Choices) != 2 {
				t.Errorf("%d choices, want 2", len(o.Choices))
			}
		}},
		test{name: "one token", skip: k.generates(), run: func(t *testing.T) {
			s := k.open(t, setup{})
			r := s.request("")
			setMaxTokens(r, 1)
			s.doOK(t, r)
		}},
		test{name: "only what is wanted", skip: k.generates(), run: func(t *testing.T) {
			s := k.open(t, setup{})
			r := s.request("")
			r.Want = backend.Want{}
			o := s.do(t, r)
			if o.Status != backend.StatusOK || len(o.Events) > 0 || len(o.Choices) != 1 || o.Choices[0].Text != "" || o.Choices[0].Finish != backend.FinishLength {
				t.Errorf("outcome without events and text: %s", printAll(o))
			}
		}},
		test{name: "the length is fixed", skip: unless(k.description.Can(backend.CanFixOutputLength), "the capability fix-output-length is not declared"),
			run: k.fixesLength},
	)
}

// fixesLength asks a model that ends its answers early for a fixed length.
func (k *kit) fixesLength(t *testing.T) {
	s := k.open(t, setup{upstream: func(c *simulator.Config) { c.EOSProbability = 0.5 }})
	free, short := 0, 0
	for range 20 {
		r := s.request("")
		setMaxTokens(r, 30)
		r.FixOutputLength = true
		if _, record := s.doOK(t, r); record.OutputTokens != 30 {
			t.Errorf("%d tokens with FixOutputLength, want 30", record.OutputTokens)
		}
		r = s.request("")
		setMaxTokens(r, 30)
		free++
		if _, record := s.doOK(t, r); record.OutputTokens < 30 {
			short++
		}
	}
	if short == 0 {
		t.Errorf("all of %d requests without FixOutputLength had the full length", free)
	}
}

// answersTask does one request of a kind for a task.
func (k *kit) answersTask(t *testing.T, support backend.TaskSupport, kind backend.Kind) {
	s := k.open(t, setup{config: func(c *backend.Config, _ *simulator.Server) { c.Task = support.Task }})
	r := k.request(support.Task, kind)
	setStream(r, support.Streaming != backend.StreamingNo)
	if r.Chat != nil && support.Task == backend.ImageTextToText {
		r.Chat.Messages[0].Parts = append(r.Chat.Messages[0].Parts, backend.Part{Image: picture()})
	}
	o := s.do(t, r)
	if o.Status != backend.StatusOK {
		t.Fatalf("status %v: %v", o.Status, o.Error)
	}
	record := s.truth(t, r)
	if !strings.HasSuffix(record.Path, k.Paths[kind]) {
		t.Errorf("the request went to %s, want …%s", record.Path, k.Paths[kind])
	}
	switch kind {
	case backend.KindChat, backend.KindCompletion:
		k.compare(t, o, record)
		return
	case backend.KindEmbed:
		if want := int32(len(r.Embed.Inputs) + len(r.Embed.Images)); o.Vectors == nil || o.Vectors.Count != want || o.Vectors.Dimensions != int32(s.upstream.Config().EmbeddingDimensions) {
			t.Errorf("vectors %s, want %d of %d", printAll(o.Vectors), want, s.upstream.Config().EmbeddingDimensions)
		}
	case backend.KindRerank:
		if o.Vectors == nil || o.Vectors.Count != 2 {
			t.Errorf("scores %s, want 2", printAll(o.Vectors))
		}
	case backend.KindImage:
		if o.Media == nil || o.Media.Count != 2 || o.Media.Bytes == 0 {
			t.Errorf("media %s, want 2 pictures", printAll(o.Media))
		}
	case backend.KindSpeech:
		if o.Media == nil || o.Media.Bytes != record.ResponseBytes {
			t.Errorf("media %s, want %d bytes", printAll(o.Media), record.ResponseBytes)
		}
	}
	noUsage := map[backend.Kind]string{backend.KindEmbed: "embed.usage", backend.KindRerank: "rerank.usage"}[kind]
	if k.lacks(noUsage, false) == "" && record.UsageSent && (o.Usage.Input == nil || *o.Usage.Input != int64(record.PromptTokens)) {
		t.Errorf("usage %s, want %d of input", printAll(o.Usage), record.PromptTokens)
	}
	compareExchange(t, o, record)
}
