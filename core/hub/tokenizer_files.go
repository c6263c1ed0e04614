package hub

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// What a tokenizer consists of. TokenizerFolder fetches them in this order, the
// vocabulary last: where it is there, the others are, or are known not to be.
var (
	sideFiles = []string{"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "chat_template.json"}
	// fallbacks stand in for a tokenizer.json that is missing.
	fallbacks = []string{"merges.txt", "vocab.json", "vocab.txt", "tokenizer.model"}
)

const (
	mainFile      = "tokenizer.json"
	moreTemplates = "additional_chat_templates"
	vocabularies  = "tokenizer.json, tokenizer.model, vocab.txt, vocab.json with merges.txt, *.tiktoken"
)

// TokenizerFolder returns a folder that holds the tokenizer of a model and its
// chat templates, as far as the model has them: tokenizer.json (or, only where
// that is missing, the files that stand in for it), tokenizer_config.json,
// special_tokens_map.json, added_tokens.json, chat_template.jinja,
// chat_template.json and additional_chat_templates/*.jinja. It is a snapshot
// folder of the cache, which may hold other files as well.
//
// The network is used only where the cache is not known to be complete. A cache
// that may lack a chat template, but has a tokenizer, is used as it is offline
// and where the hub cannot be reached. revision "" is main; progress may be nil.
func (c *Client) TokenizerFolder(ctx context.Context, name, revision string, progress Progress) (dir string, err error) {
	if revision == "" {
		revision = defaultRevision
	}
	repo := Model(name)
	if err := errors.Join(repo.check(), checkRevision(revision)); err != nil {
		return "", err
	}
	cached, commit, cacheErr := c.Snapshot(repo, revision)
	usable := cacheErr == nil && hasVocabulary(cached)
	if usable && (c.offline || c.isComplete(repo, cached, commit)) {
		return cached, nil
	}
	if c.offline {
		return "", c.noTokenizerOffline(repo, revision, cached)
	}
	if usable {
		ctx = once(ctx)
	}
	dir, err = c.downloadTokenizer(ctx, repo, revision, progress)
	if errors.Is(err, errMoved) {
		dir, err = c.downloadTokenizer(ctx, repo, revision, progress)
	}
	if usable && err != nil && ctx.Err() == nil {
		// Nothing that the hub says, or cannot say, makes what is there unusable.
		return cached, nil
	}
	return dir, err
}

// errMoved: a branch went to another commit between two requests.
var errMoved = errors.New("the revision moved during the download")

func (c *Client) noTokenizerOffline(repo Repo, revision, cached string) error {
	if cached != "" {
		return failed(ErrOffline, nil, "%s: the cache has no tokenizer of it (none of %s in %s), and HF_HUB_OFFLINE is set (unset it to download)", repo, vocabularies, cached)
	}
	return failed(ErrOffline, nil, "%s at revision %s is not in the cache (looked for %s in %s), and HF_HUB_OFFLINE is set (unset it to download)",
		repo, revision, mainFile, filepath.Join(c.storage(repo), "snapshots"))
}

// hasVocabulary tells whether a tokenizer can be loaded from a folder.
func hasVocabulary(dir string) bool {
	for _, name := range []string{mainFile, "tokenizer.model", "vocab.txt"} {
		if isFile(filepath.Join(dir, name)) {
			return true
		}
	}
	if isFile(filepath.Join(dir, "vocab.json")) && isFile(filepath.Join(dir, "merges.txt")) {
		return true
	}
	entries, err := os.ReadDir(dir)
	return err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasSuffix(e.Name(), ".tiktoken") })
}

// isComplete tells whether nothing that TokenizerFolder wants can be missing.
// The cache may be Python's, which has what somebody happened to ask for.
func (c *Client) isComplete(repo Repo, dir, commit string) bool {
	settled := func(name string) bool {
		return isFile(filepath.Join(dir, name)) || c.knownAbsent(repo, commit, name)
	}
	if !settled(mainFile) || !settled("tokenizer_config.json") {
		return false
	}
	if settled("chat_template.jinja") {
		return true
	}
	config, err := os.ReadFile(filepath.Join(dir, "tokenizer_config.json"))
	return err == nil && bytes.Contains(config, []byte(`"chat_template"`))
}

func (c *Client) downloadTokenizer(ctx context.Context, repo Repo, revision string, progress Progress) (string, error) {
	info, err := c.Info(ctx, repo, revision)
	if err != nil {
		return "", err
	}
	wanted := tokenizerFiles(info.Files)
	if len(wanted) == 0 {
		return "", failed(ErrNotFound, nil, "%s has no tokenizer: none of %s among its %d files (give the name of the model that it was made from)",
			repo, vocabularies, len(info.Files))
	}
	dir := c.snapshotDir(repo, info.Commit)
	for _, file := range wanted {
		if isFile(filepath.Join(dir, filepath.FromSlash(file))) {
			continue
		}
		if _, _, err := c.fetchFile(ctx, target{repo, revision, file}, info.Commit, progress); err != nil {
			return "", err
		}
	}
	for _, file := range append([]string{mainFile}, sideFiles...) {
		if !slices.Contains(info.Files, file) {
			c.rememberAbsent(repo, info.Commit, file)
		}
	}
	return dir, c.writeRef(repo, revision, info.Commit)
}

// tokenizerFiles chooses from a repository's files; none where there is no
// vocabulary.
func tokenizerFiles(files []string) []string {
	has := func(name string) bool { return slices.Contains(files, name) }
	var vocabulary []string
	switch {
	case has(mainFile):
		vocabulary = []string{mainFile}
	default:
		for _, name := range fallbacks {
			if has(name) {
				vocabulary = append(vocabulary, name)
			}
		}
		for _, name := range files {
			if path.Dir(name) == "." && path.Ext(name) == ".tiktoken" {
				vocabulary = append(vocabulary, name)
			}
		}
		if !slices.ContainsFunc(vocabulary, func(name string) bool {
			return name != "merges.txt" && (name != "vocab.json" || has("merges.txt"))
		}) {
			return nil
		}
	}
	var wanted []string
	for _, name := range sideFiles {
		if has(name) {
			wanted = append(wanted, name)
		}
	}
	for _, name := range files {
		if path.Dir(name) == moreTemplates && path.Ext(name) == ".jinja" {
			wanted = append(wanted, name)
		}
	}
	return append(wanted, vocabulary...)
}
