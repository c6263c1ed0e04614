//go:build unix

package host

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// badPlugin is the path of the deliberately bad plugin, built once.
var badPlugin string

// hostRole makes this test binary a host that launches the plugin of that path
// and waits to be killed.
const hostRole = "HOST_TEST_LAUNCHES"

func TestMain(m *testing.M) {
	if path := os.Getenv(hostRole); path != "" {
		launchAndWait(path)
	}
	dir, err := os.MkdirTemp("", "badplugin")
	if err != nil {
		panic(err)
	}
	badPlugin = filepath.Join(dir, "genai-bench-plugin-bad")
	if out, err := exec.Command("go", "build", "-o", badPlugin, "./internal/badplugin").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the bad plugin: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// environ is this process's environment with the plugin's way to misbehave.
func environ(mode string) []string { return append(os.Environ(), "BADPLUGIN="+mode) }

// hostLog collects a host's log.
type hostLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *hostLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *hostLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *hostLog) logger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Output: l, Level: hclog.Trace, DisableTime: true})
}

// sleeper waits for the number of the grandchild that the plugin left behind.
func (l *hostLog) sleeper(t *testing.T) int {
	t.Helper()
	pattern := regexp.MustCompile(`sleeper: pid=(\d+)`)
	var pid int
	eventually(t, 5*time.Second, "the plugin starts a grandchild", func() bool {
		match := pattern.FindStringSubmatch(l.String())
		if match != nil {
			pid, _ = strconv.Atoi(match[1])
		}
		return match != nil
	})
	return pid
}

// launch starts the bad plugin in a mode; it is killed when the test ends.
func launch(t *testing.T, mode string) (*Process, *hostLog) {
	t.Helper()
	log := &hostLog{}
	p, err := Launch(t.Context(), Options{
		Path: badPlugin, Environ: environ(mode), EnvPassthrough: []string{"BADPLUGIN*"}, Logger: log.logger(),
	})
	if err != nil {
		t.Fatalf("Launch: %v\n%s", err, log)
	}
	t.Cleanup(p.Kill)
	return p, log
}

// opened is launch and Open.
func opened(t *testing.T, mode string) (*Process, *hostLog) {
	t.Helper()
	p, log := launch(t, mode)
	open(t, p)
	return p, log
}

func open(t *testing.T, r Runner) {
	t.Helper()
	o, err := r.Open(t.Context(), "bad", backend.Config{Model: "m", WorkerCount: 1})
	if err != nil || o.Failed() {
		t.Fatalf("Open: %v, %+v", err, o.Problems)
	}
}

// answers collects the outcomes of a session.
type answers struct {
	mu   sync.Mutex
	got  map[uint64][]*backend.Outcome
	some chan struct{}
}

func newAnswers() *answers {
	return &answers{got: make(map[uint64][]*backend.Outcome), some: make(chan struct{}, 1)}
}

func (a *answers) take(o *backend.Outcome) {
	a.mu.Lock()
	a.got[o.Seq] = append(a.got[o.Seq], o)
	a.mu.Unlock()
	select {
	case a.some <- struct{}{}:
	default:
	}
}

func (a *answers) of(seq uint64) []*backend.Outcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.got[seq]
}

// one waits for a request's outcome, which must be the only one.
func (a *answers) one(t *testing.T, seq uint64) *backend.Outcome {
	t.Helper()
	eventually(t, 10*time.Second, fmt.Sprintf("request %d is answered", seq), func() bool { return len(a.of(seq)) > 0 })
	all := a.of(seq)
	if len(all) != 1 {
		t.Fatalf("request %d has %d outcomes", seq, len(all))
	}
	return all[0]
}

func chat(seq uint64, text string) *backend.Request {
	return &backend.Request{
		Seq: seq, Task: backend.TextToText, Want: backend.Want{Events: true, Text: true},
		Chat: &backend.Chat{Messages: []backend.Message{backend.UserText(text)}, MaxTokens: 5},
	}
}

// eventually polls: what it waits for happens in another process.
func eventually(t *testing.T, within time.Duration, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// within fails the test where f takes longer: every wait on a plugin is
// bounded.
func within(t *testing.T, bound time.Duration, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	start := time.Now()
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(bound):
		t.Fatalf("%s takes longer than %s", what, bound)
	}
	t.Logf("%s took %s", what, time.Since(start).Round(time.Millisecond))
}

// alive tells whether a process exists and is not a zombie.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return runtime.GOOS != "linux"
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return len(rest) > 0 && rest[0] != 'Z'
}

// freeze stops a process, and waits until all of its threads have.
func freeze(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Second, "the process stops", func() bool {
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			time.Sleep(50 * time.Millisecond) // no /proc: hope
			return true
		}
		for _, thread := range threads {
			stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, thread.Name()))
			if _, rest, _ := bytes.Cut(stat, []byte(") ")); len(rest) == 0 || rest[0] != 'T' {
				return false
			}
		}
		return true
	})
}

func gone(t *testing.T, pid int) {
	t.Helper()
	eventually(t, 2*time.Second, fmt.Sprintf("process %d is gone", pid), func() bool { return !alive(pid) })
}

func launchAndWait(path string) {
	p, err := Launch(context.Background(), Options{
		Path: path, EnvPassthrough: []string{"BADPLUGIN*"}, TempDir: os.Getenv("HOST_TEST_DIR"),
		Logger: hclog.New(&hclog.LoggerOptions{Output: os.Stderr, DisableTime: true}),
	})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	if _, err := p.Open(context.Background(), "bad", backend.Config{Model: "m", WorkerCount: 1}); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(p.Pid())
	select {}
}
