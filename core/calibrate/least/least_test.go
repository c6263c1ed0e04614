package least_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/core/calibrate/least"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// serving makes this test binary a simulator of 50 tokens/s a stream, for the
// benchmark: its CPU time is not the client's then.
const serving = "LEAST_TEST_SERVING"

func TestMain(m *testing.M) {
	if os.Getenv(serving) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	config := simulator.DefaultConfig()
	config.StepTime, config.StepTimePerSequence, config.PrefillTime, config.PrefillTokensPerSecond, config.JitterRatio = 20*time.Millisecond, 0, 0, 0, 0
	config.MaxBatch, config.MaxBatchedTokens, config.KVTokens = 0, 0, 0
	server, err := simulator.New(config)
	if err == nil {
		err = server.Listen("127.0.0.1:0")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(server.URL())
	_, _ = io.Copy(io.Discard, os.Stdin) // held open by the benchmark
}

// BenchmarkLeast is what the least client costs; an operation is a request of 50
// tokens at 50 tokens/s, in so many streams.
//
//	go test ./core/calibrate/least -run xxx -bench Least -benchtime 640x
func BenchmarkLeast(b *testing.B) {
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), serving+"=1")
	lease, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = lease.Close(); _ = server.Wait() }()
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	for _, streams := range []int{64, 512} {
		b.Run(fmt.Sprint(streams), func(b *testing.B) {
			const tokens = 50
			report, err := least.Run(b.Context(), least.Config{
				URL: strings.TrimSpace(address), Model: "simulator", Streams: streams, Requests: b.N, MaxTokens: tokens, PromptTokens: 100,
			})
			if err != nil || len(report.Results) != b.N {
				b.Fatalf("%d results of %d: %v", len(report.Results), b.N, err)
			}
			for _, r := range report.Results {
				if r.Err != nil {
					b.Fatal(r.Err)
				}
			}
			b.ReportMetric(float64(report.CPU.Microseconds())/1000/float64(b.N), "CPU-ms/req")
			b.ReportMetric(float64(report.CPU.Microseconds())/float64(b.N)/tokens, "CPU-µs/token")
		})
	}
}

func TestRequestsAreBegunForATimeAndHaveTheirSizes(t *testing.T) {
	server := serve(t, nil)
	report, err := least.Run(t.Context(), least.Config{
		URL: server.URL(), Model: "simulator", Streams: 3, Lasting: 200 * time.Millisecond, Sizes: []least.Size{{PromptTokens: 3, MaxTokens: 4}, {PromptTokens: 9, MaxTokens: 7}},
	})
	if err != nil || len(report.Results) < 4 {
		t.Fatalf("%d results, %v", len(report.Results), err)
	}
	outputs := map[int]int{}
	for _, r := range report.Results {
		if r.Err != nil {
			t.Errorf("%s was not waited for: %v", r.ID, r.Err)
		}
		outputs[r.Outputs]++
	}
	if outputs[4] == 0 || outputs[7] == 0 || len(outputs) != 2 {
		t.Errorf("answers of %v tokens, want 4 and 7", outputs)
	}
}

func serve(t *testing.T, change func(*simulator.Config)) *simulator.Server {
	t.Helper()
	config := simulator.DefaultConfig()
	config.StepTime, config.StepTimePerSequence, config.PrefillTime = 2*time.Millisecond, 0, 0
	if change != nil {
		change(&config)
	}
	s, err := simulator.New(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestResultsHoldAgainstTheServersTruth(t *testing.T) {
	const streams, requests, tokens = 4, 12, 10
	for name, fresh := range map[string]bool{"kept connections": false, "fresh connections": true} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, nil)
			report, err := least.Run(t.Context(), least.Config{
				URL: server.URL() + "/", Model: "simulator", Streams: streams, Requests: requests,
				MaxTokens: tokens, PromptTokens: 20, FreshConnections: fresh,
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Results) != requests || report.CPU <= 0 || report.Elapsed <= 0 {
				t.Fatalf("%d results, %v of CPU in %v", len(report.Results), report.CPU, report.Elapsed)
			}
			connections := make(map[uint64]bool)
			seen := make(map[string]bool)
			for _, r := range report.Results {
				if r.Err != nil || r.Status != http.StatusOK || seen[r.ID] {
					t.Fatalf("%s: HTTP %d, %v", r.ID, r.Status, r.Err)
				}
				seen[r.ID] = true
				records, err := server.Await(t.Context(), r.ID)
				if err != nil || len(records) != 1 {
					t.Fatalf("%s: the server has %d records: %v", r.ID, len(records), err)
				}
				record := records[0]
				connections[record.Connection] = true
				first, _ := record.First(simulator.Output)
				wrote, _ := record.Interval(first)
				end, _ := record.Last(simulator.Output)
				last, _ := record.Interval(end)
				if r.Outputs != record.OutputTokens || record.OutputTokens != tokens {
					t.Errorf("%s: %d outputs, the server sent %d", r.ID, r.Outputs, record.OutputTokens)
				}
				if r.Sent >= record.HeadRead || r.FirstByte > r.FirstOutput || r.FirstOutput < wrote || r.Last < r.FirstOutput || r.Last < last {
					t.Errorf("%s: sent %v before the server read it, first output %v after its write", r.ID, record.HeadRead.Sub(r.Sent), r.FirstOutput.Sub(wrote))
				}
			}
			if n := len(connections); fresh && n != requests || !fresh && n > streams {
				t.Errorf("%d connections for %d requests", n, requests)
			}
		})
	}
}

func TestFailuresAreResults(t *testing.T) {
	server := serve(t, func(c *simulator.Config) { c.APIKey = secret.New("right") })
	for name, tc := range map[string]struct {
		key    string
		url    string
		status int
		err    string
	}{
		"the right key": {key: "right", url: server.URL(), status: 200},
		"a wrong key":   {key: "wrong", url: server.URL(), status: 401, err: "HTTP 401"},
		"no server":     {key: "right", url: "http://127.0.0.1:1", err: "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := least.Run(t.Context(), least.Config{
				URL: tc.url, APIKey: secret.New(tc.key), Model: "simulator", Streams: 1, Requests: 2, MaxTokens: 2, PromptTokens: 2,
			})
			if err != nil || len(report.Results) != 2 {
				t.Fatalf("%d results, %v", len(report.Results), err)
			}
			for _, r := range report.Results {
				if r.Status != tc.status || (r.Err == nil) != (tc.err == "") || r.Err != nil && !strings.Contains(r.Err.Error(), tc.err) {
					t.Errorf("HTTP %d, %v", r.Status, r.Err)
				}
			}
		})
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	server := serve(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	report, err := least.Run(ctx, least.Config{URL: server.URL(), Model: "simulator", Streams: 2, MaxTokens: 5, PromptTokens: 2})
	if err != nil || len(report.Results) < 2 {
		t.Fatalf("%d results, %v", len(report.Results), err)
	}
	for _, r := range report.Results {
		if r.Err != nil && !errors.Is(r.Err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", r.ID, r.Err)
		}
	}
}

func TestSenselessConfigs(t *testing.T) {
	good := least.Config{URL: "http://127.0.0.1:1", Streams: 1, Requests: 1, MaxTokens: 1, PromptTokens: 1}
	for name, tc := range map[string]struct {
		change func(*least.Config)
		want   string
	}{
		"no address":       {func(c *least.Config) { c.URL = "" }, "no address of a server"},
		"no scheme":        {func(c *least.Config) { c.URL = "localhost:80" }, "no address of a server"},
		"no streams":       {func(c *least.Config) { c.Streams = 0 }, "0 streams"},
		"no output tokens": {func(c *least.Config) { c.MaxTokens = 0 }, "0 output tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			tc.change(&c)
			if _, err := least.Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}
