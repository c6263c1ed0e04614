package main

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// TestWholeRuns types commands for each task, as a user would, with a planted
// key, and looks for that in all that is printed and written: in runs that go
// well, in one whose every request is refused by a server that repeats the key,
// and in one whose plugin crashes with all its stacks on stderr.
func TestWholeRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs whole benchmarks")
	}
	const key = "PLANTED-COHERE-KEY-6c1f"
	programs := backendtest.BuildPrograms(t, "cohere")
	tokenizer := programs.Tokenizer(t)
	pictures := t.TempDir()
	picture, err := os.Create(filepath.Join(pictures, "a.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(picture, image.NewGray(image.Rect(0, 0, 40, 30))), picture.Close()); err != nil {
		t.Fatal(err)
	}
	chat := []string{"--task", "text-to-text", "--traffic-scenario", "D(20,4)", "--num-concurrency", "2"}
	for name, tc := range map[string]struct {
		flags []string
		env   []string
		crash bool
		exit  int
	}{
		"chat, by COHERE_API_KEY":      {chat, []string{"COHERE_API_KEY=" + key}, false, 0},
		"chat, by CO_API_KEY":          {chat, []string{"CO_API_KEY=" + key}, false, 0},
		"embeddings, by MODEL_API_KEY": {[]string{"--task", "text-to-embeddings", "--traffic-scenario", "E(20)", "--batch-size", "2"}, []string{"MODEL_API_KEY=" + key}, false, 0},
		"pictures' embeddings":         {[]string{"--task", "image-to-embeddings", "--traffic-scenario", "I(32,32,2)", "--num-concurrency", "2"}, []string{"COHERE_API_KEY=" + key}, false, 0},
		"rerank, by a flag":            {[]string{"--task", "text-to-rerank", "--traffic-scenario", "R(20,12)", "--batch-size", "2", "--api-key", key}, nil, false, 0},
		"pictures to embeddings": {[]string{"--task", "image-to-embeddings", "--traffic-scenario", "I(16,16)", "--dataset-path", pictures, "--num-concurrency", "1"},
			[]string{"COHERE_API_KEY=" + key}, false, 0},
		"pictures to text": {[]string{"--task", "image-text-to-text", "--traffic-scenario", "I(16,16)", "--dataset-path", pictures, "--num-concurrency", "1"},
			[]string{"COHERE_API_KEY=" + key}, false, 0},
		"a missing model":             {append([]string{"--api-model-name", "no-such"}, chat...), []string{"COHERE_API_KEY=" + key}, false, 1},
		"refused, and the key echoed": {append([]string{"--header", "X-Simulate: error=403; echo-key"}, chat...), []string{"COHERE_API_KEY=" + key}, false, 4},
		"a crash":                     {append([]string{"--header", "X-Simulate: delay=100ms"}, chat...), []string{"COHERE_API_KEY=" + key}, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := simulator.New(simulator.Config{Models: []string{"m"}, APIKey: secret.New(key), Protocols: []simulator.Protocol{new(emulator)}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			if err := s.Listen("127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			command := programs.Command(t, "genai-bench", append([]string{
				"benchmark", "--api-backend", "cohere", "--api-base", s.URL(), "--api-model-name", "m", "--model-tokenizer", tokenizer,
				"--max-time-per-run", "60s", "--max-requests-per-run", "10", "--num-workers", "2",
			}, tc.flags...)...)
			command.Env = append(append(command.Env, "GENAI_BENCH_LOGGING_LEVEL=DEBUG"), tc.env...) // the plugin's stderr goes into the log
			var out bytes.Buffer
			command.Stdout, command.Stderr = &out, &out
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			if tc.crash {
				for deadline := time.Now().Add(time.Minute); s.Stats().Requests == s.Stats().Aside && time.Now().Before(deadline); {
					time.Sleep(5 * time.Millisecond)
				}
				programs.CrashPlugin(t)
			}
			err = command.Wait()
			if code := command.ProcessState.ExitCode(); code != tc.exit {
				t.Errorf("exit code %d (%v), want %d\n%s", code, err, tc.exit, out.Bytes())
			}
			backendtest.FindSecrets(t, command.Dir, out.Bytes(), key)
			if tc.exit == 1 {
				if !bytes.Contains(out.Bytes(), []byte("preflight: not_found")) || !bytes.Contains(out.Bytes(), []byte("check --api-model-name")) {
					t.Errorf("the preflight says %s", out.Bytes())
				}
				return
			}
			if files, err := filepath.Glob(filepath.Join(command.Dir, "*", "*.json")); err != nil || len(files) < 2 {
				t.Errorf("files %q, %v; want the metadata and a run", files, err)
			}
		})
	}
}
