package hub

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/core/hub/hubtest"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	commit1 = "1111111111111111111111111111111111111111"
	commit2 = "2222222222222222222222222222222222222222"
	planted = "hf_plantedTokenThatNobodyMaySee"
)

// large is a file of a few hundred kB that compresses to nothing else.
func large() []byte {
	data := make([]byte, 700_001)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(data)
	return data
}

func tokenizerRepo() hubtest.Repo {
	return hubtest.Repo{Commit: commit1, Files: map[string]hubtest.File{
		"tokenizer.json":                       {Data: large(), Large: true},
		"tokenizer_config.json":                {Data: []byte(`{"a": 1}`)},
		"chat_template.jinja":                  {Data: []byte("{{ messages }}")},
		"additional_chat_templates/tool.jinja": {Data: []byte("tool")},
		"vocab.json":                           {Data: []byte("not wanted")},
		"merges.txt":                           {Data: []byte("not wanted")},
		"model-00001.safetensors":              {Data: []byte("weights"), Large: true},
	}}
}

// start starts a hub with the model org/name and a client with an empty cache.
func start(t *testing.T, change func(*Config)) (*hubtest.Hub, *Client) {
	t.Helper()
	h := hubtest.Start()
	t.Cleanup(h.Close)
	h.Put("models/org/name", tokenizerRepo())
	return h, newClient(t, h, t.TempDir(), change)
}

func newClient(t *testing.T, h *hubtest.Hub, cache string, change func(*Config)) *Client {
	t.Helper()
	config := Config{Endpoint: h.URL(), CacheDir: cache, Timeout: 10 * time.Second}
	if change != nil {
		change(&config)
	}
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	c.backoff = time.Millisecond
	t.Cleanup(c.Close)
	return c
}

func withToken(c *Config) { c.Token = secret.New(planted) }
func offline(c *Config)   { c.Offline = true }

// files lists a folder's files, symlinks as "name -> target".
func files(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if to, e := os.Readlink(path); e == nil {
			name += " -> " + to
		}
		list = append(list, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestTheCacheHasThePythonLayout(t *testing.T) {
	h, c := start(t, nil)
	dir, err := c.TokenizerFolder(t.Context(), "org/name", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(c.CacheDir(), "models--org--name", "snapshots", commit1); dir != want {
		t.Errorf("folder %s, want %s", dir, want)
	}
	etag := func(name string) string { return tokenizerRepo().Files[name].ETag() }
	want := []string{
		".locks/models--org--name/" + etag("additional_chat_templates/tool.jinja") + ".lock",
		".locks/models--org--name/" + etag("chat_template.jinja") + ".lock",
		".locks/models--org--name/" + etag("tokenizer.json") + ".lock",
		".locks/models--org--name/" + etag("tokenizer_config.json") + ".lock",
		"models--org--name/.no_exist/" + commit1 + "/added_tokens.json",
		"models--org--name/.no_exist/" + commit1 + "/chat_template.json",
		"models--org--name/.no_exist/" + commit1 + "/special_tokens_map.json",
		"models--org--name/blobs/" + etag("additional_chat_templates/tool.jinja"),
		"models--org--name/blobs/" + etag("chat_template.jinja"),
		"models--org--name/blobs/" + etag("tokenizer.json"),
		"models--org--name/blobs/" + etag("tokenizer_config.json"),
		"models--org--name/refs/main",
		"models--org--name/snapshots/" + commit1 + "/additional_chat_templates/tool.jinja -> ../../../blobs/" + etag("additional_chat_templates/tool.jinja"),
		"models--org--name/snapshots/" + commit1 + "/chat_template.jinja -> ../../blobs/" + etag("chat_template.jinja"),
		"models--org--name/snapshots/" + commit1 + "/tokenizer.json -> ../../blobs/" + etag("tokenizer.json"),
		"models--org--name/snapshots/" + commit1 + "/tokenizer_config.json -> ../../blobs/" + etag("tokenizer_config.json"),
	}
	got := files(t, c.CacheDir())
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cache (-want +got):\n%s", diff)
	}
	for name, file := range tokenizerRepo().Files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if data, err := os.ReadFile(path); err == nil && !bytes.Equal(data, file.Data) {
			t.Errorf("%s: other contents than the hub's", name)
		}
	}
	if ref, _ := os.ReadFile(filepath.Join(c.CacheDir(), "models--org--name/refs/main")); string(ref) != commit1 {
		t.Errorf("refs/main is %q", ref)
	}

	h.Requests()
	again, err := c.TokenizerFolder(t.Context(), "org/name", "", nil)
	if err != nil || again != dir {
		t.Errorf("from the cache: %q, %v", again, err)
	}
	if requests := h.Requests(); len(requests) > 0 {
		t.Errorf("a complete cache asked the hub: %v", requests)
	}
	h.Close()
	for name, change := range map[string]func(*Config){"offline": offline, "hub gone": nil} {
		if again, err := newClient(t, h, c.CacheDir(), change).TokenizerFolder(t.Context(), "org/name", "main", nil); err != nil || again != dir {
			t.Errorf("%s: %q, %v", name, again, err)
		}
	}
}

func TestWithoutSymlinksTheSnapshotHoldsCopies(t *testing.T) {
	_, c := start(t, nil)
	c.symlink = func(string, string) error { return errors.New("a required privilege is not held") }
	path, err := c.File(t.Context(), Model("org/name"), "main", "tokenizer.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		t.Fatalf("%v, %v: want a regular file", info, err)
	}
	if data, _ := os.ReadFile(path); !bytes.Equal(data, large()) {
		t.Error("other contents than the hub's")
	}
}

// The token belongs to the endpoint's scheme, host and port, and large files
// come from another.
func TestTheTokenGoesToTheHubOnly(t *testing.T) {
	h, c := start(t, withToken)
	repo := tokenizerRepo()
	repo.Token = planted
	h.Put("models/org/name", repo)
	if _, err := c.TokenizerFolder(t.Context(), "org/name", "", nil); err != nil {
		t.Fatal(err)
	}
	var hub, store int
	for _, r := range h.Requests() {
		if r.Store {
			store++
			if r.Authorization != "" {
				t.Errorf("%s %s at the second host carries the token", r.Method, r.Path)
			}
			continue
		}
		hub++
		if r.Authorization != "Bearer "+planted {
			t.Errorf("%s %s came without the token", r.Method, r.Path)
		}
	}
	if hub == 0 || store == 0 {
		t.Errorf("%d requests to the hub, %d to the store: want both", hub, store)
	}
}

func TestAMirrorMaySendEverythingToAHub(t *testing.T) {
	h, _ := start(t, nil)
	mirror := hubtest.Start()
	defer mirror.Close()
	mirror.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, h.URL()+r.URL.RequestURI(), http.StatusTemporaryRedirect)
		return true
	})
	c := newClient(t, mirror, t.TempDir(), withToken)
	if _, err := c.TokenizerFolder(t.Context(), "org/name", "", nil); err != nil {
		t.Fatal(err)
	}
	for _, r := range h.Requests() {
		if r.Authorization != "" {
			t.Errorf("%s %s: the redirect took the token along", r.Method, r.Path)
		}
	}
}

func TestProgressGoesFromNothingToAll(t *testing.T) {
	_, c := start(t, nil)
	type step struct {
		file        string
		done, total int64
	}
	var steps []step
	_, err := c.File(t.Context(), Model("org/name"), "", "tokenizer.json", func(file string, done, total int64) {
		steps = append(steps, step{file, done, total})
	})
	if err != nil {
		t.Fatal(err)
	}
	size := int64(len(large()))
	if len(steps) < 2 || steps[0] != (step{"tokenizer.json", 0, size}) || steps[len(steps)-1] != (step{"tokenizer.json", size, size}) {
		t.Errorf("steps: %v", steps)
	}
	if !slices.IsSortedFunc(steps, func(a, b step) int { return int(a.done - b.done) }) {
		t.Errorf("progress went back: %v", steps)
	}
}

func TestDatasetsAreReadAndStreamed(t *testing.T) {
	h, c := start(t, nil)
	h.Put("datasets/org/texts", hubtest.Repo{Commit: commit2, Files: map[string]hubtest.File{
		"data/train-00000.parquet": {Data: large(), Large: true},
		"README.md":                {Data: []byte("# texts")},
		"empty.txt":                {},
	}})
	repo := Dataset("org/texts")
	info, err := c.Info(t.Context(), repo, "")
	if err != nil {
		t.Fatal(err)
	}
	want := Info{Commit: commit2, Files: []string{"README.md", "data/train-00000.parquet", "empty.txt"}}
	if diff := cmp.Diff(want, info); diff != "" {
		t.Errorf("info (-want +got):\n%s", diff)
	}
	path, err := c.File(t.Context(), repo, commit2, "README.md", nil)
	if err != nil || !strings.Contains(path, "datasets--org--texts") {
		t.Errorf("file: %q, %v", path, err)
	}
	if path, err := c.File(t.Context(), repo, "", "empty.txt", nil); err != nil || !isWhole(path, 0) {
		t.Errorf("an empty file: %q, %v", path, err)
	}
	for range 2 { // from the network, then from the cache
		r, size, err := c.Open(t.Context(), repo, "", "data/train-00000.parquet")
		if err != nil {
			t.Fatal(err)
		}
		data := new(bytes.Buffer)
		if _, err := data.ReadFrom(r); err != nil || size != int64(data.Len()) || !bytes.Equal(data.Bytes(), large()) {
			t.Errorf("streamed %d of %d bytes, %v", data.Len(), size, err)
		}
		r.Close()
		if _, err := c.File(t.Context(), repo, "", "data/train-00000.parquet", nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestABranchStaysWhereItWasFirstRead(t *testing.T) {
	h, c := start(t, nil)
	first, err := c.TokenizerFolder(t.Context(), "org/name", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	moved := tokenizerRepo()
	moved.Commit = commit2
	h.Put("models/org/name", moved)
	if dir, err := c.TokenizerFolder(t.Context(), "org/name", "main", nil); err != nil || dir != first {
		t.Errorf("%q, %v: want %q", dir, err, first)
	}
	dir, err := c.TokenizerFolder(t.Context(), "org/name", commit2, nil)
	if err != nil || filepath.Base(dir) != commit2 {
		t.Errorf("by commit: %q, %v", dir, err)
	}
	if ref, _ := os.ReadFile(filepath.Join(c.CacheDir(), "models--org--name/refs/main")); string(ref) != commit1 {
		t.Errorf("refs/main is %q", ref)
	}
}

func TestFilesThatStandInForTokenizerJSON(t *testing.T) {
	tests := map[string]struct{ has, want []string }{
		"GPT-2":            {[]string{"vocab.json", "merges.txt", "config.json"}, []string{"merges.txt", "vocab.json"}},
		"SentencePiece":    {[]string{"tokenizer.model", "tokenizer_config.json"}, []string{"tokenizer_config.json", "tokenizer.model"}},
		"BERT":             {[]string{"vocab.txt"}, []string{"vocab.txt"}},
		"tiktoken":         {[]string{"qwen.tiktoken", "sub/x.tiktoken"}, []string{"qwen.tiktoken"}},
		"vocabulary alone": {[]string{"vocab.json"}, nil},
		"merges alone":     {[]string{"merges.txt"}, nil},
		"none":             {[]string{"model.gguf", "tokenizer_config.json"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, tokenizerFiles(test.has)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Python puts into its cache what it was asked for; a template may be missing.
func TestACacheThatMayBeIncompleteIsCompletedWhereThatCanBe(t *testing.T) {
	h, c := start(t, nil)
	if _, err := c.File(t.Context(), Model("org/name"), "", "tokenizer.json", nil); err != nil {
		t.Fatal(err)
	}
	h.Intercept(func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(503); return true })
	dir, err := c.TokenizerFolder(t.Context(), "org/name", "", nil)
	if err != nil || isFile(filepath.Join(dir, "chat_template.jinja")) {
		t.Fatalf("with the hub down: %q, %v", dir, err)
	}
	h.Intercept(nil)
	dir, err = c.TokenizerFolder(t.Context(), "org/name", "", nil)
	if err != nil || !isFile(filepath.Join(dir, "chat_template.jinja")) {
		t.Fatalf("with the hub up again: %q, %v", dir, err)
	}
}

func TestCancelEndsADownload(t *testing.T) {
	h, c := start(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	stop := make(chan struct{})
	h.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/-/") {
			return false
		}
		w.Header().Set("Content-Length", "700001")
		_, _ = w.Write(large()[:300_000])
		w.(http.Flusher).Flush()
		<-stop
		return true
	})
	defer close(stop)
	_, err := c.File(ctx, Model("org/name"), "", "tokenizer.json", func(_ string, done, _ int64) {
		if done > 0 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, want one line, cancelled", err)
	}
	draft := filepath.Join(c.CacheDir(), "models--org--name/blobs", tokenizerRepo().Files["tokenizer.json"].ETag()+".incomplete")
	if info, err := os.Stat(draft); err != nil || info.Size() == 0 {
		t.Errorf("nothing is left to resume: %v", err)
	}
}
