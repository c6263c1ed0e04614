package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/genai-bench/genai-bench/core/tokenizer/demo"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/host"
)

const backendsPage = "../../docs/backends.md"

// pluginFolders are the folders of all plugins in this tree.
func pluginFolders(t *testing.T) []string {
	t.Helper()
	modules, err := filepath.Glob("../../plugins/*/go.mod")
	if err != nil || len(modules) == 0 {
		t.Fatalf("%d plugins, %v", len(modules), err)
	}
	var folders []string
	for _, m := range modules {
		folders = append(folders, filepath.Dir(m))
	}
	return folders
}

// sectionOf is the part of the page whose heading has the backend's name.
func sectionOf(t *testing.T, page, name string) string {
	t.Helper()
	for part := range strings.SplitSeq(page, "\n## ") {
		heading, text, _ := strings.Cut(part, "\n")
		if slices.Contains(strings.Split(heading, ", "), name) {
			return text
		}
	}
	t.Fatalf("no heading of the page names %s", name)
	return ""
}

// tasksOf are the tasks that the page's first table gives a backend.
func tasksOf(t *testing.T, page, name string) []string {
	t.Helper()
	var heads []string
	for line := range strings.Lines(page) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] == "backend" && heads == nil {
			heads = cells
		}
		if cells[0] != "`"+name+"`" || len(cells) != len(heads) {
			continue
		}
		var tasks []string
		for i, head := range heads[2:] {
			if cells[i+2] == "yes" {
				tasks = append(tasks, head)
			}
		}
		slices.Sort(tasks)
		return tasks
	}
	t.Fatalf("the page's first table lacks %s", name)
	return nil
}

// TestBackendsPage holds docs/backends.md against the plugins.
func TestBackendsPage(t *testing.T) {
	text, err := os.ReadFile(backendsPage)
	if err != nil {
		t.Fatal(err)
	}
	page, plugins := string(text), t.TempDir()
	for _, folder := range pluginFolders(t) {
		plugin := buildPlugin(t, plugins, folder)
		t.Run("has all of "+filepath.Base(folder), func(t *testing.T) { hasAll(t, page, folder, plugin) })
	}
	t.Run("its commands work", func(t *testing.T) { commandsWork(t, page, plugins) })
}

// hasAll asks for all that a plugin says of itself: every backend, its tasks, each
// of its options and variables, and a command; and every test that the page names
// is one of the plugin's.
func hasAll(t *testing.T, page, folder, plugin string) {
	t.Helper()
	d, err := host.Describe(t.Context(), plugin)
	if err != nil {
		t.Fatal(err)
	}
	declared := testsIn(t, folder)
	for _, b := range d.Backends() {
		checkBackend(t, page, b)
		for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(sectionOf(t, page, b.Name), -1) {
			if !slices.Contains(declared, name) {
				t.Errorf("%s: the plugin has no %s", b.Name, name)
			}
		}
	}
}

func checkBackend(t *testing.T, page string, b backend.Description) {
	t.Helper()
	var tasks []string
	for _, s := range b.Tasks {
		tasks = append(tasks, string(s.Task))
	}
	slices.Sort(tasks)
	if got := tasksOf(t, page, b.Name); !slices.Equal(got, tasks) {
		t.Errorf("%s: the page has the tasks %v, the plugin %v", b.Name, got, tasks)
	}
	section := sectionOf(t, page, b.Name)
	wanted := slices.Clone(b.APIKeyEnv)
	for _, o := range b.Options {
		wanted = append(append(wanted, "--"+o.Name), o.Env...)
	}
	for _, word := range wanted {
		if !regexp.MustCompile("`" + regexp.QuoteMeta(word) + "[` |]").MatchString(section) {
			t.Errorf("%s: the page does not have `%s`", b.Name, word)
		}
	}
	if b.DefaultAPIBase != "" && !strings.Contains(section, b.DefaultAPIBase) {
		t.Errorf("%s: the page does not have the address %s", b.Name, b.DefaultAPIBase)
	}
	if !strings.Contains(section, "--api-backend "+b.Name+" ") {
		t.Errorf("%s: the page has no command", b.Name)
	}
}

func buildPlugin(t *testing.T, into, folder string) string {
	t.Helper()
	path := filepath.Join(into, "genai-bench-plugin-"+filepath.Base(folder))
	build := exec.Command("go", "build", "-o", path, ".")
	build.Dir = folder
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", folder, err, out)
	}
	return path
}

// testsIn are the names of the tests below a folder.
func testsIn(t *testing.T, folder string) []string {
	t.Helper()
	declaration := regexp.MustCompile(`(?m)^func (Test[A-Z]\w+)\(`)
	var names []string
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, match := range declaration.FindAllSubmatch(text, -1) {
			names = append(names, string(match[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// commandsWork types each command of the page as it stands there, save that its
// tokenizer is the demo's and that the provider is an address where nobody
// listens. That the preflight finds nobody there says that every flag, every
// value and the credentials were taken.
func commandsWork(t *testing.T, page, plugins string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the commands are for a Unix shell")
	}
	commands := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(commands) < 10 {
		t.Fatalf("the page has %d commands", len(commands))
	}
	tokenizer := filepath.Join(t.TempDir(), "tokenizer")
	if err := demo.WriteTo(tokenizer); err != nil {
		t.Fatal(err)
	}
	nobody := deadAddress(t)
	for _, c := range commands {
		command := strings.TrimSpace(strings.ReplaceAll(c[1], "\\\n", " "))
		name := regexp.MustCompile(`--api-backend (\S+)`).FindStringSubmatch(command)[1]
		t.Run(name, func(t *testing.T) {
			command = regexp.MustCompile(`--model-tokenizer \S+`).ReplaceAllLiteralString(command, "--model-tokenizer "+tokenizer)
			command = regexp.MustCompile(`https?://\S+`).ReplaceAllLiteralString(command, nobody)
			if !strings.Contains(command, nobody) {
				command += " --api-base " + nobody
			}
			home := t.TempDir()
			if match := regexp.MustCompile(`--config-file ~/(\S+)`).FindStringSubmatch(command); match != nil {
				writeProfile(t, filepath.Join(home, match[1]))
			}
			shell := exec.Command("sh", "-c", command)
			shell.Dir = t.TempDir()
			shell.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GENAI_BENCH_PLUGIN_PATH=" + plugins, pluginFolder + "=" + plugins, "NO_PROXY=*"}
			out, err := shell.CombinedOutput()
			if code := shell.ProcessState.ExitCode(); code != 1 || !strings.Contains(string(out), "preflight: connect") {
				t.Errorf("%s\nexit code %d (%v), want 1 and a preflight that finds nobody\n%s", command, code, err, out)
			}
		})
	}
}

// deadAddress is one where nobody listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	taken, err := net.Dial("tcp", l.Addr().String()) // keeps others from listening at its own port
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	return "http://" + taken.LocalAddr().String()
}

// writeProfile writes a configuration file with a signing key, in the form of
// the page's --config-file.
func writeProfile(t *testing.T, path string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(folder, "key.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := os.WriteFile(keyFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	profile := fmt.Sprintf("[DEFAULT]\nuser=u\ntenancy=t\nfingerprint=aa:bb\nkey_file=%s\nregion=us-chicago-1\n", keyFile)
	if err := os.WriteFile(path, []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
}
