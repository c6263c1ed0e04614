// Package hubtest is a Hugging Face hub on a loopback address, for tests: small
// files come from the hub, large ones from a second host that it redirects to,
// as on huggingface.co. It speaks what Python's huggingface_hub wants to hear.
package hubtest

import (
	"bytes"
	"crypto/sha1" // git's name for contents, not a protection
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Repo is a repository of the hub.
type Repo struct {
	Commit string // of the branch main; 40 hex digits
	Files  map[string]File
	Token  string // wanted for all requests; "": public
	Gated  bool   // answered with 403 where Token is not sent
	// Branches beside main, such as refs/convert/parquet.
	Branches map[string]Branch
}

// Branch is a branch of a repository.
type Branch struct {
	Commit string
	Files  map[string]File
}

// at returns what a repository is at a revision: a branch or its commit.
func (r Repo) at(revision string) (Branch, bool) {
	if revision == "main" || revision == r.Commit {
		return Branch{r.Commit, r.Files}, true
	}
	for name, b := range r.Branches {
		if revision == name || revision == b.Commit {
			return b, true
		}
	}
	return Branch{}, false
}

// file finds a file of any branch.
func (r Repo) file(name string) (File, bool) {
	if f, ok := r.Files[name]; ok {
		return f, true
	}
	for _, b := range r.Branches {
		if f, ok := b.Files[name]; ok {
			return f, true
		}
	}
	return File{}, false
}

// File is a file of a repository.
type File struct {
	Data []byte
	// Large makes it one that Git LFS keeps: its ETag is its SHA-256, and its
	// contents are on the second host.
	Large bool
}

// ETag is the hub's name of the contents.
func (f File) ETag() string {
	if f.Large {
		sum := sha256.Sum256(f.Data)
		return hex.EncodeToString(sum[:])
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(f.Data))
	h.Write(f.Data)
	return hex.EncodeToString(h.Sum(nil))
}

// Request is one that came.
type Request struct {
	Store         bool // came to the second host
	Method        string
	Path          string
	Authorization string
	Range         string
	IfRange       string
}

// Hub is a running hub. Its methods are safe for concurrent use.
type Hub struct {
	hub, store *httptest.Server

	mu        sync.Mutex
	repos     map[string]Repo // by "models/org/name" or "datasets/org/name"
	requests  []Request
	intercept func(w http.ResponseWriter, r *http.Request) bool
}

// Start starts a hub without repositories.
func Start() *Hub {
	h := &Hub{repos: map[string]Repo{}}
	h.hub = httptest.NewServer(h.handler(false, h.serveHub))
	h.store = httptest.NewServer(h.handler(true, h.serveStore))
	return h
}

// Close ends it, with all its connections.
func (h *Hub) Close() {
	h.hub.CloseClientConnections()
	h.store.CloseClientConnections()
	h.hub.Close()
	h.store.Close()
}

// URL is what HF_ENDPOINT is to be.
func (h *Hub) URL() string { return h.hub.URL }

// StoreURL is where the large files are.
func (h *Hub) StoreURL() string { return h.store.URL }

// Put makes or replaces a repository; name is "models/org/name" or
// "datasets/org/name".
func (h *Hub) Put(name string, r Repo) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.repos[name] = r
}

// Intercept lets a function answer requests, of both hosts; it returns false to
// leave one alone. It may panic with http.ErrAbortHandler to cut a connection.
func (h *Hub) Intercept(f func(w http.ResponseWriter, r *http.Request) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.intercept = f
}

// Requests returns what came since the last call.
func (h *Hub) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	requests := h.requests
	h.requests = nil
	return requests
}

func (h *Hub) handler(store bool, serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.requests = append(h.requests, Request{store, r.Method, r.URL.EscapedPath(), r.Header.Get("Authorization"), r.Header.Get("Range"), r.Header.Get("If-Range")})
		intercept := h.intercept
		h.mu.Unlock()
		if intercept == nil || !intercept(w, r) {
			serve(w, r)
		}
	})
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("X-Error-Code", code)
	w.Header().Set("X-Error-Message", "refused: "+code)
	w.WriteHeader(status)
}

// find takes an escaped path apart: [datasets/]org/name followed by rest.
func (h *Hub) find(path, separator string) (name string, repo Repo, rest []string, ok bool) {
	name, tail, ok := strings.Cut(strings.TrimPrefix(path, "/"), separator)
	if !strings.HasPrefix(name, "datasets/") && !strings.HasPrefix(name, "models/") {
		name = "models/" + name
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	repo, found := h.repos[name]
	for segment := range strings.SplitSeq(tail, "/") {
		if plain, err := url.PathUnescape(segment); err == nil {
			rest = append(rest, plain)
		}
	}
	return name, repo, rest, ok && found
}

// allowed answers for itself where it is false.
func allowed(w http.ResponseWriter, r *http.Request, repo Repo) bool {
	switch {
	case repo.Token == "" || r.Header.Get("Authorization") == "Bearer "+repo.Token:
		return true
	case repo.Gated:
		refuse(w, http.StatusForbidden, "GatedRepo")
	case r.Header.Get("Authorization") == "":
		refuse(w, http.StatusUnauthorized, "RepoNotFound")
	default:
		w.WriteHeader(http.StatusUnauthorized)
	}
	return false
}

func (h *Hub) serveHub(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if api, ok := strings.CutPrefix(path, "/api/"); ok {
		h.serveInfo(w, r, api)
		return
	}
	name, repo, rest, ok := h.find(path, "/resolve/")
	switch {
	case !ok || len(rest) < 2:
		refuse(w, http.StatusNotFound, "RepoNotFound")
		return
	case !allowed(w, r, repo):
		return
	}
	branch, ok := repo.at(rest[0])
	if !ok {
		refuse(w, http.StatusNotFound, "RevisionNotFound")
		return
	}
	w.Header().Set("X-Repo-Commit", branch.Commit)
	file := strings.Join(rest[1:], "/")
	f, ok := branch.Files[file]
	if !ok {
		refuse(w, http.StatusNotFound, "EntryNotFound")
		return
	}
	w.Header().Set("ETag", `"`+f.ETag()+`"`)
	if f.Large {
		w.Header().Set("X-Linked-Etag", `"`+f.ETag()+`"`)
		w.Header().Set("X-Linked-Size", fmt.Sprint(len(f.Data)))
		http.Redirect(w, r, h.store.URL+"/"+name+"/-/"+file+"?signature=secret-of-the-store", http.StatusFound)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.Data))
}

func (h *Hub) serveInfo(w http.ResponseWriter, r *http.Request, path string) {
	_, repo, rest, ok := h.find(path, "/revision/")
	switch {
	case !ok || len(rest) != 1:
		refuse(w, http.StatusNotFound, "RepoNotFound")
		return
	case !allowed(w, r, repo):
		return
	}
	branch, ok := repo.at(rest[0])
	if !ok {
		refuse(w, http.StatusNotFound, "RevisionNotFound")
		return
	}
	type sibling struct {
		Name string `json:"rfilename"`
	}
	siblings := []sibling{}
	for name := range branch.Files {
		siblings = append(siblings, sibling{name})
	}
	slices.SortFunc(siblings, func(a, b sibling) int { return strings.Compare(a.Name, b.Name) })
	var gated any = false
	if repo.Gated {
		gated = "manual"
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"id": path, "sha": branch.Commit, "private": repo.Token != "" && !repo.Gated, "gated": gated, "siblings": siblings})
}

// serveStore is the second host, which has ETags of its own.
func (h *Hub) serveStore(w http.ResponseWriter, r *http.Request) {
	name, file, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/-/")
	h.mu.Lock()
	f, ok := h.repos[name].file(file)
	h.mu.Unlock()
	if !ok || r.URL.Query().Get("signature") == "" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("ETag", `"store-`+f.ETag()[:8]+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.Data))
}
