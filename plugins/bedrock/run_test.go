package main

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// TestSecretsInWholeRuns types commands with planted secrets, as a user would,
// and looks for those in all that is printed and written: in a run that goes
// well, in one whose every request is refused by a server that repeats the
// credentials, and in one whose plugin crashes with all its stacks on stderr.
func TestSecretsInWholeRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs whole benchmarks")
	}
	programs := backendtest.BuildPrograms(t, "bedrock")
	tokenizer := programs.Tokenizer(t)
	awsEnvironment(t)
	model := config("", nil).Model
	keys := &verifier{keyID: testKeyID, secret: testSecret, token: testToken, region: "us-east-1", service: "bedrock"}
	for name, tc := range map[string]struct {
		flags []string
		crash bool
		exit  int
	}{
		"all is well":                  {nil, false, 0},
		"by InvokeModel":               {[]string{"--bedrock-api", "invoke"}, false, 0},
		"refused, and the keys echoed": {[]string{"--header", "X-Simulate: error=403; echo-key"}, false, 4},
		"a crash":                      {[]string{"--header", "X-Simulate: delay=100ms"}, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			service := emulate(t, &emulator{keys: keys}, secret.Secret{})
			command := programs.Command(t, "genai-bench", append([]string{
				"benchmark", "--api-backend", "aws-bedrock", "--api-base", service.URL(), "--api-model-name", model,
				"--aws-access-key-id", testKeyID, "--aws-secret-access-key", testSecret, "--aws-session-token", testToken, "--aws-region", "us-east-1",
				"--model-tokenizer", tokenizer, "--task", "text-to-text", "--traffic-scenario", "D(20,4)", "--num-concurrency", "2",
				"--max-time-per-run", "60s", "--max-requests-per-run", "20", "--num-workers", "2",
			}, tc.flags...)...)
			command.Env = append(command.Env, "GENAI_BENCH_LOGGING_LEVEL=DEBUG") // the plugin's stderr goes into the log
			var out bytes.Buffer
			command.Stdout, command.Stderr = &out, &out
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			if tc.crash {
				for deadline := time.Now().Add(time.Minute); service.Stats().Requests == 0 && time.Now().Before(deadline); {
					time.Sleep(5 * time.Millisecond)
				}
				programs.CrashPlugin(t)
			}
			err := command.Wait()
			if code := command.ProcessState.ExitCode(); code != tc.exit {
				t.Errorf("exit code %d (%v), want %d\n%s", code, err, tc.exit, out.Bytes())
			}
			backendtest.FindSecrets(t, command.Dir, out.Bytes(), testKeyID, testSecret, testToken)
			if files, err := filepath.Glob(filepath.Join(command.Dir, "*", "*.json")); err != nil || len(files) < 2 {
				t.Errorf("files %q, %v; want the metadata and a run", files, err)
			}
			if tc.crash {
				log := readFile(t, only(t, filepath.Join(command.Dir, "*", "genai_bench.log")))
				for _, want := range []string{"SIGQUIT: quit", "goroutine "} {
					if !bytes.Contains(log, []byte(want)) {
						t.Errorf("the log of the crash lacks %q:\n%.2000s", want, log)
					}
				}
			}
		})
	}
}

func only(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%q, %v", found, err)
	}
	return found[0]
}
