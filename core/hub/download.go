package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// File returns the path of a file on this machine: from the cache where it is
// there, else downloaded into it. revision is a branch, a tag or a commit, ""
// is main. progress may be nil.
//
// Errors satisfy errors.Is with one of this package's; that of a cancelled
// context with the context's cause.
func (c *Client) File(ctx context.Context, repo Repo, revision, file string, progress Progress) (string, error) {
	t, err := c.target(repo, revision, file)
	if err != nil {
		return "", err
	}
	if path, ok := c.Cached(repo, t.revision, file); ok {
		return path, nil
	}
	if c.offline {
		return "", c.absentOffline(t)
	}
	path, commit, err := c.fetchFile(ctx, t, "", progress)
	if err != nil {
		return "", err
	}
	return path, c.writeRef(repo, t.revision, commit)
}

// Open returns the contents of a file and their size in bytes, -1 where it is
// not known: from the cache where it is there, else over the network without
// storing anything. A connection that breaks is resumed; io.EOF comes only when
// size and checksum were right.
func (c *Client) Open(ctx context.Context, repo Repo, revision, file string) (io.ReadCloser, int64, error) {
	t, err := c.target(repo, revision, file)
	if err != nil {
		return nil, 0, err
	}
	if path, ok := c.Cached(repo, t.revision, file); ok {
		f, err := os.Open(path)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", t, err)
		}
		info, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, 0, fmt.Errorf("%s: %w", t, err)
		}
		return f, info.Size(), nil
	}
	if c.offline {
		return nil, 0, c.absentOffline(t)
	}
	m, err := c.head(ctx, t)
	if err != nil {
		return nil, 0, err
	}
	s := c.newStream(ctx, t, m, 0, m.hasher())
	if m.size != 0 {
		if err := s.connect(); err != nil {
			return nil, 0, err
		}
	}
	return s, s.m.size, nil
}

func (c *Client) target(repo Repo, revision, file string) (target, error) {
	if revision == "" {
		revision = defaultRevision
	}
	return target{repo, revision, file}, errors.Join(repo.check(), checkRevision(revision), checkFile(file))
}

func (c *Client) absentOffline(t target) error {
	return failed(ErrOffline, nil, "%s at revision %s is not in the cache (looked in %s), and HF_HUB_OFFLINE is set (unset it to download)",
		t, t.revision, filepath.Join(c.storage(t.repo), "snapshots"))
}

// fetchFile downloads a file into the cache, once more where it changed
// meanwhile, and returns its path and commit. Where want is a commit, the file
// must be of that one.
func (c *Client) fetchFile(ctx context.Context, t target, want string, progress Progress) (path, commit string, err error) {
	for again := false; ; again = true {
		m, err := c.head(ctx, t)
		if err != nil {
			return "", "", err
		}
		if want != "" && m.commit != want {
			return "", "", failed(ErrDamaged, errMoved, "%s: revision %s moved during the download (try again)", t.repo, t.revision)
		}
		path, err := c.store(ctx, t, m, progress)
		if again || !errors.Is(err, errChanged) {
			return path, m.commit, err
		}
	}
}

// store downloads a file into the cache and returns its path there.
func (c *Client) store(ctx context.Context, t target, m metadata, progress Progress) (string, error) {
	pointer := filepath.Join(c.snapshotDir(t.repo, m.commit), filepath.FromSlash(t.file))
	blob := filepath.Join(c.storage(t.repo), "blobs", m.blob)
	if !isWhole(blob, m.size) {
		if err := c.download(ctx, t, m, blob, progress); err != nil {
			return "", err
		}
	}
	if err := c.link(blob, pointer); err != nil {
		return "", err
	}
	return pointer, nil
}

// isWhole tells whether a file is there in its full size; -1: in any.
func isWhole(path string, size int64) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (size < 0 || info.Size() == size)
}

// download puts a blob in its place.
func (c *Client) download(ctx context.Context, t target, m metadata, blob string, progress Progress) error {
	if err := os.MkdirAll(filepath.Dir(blob), 0o777); err != nil {
		return c.unwritable(err)
	}
	locked, unlock, err := c.lock(ctx, t.repo, m.blob)
	if err != nil {
		return err
	}
	defer unlock()
	if isWhole(blob, m.size) {
		return nil // by whoever had the lock
	}
	draft := blob + ".incomplete"
	if !locked {
		// Where there are no locks, each download has a file of its own.
		draft = fmt.Sprintf("%s.%016x.incomplete", blob, rand.Uint64())
		defer os.Remove(draft)
	}
	resumed, err := c.fill(ctx, t, m, draft, progress)
	if errors.Is(err, ErrDamaged) {
		// What an earlier download left may be to blame.
		os.Remove(draft)
		if resumed && !errors.Is(err, errChanged) {
			_, err = c.fill(ctx, t, m, draft, progress)
			if errors.Is(err, ErrDamaged) {
				os.Remove(draft)
			}
		}
	}
	if err != nil {
		return err
	}
	if err := os.Rename(draft, blob); err != nil && !isWhole(blob, m.size) {
		return c.unwritable(err)
	}
	return nil
}

// fill downloads what a draft lacks. resumed tells whether it had something.
func (c *Client) fill(ctx context.Context, t target, m metadata, draft string, progress Progress) (resumed bool, err error) {
	f, err := os.OpenFile(draft, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return false, c.unwritable(err)
	}
	defer f.Close()
	sum := m.hasher()
	offset, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return false, c.unwritable(err)
	}
	if offset > 0 && (m.size >= 0 && offset > m.size || offset == m.size && sum == nil || sum == nil && m.validator == "") {
		offset = 0 // it is not the beginning of this, or nothing could prove it
		if err := f.Truncate(0); err != nil {
			return false, c.unwritable(err)
		}
	}
	if sum != nil {
		if _, err := io.Copy(sum, io.NewSectionReader(f, 0, offset)); err != nil {
			return false, fmt.Errorf("reading %s: %w", draft, reason(err))
		}
	}
	resumed = offset > 0
	s := c.newStream(ctx, t, m, offset, sum)
	defer s.disconnect()
	if progress == nil {
		progress = func(string, int64, int64) {}
	}
	progress(t.file, offset, m.size)
	buf := make([]byte, 256<<10)
	for {
		n, err := s.Read(buf)
		// At its own place, not at the end of the file: some file systems only
		// pretend to lock.
		if _, err := f.WriteAt(buf[:n], offset); err != nil {
			return resumed, c.unwritable(err)
		}
		offset += int64(n)
		if n > 0 {
			progress(t.file, offset, s.m.size)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return resumed, err
		}
	}
	if err := f.Truncate(offset); err != nil {
		return resumed, c.unwritable(err)
	}
	if err := f.Sync(); err != nil {
		return resumed, c.unwritable(err)
	}
	return resumed, nil
}
