//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// misbehaving is a backend that answers with what it was asked, and misbehaves
// as its mode says.
type misbehaving struct {
	mode string
	key  string
}

var (
	_ backend.Backend = (*misbehaving)(nil)
	_ backend.Prober  = (*misbehaving)(nil)
)

func (m *misbehaving) Describe() backend.Description {
	if m.mode == "hangs-in-describe" {
		select {}
	}
	return backend.Description{
		Name: "bad", Aliases: []string{"worse"}, Summary: "misbehaves",
		Tasks: []backend.TaskSupport{{
			Task: backend.TextToText, Requests: []backend.Kind{backend.KindChat, backend.KindCompletion},
			Streaming: backend.StreamingOptional, Parts: []string{"text", "image"},
		}},
		Capabilities: []backend.Capability{backend.CanProbe, backend.CanCancel},
		APIBase:      backend.Optional, APIKey: backend.Optional,
		Options: []option.Option{
			{Name: "bad-secret", Type: option.Secret, Help: "A secret"},
			{Name: "bad-list", Type: option.List, Help: "A list", Default: "a"},
		},
	}
}

func (m *misbehaving) Open(_ context.Context, c backend.Config) (backend.Opened, error) {
	switch m.mode {
	case "hangs-in-open":
		select {}
	case "panics-in-open":
		panic("open went wrong")
	case "odd-json":
		for _, line := range []string{
			`{"@message": 5}`, `{"@level": {"a": 1}, "@message": "x"}`, `{"@message": null, "@level": "info"}`,
			`{"@message":"level is a number","@level":7}`, `{`, `{}`, `[]`, `null`, `{"@timestamp": 1, "@message": "m", "@level": "warn", "k": [1, {"a": null}]}`,
			`{"@level":"info","@message":"fine after all","n":1}`,
		} {
			fmt.Fprintln(stderr, line)
		}
	case "nul-and-long-lines":
		fmt.Fprint(stderr, "a\x00b\x1b[31mred\xff\xfe\n")
		fmt.Fprintln(stderr, strings.Repeat("y", 1<<20))
		fmt.Fprintln(stderr, `{"@level":"info","@message":"`+strings.Repeat("z", 1<<20)+`"}`)
		fmt.Fprintln(stderr, "after the long lines")
	case "floods-stderr":
		for i := range 200_000 {
			fmt.Fprintf(stderr, "{\"@level\":\"info\",\"@message\":\"line %d\"}\n", i)
		}
	case "prints-secrets":
		hclog.Default().Info("key is "+c.APIKey.Reveal(), "secret", c.Options.Secret("bad-secret").Reveal())
		fmt.Fprintln(stderr, "plain", c.APIKey.Reveal())
	case "late-stdout":
		fmt.Println("printed by a library") //nolint:forbidigo // the misbehaviour
		fmt.Fprintln(os.NewFile(1, "stdout"), "printed by C code")
		for range 4 << 10 {
			fmt.Println(strings.Repeat("x", 1<<10)) //nolint:forbidigo // the misbehaviour
		}
	case "grandchild":
		startSleeper(false)
	case "grandchild-own-session":
		startSleeper(true)
	case "exits-in-open":
		fmt.Fprintln(stderr, "[ERROR] out of cheese")
		os.Exit(9) //nolint:forbidigo // the misbehaviour
	}
	m.key = c.APIKey.Reveal()
	hclog.Default().Debug("opened", "model", c.Model)
	opened := backend.Opened{EffectiveConfig: []byte(`{"model":"` + c.Model + `","key":"` + m.key + `"}`), Endpoint: "nowhere", Clock: stamp.ClockUser}
	if c.Model == "" {
		opened.Problems = []option.Problem{{Option: "api-model-name", Severity: option.Error, Message: "missing", Hint: "give one"}}
	}
	return opened, nil
}

// stderr is the real one; go-plugin puts a pipe into os.Stderr.
var stderr = os.NewFile(2, "stderr")

func (m *misbehaving) Probe(context.Context) (backend.Probe, error) {
	if m.mode == "hangs-in-probe" {
		select {}
	}
	return backend.Probe{ServerName: "bad", Models: []string{"m"}, Latency: time.Millisecond}, nil
}

func (m *misbehaving) Close(context.Context) error {
	if m.mode == "hangs-in-close" {
		select {}
	}
	return nil
}

// Do answers with the text that it was asked. The text may hold an order:
// "sleep 100ms", or the name of a misbehaviour.
func (m *misbehaving) Do(ctx context.Context, r *backend.Request, rec *backend.Recorder) {
	now := stamp.Now()
	x := stamp.Exchange{SendStart: now, Handed: now, Headers: now + 1, LastByte: now + 2, ReadEnd: now + 3, Clock: stamp.ClockUser, Retransmits: -1}
	defer func() { rec.Exchange(x) }()
	var text string
	if r.Chat != nil && len(r.Chat.Messages) > 0 {
		text = r.Chat.Messages[0].TextOf()
	}
	order, argument, _ := strings.Cut(text, " ")
	switch order {
	case "sleep":
		d, _ := time.ParseDuration(argument)
		select {
		case <-time.After(d):
		case <-ctx.Done():
			rec.Fail(fault.New(fault.TimeoutTotal, "%v", context.Cause(ctx)))
			return
		}
	case "give-up-silently":
		<-ctx.Done()
		x = stamp.Exchange{Retransmits: -1}
		return
	case "hang":
		select {}
	case "panic":
		panic("do went wrong")
	case "goexit":
		runtime.Goexit()
	case "exit":
		fmt.Fprintln(stderr, "[ERROR] the sky is falling")
		os.Exit(7) //nolint:forbidigo // the misbehaviour
	case "crash":
		go func() { panic("another goroutine went wrong") }()
		select {}
	case "fail":
		rec.Fail(&fault.Error{Class: fault.Overloaded, HTTPStatus: 503, Message: "busy \xff with " + m.key, Retryable: true})
		return
	}
	at := stamp.Arrival{At: now + 1, Read: now + 1001}
	rec.Event(backend.Role|backend.Text, 0, at, 1, backend.EventText{Text: []byte(text)})
	rec.Event(backend.FinishReason, 0, at, 0, backend.EventText{})
	rec.Finish(0, backend.FinishStop, "stop")
	out := int64(1)
	rec.Usage(backend.Usage{Output: &out, Source: backend.UsageFinal})
}
