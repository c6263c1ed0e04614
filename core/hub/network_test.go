package hub

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/core/hub/hubtest"
)

const (
	largeFile = "tokenizer.json"
	smallFile = "tokenizer_config.json"
)

// contents tells requests for the contents of a file.
func contents(r *http.Request, file string) bool {
	return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/"+file)
}

// cut sends the first half of what is asked for and breaks the connection.
func cut(w http.ResponseWriter, data []byte) {
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	_, _ = w.Write(data[:len(data)/2])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func TestACutDownloadGoesOnWhereItWas(t *testing.T) {
	repo := tokenizerRepo()
	for file, want := range map[string]hubtest.Request{
		largeFile: {Store: true, Range: "bytes=350000-", IfRange: `"store-` + repo.Files[largeFile].ETag()[:8] + `"`},
		smallFile: {Range: "bytes=4-", IfRange: `"` + repo.Files[smallFile].ETag() + `"`},
	} {
		t.Run(file, func(t *testing.T) {
			h, c := start(t, nil)
			var cuts atomic.Int32
			h.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if contents(r, file) && r.Header.Get("Range") == "" && !strings.Contains(r.URL.Path, "/resolve/") == repo.Files[file].Large && cuts.Add(1) == 1 {
					f := repo.Files[file]
					w.Header().Set("ETag", want.IfRange)
					cut(w, f.Data)
				}
				return false
			})
			path, err := c.File(t.Context(), Model("org/name"), "", file, nil)
			if err != nil {
				t.Fatal(err)
			}
			if data, _ := os.ReadFile(path); !bytes.Equal(data, repo.Files[file].Data) {
				t.Error("the parts do not make the whole")
			}
			requests := h.Requests()
			last := requests[len(requests)-1]
			if last.Range != want.Range || last.IfRange != want.IfRange || last.Store != want.Store {
				t.Errorf("the last request was %+v, want Range %s If-Range %s", last, want.Range, want.IfRange)
			}
		})
	}
}

// What a process that was killed has left is taken up by the next.
func TestAnIncompleteFileIsResumed(t *testing.T) {
	whole := large()
	tests := map[string]struct {
		left  []byte
		first string // Range of the first request for contents
		asked int    // requests for contents
	}{
		"half":          {whole[:350_000], "bytes=350000-", 1},
		"all":           {whole, "", 0},
		"too much":      {append(bytes.Clone(whole), 'x'), "", 1},
		"something odd": {bytes.Repeat([]byte("x"), 1000), "bytes=1000-", 2},
		"all, but odd":  {bytes.Repeat([]byte("x"), len(whole)), "", 1},
		"nothing":       {nil, "", 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h, c := start(t, nil)
			blobs := filepath.Join(c.CacheDir(), "models--org--name", "blobs")
			etag := tokenizerRepo().Files[largeFile].ETag()
			if err := os.MkdirAll(blobs, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(blobs, etag+".incomplete"), test.left, 0o644); err != nil {
				t.Fatal(err)
			}
			path, err := c.File(t.Context(), Model("org/name"), "", largeFile, nil)
			if err != nil {
				t.Fatal(err)
			}
			if data, _ := os.ReadFile(path); !bytes.Equal(data, whole) {
				t.Error("other contents than the hub's")
			}
			var asked []string
			for _, r := range h.Requests() {
				if r.Store {
					asked = append(asked, r.Range)
				}
			}
			if len(asked) != test.asked || len(asked) > 0 && asked[0] != test.first {
				t.Errorf("contents were asked for with ranges %q, want %d, the first %q", asked, test.asked, test.first)
			}
			if left := files(t, blobs); len(left) != 1 || left[0] != etag {
				t.Errorf("blobs: %v", left)
			}
		})
	}
}

// Addresses of the second host are signed, for an hour or so.
func TestAnAddressThatExpiredIsAskedForAgain(t *testing.T) {
	h, c := start(t, nil)
	var answers atomic.Int32
	h.Intercept(body(func(w http.ResponseWriter, r *http.Request) {
		switch answers.Add(1) {
		case 1:
			cut(w, large())
		case 2:
			w.WriteHeader(403)
		default:
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(large()))
		}
	}))
	r, _, err := c.Open(t.Context(), Model("org/name"), "", largeFile)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if data, err := io.ReadAll(r); err != nil || !bytes.Equal(data, large()) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	heads := 0
	for _, r := range h.Requests() {
		if r.Method == http.MethodHead {
			heads++
		}
	}
	if heads != 2 {
		t.Errorf("%d questions for the address, want 2", heads)
	}
}

func TestAServerWithoutRangesSendsAllAgain(t *testing.T) {
	h, c := start(t, nil)
	whole := large()
	var sent atomic.Int32
	h.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/-/") {
			return false
		}
		if sent.Add(1) == 1 {
			cut(w, whole)
		}
		_, _ = w.Write(whole)
		return true
	})
	path, err := c.File(t.Context(), Model("org/name"), "", largeFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(path); !bytes.Equal(data, whole) || sent.Load() != 2 {
		t.Errorf("after %d answers the file is not the hub's", sent.Load())
	}
}

// errorCase is an answer and what the user is told.
type errorCase struct {
	answer func(w http.ResponseWriter, r *http.Request) bool
	token  bool
	kind   error
	words  []string
}

func always(status int, code string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("X-Error-Code", code)
		w.Header().Set("X-Error-Message", "your token is "+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")+"\u009b2J\tand more")
		w.WriteHeader(status)
		return true
	}
}

// body answers requests for the contents of the large file.
func body(answer func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/-/") {
			return false
		}
		answer(w, r)
		return true
	}
}

func errorCases() map[string]errorCase {
	return map[string]errorCase{
		"401 without a token": {always(401, ""), false, ErrDenied, []string{"401", "org/name", "needs HF_TOKEN"}},
		"401 with one":        {always(401, ""), true, ErrDenied, []string{"401", "refused the token", "HF_TOKEN is wrong or has expired", "/settings/tokens"}},
		"403 gated":           {always(403, "GatedRepo"), true, ErrDenied, []string{"403", "gated", "accept the licence at http://127.0.0.1", "/org/name"}},
		"401 gated":           {always(401, "GatedRepo"), false, ErrDenied, []string{"401", "gated", "accept the licence", "set HF_TOKEN"}},
		"403":                 {always(403, ""), false, ErrDenied, []string{"403", "set HF_TOKEN"}},
		"403 with a token":    {always(403, ""), true, ErrDenied, []string{"403", "with this token", "accept the licence"}},
		"404 repository":      {always(404, "RepoNotFound"), true, ErrNotFound, []string{"404", "model org/name", "check the name"}},
		"404 revision":        {always(404, "RevisionNotFound"), false, ErrNotFound, []string{"404", `revision "main"`}},
		"404 file":            {always(404, "EntryNotFound"), false, ErrNotFound, []string{"404", "file tokenizer.json"}},
		"disabled":            {always(403, "DisabledRepo"), false, ErrDenied, []string{"disabled"}},
		"400":                 {always(400, ""), true, ErrUnreachable, []string{"400 Bad Request", "your token is [redacted] 2J and more"}},
		"500":                 {always(500, ""), true, ErrUnreachable, []string{"500", "4 times", "bring it into the cache /"}},
		"429": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(429)
			return true
		}, false, ErrUnreachable, []string{"429", "1h0m0s", "wait a while"}},
		"a header that net/http refuses": {func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("X-Error-Message", r.Header.Get("Authorization")+"\x1b")
			return true
		}, true, ErrUnreachable, []string{"malformed MIME header"}},
		"no hub": {func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte("<html>"))
			return true
		}, false, nil, []string{"HF_ENDPOINT"}},
		"redirects in a circle": {func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, r.URL.RequestURI(), http.StatusFound)
			return true
		}, false, ErrUnreachable, []string{"redirects"}},
		"redirect to another scheme": {func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(302)
			return true
		}, false, ErrUnreachable, []string{"redirects from http to file"}},
		"a connection that always breaks": {func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
			false, ErrUnreachable, []string{"failed 4 times"}},
	}
}

func TestRefusalsSayWhichAndWhatToDo(t *testing.T) {
	for name, test := range errorCases() {
		t.Run(name, func(t *testing.T) {
			h, c := start(t, func(config *Config) {
				if test.token {
					withToken(config)
				}
			})
			h.Intercept(test.answer)
			_, fileErr := c.File(t.Context(), Model("org/name"), "", largeFile, nil)
			_, folderErr := c.TokenizerFolder(t.Context(), "org/name", "", nil)
			_, _, openErr := c.Open(t.Context(), Model("org/name"), "", largeFile)
			_, infoErr := c.Info(t.Context(), Model("org/name"), "")
			checkError(t, fileErr, test.kind, test.words...)
			for _, err := range []error{folderErr, openErr, infoErr} {
				checkError(t, err, test.kind)
			}
		})
	}
}

// checkError wants one line with these words, of that kind, without a secret.
func checkError(t *testing.T, err, kind error, words ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	text := err.Error()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("error %q lacks %q", text, word)
		}
	}
	if kind != nil && !errors.Is(err, kind) {
		t.Errorf("error %q is not %q", text, kind)
	}
	for _, bad := range []string{planted, "secret-of-the-store", "\n", "\x1b", "\u009b"} {
		if strings.Contains(fmt.Sprintf("%s %+v %#v", text, err, err), bad) {
			t.Errorf("error %q shows %q", text, bad)
		}
	}
}

func TestDamagedContentsNeverReachTheCache(t *testing.T) {
	whole := large()
	other := bytes.Clone(whole)
	other[500_000] ^= 1
	tests := map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		kind   error
		word   string
	}{
		"wrong checksum": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(other) }, ErrDamaged, "SHA-256"},
		"too short":      {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(whole[:1000]) }, ErrDamaged, "700001 bytes were announced, 1000 are sent"},
		"too long": {func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush() // no Content-Length
			_, _ = w.Write(append(bytes.Clone(whole), 'x'))
		}, ErrDamaged, "more than the announced"},
		"always cut": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
			panic(http.ErrAbortHandler)
		}, ErrUnreachable, "failed 4 times"},
		"another range": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 7-9/700001")
			w.WriteHeader(206)
		}, ErrDamaged, "bytes 7-9/700001"},
		"forbidden by the store": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) }, ErrUnreachable, "403"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h, c := start(t, withToken)
			h.Intercept(body(test.answer))
			_, err := c.File(t.Context(), Model("org/name"), "", largeFile, nil)
			checkError(t, err, test.kind, test.word, largeFile)
			if _, ok := c.Cached(Model("org/name"), "", largeFile); ok {
				t.Error("the file is in the cache")
			}
			r, _, err := c.Open(t.Context(), Model("org/name"), "", largeFile)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
				r.Close()
			}
			checkError(t, err, test.kind, test.word)
			// Nothing that was left stands in the way of the right contents.
			h.Intercept(nil)
			path, err := c.File(t.Context(), Model("org/name"), "", largeFile, nil)
			if err != nil {
				t.Fatal(err)
			}
			if data, _ := os.ReadFile(path); !bytes.Equal(data, whole) {
				t.Error("other contents than the hub's")
			}
		})
	}
}

func TestWhatMayPassIsTriedAgain(t *testing.T) {
	for name, fail := range map[string]func(w http.ResponseWriter){
		"503": func(w http.ResponseWriter) { w.WriteHeader(503) },
		"429": func(w http.ResponseWriter) { w.Header().Set("Retry-After", "0"); w.WriteHeader(429) },
		"cut": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			h, c := start(t, nil)
			var seen sync.Map
			h.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if _, again := seen.LoadOrStore(r.Method+r.URL.Path, true); again {
					return false
				}
				fail(w)
				return true
			})
			if _, err := c.TokenizerFolder(t.Context(), "org/name", "", nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRetryAfterIsWaitedForWithinLimits(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"":                              0,
		"7":                             7 * time.Second,
		"-7":                            0,
		"soon":                          0,
		"Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second,
		"Fri, 02 Jan 2026 03:04:00 GMT": 0,
		"99999999999999999999":          0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("Retry-After %q: %v, want %v", text, got, want)
		}
	}
}

func TestASilentServerIsGivenUp(t *testing.T) {
	silent := map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"no answer": func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true },
		"no body": func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/-/") {
				w.Header().Set("Content-Length", "700001")
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				return true
			}
			return false
		},
	}
	for name, answer := range silent {
		t.Run(name, func(t *testing.T) {
			h, c := start(t, func(config *Config) { config.Timeout = 100 * time.Millisecond })
			c.tries = 2
			h.Intercept(answer)
			_, err := c.File(t.Context(), Model("org/name"), "", largeFile, nil)
			checkError(t, err, ErrUnreachable, "no byte for 100ms", "HF_HUB_DOWNLOAD_TIMEOUT")
		})
	}
}

// A file that is replaced between HEAD and GET is taken as it is now.
func TestAFileThatChangesMeanwhileIsTakenAnew(t *testing.T) {
	h, c := start(t, nil)
	var heads atomic.Int32
	changed := tokenizerRepo()
	changed.Commit = commit2
	changed.Files[smallFile] = hubtest.File{Data: []byte(`{"a": 2}`)}
	h.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/resolve/") && heads.Add(1) == 1 {
			h.Put("models/org/name", changed)
		}
		return false
	})
	path, err := c.File(t.Context(), Model("org/name"), "", smallFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(path); string(data) != `{"a": 2}` || filepath.Base(filepath.Dir(path)) != commit2 {
		t.Errorf("%s holds %s", path, data)
	}
}

func TestParallelDownloadsOfOneFileFetchItOnce(t *testing.T) {
	h, _ := start(t, nil)
	cache := t.TempDir()
	var group sync.WaitGroup
	for range 12 {
		c := newClient(t, h, cache, nil)
		group.Go(func() {
			dir, err := c.TokenizerFolder(t.Context(), "org/name", "", nil)
			if err != nil {
				t.Error(err)
				return
			}
			if data, _ := os.ReadFile(filepath.Join(dir, largeFile)); !bytes.Equal(data, large()) {
				t.Error("other contents than the hub's")
			}
		})
	}
	group.Wait()
	fetched := 0
	for _, r := range h.Requests() {
		if r.Store {
			fetched++
		}
	}
	if fetched != 1 {
		t.Errorf("the large file was fetched %d times, want once", fetched)
	}
}

func TestTheNetworkIsNotUsedOffline(t *testing.T) {
	h, c := start(t, offline)
	_, err := c.TokenizerFolder(t.Context(), "org/name", "", nil)
	checkError(t, err, ErrOffline, "org/name", "tokenizer.json", filepath.Join(c.CacheDir(), "models--org--name"), "HF_HUB_OFFLINE")
	_, err = c.File(t.Context(), Dataset("squad"), "v1", "a/b.parquet", nil)
	checkError(t, err, ErrOffline, "dataset squad, file a/b.parquet", "v1", "datasets--squad")
	_, _, err = c.Open(t.Context(), Dataset("squad"), "", "x")
	checkError(t, err, ErrOffline)
	_, err = c.Info(t.Context(), Dataset("squad"), "")
	checkError(t, err, ErrOffline)
	if requests := h.Requests(); len(requests) > 0 {
		t.Errorf("requests came: %v", requests)
	}
}

func TestACacheThatCannotBeWrittenIsNamed(t *testing.T) {
	h := hubtest.Start()
	defer h.Close()
	h.Put("models/org/name", tokenizerRepo())
	notAFolder := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notAFolder, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := newClient(t, h, notAFolder, nil).TokenizerFolder(t.Context(), "org/name", "", nil)
	checkError(t, err, nil, notAFolder, "HF_HUB_CACHE")
}
