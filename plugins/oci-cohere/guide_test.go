package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/emulator"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// What the user guide's commands name.
const (
	guideConfig      = "/home/ubuntu/.oci/config"
	guideCompartment = "COMPARTMENTID"
	guideEndpoint    = "ENDPOINTID"
	guideWorkers     = 4
)

// TestGuide runs the two commands that the user guide has for OCI, word for
// word (testdata/guide), with the real program and the real plugin process. Only
// the address, the configuration file and the tokenizer are other ones.
func TestGuide(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the guide's commands are for a Unix shell")
	}
	if testing.Short() {
		t.Skip("it runs two whole benchmarks")
	}
	programs, root := buildPrograms(t)
	tokenizer := t.TempDir()
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		text := readFile(t, filepath.Join(root, "core", "tokenizer", "demo", name))
		if err := os.WriteFile(filepath.Join(tokenizer, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		base, tokenizer string
		model           string // that the dedicated endpoint has
		perRun          int    // --max-requests-per-run
		path            string
	}{
		"chat": {
			"https://inference.generativeai.us-chicago-1.oci.oraclecloud.com", "/home/ubuntu/c4ai-command-r-08-2024",
			"command-r", 300, "/20231130/actions/chat",
		},
		"rerank": {
			"https://ppe.inference.generativeai.us-chicago-1.oci.oraclecloud.com", "Cohere/rerank-v3.5",
			"rerank", 3, "/20231130/actions/rerankText",
		},
	} {
		t.Run(name, func(t *testing.T) {
			account := newAccount(t)
			server := startGuide(t, account, tc.model)
			command := string(readFile(t, filepath.Join("testdata", "guide", name+".sh")))
			for _, change := range [][2]string{{tc.base, server.URL()}, {guideConfig, account.path("config")}, {tc.tokenizer, tokenizer}} {
				if strings.Count(command, change[0]) != 1 {
					t.Fatalf("the guide's command has %q not once", change[0])
				}
				command = strings.Replace(command, change[0], change[1], 1)
			}
			folder := t.TempDir()
			run := exec.CommandContext(t.Context(), "sh", "-c", command)
			run.Dir = folder
			run.Env = append(os.Environ(),
				"PATH="+programs+string(os.PathListSeparator)+os.Getenv("PATH"), "GENAI_BENCH_PLUGIN_PATH="+programs,
				"HOME="+folder, "XDG_CACHE_HOME="+filepath.Join(folder, "cache"), "NO_PROXY=*")
			out, err := run.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			checkGuideServer(t, server, account, tc.path)
			checkGuideFolder(t, folder, tc.perRun, out)
		})
	}
}

// buildPrograms builds core's program and the plugin, and returns their folder
// and that of the workspace. A plugin may not import core, but its users have it.
func buildPrograms(t *testing.T) (programs, root string) {
	t.Helper()
	work, err := exec.Command("go", "env", "GOWORK").Output()
	if err != nil {
		t.Fatal(err)
	}
	file := strings.TrimSpace(string(work))
	if file == "" || file == "off" {
		t.Skip("outside the workspace (GOWORK=off) there is no core to build")
	}
	root, programs = filepath.Dir(file), t.TempDir()
	for name, folder := range map[string]string{"genai-bench": "./cmd/genai-bench", "genai-bench-plugin-oci-cohere": "./plugins/oci-cohere"} {
		build := exec.Command("go", "build", "-o", filepath.Join(programs, name), folder)
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return programs, root
}

// startGuide starts the service with the endpoint of the guide. Its answers are
// short, so that thousands of them take seconds.
func startGuide(t *testing.T, a *account, model string) *simulator.Server {
	t.Helper()
	s, err := simulator.New(simulator.Config{
		Models: []string{model}, StepTime: 100 * time.Microsecond, EOSProbability: 0.3,
		Protocols: []simulator.Protocol{&emulator.API{
			Keys: a.keys, Compartment: guideCompartment, Endpoints: map[string]string{guideEndpoint: model},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	return s
}

// checkGuideServer: everything was signed by the account's key, went to one
// path, and came from each of the workers.
func checkGuideServer(t *testing.T, s *simulator.Server, a *account, path string) {
	t.Helper()
	connections, good := map[uint64]bool{}, 0
	for _, r := range s.Records(0) {
		if r.Path != path {
			t.Errorf("a request went to %s", r.Path)
		}
		if r.Status == 200 {
			good++
			connections[r.Connection] = true
		}
	}
	if len(connections) < guideWorkers {
		t.Errorf("%d connections, want one from each of %d workers at least", len(connections), guideWorkers)
	}
	// The preflight's question is signed as well, and answered 400.
	if used := a.keys.Used(); len(used) != 1 || used[wireKeyID] < good || good == 0 {
		t.Errorf("signatures %v for %d good requests", used, good)
	}
}

// checkGuideFolder: the run files have all requests, none of them failed, and
// nothing that was written has a secret.
func checkGuideFolder(t *testing.T, folder string, perRun int, out []byte) {
	t.Helper()
	runs := 0
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text := readFile(t, path)
		if bytes.Contains(text, []byte(plantedPhrase)) || bytes.Contains(text, []byte("PRIVATE KEY")) {
			t.Errorf("%s has a secret", d.Name())
		}
		var run struct {
			Aggregated *struct {
				Completed int            `json:"num_completed_requests"`
				Failed    int            `json:"num_error_requests"`
				Errors    map[string]int `json:"error_codes_frequency"`
			} `json:"aggregated_metrics"`
		}
		if filepath.Ext(path) != ".json" || json.Unmarshal(text, &run) != nil || run.Aggregated == nil {
			return nil
		}
		runs++
		if got := run.Aggregated; got.Completed != perRun || got.Failed != 0 || len(got.Errors) > 0 {
			t.Errorf("%s: %+v, want %d completed", d.Name(), *got, perRun)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if runs == 0 {
		t.Errorf("there is no run file; the program said\n%s", out)
	}
	if bytes.Contains(out, []byte(plantedPhrase)) {
		t.Error("the program's output has a secret")
	}
}
