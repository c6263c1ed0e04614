// Package catalog finds the plugins of this installation, describes them and
// tells which one serves a backend.
//
// Folders are searched in the order of Folders: those given by --plugin-dir,
// those of GENAI_BENCH_PLUGIN_PATH, plugins/ beside the program, and the
// user's data folder. The first binary of a name wins; later ones are kept as
// shadowed, so that `plugins list` can name them. Files are only ever run from
// these folders and only when their name says that they are plugins.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/genai-bench/genai-bench/sdk"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// BinaryPrefix begins the file name of every plugin.
const BinaryPrefix = "genai-bench-plugin-"

// Folder is one place to look for plugins, with the words that name it to the
// user.
type Folder struct {
	Path   string
	Source string // "--plugin-dir", "GENAI_BENCH_PLUGIN_PATH", …
	// Asked: the user named this folder, so that its absence is an error.
	Asked bool
}

// Places is what Folders needs to know of the environment.
type Places struct {
	PluginDirs []string // values of --plugin-dir, in order
	Getenv     func(string) string
	Executable string // path of the running program
	Home       string // the user's home folder; may be empty
}

// Folders returns the folders to search, first to last.
func Folders(p Places) []Folder {
	var all []Folder
	for _, dir := range p.PluginDirs {
		all = append(all, Folder{Path: dir, Source: "--plugin-dir", Asked: true})
	}
	for _, dir := range filepath.SplitList(p.Getenv("GENAI_BENCH_PLUGIN_PATH")) {
		if dir != "" {
			all = append(all, Folder{Path: dir, Source: "GENAI_BENCH_PLUGIN_PATH", Asked: true})
		}
	}
	if p.Executable != "" {
		exe := p.Executable
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		all = append(all, Folder{Path: filepath.Join(filepath.Dir(exe), "plugins"), Source: "beside the program"})
	}
	if data := userData(p); data != "" {
		all = append(all, Folder{Path: filepath.Join(data, "genai-bench", "plugins"), Source: "user data folder"})
	}
	return all
}

func userData(p Places) string {
	switch {
	case runtime.GOOS == "windows":
		return p.Getenv("LocalAppData")
	case p.Getenv("XDG_DATA_HOME") != "":
		return p.Getenv("XDG_DATA_HOME")
	case p.Home == "":
		return ""
	case runtime.GOOS == "darwin":
		return filepath.Join(p.Home, "Library", "Application Support")
	}
	return filepath.Join(p.Home, ".local", "share")
}

// Entry is one plugin binary that was found.
type Entry struct {
	Name        string // from the file name: NAME of genai-bench-plugin-NAME
	Path        string
	Folder      Folder
	Description sdk.Description
	// Err says why the plugin cannot be used: it did not describe itself.
	Err error
	// ShadowedBy is the path of the binary of the same name found earlier.
	ShadowedBy string
}

// Usable tells whether requests could go through this plugin.
func (e Entry) Usable() bool { return e.Err == nil && e.ShadowedBy == "" }

// Catalog is what was found.
type Catalog struct {
	Folders []Folder
	Entries []Entry // in order of search
	// Problems are faults of the search that do not belong to one plugin: a
	// folder that was asked for and is not there, two plugins that serve the
	// same backend, options that contradict each other.
	Problems []error
}

// Describer asks a binary for its description; sdk/host's Describe is the real
// one.
type Describer func(ctx context.Context, path string) (sdk.Description, error)

// Search looks through the folders. Descriptions come from the cache where it
// has them; cache may be nil. Faults are in the Catalog, because one broken
// plugin must not hide the others.
func Search(ctx context.Context, folders []Folder, describe Describer, cache *Cache) *Catalog {
	c := &Catalog{Folders: folders}
	first := map[string]string{}
	visited := map[string]bool{}
	for _, folder := range folders {
		if id := folderID(folder.Path); visited[id] {
			continue
		} else {
			visited[id] = true
		}
		names, err := binaries(folder.Path)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) || folder.Asked {
				c.Problems = append(c.Problems, fmt.Errorf("plugin folder %s (%s): %w", folder.Path, folder.Source, reason(err)))
			}
			continue
		}
		for _, file := range names {
			e := Entry{
				Name:   strings.TrimSuffix(strings.TrimPrefix(file, BinaryPrefix), ".exe"),
				Path:   filepath.Join(folder.Path, file),
				Folder: folder,
			}
			if winner, taken := first[e.Name]; taken {
				e.ShadowedBy = winner
			} else {
				first[e.Name] = e.Path
			}
			e.Description, e.Err = cache.describe(ctx, e.Path, describe)
			c.Entries = append(c.Entries, e)
		}
	}
	c.Problems = append(c.Problems, c.contradictions()...)
	return c
}

// folderID makes two spellings of a folder equal.
func folderID(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path
}

// reason strips the path that os errors repeat.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// binaries lists the plugin files of a folder by name.
func binaries(folder string) ([]string, error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		name := f.Name()
		if !strings.HasPrefix(name, BinaryPrefix) || name == BinaryPrefix {
			continue
		}
		info, err := os.Stat(filepath.Join(folder, name)) // follows links
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if runtime.GOOS == "windows" {
			if !strings.HasSuffix(name, ".exe") {
				continue
			}
		} else if info.Mode().Perm()&0o111 == 0 {
			continue
		}
		names = append(names, name)
	}
	return names, nil
}

// contradictions finds backends that two usable plugins claim, and options of
// one name and two types.
func (c *Catalog) contradictions() []error {
	var problems []error
	type claim struct{ path, what string }
	backends := map[string]claim{}
	options := map[string]claim{}
	for _, e := range c.Entries {
		if !e.Usable() {
			continue
		}
		for _, b := range e.Description.Backends() {
			for _, name := range append([]string{b.Name}, b.Aliases...) {
				name = strings.ToLower(name)
				if other, taken := backends[name]; taken && other.path != e.Path {
					problems = append(problems, fmt.Errorf("backend %q: claimed by %s and by %s; the first is used", name, other.path, e.Path))
					continue
				}
				backends[name] = claim{path: e.Path}
			}
			for _, o := range b.Options {
				if other, taken := options[o.Name]; taken && other.what != string(o.Type) {
					problems = append(problems, fmt.Errorf("option --%s: %s declares it as %s, %s as %s; they cannot be one flag", o.Name, other.path, other.what, e.Path, o.Type))
					continue
				}
				options[o.Name] = claim{path: e.Path, what: string(o.Type)}
			}
		}
	}
	return problems
}

// BackendNames lists the names of all usable backends, sorted, without aliases.
func (c *Catalog) BackendNames() []string {
	var names []string
	for _, e := range c.Entries {
		if !e.Usable() {
			continue
		}
		for _, b := range e.Description.Backends() {
			names = append(names, b.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Backend finds the plugin that serves a backend, by name or alias in any
// case. The error names what there is and where was looked.
func (c *Catalog) Backend(name string) (Entry, backend.Description, error) {
	for _, e := range c.Entries {
		if !e.Usable() {
			continue
		}
		for _, b := range e.Description.Backends() {
			if b.Answers(name) {
				return e, b, nil
			}
		}
	}
	return Entry{}, backend.Description{}, c.unknown(name)
}

func (c *Catalog) unknown(name string) error {
	var looked []string
	for _, f := range c.Folders {
		looked = append(looked, fmt.Sprintf("%s (%s)", f.Path, f.Source))
	}
	found := "none was found"
	if names := c.BackendNames(); len(names) > 0 {
		found = "found: " + strings.Join(names, ", ")
	}
	text := fmt.Sprintf("unknown backend %q: %s; searched %s", name, found, strings.Join(looked, ", "))
	for _, e := range c.Entries {
		if e.Err != nil {
			text += fmt.Sprintf("; %s is unusable: %v", e.Path, e.Err)
		}
	}
	return errors.New(text)
}

// OptionOwners returns the names of the backends that have an option (by name
// or alias), for the message that refuses it elsewhere.
func (c *Catalog) OptionOwners(flag string) []string {
	var owners []string
	for _, e := range c.Entries {
		if !e.Usable() {
			continue
		}
		for _, b := range e.Description.Backends() {
			for _, o := range b.Options {
				if o.Name == flag || slices.Contains(o.Aliases, flag) {
					owners = append(owners, b.Name)
				}
			}
		}
	}
	slices.Sort(owners)
	return slices.Compact(owners)
}
