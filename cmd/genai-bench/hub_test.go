package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/genai-bench/genai-bench/core/hub/hubtest"
)

// startHub is the command "hub": hub TOKENIZER TOKEN VAR starts a hub that lives as long as the script and
// sets VAR to its address. It has the files of the folder TOKENIZER as
// org/demo, again as org/slow, which takes more than a second, and, for
// whoever sends TOKEN, as org/gated.
func startHub(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: hub TOKENIZER TOKEN VAR")
	}
	dir := ts.MkAbs(args[0])
	entries, err := os.ReadDir(dir)
	ts.Check(err)
	files := map[string]hubtest.File{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		ts.Check(err)
		files[e.Name()] = hubtest.File{Data: data, Large: e.Name() == "tokenizer.json"}
	}
	h := hubtest.Start()
	ts.Defer(h.Close)
	commit := strings.Repeat("0123456789", 4)
	h.Put("models/org/demo", hubtest.Repo{Commit: commit, Files: files})
	h.Put("models/org/slow", hubtest.Repo{Commit: commit, Files: files})
	h.Put("models/org/gated", hubtest.Repo{Commit: commit, Files: files, Token: args[1], Gated: true})
	h.Put("models/org/empty", hubtest.Repo{Commit: commit, Files: map[string]hubtest.File{"model.gguf": {}}})
	h.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/org/slow/-/") {
			time.Sleep(1100 * time.Millisecond)
		}
		return false
	})
	ts.Setenv(args[2], h.URL())
}
