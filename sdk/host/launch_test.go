//go:build unix

package host

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/internal/limits"
)

func TestLifeOfAPlugin(t *testing.T) {
	p, log := launch(t, "")
	byRPC, err := p.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byArgument, err := Describe(t.Context(), badPlugin)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(byArgument, byRPC); diff != "" {
		t.Errorf("`describe` and Describe differ (-argument +RPC):\n%s", diff)
	}
	if byRPC.Plugin.Name != "bad" || byRPC.Plugin.SDKVersion != sdk.Version || len(byRPC.Backends()) != 1 {
		t.Errorf("description: %+v", byRPC)
	}

	if _, err := p.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "Open") {
		t.Errorf("Probe before Open: %v", err)
	}
	if _, err := p.Open(t.Context(), "nonesuch", backend.Config{}); err == nil || !strings.Contains(err.Error(), "it has: bad") {
		t.Errorf("unknown component: %v", err)
	}
	o, err := p.Open(t.Context(), "worse", backend.Config{WorkerCount: 1})
	if err != nil || len(o.Problems) != 1 || !o.Failed() {
		t.Errorf("Open without a model: %v, %+v", err, o)
	}
	open(t, p)
	probe, err := p.Probe(t.Context())
	if err != nil || probe.ServerName != "bad" {
		t.Errorf("Probe: %v, %+v", err, probe)
	}
	if err := p.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}

	got := newAnswers()
	s, err := p.Run(t.Context(), RunOptions{Outcome: got.take})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(chat(1, "hello")); err != nil {
		t.Fatal(err)
	}
	if one := got.one(t, 1); one.Status != backend.StatusOK || one.Choices[0].Text != "hello" || len(one.Events) != 2 {
		t.Errorf("outcome: %+v", one)
	}
	if err := s.Drain(t.Context(), time.Second); err != nil {
		t.Errorf("Drain: %v", err)
	}
	pid := p.Pid()
	within(t, 5*time.Second, "Close", func() {
		if err := p.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	gone(t, pid)
	select {
	case <-p.Exited():
	default:
		t.Error("Exited is not closed")
	}
	if p.Err() != nil {
		t.Errorf("Err after Close: %v", p.Err())
	}
	if err := p.Close(context.Background()); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if strings.Contains(log.String(), "stdout") {
		t.Errorf("something was printed:\n%s", log)
	}
}

func TestWhyAPluginDoesNotStart(t *testing.T) {
	t.Parallel()
	notExecutable := filepath.Join(t.TempDir(), "genai-bench-plugin-x")
	if err := os.WriteFile(notExecutable, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	notAProgram := filepath.Join(t.TempDir(), "genai-bench-plugin-y")
	if err := os.WriteFile(notAProgram, []byte("\x7fELFnot"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		path, mode string
		checksum   []byte
		kind       error
		says       []string
		within     time.Duration // 0: 10 s
	}{
		"no such file":     {path: "/nonexistent/genai-bench-plugin-z", kind: ErrNotExecutable, says: []string{"no such file"}},
		"a folder":         {path: t.TempDir(), kind: ErrNotExecutable, says: []string{"folder"}},
		"not executable":   {path: notExecutable, kind: ErrNotExecutable, says: []string{"chmod +x"}},
		"not a program":    {path: notAProgram, kind: ErrNotExecutable, says: []string{"exec format error"}},
		"another checksum": {checksum: make([]byte, sha256.Size), kind: ErrChecksum, says: []string{"expected 0000"}},
		"prints on stdout": {mode: "stdout", kind: ErrStdout, says: []string{"loading config", "print nothing"}},
		"prints without end of line": {
			mode: "stdout-endless-line", kind: ErrStdout, says: []string{"xxxx"},
		},
		"exits at once":  {mode: "exits-at-once", kind: ErrExitedEarly, says: []string{"exit status 3", "cannot find libfoo.so"}},
		"panics at once": {mode: "panics-at-once", kind: ErrExitedEarly, says: []string{"exit status 2", "panic: no such thing"}},
		"exits silently": {mode: "silent-exit", kind: ErrExitedEarly, says: []string{"ended by itself"}},
		"speaks a newer protocol": {
			mode: "newer-version", kind: ErrProtocolVersion, says: []string{"speaks version 2", "upgrade genai-bench"},
		},
		"listens on TCP":         {mode: "listens-elsewhere", kind: ErrSocketFolder, says: []string{"tcp 127.0.0.1:9"}},
		"listens somewhere else": {mode: "escapes-the-folder", kind: ErrSocketFolder, says: []string{"elsewhere"}},
		"hangs":                  {mode: "hangs-at-start", kind: ErrStartTimeout, says: []string{"1s"}, within: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := test.path
			if path == "" {
				path = badPlugin
			}
			log := &hostLog{}
			dir := shortDir(t)
			within(t, 5*time.Second, "Launch", func() {
				_, err := Launch(context.Background(), Options{
					Path: path, Checksum: test.checksum, Logger: log.logger(), TempDir: dir,
					Environ: environ(test.mode), EnvPassthrough: []string{"BADPLUGIN*"},
					startWithin: test.within,
				})
				var start *StartError
				if !errors.As(err, &start) || !errors.Is(err, test.kind) {
					t.Errorf("Launch: %v, want %v\n%s", err, test.kind, log)
					return
				}
				t.Log(err)
				for _, part := range append(test.says, filepath.Base(path)) {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%q does not say %q", err, part)
					}
				}
				if strings.ContainsAny(err.Error(), "\n\x00\x1b") {
					t.Errorf("%q is not one line of printable text", err)
				}
			})
			if strings.Contains(log.String(), "sleeper") {
				gone(t, log.sleeper(t))
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// shortDir is a folder whose path is short enough for sockets, which t.TempDir
// is not with a long test name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "h") //nolint:usetesting // t.TempDir has the test's name in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestLaunchIsCancelled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	within(t, 3*time.Second, "Launch", func() {
		_, err := Launch(ctx, Options{Path: badPlugin, Environ: environ("hangs-at-start"), EnvPassthrough: []string{"BADPLUGIN"}})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Launch: %v", err)
		}
	})
}

func TestChecksumOfTheRightFile(t *testing.T) {
	data, err := os.ReadFile(badPlugin)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	for range 2 { // twice: go-plugin's own check fails the second time
		p, err := Launch(t.Context(), Options{Path: badPlugin, Checksum: sum[:]})
		if err != nil {
			t.Fatal(err)
		}
		p.Kill()
	}
}

func TestDescribeByArgument(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		mode   string
		says   string
		within time.Duration // 0: 5 s
	}{
		"hangs":           {"describe-hangs", "no answer within 500ms", 500 * time.Millisecond},
		"prints no JSON":  {"describe-garbage", "invalid character 'U'", 0},
		"is not ours":     {"describe-nameless", "without the plugin's name", 0},
		"fails":           {"describe-fails", "exit status 3; its last line: libfoo.so: cannot open", 0},
		"prints too much": {"describe-floods", "more than 4 MiB", 0},
		"behaves":         {"", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			patience := cmp.Or(test.within, limits.Describe)
			within(t, patience+2*time.Second, "describe", func() {
				_, err := describe(t.Context(), badPlugin, environ(test.mode), patience)
				switch {
				case test.says == "" && err != nil:
					t.Error(err)
				case test.says != "" && (!errors.Is(err, ErrDescription) || !strings.Contains(err.Error(), test.says)):
					t.Errorf("%v does not say %q", err, test.says)
				}
			})
		})
	}
}

func TestSocketPath(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 80))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Launch(t.Context(), Options{Path: badPlugin, TempDir: long})
	if !errors.Is(err, ErrSocketFolder) || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("a long path: %v", err)
	}
	t.Setenv("TMPDIR", shortDir(t)+"//./")
	p, err := Launch(t.Context(), Options{Path: badPlugin})
	if err != nil {
		t.Fatalf("an odd TMPDIR: %v", err)
	}
	p.Kill()
	t.Setenv("TMPDIR", long)
	p, err = Launch(t.Context(), Options{Path: badPlugin})
	if err != nil {
		t.Fatalf("a long TMPDIR: %v", err)
	}
	if info, err := os.Stat(p.dir.path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's folder: %v, %v", info.Mode(), err)
	}
	p.Kill()
	if _, err := os.Stat(p.dir.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket's folder is left behind: %v", err)
	}
}

func TestSweepOfStaleFolders(t *testing.T) {
	base := shortDir(t)
	old := time.Now().Add(-time.Hour)
	make := func(name string, files ...string) string {
		path := filepath.Join(base, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(path, f), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		return path
	}
	stale, foreign, other := make("gbp-1", lockName), make("gbp-2", "thesis.txt"), make("mine", lockName)
	held, err := newSocketDir(base)
	if err != nil {
		t.Fatal(err)
	}
	defer held.remove()
	if err := os.Chtimes(held.path, old, old); err != nil {
		t.Fatal(err)
	}
	sweep(base)
	if _, err := os.Stat(stale); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of a dead host is left: %v", err)
	}
	for _, path := range []string{foreign, other, held.path} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("swept away: %v", err)
		}
	}
}
