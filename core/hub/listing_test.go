package hub_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/hub"
	"github.com/genai-bench/genai-bench/core/hub/hubtest"
)

func TestFilesOfADataset(t *testing.T) {
	h := hubtest.Start()
	defer h.Close()
	main, converted := strings.Repeat("a", 40), strings.Repeat("b", 40)
	h.Put("datasets/org/data", hubtest.Repo{
		Commit: main, Files: map[string]hubtest.File{"README.md": {Data: []byte("# data")}, "data/train-00000-of-00001.parquet": {Data: []byte("PAR1"), Large: true}},
		Branches: map[string]hubtest.Branch{"refs/convert/parquet": {Commit: converted, Files: map[string]hubtest.File{"default/train/0000.parquet": {Data: []byte("PAR2"), Large: true}}}},
	})
	cache := t.TempDir()
	client := func(offline bool, endpoint string) *hub.Client {
		t.Helper()
		c, err := hub.New(hub.Config{Endpoint: endpoint, CacheDir: cache, Offline: offline})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	repo, online := hub.Dataset("org/data"), client(false, h.URL())
	if _, err := client(true, h.URL()).List(t.Context(), repo, ""); !errors.Is(err, hub.ErrOffline) || !strings.Contains(err.Error(), filepath.Join(cache, "datasets--org--data", "snapshots")) {
		t.Errorf("offline, with an empty cache: %v", err)
	}
	for _, c := range []struct{ revision, commit, file, content string }{
		{"", main, "data/train-00000-of-00001.parquet", "PAR1"},
		{"refs/convert/parquet", converted, "default/train/0000.parquet", "PAR2"},
	} {
		listing, err := online.List(t.Context(), repo, c.revision)
		if err != nil {
			t.Fatal(err)
		}
		if listing.Commit != c.commit || listing.Unasked != nil || !slices.Contains(listing.Files, c.file) {
			t.Errorf("revision %q: %+v", c.revision, listing)
		}
		path, err := online.Fetch(t.Context(), repo, c.revision, listing.Commit, c.file, nil)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != c.content {
			t.Errorf("%s: %q, %v", path, data, err)
		}
		h.Requests()
		// What was fetched is there offline, and where the hub does not answer.
		for name, later := range map[string]*hub.Client{"offline": client(true, h.URL()), "unreachable": client(false, "http://127.0.0.1:9")} {
			listing, err := later.List(t.Context(), repo, c.revision)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff([]string{c.file}, listing.Files); diff != "" || listing.Commit != c.commit || listing.Unasked == nil {
				t.Errorf("%s: %+v (-want +got):\n%s", name, listing, diff)
			}
			again, err := later.Fetch(t.Context(), repo, c.revision, listing.Commit, c.file, nil)
			if err != nil || again != path {
				t.Errorf("%s: %s, %v", name, again, err)
			}
		}
		if _, err := client(true, h.URL()).Fetch(t.Context(), repo, c.revision, listing.Commit, "other", nil); !errors.Is(err, hub.ErrOffline) {
			t.Errorf("offline, a file that is not in the cache: %v", err)
		}
		if sent := h.Requests(); len(sent) > 0 {
			t.Errorf("requests: %v", sent)
		}
	}
}
