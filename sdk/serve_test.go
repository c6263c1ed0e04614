package sdk

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/internal/handshake"
)

// role makes this test binary a plugin.
const role = "SERVE_TEST_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(role) != "" {
		os.Exit(Serve(testPlugin()))
	}
	os.Exit(m.Run())
}

func testPlugin() Plugin {
	return Plugin{
		Name: "test", Version: "0.0.1", Vendor: "v", License: "l", Homepage: "h", EnvPassthrough: []string{"TEST_*"},
		Backends: []backend.Backend{quiet{}},
	}
}

// quiet is a backend that does nothing.
type quiet struct{}

func (quiet) Describe() backend.Description {
	return backend.Description{Name: "quiet", Summary: "a < b", APIBase: backend.Required, APIKey: backend.Unused}
}
func (quiet) Open(context.Context, backend.Config) (backend.Opened, error) {
	return backend.Opened{}, nil
}
func (quiet) Do(context.Context, *backend.Request, *backend.Recorder) {}
func (quiet) Close(context.Context) error                             { return nil }

// plugin is this binary in its other role.
func plugin(t *testing.T, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), append(environ, role+"=1")...)
	return cmd
}

func TestDescribe(t *testing.T) {
	var stderr bytes.Buffer
	cmd := plugin(t, nil, handshake.DescribeArgument)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%v, %s", err, &stderr)
	}
	var d Description
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(testPlugin().Description(), d); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if bytes.Contains(out, []byte(`\u003c`)) {
		t.Errorf("not for human eyes: %s", out)
	}
}

func TestByHand(t *testing.T) {
	var stdout, stderr bytes.Buffer
	cmd := plugin(t, nil)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState.ExitCode() != 1 || stdout.Len() > 0 {
		t.Errorf("%v, stdout %q", err, &stdout)
	}
	for _, part := range []string{"genai-bench", `plugin "test"`, "describe"} {
		if !strings.Contains(stderr.String(), part) {
			t.Errorf("%q does not say %q", &stderr, part)
		}
	}
}

// TestLease plays the host: the plugin prints one line, survives signals, and
// goes when its stdin ends.
func TestLease(t *testing.T) {
	cmd := plugin(t, []string{
		handshake.CookieKey + "=" + handshake.CookieValue, "PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR=" + os.TempDir(),
	})
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	fields := strings.Split(line, "|")
	if err != nil || len(fields) < 5 || fields[0] != "1" || fields[1] != "1" || fields[4] != "grpc" {
		t.Fatalf("handshake %q: %v", line, err)
	}
	defer os.Remove(fields[3])
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	rest := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(lines)
		rest <- string(all)
	}()
	select {
	case <-rest:
		t.Fatal("it ended by a signal")
	case <-time.After(200 * time.Millisecond):
	}
	begun := time.Now()
	_ = stdin.Close()
	if more := <-rest; more != "" {
		t.Errorf("more on stdout: %q", more)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v", err)
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("it took %s to go", took)
	}
}

// TestLogs: whatever a plugin logs with, the host reads one format.
func TestLogs(t *testing.T) {
	defer func(l hclog.Logger, s *slog.Logger, flags int) {
		hclog.SetDefault(l)
		slog.SetDefault(s)
		log.SetFlags(flags)
		log.SetOutput(os.Stderr)
	}(hclog.Default(), slog.Default(), log.Flags())
	var out bytes.Buffer
	logger := logTo(&out, "test", "debug")
	logger.Warn("by hclog", "k", 1)
	slog.Debug("by slog", "k", 2)
	slog.Log(t.Context(), slog.LevelDebug-4, "too fine")
	log.Print("[ERROR] by log")
	hclog.Default().Trace("too fine")
	type record struct {
		Level     string    `json:"@level"`
		Message   string    `json:"@message"`
		Timestamp time.Time `json:"@timestamp"`
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil || time.Since(r.Timestamp) > time.Minute {
			t.Errorf("%s: %v", line, err)
		}
		got = append(got, r.Level+" "+r.Message)
	}
	want := []string{"warn by hclog", "debug by slog", "error by log"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, &out)
	}
}
