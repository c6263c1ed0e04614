//go:build unix

package host

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/internal/limits"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// TestCallsThatHang: the deadline is the caller's where it is shorter than the
// contract's, and the plugin can be killed afterwards.
func TestCallsThatHang(t *testing.T) {
	t.Parallel()
	for mode, call := range map[string]func(ctx context.Context, p *Process) error{
		"hangs-in-describe": func(ctx context.Context, p *Process) error { _, err := p.Describe(ctx); return err },
		"hangs-in-open": func(ctx context.Context, p *Process) error {
			_, err := p.Open(ctx, "bad", backend.Config{Model: "m"})
			return err
		},
		"hangs-in-probe": func(ctx context.Context, p *Process) error {
			open(t, p)
			_, err := p.Probe(ctx)
			return err
		},
		"hangs-in-close": func(ctx context.Context, p *Process) error { open(t, p); return p.Close(ctx) },
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p, _ := launch(t, mode)
			pid := p.Pid()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			within(t, limits.StopGrace+2*time.Second, mode, func() {
				err := call(ctx, p)
				var broken *CallError
				if !errors.As(err, &broken) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v", err)
				}
				t.Log(err)
			})
			within(t, 2*time.Second, "Kill", p.Kill)
			gone(t, pid)
		})
	}
}

func TestDescribeHasADeadlineOfItsOwn(t *testing.T) {
	t.Parallel()
	p, _ := launch(t, "hangs-in-describe")
	within(t, limits.Describe+time.Second, "Describe", func() {
		if _, err := p.Describe(context.Background()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

// TestStop: however a plugin refuses to go, it goes, with all it started.
func TestStop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		mode      string
		after     func(p *Process)
		atLeast   time.Duration
		bound     time.Duration
		sleeper   bool // leaves a grandchild, which must be gone
		runsAway  bool // leaves a grandchild that cannot be found any more
		closeFail bool
	}{
		"behaves":                   {bound: 2 * time.Second},
		"takes a second to exit":    {mode: "slow-exit", atLeast: 900 * time.Millisecond, bound: limits.StopGrace},
		"ignores the shutdown":      {mode: "ignores-shutdown", bound: limits.StopGrace + time.Second},
		"leaves a grandchild":       {mode: "grandchild", bound: 2 * time.Second, sleeper: true},
		"leaves one that runs away": {mode: "grandchild-own-session", bound: 2 * time.Second, sleeper: true, runsAway: true},
		"is stopped (SIGSTOP)": {
			after: func(p *Process) { freeze(t, p.Pid()) },
			bound: 500*time.Millisecond + limits.StopGrace + time.Second, closeFail: true,
		},
		"is dead already": {
			after: func(p *Process) { _ = syscall.Kill(p.Pid(), syscall.SIGKILL); <-p.Exited() }, bound: 2 * time.Second,
		},
	} {
		for how, stop := range map[string]func(p *Process) error{
			"Close": func(p *Process) error {
				ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
				defer cancel()
				return p.Close(ctx)
			},
			"Kill": func(p *Process) error { p.Kill(); return nil },
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				t.Parallel()
				p, log := opened(t, test.mode)
				sleeper := 0
				if test.sleeper {
					sleeper = log.sleeper(t)
				}
				if test.after != nil {
					test.after(p)
				}
				bound, atLeast := test.bound, test.atLeast
				if how == "Kill" {
					bound, atLeast = 2*time.Second, 0
				}
				pid, begun := p.Pid(), time.Now()
				within(t, bound, how, func() {
					if err := stop(p); (err != nil) != (test.closeFail && how == "Close") {
						t.Errorf("%s: %v", how, err)
					}
				})
				if took := time.Since(begun); took < atLeast {
					t.Errorf("%s took %s: the plugin was not given its time", how, took)
				}
				gone(t, pid)
				switch {
				case test.runsAway:
					_ = syscall.Kill(sleeper, syscall.SIGKILL)
				case test.sleeper:
					gone(t, sleeper)
				}
				if _, err := os.Stat(p.dir.path); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the socket's folder is left: %v", err)
				}
			})
		}
	}
}

func TestCrashesOfCalls(t *testing.T) {
	t.Run("panic in Open", func(t *testing.T) {
		p, log := launch(t, "panics-in-open")
		_, err := p.Open(t.Context(), "bad", backend.Config{Model: "m"})
		if err == nil || !strings.Contains(err.Error(), "panicked in Open: open went wrong") {
			t.Errorf("%v", err)
		}
		if err := p.Ping(t.Context()); err != nil {
			t.Errorf("the process did not survive: %v", err)
		}
		eventually(t, 5*time.Second, "the log has the stack", func() bool { return strings.Contains(log.String(), "misbehaving") })
	})
	t.Run("exit in Open", func(t *testing.T) {
		p, _ := launch(t, "exits-in-open")
		_, err := p.Open(t.Context(), "bad", backend.Config{Model: "m"})
		if err == nil || !strings.Contains(err.Error(), "exit status 9") || !strings.Contains(err.Error(), "out of cheese") {
			t.Errorf("%v", err)
		}
	})
}

// TestLogs: nothing on stderr or stdout can crash or flood the host.
func TestLogs(t *testing.T) {
	t.Parallel()
	for mode, test := range map[string]struct {
		has, hasNot []string
		most        int // bytes
	}{
		"odd-json": {has: []string{`[DEBUG] {"@message": 5}`, "[WARN]  m: k=", "[INFO]  fine after all: n=1", "[DEBUG] null"}, most: 4 << 10},
		"nul-and-long-lines": {
			has:    []string{"a\uFFFDb\uFFFD[31mred", "bytes dropped", "after the long lines"},
			hasNot: []string{"\x00", "\x1b", strings.Repeat("y", limits.LogLineBytes+1)}, most: 4 * limits.LogLineBytes,
		},
		"floods-stderr": {has: []string{"line 1\n", "logs too much"}, most: 300 << 10},
		"late-stdout":   {has: []string{"printed by a library", "printed by C code"}, most: 4 << 10},
		"prints-secrets": {
			has: []string{"key is [redacted]: secret=[redacted]", "plain [redacted]"}, hasNot: []string{"sk-planted", "hunter"}, most: 4 << 10,
		},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p, log := launch(t, mode)
			o, err := p.Open(t.Context(), "bad", backend.Config{
				Model: "m", APIKey: secret.New("sk-planted"), Options: option.Values{"bad-secret": secret.New(`hunter"2`)},
			})
			if err != nil || o.Failed() {
				t.Fatalf("Open: %v", err)
			}
			if bytes.Contains(o.EffectiveConfig, []byte("sk-planted")) {
				t.Errorf("the configuration has the key: %s", o.EffectiveConfig)
			}
			s, got := runSession(t, p)
			start(t, s, chat(1, "still here"))
			got.one(t, 1)
			start(t, s, chat(2, "fail"))
			if e := got.one(t, 2).Error; strings.Contains(e.Error(), "sk-planted") {
				t.Errorf("the error has the key: %v", e)
			}
			if err := s.Drain(t.Context(), time.Second); err != nil {
				t.Error(err)
			}
			within(t, 5*time.Second, "Close", func() {
				if err := p.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
			text := log.String()
			for _, part := range test.has {
				if !strings.Contains(text, part) {
					t.Errorf("the log has no %q:\n%s", part, clip(text))
				}
			}
			for _, part := range test.hasNot {
				if strings.Contains(text, part) {
					t.Errorf("the log has %.40q", part)
				}
			}
			if len(text) > test.most {
				t.Errorf("the log has %d bytes, at most %d expected", len(text), test.most)
			}
		})
	}
}

func clip(text string) string { return text[:min(len(text), 3000)] }

// TestLogLevel: what the host does not want to see is not even sent.
func TestLogLevel(t *testing.T) {
	for level, wants := range map[hclog.Level]bool{hclog.Debug: true, hclog.Warn: false} {
		log := &hostLog{}
		p, err := Launch(t.Context(), Options{Path: badPlugin, Logger: hclog.New(&hclog.LoggerOptions{Output: log, Level: level})})
		if err != nil {
			t.Fatal(err)
		}
		open(t, p)
		environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.Pid()))
		if err != nil && runtime.GOOS == "linux" {
			t.Fatal(err)
		}
		if err == nil && !bytes.Contains(environment, []byte("LOG_LEVEL="+level.String())) {
			t.Errorf("level %v is not in the environment", level)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if strings.Contains(log.String(), "opened") != wants {
			t.Errorf("at level %v:\n%s", level, log)
		}
	}
}

// TestSecretsStayOutOfTheProcess looks where other users of the machine can
// look.
func TestSecretsStayOutOfTheProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	t.Setenv("OPENAI_API_KEY", "sk-in-the-host")
	t.Setenv("GENAI_BENCH_API_KEY", "sk-planted")
	t.Setenv("LD_PRELOAD", "")
	t.Setenv("ACME_CREDENTIALS", "found")
	t.Setenv("ACMES_OTHER", "not passed")
	t.Setenv("EXACT", "found")
	t.Setenv("HTTPS_PROXY", "http://proxy.example:3128")
	p, err := Launch(t.Context(), Options{Path: badPlugin, EnvPassthrough: []string{"ACME_*", "EXACT", "*"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if _, err := p.Open(t.Context(), "bad", backend.Config{
		Model: "m", APIKey: secret.New("sk-by-open"), Options: option.Values{"bad-secret": secret.New("sk-option")},
	}); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"environ", "cmdline"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.Pid(), file))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"sk-", "ACMES_OTHER", "LD_PRELOAD"} {
			if bytes.Contains(text, []byte(part)) {
				t.Errorf("%s has %q", file, part)
			}
		}
		if file == "environ" {
			for _, part := range []string{"ACME_CREDENTIALS=found", "EXACT=found", "HTTPS_PROXY=", "PATH="} {
				if !bytes.Contains(text, []byte(part)) {
					t.Errorf("%s has no %q", file, part)
				}
			}
		}
	}
}

// TestNoPluginOutlivesItsHost kills the host in a way that leaves it no time to
// clean up.
func TestNoPluginOutlivesItsHost(t *testing.T) {
	for name, test := range map[string]struct {
		mode string
		stop bool // the plugin cannot read its lease
	}{
		"a good one":           {},
		"one that ignores us":  {mode: "ignores-shutdown"},
		"one that is stopped":  {stop: true},
		"one with grandchild ": {mode: "grandchild"},
	} {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS != "linux" && (test.stop || test.mode != "") {
				t.Skip("only Linux kills a process with its parent")
			}
			dir := shortDir(t)
			host := exec.Command(os.Args[0])
			host.Env = append(environ(test.mode), hostRole+"="+badPlugin, "HOST_TEST_DIR="+dir)
			stdout, err := host.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := host.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(stdout).ReadString('\n')
			pid, numberErr := strconv.Atoi(strings.TrimSpace(line))
			if err != nil || numberErr != nil || !alive(pid) {
				t.Fatalf("the host says %q: %v", line, err)
			}
			if test.stop {
				freeze(t, pid)
			}
			_ = host.Process.Kill()
			_ = host.Wait()
			gone(t, pid)
			_ = syscall.Kill(-pid, syscall.SIGKILL) // the grandchild, which nobody is left to find

			// What the dead host left on disk, the next one takes away.
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 1 {
				t.Fatalf("%v, %v", left, err)
			}
			path := dir + "/" + left[0].Name()
			old := time.Now().Add(-time.Hour)
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
			p, err := Launch(t.Context(), Options{Path: badPlugin, TempDir: dir})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Kill()
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("still there: %v", err)
			}
		})
	}
}

// TestSignalsOfTheTerminalAreTheHosts: whoever signals a plugin means its host.
func TestSignalsOfTheTerminalAreTheHosts(t *testing.T) {
	p, _ := opened(t, "")
	group, err := syscall.Getpgid(p.Pid())
	if err != nil || group != p.Pid() {
		t.Errorf("the plugin is in group %d, %v", group, err)
	}
	s, got := runSession(t, p)
	start(t, s, chat(1, "sleep 200ms"))
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		_ = syscall.Kill(p.Pid(), signal)
	}
	if o := got.one(t, 1); o.Status != backend.StatusOK {
		t.Errorf("%v", o.Error)
	}
	if err := s.Drain(t.Context(), time.Second); err != nil {
		t.Error(err)
	}
}
