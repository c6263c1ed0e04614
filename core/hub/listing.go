package hub

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
)

// Listing is what is known of a repository's files at a revision.
type Listing struct {
	Commit string
	Files  []string // paths with slashes, in the order of their names
	// Unasked says why the hub was not asked or gave no answer; Files are then
	// those in the cache, which may lack some. nil: Files are all.
	Unasked error
}

// List tells the files of a repository: those that the hub has, or, offline and
// where the hub gives no answer, those in the cache. "" is main. Where neither
// is to be had the error says where it was looked for.
func (c *Client) List(ctx context.Context, repo Repo, revision string) (Listing, error) {
	if revision == "" {
		revision = defaultRevision
	}
	if err := errors.Join(repo.check(), checkRevision(revision)); err != nil {
		return Listing{}, err
	}
	dir, commit, absent := c.Snapshot(repo, revision)
	if c.offline {
		if absent != nil {
			return Listing{}, failed(ErrOffline, nil, "%s at revision %s is not in the cache (looked in %s), and HF_HUB_OFFLINE is set (unset it to download)",
				repo, revision, filepath.Join(c.storage(repo), "snapshots"))
		}
		return c.listCached(dir, commit, failed(ErrOffline, nil, "HF_HUB_OFFLINE is set"))
	}
	asking := ctx
	if absent == nil {
		asking = once(ctx)
	}
	info, err := c.Info(asking, repo, revision)
	switch {
	case err == nil:
		return Listing{Commit: info.Commit, Files: info.Files}, nil
	case absent != nil || ctx.Err() != nil:
		return Listing{}, err
	}
	// Nothing that the hub says, or cannot say, makes what is there unusable.
	return c.listCached(dir, commit, err)
}

// listCached walks through a snapshot.
func (c *Client) listCached(dir, commit string, unasked error) (Listing, error) {
	l := Listing{Commit: commit, Unasked: unasked}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(path, ".tmp") || !isFile(path) {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err == nil {
			l.Files = append(l.Files, filepath.ToSlash(relative))
		}
		return err
	})
	if err != nil {
		return Listing{}, failed(ErrOffline, err, "the cache %s: %v", dir, reason(err))
	}
	return l, nil
}

// Fetch returns the path of a file of a listing: from the cache where it is
// there, else downloaded into it. revision is the listing's, whose ref then
// stands at commit. The errors are those of File.
func (c *Client) Fetch(ctx context.Context, repo Repo, revision, commit, file string, progress Progress) (string, error) {
	t, err := c.target(repo, revision, file)
	if err != nil {
		return "", err
	}
	path := filepath.Join(c.snapshotDir(repo, commit), filepath.FromSlash(file))
	if !isFile(path) {
		if c.offline {
			return "", c.absentOffline(t)
		}
		// Asked for by its commit: a branch that moves meanwhile is no trouble.
		pinned := t
		pinned.revision = commit
		if path, _, err = c.fetchFile(ctx, pinned, commit, progress); err != nil {
			return "", err
		}
	}
	return path, c.keepRef(repo, t.revision, commit)
}

// keepRef writes a ref where it does not stand there yet: a cache that cannot
// be written does without when nothing was downloaded.
func (c *Client) keepRef(repo Repo, revision, commit string) error {
	if _, at, err := c.Snapshot(repo, revision); err == nil && at == commit {
		return nil
	}
	return c.writeRef(repo, revision, commit)
}
