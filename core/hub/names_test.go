package hub

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/hub/hubtest"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

func TestNamesOfRepositories(t *testing.T) {
	for name, want := range map[string]bool{
		"gpt2": true, "org/name": true, "Qwen/Qwen3-8B": true, "a/b.c_d-e": true, "openai-community/gpt2": true, strings.Repeat("a", 96): true,
		"": false, "/": false, "a/": false, "/a": false, "a/b/c": false, "..": false, "../a": false, "a/..": false, "a..b": false, "a--b": false,
		".a": false, "a.": false, "-a": false, "a-": false, "a/b.git": false, "a b": false, "a\\b": false, "é": false, "a\nb": false,
		"C:": false, "http://x/y": false, strings.Repeat("a", 97): false, "a%2fb": false, "a?b": false,
	} {
		if ValidName(name) != want {
			t.Errorf("ValidName(%q) is not %v", name, want)
		}
	}
}

func TestRevisions(t *testing.T) {
	for revision, want := range map[string]bool{
		"main": true, "v1.0": true, "refs/pr/1": true, "refs/convert/parquet": true, commit1: true, "feature/a+b@c": true, "Ümlaut": true,
		"": false, "..": false, "../../x": false, "a/../b": false, "/main": false, "main/": false, "a//b": false, ".hidden": false, "a\\b": false,
		"a\x00": false, "a b\n": false, "x.lock": false, "a:b": false, "a@{1}": false, strings.Repeat("a", 251): false,
	} {
		if got := checkRevision(revision) == nil; got != want {
			t.Errorf("revision %q: accepted %v, want %v", revision, got, want)
		}
	}
}

func TestFileNames(t *testing.T) {
	for name, want := range map[string]bool{
		"a.json": true, "data/train-00000-of-00001.parquet": true, ".gitattributes": true, "a b/ü.txt": true, "a..b": true,
		"": false, ".": false, "..": false, "../a": false, "a/../../b": false, "a/./b": false, "/etc/passwd": false, "a//b": false, "a/": false,
		"a\\..\\b": false, "c:x": false, "a\x00b": false, "a\nb": false, "\xff": false,
	} {
		if got := checkFile(name) == nil; got != want {
			t.Errorf("file %q: accepted %v, want %v", name, got, want)
		}
	}
}

func TestBlobNames(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	for etag, want := range map[string][2]string{
		`"` + sum + `"`:    {sum, sum},
		`W/"abc"`:          {"abc", ""},
		`abc`:              {"abc", ""},
		`"686897696a7c"`:   {"686897696a7c", ""},
		`"../../evil"`:     {"etag-", ""},
		`".."`:             {"etag-", ""},
		`""`:               {"etag-", ""},
		`"a/b"`:            {"etag-", ""},
		`"abc.incomplete"`: {"etag-", ""},
	} {
		name, got := blobName(etag)
		if want[0] == "etag-" && strings.HasPrefix(name, "etag-") && checkFile(name) == nil {
			name = "etag-"
		}
		if diff := cmp.Diff(want, [2]string{name, got}); diff != "" {
			t.Errorf("ETag %s (-want +got):\n%s", etag, diff)
		}
	}
}

// A hostile hub lists files that lead out of the snapshot.
func TestAHubThatListsHostileNamesIsRefused(t *testing.T) {
	for _, name := range []string{"../../../../evil.jinja", "/tmp/evil", "additional_chat_templates/../../x.jinja", "a\\..\\b", ""} {
		h, c := start(t, nil)
		repo := tokenizerRepo()
		repo.Files[name] = hubtest.File{Data: []byte("evil")}
		h.Put("models/org/name", repo)
		_, err := c.TokenizerFolder(t.Context(), "org/name", "", nil)
		checkError(t, err, ErrDamaged, "refused")
		if _, err := os.Stat(filepath.Join(c.CacheDir(), "models--org--name")); err == nil {
			t.Errorf("%q: something was written", name)
		}
	}
}

func TestArgumentsThatMakeNoSense(t *testing.T) {
	h, c := start(t, nil)
	_, err := c.TokenizerFolder(t.Context(), "../etc", "", nil)
	checkError(t, err, nil, `"../etc" is not a name on the hub`)
	_, err = c.TokenizerFolder(t.Context(), "org/name", "../x", nil)
	checkError(t, err, nil, `"../x" is not a revision`)
	_, err = c.File(t.Context(), Model("org/name"), "", "../x", nil)
	checkError(t, err, nil, `"../x" is not a path`)
	if requests := h.Requests(); len(requests) > 0 {
		t.Errorf("requests came: %v", requests)
	}
}

func env(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func TestTheEnvironmentIsReadAsPythonReadsIt(t *testing.T) {
	type settings struct {
		Endpoint, CacheDir, Token, TokenPath string
		Offline                              bool
		Timeout                              time.Duration
	}
	tests := map[string]struct {
		env  map[string]string
		want settings
	}{
		"nothing set": {nil, settings{CacheDir: "/home/u/.cache/huggingface/hub", TokenPath: "/home/u/.cache/huggingface/token", Timeout: defaultTimeout}},
		"XDG_CACHE_HOME": {map[string]string{"XDG_CACHE_HOME": "/c"},
			settings{CacheDir: "/c/huggingface/hub", TokenPath: "/c/huggingface/token", Timeout: defaultTimeout}},
		"HF_HOME": {map[string]string{"HF_HOME": "~/hf", "XDG_CACHE_HOME": "/c"},
			settings{CacheDir: "/home/u/hf/hub", TokenPath: "/home/u/hf/token", Timeout: defaultTimeout}},
		"HF_HUB_CACHE": {map[string]string{"HF_HOME": "/hf", "HF_HUB_CACHE": "$DISK/hub", "DISK": "/d", "HUGGINGFACE_HUB_CACHE": "/old"},
			settings{CacheDir: "/d/hub", TokenPath: "/hf/token", Timeout: defaultTimeout}},
		"all else": {map[string]string{"HF_HOME": "/hf", "HF_ENDPOINT": "https://mirror/hf/", "HF_TOKEN": "t", "HF_HUB_OFFLINE": "yes", "HF_HUB_DOWNLOAD_TIMEOUT": "30", "HF_TOKEN_PATH": "/t"},
			settings{Endpoint: "https://mirror/hf", CacheDir: "/hf/hub", Token: "t", TokenPath: "/t", Offline: true, Timeout: 30 * time.Second}},
		"old names": {map[string]string{"HUGGINGFACE_HUB_CACHE": "/old", "HUGGING_FACE_HUB_TOKEN": "t", "TRANSFORMERS_OFFLINE": "1"},
			settings{CacheDir: "/old", Token: "t", TokenPath: "/home/u/.cache/huggingface/token", Offline: true, Timeout: defaultTimeout}},
		"no token unless asked": {map[string]string{"HF_TOKEN": "t", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"},
			settings{CacheDir: "/home/u/.cache/huggingface/hub", Timeout: defaultTimeout}},
		"off": {map[string]string{"HF_HUB_OFFLINE": "0"},
			settings{CacheDir: "/home/u/.cache/huggingface/hub", TokenPath: "/home/u/.cache/huggingface/token", Timeout: defaultTimeout}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := FromEnv(env(test.env), "/home/u")
			got := settings{c.Endpoint, filepath.ToSlash(c.CacheDir), c.Token.Reveal(), filepath.ToSlash(c.TokenPath), c.Offline, c.Timeout}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSettingsThatMakeNoSense(t *testing.T) {
	tokenFile := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(tokenFile, []byte(planted+" "+planted), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		env  map[string]string
		home string
		word string
	}{
		"endpoint":          {map[string]string{"HF_ENDPOINT": "huggingface.co"}, "/h", "HF_ENDPOINT"},
		"endpoint's scheme": {map[string]string{"HF_ENDPOINT": "ftp://" + planted}, "/h", "HF_ENDPOINT"},
		"password":          {map[string]string{"HF_ENDPOINT": "https://u:" + planted + "@hub"}, "/h", "set HF_TOKEN"},
		"control":           {map[string]string{"HF_ENDPOINT": "https://" + planted + "\x7f"}, "/h", "HF_ENDPOINT"},
		"timeout":           {map[string]string{"HF_HUB_DOWNLOAD_TIMEOUT": "soon"}, "/h", "HF_HUB_DOWNLOAD_TIMEOUT"},
		"negative timeout":  {map[string]string{"HF_HUB_DOWNLOAD_TIMEOUT": "-1"}, "/h", "HF_HUB_DOWNLOAD_TIMEOUT"},
		"NaN timeout":       {map[string]string{"HF_HUB_DOWNLOAD_TIMEOUT": "NaN"}, "/h", "HF_HUB_DOWNLOAD_TIMEOUT"},
		"token":             {map[string]string{"HF_TOKEN": planted + "\n" + planted}, "/h", "HF_TOKEN"},
		"token file":        {map[string]string{"HF_TOKEN_PATH": tokenFile}, "/h", tokenFile},
		"no home":           {nil, "", "HF_HOME"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(FromEnv(env(test.env), test.home))
			checkError(t, err, nil, test.word)
		})
	}
}

func TestTheTokenFileIsReadAfterTheVariable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("  hf_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for variable, want := range map[string]string{"": "hf_file", "hf_variable\n": "hf_variable"} {
		token, err := Config{Token: secret.New(variable), TokenPath: path}.token()
		if err != nil || token.Reveal() != want {
			t.Errorf("HF_TOKEN %q: %q, %v; want %q", variable, token.Reveal(), err, want)
		}
	}
}

func FuzzInfo(f *testing.F) {
	f.Add([]byte(`{"sha":"` + commit1 + `","gated":"auto","private":true,"siblings":[{"rfilename":"a/b"}]}`))
	f.Add([]byte(`{"sha":"..","siblings":[{"rfilename":"../x"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := parseInfo(target{repo: Model("a/b")}, "https://hub", data)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than a line: %q", err)
			}
			return
		}
		for _, name := range append(info.Files, info.Commit) {
			if !filepath.IsLocal(filepath.FromSlash(name)) || filepath.Clean(name) == "." {
				t.Errorf("accepted %q", name)
			}
		}
	})
}

func FuzzHeaders(f *testing.F) {
	f.Add(`"abc"`, "bytes 1-2/3")
	f.Add(`W/"../x"`, "bytes 1-2/*")
	f.Fuzz(func(t *testing.T, etag, contentRange string) {
		name, _ := blobName(etag)
		if name == "" || filepath.Base(name) != name || !filepath.IsLocal(name) {
			t.Errorf("ETag %q becomes the file %q", etag, name)
		}
		if from, total, ok := parseContentRange(contentRange); ok && (from < 0 || total < -1 || total >= 0 && from >= total) {
			t.Errorf("%q: from %d of %d", contentRange, from, total)
		}
	})
}
