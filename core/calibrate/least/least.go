// Package least is the least client that can be: net/http, one goroutine a
// stream, and a look at the clock before the request and after each read. It
// is what a measuring client is held against, both in what it costs and in how
// far its times are from the truth.
//
// It measures nothing well on purpose. Its first byte is the moment at which a
// goroutine got round to reading one, and its start lies before whatever
// net/http does to find or open a connection.
package least

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genai-bench/genai-bench/core/machine"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Config is a closed loop against an OpenAI-compatible server.
type Config struct {
	URL     string        // of the server, without /v1/chat/completions
	APIKey  secret.Secret // sent as a bearer token; unset: none
	Model   string
	Streams int // requests in flight
	// Requests is how many are sent in all. 0: until ctx ends, when those in
	// flight are given up.
	Requests int
	// Lasting is for how long requests are begun; 0: that is not limited. Those in
	// flight are waited for.
	Lasting      time.Duration
	MaxTokens    int // of each answer, which the server is asked not to end before
	PromptTokens int // of each prompt, about: words of one token in most vocabularies
	// Sizes are those of the requests in turn, in place of MaxTokens and
	// PromptTokens. All bodies are made ahead.
	Sizes []Size
	// IDPrefix begins the X-Request-Id of each request; "" is "least-".
	IDPrefix string
	// FreshConnections opens one for each request; else they are kept.
	FreshConnections bool
}

// Size is that of a request.
type Size struct{ PromptTokens, MaxTokens int }

// Result is one request as this client saw it.
type Result struct {
	ID string // its X-Request-Id
	// Sent is the moment before the request was given to net/http.
	Sent stamp.Nanos
	// FirstByte, FirstOutput and Last are the moments after the reads that
	// brought the body's first line, the first event with text and the last
	// line. 0: there was none.
	FirstByte, FirstOutput, Last stamp.Nanos
	Outputs                      int // events with text
	Status                       int // of HTTP; 0: no answer
	Err                          error
}

// Report is what a run gave and cost.
type Report struct {
	Results []Result      // in order of their ends, of each stream
	Elapsed time.Duration // from the first request to the last answer
	// CPU is what the process used meanwhile, whoever in it did: a server in the
	// same process is counted too.
	CPU time.Duration
}

func (c *Config) check() error {
	if len(c.Sizes) == 0 {
		c.Sizes = []Size{{c.PromptTokens, c.MaxTokens}}
	}
	base, err := url.Parse(c.URL)
	switch {
	case err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		return fmt.Errorf("least: %q is no address of a server (use http://HOST:PORT)", c.URL)
	case c.Streams < 1:
		return fmt.Errorf("least: %d streams (use 1 or more)", c.Streams)
	case c.Requests < 0:
		return fmt.Errorf("least: %d requests (use 0 or more)", c.Requests)
	}
	for _, size := range c.Sizes {
		if size.MaxTokens < 1 || size.PromptTokens < 1 {
			return fmt.Errorf("least: requests of %d prompt and %d output tokens (use positive numbers)", size.PromptTokens, size.MaxTokens)
		}
	}
	return nil
}

// body is that of all requests of a size.
func (c *Config) body(size Size) ([]byte, error) {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	return json.Marshal(struct {
		Model     string    `json:"model"`
		Messages  []message `json:"messages"`
		MaxTokens int       `json:"max_tokens"`
		MinTokens int       `json:"min_tokens"`
		IgnoreEOS bool      `json:"ignore_eos"`
		Stream    bool      `json:"stream"`
	}{
		c.Model, []message{{"user", strings.TrimSpace(strings.Repeat("the ", size.PromptTokens))}},
		size.MaxTokens, size.MaxTokens, true, true,
	})
}

// Run sends the requests. A request that failed is a Result; an error is a
// Config that makes no sense.
func Run(ctx context.Context, c Config) (Report, error) {
	if err := c.check(); err != nil {
		return Report{}, err
	}
	bodies := make([][]byte, len(c.Sizes))
	for i, size := range c.Sizes {
		var err error
		if bodies[i], err = c.body(size); err != nil {
			return Report{}, fmt.Errorf("least: %w", err)
		}
	}
	if c.IDPrefix == "" {
		c.IDPrefix = "least-"
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: c.Streams,
		DisableKeepAlives: c.FreshConnections, DisableCompression: true,
	}
	defer transport.CloseIdleConnections()
	l := &loop{config: c, bodies: bodies, client: &http.Client{Transport: transport}, endpoint: strings.TrimRight(c.URL, "/") + "/v1/chat/completions"}

	results := make([][]Result, c.Streams)
	watch := machine.Start(func() []int { return nil }, nil)
	if c.Lasting > 0 {
		l.until = time.Now().Add(c.Lasting)
	}
	var streams sync.WaitGroup
	for i := range results {
		streams.Go(func() { results[i] = l.stream(ctx) })
	}
	streams.Wait()
	used := watch.Stop()

	report := Report{Elapsed: used.Elapsed, CPU: time.Duration(used.Core * float64(time.Second))}
	for _, some := range results {
		report.Results = append(report.Results, some...)
	}
	return report, nil
}

type loop struct {
	config   Config
	bodies   [][]byte
	client   *http.Client
	endpoint string
	until    time.Time // zero: not limited
	sent     atomic.Int64
}

// stream sends one request after the other.
func (l *loop) stream(ctx context.Context) (results []Result) {
	in := bufio.NewReader(nil)
	for {
		n := l.sent.Add(1)
		if l.config.Requests > 0 && n > int64(l.config.Requests) || ctx.Err() != nil || !l.until.IsZero() && time.Now().After(l.until) {
			return results
		}
		r := Result{ID: fmt.Sprintf("%s%d", l.config.IDPrefix, n)}
		r.Err = l.request(ctx, &r, in, l.bodies[n%int64(len(l.bodies))])
		results = append(results, r)
	}
}

func (l *loop) request(ctx context.Context, r *Result, in *bufio.Reader, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Request-Id", r.ID)
	if !l.config.APIKey.IsZero() {
		request.Header.Set("Authorization", "Bearer "+l.config.APIKey.Reveal())
	}
	r.Sent = stamp.Now()
	answer, err := l.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	r.Status = answer.StatusCode
	in.Reset(answer.Body)
	for {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 {
			r.line(line, stamp.Now())
		}
		switch {
		case errors.Is(err, io.EOF) && r.Status != http.StatusOK:
			return fmt.Errorf("HTTP %d", r.Status)
		case errors.Is(err, io.EOF) && r.Outputs == 0:
			return errors.New("the answer holds no text")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

var (
	content = []byte(`"content":"`)
	nothing = []byte(`"content":""`)
)

// line takes a line of the answer, or a part of a very long one.
func (r *Result) line(line []byte, now stamp.Nanos) {
	if r.FirstByte == 0 {
		r.FirstByte = now
	}
	r.Last = now
	if bytes.Contains(line, content) && !bytes.Contains(line, nothing) {
		r.Outputs++
		if r.FirstOutput == 0 {
			r.FirstOutput = now
		}
	}
}
