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

	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// TestCommands types benchmarks with the Python tool's flags and variables into
// the real program, with the real plugin process, against the emulators. Every
// request is recorded as a success, and nothing that was written has a secret.
func TestCommands(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the commands are for a Unix shell")
	}
	if testing.Short() {
		t.Skip("it runs whole benchmarks")
	}
	programs, root := buildPrograms(t)
	account := newServiceAccount(t)
	secrets := []string{"PRIVATE KEY", plantedToken, plantedGRPCKey}
	for name, tc := range map[string]struct {
		flags string
		env   func(server string) []string
		grpc  bool
		want  string // auth_type of the metadata
	}{
		"a key of the command line": {
			flags: "--task text-to-text --traffic-scenario 'D(20,8)' --model-api-key " + plantedGRPCKey,
			want:  "api_key",
		},
		"a service account of the environment": {
			flags: "--task text-to-text --traffic-scenario 'D(20,8)' --num-workers 2",
			env: func(server string) []string {
				return []string{"GOOGLE_APPLICATION_CREDENTIALS=" + account.file(t, server)}
			},
			want: "service_account",
		},
		"embeddings": {
			flags: "--task text-to-embeddings --traffic-scenario 'E(20)' --batch-size 2",
			env:   func(string) []string { return []string{"GCP_API_KEY=" + plantedGRPCKey} },
			want:  "api_key",
		},
		"gRPC": {
			flags: "--task text-to-text --traffic-scenario 'D(20,8)' --gcp-transport grpc",
			env:   func(string) []string { return []string{"GCP_ACCESS_TOKEN=" + plantedToken} },
			grpc:  true, want: "access_token",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := &emulator{public: &account.key.PublicKey}
			server := emulate(t, e)
			base := server.URL()
			if tc.grpc {
				base = startGRPC(t, script(theSea, isCalm)).url()
			}
			folder := t.TempDir()
			command := "genai-bench benchmark --api-backend gcp-vertex --api-base " + base + " --api-model-name gemini-wire --model-tokenizer " +
				filepath.Join(root, "core", "tokenizer", "demo") + " --max-time-per-run 1 --max-requests-per-run 20 --num-concurrency 4 --experiment-folder-name out " + tc.flags
			run := exec.CommandContext(t.Context(), "sh", "-c", command)
			run.Dir = folder
			run.Env = append(os.Environ(),
				"PATH="+programs+string(os.PathListSeparator)+os.Getenv("PATH"), "GENAI_BENCH_PLUGIN_PATH="+programs,
				"HOME="+folder, "XDG_CACHE_HOME="+filepath.Join(folder, "cache"), "NO_PROXY=*", "GCP_PROJECT_ID="+project)
			if tc.env != nil {
				run.Env = append(run.Env, tc.env(server.URL())...)
			}
			out, err := run.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if !tc.grpc {
				checkServer(t, server)
			} else if !bytes.Contains(out, []byte("deprecated")) {
				t.Errorf("the program does not say that the gRPC client is deprecated:\n%s", out)
			}
			t.Logf("%s", out)
			checkFolder(t, folder, tc.want, secrets, out)
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
	for name, folder := range map[string]string{"genai-bench": "./cmd/genai-bench", "genai-bench-plugin-vertex": "./plugins/vertex"} {
		build := exec.Command("go", "build", "-o", filepath.Join(programs, name), folder)
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return programs, root
}

// checkServer: the server gave every request what it asked for, save the
// preflight's.
func checkServer(t *testing.T, s *simulator.Server) {
	t.Helper()
	good, refused := 0, 0
	for _, r := range s.Records(0) {
		switch {
		case r.Aside:
		case r.Status == 200:
			good++
		default:
			refused++
		}
	}
	if good < 20 || refused > 1 {
		t.Errorf("%d requests were answered, %d refused", good, refused)
	}
}

// checkFolder: the run file has 20 requests, none of them failed; no file has a
// secret.
func checkFolder(t *testing.T, folder, authType string, secrets []string, out []byte) {
	t.Helper()
	runs, metadata := 0, false
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text := []byte(readFile(t, path))
		for _, secret := range secrets {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s has the secret %q", path, secret)
			}
		}
		var run struct {
			Aggregated *struct {
				Completed int `json:"num_completed_requests"`
				Failed    int `json:"num_error_requests"`
			} `json:"aggregated_metrics"`
		}
		if filepath.Ext(path) != ".json" || json.Unmarshal(text, &run) != nil {
			return nil
		}
		if d.Name() == "experiment_metadata.json" {
			metadata = true
			if !bytes.Contains(text, []byte(`"`+authType+`"`)) {
				t.Errorf("the metadata does not say %q: %s", authType, text)
			}
		}
		if run.Aggregated != nil {
			runs++
			if got := *run.Aggregated; got.Completed != 20 || got.Failed != 0 {
				t.Errorf("%s: %+v", d.Name(), got)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if runs != 1 || !metadata {
		t.Errorf("%d run files, metadata %v; the program said\n%s", runs, metadata, out)
	}
	for _, secret := range secrets {
		if bytes.Contains(out, []byte(secret)) {
			t.Errorf("the program's output has the secret %q", secret)
		}
	}
}
