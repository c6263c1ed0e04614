package catalog_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/catalog"
	"github.com/genai-bench/genai-bench/sdk"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/option"
)

// place puts an executable file of a plugin's name into a folder.
func place(t *testing.T, folder, name string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte("binary of "+name), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func described(plugin string, options map[string]option.Type, backends ...string) sdk.Description {
	d := sdk.Description{Plugin: sdk.PluginInfo{Name: plugin, Version: "1"}}
	for _, name := range backends {
		b := &backend.Description{Name: name, Aliases: []string{name + "-alias"}}
		for o, typ := range options {
			b.Options = append(b.Options, option.Option{Name: o, Type: typ})
		}
		d.Components = append(d.Components, sdk.Component{Kind: sdk.BackendComponent, Backend: b})
	}
	return d
}

func TestTheFirstBinaryOfANameWins(t *testing.T) {
	root := t.TempDir()
	first := place(t, filepath.Join(root, "a"), "genai-bench-plugin-x", 0o755)
	second := place(t, filepath.Join(root, "b"), "genai-bench-plugin-x", 0o755)
	place(t, filepath.Join(root, "b"), "genai-bench-plugin-noexec", 0o644)
	place(t, filepath.Join(root, "b"), "something-else", 0o755)
	place(t, filepath.Join(root, "b"), "genai-bench-plugin-", 0o755)

	describe := func(context.Context, string) (sdk.Description, error) { return described("x", nil, "ex"), nil }
	c := catalog.Search(t.Context(), []catalog.Folder{
		{Path: filepath.Join(root, "a"), Source: "--plugin-dir", Asked: true},
		{Path: filepath.Join(root, "a") + "/.", Source: "the same again"},
		{Path: filepath.Join(root, "b"), Source: "beside the program"},
		{Path: filepath.Join(root, "absent"), Source: "user data folder"},
	}, describe, nil)

	type row struct{ Path, ShadowedBy string }
	var got []row
	for _, e := range c.Entries {
		got = append(got, row{e.Path, e.ShadowedBy})
	}
	if diff := cmp.Diff([]row{{first, ""}, {second, first}}, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if len(c.Problems) != 0 {
		t.Errorf("problems: %v", c.Problems)
	}
	e, d, err := c.Backend("EX-Alias")
	if err != nil || e.Path != first || d.Name != "ex" {
		t.Errorf("Backend(EX-Alias) = %s, %s, %v", e.Path, d.Name, err)
	}
}

func TestAnUnknownBackendSaysWhatThereIsAndWhereWasLooked(t *testing.T) {
	root := t.TempDir()
	place(t, root, "genai-bench-plugin-good", 0o755)
	place(t, root, "genai-bench-plugin-bad", 0o755)
	describe := func(_ context.Context, path string) (sdk.Description, error) {
		if strings.HasSuffix(path, "bad") {
			return sdk.Description{}, errors.New("printed nonsense")
		}
		return described("good", nil, "openai", "vllm"), nil
	}
	c := catalog.Search(t.Context(), []catalog.Folder{
		{Path: root, Source: "GENAI_BENCH_PLUGIN_PATH", Asked: true},
		{Path: filepath.Join(root, "nowhere"), Source: "--plugin-dir", Asked: true},
	}, describe, nil)
	_, _, err := c.Backend("opnai")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`"opnai"`, "openai, vllm", root, "GENAI_BENCH_PLUGIN_PATH", "nowhere", "printed nonsense"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q: %v", want, err)
		}
	}
	if len(c.Problems) != 1 || !strings.Contains(c.Problems[0].Error(), "nowhere") {
		t.Errorf("the folder that was asked for and is absent is not named: %v", c.Problems)
	}
}

func TestContradictionsAreNamed(t *testing.T) {
	root := t.TempDir()
	place(t, root, "genai-bench-plugin-a", 0o755)
	place(t, root, "genai-bench-plugin-b", 0o755)
	describe := func(_ context.Context, path string) (sdk.Description, error) {
		if strings.HasSuffix(path, "a") {
			return described("a", map[string]option.Type{"region": option.String, "zone": option.String}, "one", "two"), nil
		}
		return described("b", map[string]option.Type{"region": option.Int, "zone": option.String}, "two"), nil
	}
	c := catalog.Search(t.Context(), []catalog.Folder{{Path: root}}, describe, nil)
	var text []string
	for _, p := range c.Problems {
		text = append(text, p.Error())
	}
	joined := strings.Join(text, "\n")
	for _, want := range []string{`backend "two"`, "option --region"} {
		if !strings.Contains(joined, want) {
			t.Errorf("problems lack %q:\n%s", want, joined)
		}
	}
	if strings.Contains(joined, "--zone") {
		t.Errorf("an option of one type in two plugins is one flag:\n%s", joined)
	}
	if diff := cmp.Diff([]string{"one", "two"}, c.OptionOwners("zone")); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}

func TestTheCacheAsksAgainOnlyWhenTheBinaryChanged(t *testing.T) {
	root, store := t.TempDir(), t.TempDir()
	path := place(t, root, "genai-bench-plugin-x", 0o755)
	asked := 0
	describe := func(context.Context, string) (sdk.Description, error) {
		asked++
		return described("x", nil, "ex"), nil
	}
	search := func(version string) {
		t.Helper()
		cache := catalog.OpenCache(store, version)
		c := catalog.Search(t.Context(), []catalog.Folder{{Path: root}}, describe, cache)
		if _, _, err := c.Backend("ex"); err != nil {
			t.Fatal(err)
		}
		if err := cache.Save(); err != nil {
			t.Fatal(err)
		}
	}
	steps := []struct {
		name   string
		change func()
		want   int
	}{
		{"first", func() { search("1") }, 1},
		{"again", func() { search("1") }, 1},
		{"binary changed", func() {
			if err := os.WriteFile(path, []byte("a longer binary of x, built anew"), 0o755); err != nil {
				t.Fatal(err)
			}
			search("1")
		}, 2},
		{"another version of the program", func() { search("2") }, 3},
		{"cache damaged", func() {
			if err := os.WriteFile(filepath.Join(store, "plugin-descriptions.json"), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
			search("2")
		}, 4},
	}
	for _, step := range steps {
		step.change()
		if asked != step.want {
			t.Fatalf("%s: plugin asked %d times, want %d", step.name, asked, step.want)
		}
	}
}

func TestTheOrderOfFolders(t *testing.T) {
	env := map[string]string{
		"GENAI_BENCH_PLUGIN_PATH": "/p1" + string(os.PathListSeparator) + "/p2",
		"XDG_DATA_HOME":           "/data",
	}
	got := catalog.Folders(catalog.Places{
		PluginDirs: []string{"/d1", "/d2"},
		Getenv:     func(k string) string { return env[k] },
		Executable: "/opt/bin/genai-bench",
		Home:       "/home/u",
	})
	var paths []string
	for _, f := range got {
		paths = append(paths, f.Path)
	}
	want := []string{"/d1", "/d2", "/p1", "/p2", "/opt/bin/plugins", "/data/genai-bench/plugins"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("folders (-want +got):\n%s", diff)
	}
}
