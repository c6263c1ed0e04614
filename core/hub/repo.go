package hub

import (
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// defaultRevision is the branch that is meant where none is named.
const defaultRevision = "main"

// Repo is a repository of the hub. Model and Dataset make one.
type Repo struct {
	kind string // "model" or "dataset"
	name string
}

// Model is the model of that name: "org/name", or "name" alone for some old ones.
func Model(name string) Repo { return Repo{"model", name} }

// Dataset is the dataset of that name: "org/name" or "name".
func Dataset(name string) Repo { return Repo{"dataset", name} }

// Name returns the name as the hub knows it, such as "Qwen/Qwen3-8B".
func (r Repo) Name() string { return r.name }

// String returns "model NAME" or "dataset NAME".
func (r Repo) String() string { return r.kind + " " + r.name }

// folder is the repository's name in the cache.
func (r Repo) folder() string {
	return r.kind + "s--" + strings.ReplaceAll(r.name, "/", "--")
}

// page is the path of the repository's web page, and of its files.
func (r Repo) page() string {
	if r.kind == "dataset" {
		return "/datasets/" + r.name
	}
	return "/" + r.name
}

var repoName = regexp.MustCompile(`^(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?/)?[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?$`)

// ValidName tells whether the hub could have a repository of that name.
func ValidName(name string) bool {
	return repoName.MatchString(name) && !strings.Contains(name, "--") && !strings.Contains(name, "..") && !strings.HasSuffix(name, ".git")
}

// check tells what is wrong with the name of a repository.
func (r Repo) check() error {
	if !ValidName(r.name) {
		return fmt.Errorf("%q is not a name on the hub (write it as org/name, of letters, digits, '-', '_' and '.')", shorten(r.name))
	}
	return nil
}

// checkRevision accepts what git accepts as a name of a branch, a tag or a
// commit. It becomes a path below refs, so that nothing may lead out of there.
func checkRevision(revision string) error {
	bad := revision == "" || len(revision) > 250 || strings.ContainsAny(revision, "\\~^:?*[\"<>|") || hasControl(revision) || strings.Contains(revision, "@{")
	for segment := range strings.SplitSeq(revision, "/") {
		bad = bad || segment == "" || strings.HasPrefix(segment, ".") || strings.Contains(segment, "..") || strings.HasSuffix(segment, ".lock")
	}
	if bad || !filepath.IsLocal(filepath.FromSlash(revision)) {
		return fmt.Errorf("%q is not a revision (give a branch, a tag or a commit, such as main)", shorten(revision))
	}
	return nil
}

// checkFile accepts the path of a file inside a repository, with slashes.
func checkFile(name string) error {
	if name == "" || len(name) > 1024 || strings.ContainsAny(name, "\\:") || hasControl(name) || path.Clean(name) != name || name == "." ||
		!filepath.IsLocal(filepath.FromSlash(name)) {
		return fmt.Errorf("%q is not a path inside a repository", shorten(name))
	}
	return nil
}

// commitHash is what the hub calls a commit; it becomes the name of a folder.
var commitHash = regexp.MustCompile(`^[0-9A-Za-z]{1,64}$`)

// fullCommit is a git commit in full, which never moves.
var fullCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)

func hasControl(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
}

// shorten cuts a text that comes from outside to what fits an error's line.
func shorten(text string) string {
	if len(text) > 120 {
		return text[:120] + "…"
	}
	return text
}

// escapeFile escapes a file's path for an address, keeping the slashes.
func escapeFile(name string) string {
	segments := strings.Split(name, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return strings.Join(segments, "/")
}
