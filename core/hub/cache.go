package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// storage is a repository's folder in the cache.
func (c *Client) storage(repo Repo) string { return filepath.Join(c.cacheDir, repo.folder()) }

// snapshotDir is where the files of a commit are, if any are.
func (c *Client) snapshotDir(repo Repo, commit string) string {
	return filepath.Join(c.storage(repo), "snapshots", commit)
}

// Snapshot returns the folder of a revision's files in the cache and the
// commit, without asking the network; "" is main. The folder may lack files of
// the repository. An error says where it was looked for.
func (c *Client) Snapshot(repo Repo, revision string) (dir, commit string, err error) {
	if revision == "" {
		revision = defaultRevision
	}
	if err := errors.Join(repo.check(), checkRevision(revision)); err != nil {
		return "", "", err
	}
	storage := c.storage(repo)
	commit = revision
	ref, err := os.ReadFile(filepath.Join(storage, "refs", filepath.FromSlash(revision)))
	switch {
	case err == nil:
		commit = strings.TrimSpace(string(ref))
	case !missing(err) && !isFolder(filepath.Join(storage, "refs", filepath.FromSlash(revision))):
		return "", "", fmt.Errorf("%s in the cache %s: %w", repo, c.cacheDir, err)
	}
	if commitHash.MatchString(commit) {
		dir = c.snapshotDir(repo, commit)
		if isFolder(dir) {
			return dir, commit, nil
		}
	}
	return "", "", failed(ErrOffline, nil, "%s at revision %s is not in the cache (looked for %s)", repo, revision, filepath.Join(storage, "snapshots"))
}

// missing tells errors of files that are not there, also because a part of
// their path is a file.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || strings.HasSuffix(err.Error(), "not a directory")
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// Cached returns the path of a file in the cache, if it is there.
func (c *Client) Cached(repo Repo, revision, file string) (path string, ok bool) {
	if checkFile(file) != nil {
		return "", false
	}
	dir, _, err := c.Snapshot(repo, revision)
	if err != nil {
		return "", false
	}
	path = filepath.Join(dir, filepath.FromSlash(file))
	return path, isFile(path)
}

// knownAbsent tells whether the cache remembers that a commit has no such file.
func (c *Client) knownAbsent(repo Repo, commit, file string) bool {
	return isFile(filepath.Join(c.storage(repo), ".no_exist", commit, filepath.FromSlash(file)))
}

// rememberAbsent notes that a commit has no such file. It saves a question
// later; a cache that cannot be written does without.
func (c *Client) rememberAbsent(repo Repo, commit, file string) {
	path := filepath.Join(c.storage(repo), ".no_exist", commit, filepath.FromSlash(file))
	if os.MkdirAll(filepath.Dir(path), 0o777) != nil {
		return
	}
	if f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666); err == nil {
		f.Close()
	}
}

// writeRef notes the commit that a branch or tag is at.
func (c *Client) writeRef(repo Repo, revision, commit string) error {
	if revision == commit {
		return nil
	}
	path := filepath.Join(c.storage(repo), "refs", filepath.FromSlash(revision))
	if old, err := os.ReadFile(path); err == nil && string(old) == commit {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return c.unwritable(err)
	}
	return c.replace(path, func(f *os.File) error {
		_, err := f.WriteString(commit)
		return err
	})
}

// replace writes a file beside path and puts it in its place.
func (c *Client) replace(path string, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return c.unwritable(err)
	}
	defer os.Remove(f.Name()) // nothing is there any more after the rename
	err = write(f)
	if chmod := f.Chmod(0o644); err == nil && chmod != nil {
		err = chmod
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return c.unwritable(err)
	}
	return nil
}

// link makes the snapshot's entry of a blob: a relative symlink, or a copy.
func (c *Client) link(blob, pointer string) error {
	if same, err := filepath.EvalSymlinks(pointer); err == nil {
		if real, err := filepath.EvalSymlinks(blob); err == nil && real == same {
			return nil
		}
	}
	if err := os.MkdirAll(filepath.Dir(pointer), 0o777); err != nil {
		return c.unwritable(err)
	}
	relative, err := filepath.Rel(filepath.Dir(pointer), blob)
	if err == nil {
		// A symlink cannot be made over an old one; a rename replaces it.
		draft := fmt.Sprintf("%s.%d-%d.tmp", pointer, os.Getpid(), time.Now().UnixNano())
		if err = c.symlink(relative, draft); err == nil {
			if err = os.Rename(draft, pointer); err == nil {
				return nil
			}
			os.Remove(draft)
		}
	}
	return c.replace(pointer, func(to *os.File) error {
		from, err := os.Open(blob)
		if err != nil {
			return err
		}
		defer from.Close()
		_, err = io.Copy(to, from)
		return err
	})
}

// unwritable words an error of writing into the cache.
func (c *Client) unwritable(err error) error {
	advice := "set HF_HOME or HF_HUB_CACHE to a folder that can be written"
	if strings.Contains(err.Error(), "no space left") {
		advice = "free some space, or set HF_HUB_CACHE to a folder elsewhere"
	}
	return fmt.Errorf("writing to the hub's cache %s: %w (%s)", c.cacheDir, linkReason(err), advice)
}

func linkReason(err error) error {
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return reason(err)
}

var (
	plainETag = regexp.MustCompile(`^[0-9A-Za-z_-][0-9A-Za-z._-]{0,127}$`)
	hexSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// blobName makes an ETag the name of a file, as huggingface_hub does. For large
// files the hub's ETag is the SHA-256 of the contents, which is returned too.
func blobName(etag string) (name, sum string) {
	name = strings.Trim(strings.TrimPrefix(etag, "W/"), `"`)
	if hexSHA256.MatchString(name) {
		return name, name
	}
	if !plainETag.MatchString(name) || strings.HasSuffix(name, ".incomplete") {
		// Unknown to the hub, but some server's: any name of its own will do.
		digest := sha256.Sum256([]byte(etag))
		name = "etag-" + hex.EncodeToString(digest[:16])
	}
	return name, ""
}

// lockPoll is how often a lock that is held is tried again.
const lockPoll = 50 * time.Millisecond

// lock waits for the right to download a blob; unlock gives it back. locked is
// false where the file system knows no locks.
func (c *Client) lock(ctx context.Context, repo Repo, blob string) (locked bool, unlock func(), err error) {
	path := filepath.Join(c.cacheDir, ".locks", repo.folder(), blob+".lock")
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return false, nil, c.unwritable(err)
	}
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o664)
		if err != nil {
			return false, nil, c.unwritable(err)
		}
		locked, supported := tryLock(f)
		// Whoever had the lock may have removed its file: then this lock is of a
		// file that nobody else will open.
		if locked && sameAsPath(f, path) || !supported {
			return locked, func() { f.Close() }, nil
		}
		f.Close()
		if locked {
			continue
		}
		timer := time.NewTimer(lockPoll)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false, nil, fmt.Errorf("waiting for another download of the same file (%s): %w", path, context.Cause(ctx))
		case <-timer.C:
		}
	}
}

func sameAsPath(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}
