package backendtest

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Programs are core's program and one plugin, built for tests that type whole
// commands. A plugin imports nothing of core, but its users have it.
type Programs struct {
	Folder string // where both are
	Root   string // of the workspace
	plugin string
}

// BuildPrograms builds genai-bench and the plugin of a folder in plugins/. Outside
// the workspace there is no core, and the test is skipped.
func BuildPrograms(t *testing.T, plugin string) Programs {
	t.Helper()
	work, err := exec.Command("go", "env", "GOWORK").Output()
	if err != nil {
		t.Fatal(err)
	}
	file := strings.TrimSpace(string(work))
	if file == "" || file == "off" {
		if os.Getenv("CI") == "true" {
			t.Fatal("outside the workspace there is no core to build")
		}
		t.Skip("outside the workspace (GOWORK=off) there is no core to build")
	}
	p := Programs{Root: filepath.Dir(file), Folder: t.TempDir(), plugin: "genai-bench-plugin-" + plugin}
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	for name, folder := range map[string]string{"genai-bench": "./cmd/genai-bench", p.plugin: "./plugins/" + plugin} {
		build := exec.Command("go", "build", "-o", filepath.Join(p.Folder, name+suffix), folder)
		build.Dir = p.Root
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return p
}

// Tokenizer copies the demo's tokenizer into a folder of its own and returns that.
func (p Programs) Tokenizer(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		text, err := os.ReadFile(filepath.Join(p.Root, "core", "tokenizer", "demo", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// Command prepares a command in an empty folder that finds both programs and
// nothing of the user's own.
func (p Programs) Command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	if name == "genai-bench" { // the path is looked up in this process's own PATH
		c.Path, c.Err = filepath.Join(p.Folder, name), nil
	}
	c.Dir = t.TempDir()
	c.Env = append(os.Environ(),
		"PATH="+p.Folder+string(os.PathListSeparator)+os.Getenv("PATH"), "GENAI_BENCH_PLUGIN_PATH="+p.Folder,
		"HOME="+c.Dir, "XDG_CACHE_HOME="+filepath.Join(c.Dir, "cache"), "NO_PROXY=*")
	return c
}

// CrashPlugin has a running process of the plugin die as of a runtime's own
// error, with the stacks of all goroutines on its stderr. It waits until there
// is one.
func (p Programs) CrashPlugin(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("it finds the process in /proc")
	}
	path := filepath.Join(p.Folder, p.plugin)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		found, err := filepath.Glob("/proc/[0-9]*/exe")
		if err != nil {
			t.Fatal(err)
		}
		for _, exe := range found {
			target, err := os.Readlink(exe)
			if err != nil || target != path {
				continue // another's, or gone
			}
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(exe)))
			if err != nil {
				t.Fatal(err)
			}
			if process, err := os.FindProcess(pid); err == nil && process.Signal(syscall.SIGQUIT) == nil {
				return
			}
		}
	}
	t.Fatal("the plugin was not started")
}

// FindSecrets looks for what was planted in a program's output and in all files
// below a folder.
func FindSecrets(t *testing.T, folder string, out []byte, planted ...string) {
	t.Helper()
	look := func(where string, text []byte) {
		for _, secret := range planted {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s has the secret %q", where, secret)
			}
		}
	}
	look("the output", out)
	files := 0
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		look(path, text)
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files were looked through: %v", files, err)
	}
}
