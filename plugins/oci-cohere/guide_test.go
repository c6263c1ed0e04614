package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/emulator"
	"github.com/genai-bench/genai-bench/sdk/backendtest"
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
	programs := backendtest.BuildPrograms(t, "oci-cohere")
	tokenizer := programs.Tokenizer(t)
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
			run := programs.Command(t, "sh", "-c", command)
			run.Env = append(run.Env, "GENAI_BENCH_PAUSE_BETWEEN_RUNS=0s") // of the rerank's 49 runs
			out, err := run.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			checkGuideServer(t, server, account, tc.path)
			checkGuideFolder(t, run.Dir, tc.perRun, out)
			backendtest.FindSecrets(t, run.Dir, out, plantedPhrase, "PRIVATE KEY")
		})
	}
}

// startGuide starts the service with the endpoint of the guide. Its answers are
// short, so that thousands of them take seconds.
func startGuide(t *testing.T, a *account, model string) *simulator.Server {
	t.Helper()
	return backendtest.Serve(t, simulator.Config{
		Models: []string{model}, StepTime: 100 * time.Microsecond, EOSProbability: 0.3,
		Protocols: []simulator.Protocol{&emulator.API{
			Keys: a.keys, Compartment: guideCompartment, Endpoints: map[string]string{guideEndpoint: model},
		}},
	})
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

// checkGuideFolder: the run files have all requests, none of them failed.
func checkGuideFolder(t *testing.T, folder string, perRun int, out []byte) {
	t.Helper()
	runs := 0
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text := readFile(t, path)
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
}

// TestSecretsInWholeRuns: what is printed and written has no secret where every
// request is refused by a server that repeats the signature, and none where the
// plugin crashes with all its stacks on stderr.
func TestSecretsInWholeRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs whole benchmarks")
	}
	programs := backendtest.BuildPrograms(t, "oci-cohere")
	tokenizer := programs.Tokenizer(t)
	account := newAccount(t)
	token := account.session(t, time.Hour)
	for name, tc := range map[string]struct {
		fault string
		crash bool
		exit  int
	}{
		"refused, and all is echoed": {"error=401; echo-key", false, 4},
		"a crash":                    {"delay=100ms", true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := startGuide(t, account, "m")
			run := programs.Command(t, "genai-bench", "benchmark", "--api-backend", "oci-cohere", "--api-base", server.URL(), "--api-model-name", "m",
				"--auth", "security_token", "--config-file", account.path("config"), "--profile", "SESSION", "--compartment-id", guideCompartment,
				"--model-tokenizer", tokenizer, "--task", "text-to-text", "--traffic-scenario", "D(20,4)", "--num-concurrency", "2",
				"--max-time-per-run", "60s", "--max-requests-per-run", "20", "--num-workers", "2", "--header", "X-Simulate: "+tc.fault)
			run.Env = append(run.Env, "GENAI_BENCH_LOGGING_LEVEL=DEBUG") // the plugin's stderr goes into the log
			var out bytes.Buffer
			run.Stdout, run.Stderr = &out, &out
			if err := run.Start(); err != nil {
				t.Fatal(err)
			}
			if tc.crash {
				for deadline := time.Now().Add(time.Minute); server.Stats().Requests == 0 && time.Now().Before(deadline); {
					time.Sleep(5 * time.Millisecond)
				}
				programs.CrashPlugin(t)
			}
			err := run.Wait()
			if code := run.ProcessState.ExitCode(); code != tc.exit {
				t.Errorf("exit code %d (%v), want %d\n%s", code, err, tc.exit, out.Bytes())
			}
			backendtest.FindSecrets(t, run.Dir, out.Bytes(), token, plantedPhrase, "PRIVATE KEY")
		})
	}
}
