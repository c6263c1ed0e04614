package main

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// TestSecretsInWholeRuns types commands with each way to authenticate, as a user
// would, and looks for what was planted in all that is printed and written: in
// runs that go well, in one whose every request is refused by a server that
// repeats the credential, in one without a token, and in one whose plugin crashes
// with all its stacks on stderr.
func TestSecretsInWholeRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs whole benchmarks")
	}
	const key = "PLANTED-AZURE-KEY-b2a9"
	programs := backendtest.BuildPrograms(t, "azure")
	tokenizer := programs.Tokenizer(t)
	identity := startIdentity(t)
	byIdentity := []string{"IDENTITY_ENDPOINT=" + identity.URL, "IDENTITY_HEADER=" + identityHeader, "AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential"}
	for name, tc := range map[string]struct {
		flags []string
		env   []string
		crash bool
		exit  int
		says  string
	}{
		"a key by its variable":       {nil, []string{"AZURE_OPENAI_API_KEY=" + key}, false, 0, ""},
		"a key by a flag":             {[]string{"--api-key", key}, nil, false, 0, ""},
		"a token":                     {nil, []string{"AZURE_AD_TOKEN=" + plantedToken}, false, 0, ""},
		"the default chain":           {[]string{"--azure-auth", "default"}, byIdentity, false, 0, ""},
		"no token":                    {[]string{"--azure-auth", "default"}, append(byIdentity, "IDENTITY_HEADER=PLANTED-WRONG-HEADER-1"), false, 1, "preflight: auth: no access token"},
		"a wrong token":               {nil, []string{"AZURE_AD_TOKEN=PLANTED-WRONG-TOKEN-2"}, false, 1, "the token may have expired"},
		"a wrong deployment":          {[]string{"--azure-deployment", "none"}, []string{"AZURE_OPENAI_API_KEY=" + key}, false, 1, "check --azure-deployment"},
		"refused, and the key echoed": {[]string{"--header", "X-Simulate: error=403; echo-key"}, []string{"AZURE_OPENAI_API_KEY=" + key}, false, 4, ""},
		"a crash":                     {[]string{"--header", "X-Simulate: delay=100ms"}, []string{"AZURE_AD_TOKEN=" + plantedToken}, true, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := simulator.New(simulator.Config{
				Models: []string{"m"}, APIKey: secret.New(key), Protocols: []simulator.Protocol{&emulator{token: plantedToken}},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			if err := s.Listen("127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			command := programs.Command(t, "genai-bench", append([]string{
				"benchmark", "--api-backend", "azure-openai", "--azure-endpoint", s.URL(), "--api-model-name", "m", "--model-tokenizer", tokenizer,
				"--task", "text-to-text", "--traffic-scenario", "D(20,4)", "--num-concurrency", "2",
				"--max-time-per-run", "60s", "--max-requests-per-run", "10", "--num-workers", "2",
			}, tc.flags...)...)
			command.Env = append(append(command.Env, "GENAI_BENCH_LOGGING_LEVEL=DEBUG"), tc.env...) // the plugin's stderr goes into the log
			var out bytes.Buffer
			command.Stdout, command.Stderr = &out, &out
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			if tc.crash {
				for deadline := time.Now().Add(time.Minute); s.Stats().OutputTokens == 0 && time.Now().Before(deadline); {
					time.Sleep(5 * time.Millisecond)
				}
				programs.CrashPlugin(t)
			}
			err = command.Wait()
			if code := command.ProcessState.ExitCode(); code != tc.exit || !bytes.Contains(out.Bytes(), []byte(tc.says)) {
				t.Errorf("exit code %d (%v), want %d and %q\n%s", code, err, tc.exit, tc.says, out.Bytes())
			}
			backendtest.FindSecrets(t, command.Dir, out.Bytes(), key, plantedToken, identityHeader, "PLANTED-WRONG")
			if tc.exit == 1 {
				return
			}
			if files, err := filepath.Glob(filepath.Join(command.Dir, "*", "*.json")); err != nil || len(files) < 2 {
				t.Errorf("files %q, %v; want the metadata and a run", files, err)
			}
		})
	}
}
