package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/genai-bench/genai-bench/sdk"
)

// cacheFormat changes whenever the cached form does.
const cacheFormat = 1

// Cache remembers descriptions by path, size and modification time of the
// binary, so that --help need not start every plugin. It is only a cache: what
// is unreadable or does not fit is asked anew, and a failure to write it costs
// nothing but time. The checksum of a binary is taken at launch, never here.
type Cache struct {
	path    string
	content cacheContent
	changed bool
}

type cacheContent struct {
	Format  int                    `json:"format"`
	Program string                 `json:"program"`
	Plugins map[string]cachedEntry `json:"plugins"`
}

type cachedEntry struct {
	SizeBytes   int64           `json:"size_bytes"`
	Modified    time.Time       `json:"modified"`
	Description sdk.Description `json:"description"`
}

// OpenCache reads the cache of a folder. program is the version of this
// program: another version trusts nothing that was cached by this one.
func OpenCache(folder, program string) *Cache {
	c := &Cache{
		path:    filepath.Join(folder, "plugin-descriptions.json"),
		content: cacheContent{Format: cacheFormat, Program: program, Plugins: map[string]cachedEntry{}},
	}
	var stored cacheContent
	data, err := os.ReadFile(c.path)
	if err != nil || json.Unmarshal(data, &stored) != nil {
		return c
	}
	if stored.Format == cacheFormat && stored.Program == program && stored.Plugins != nil {
		c.content = stored
	}
	return c
}

func (c *Cache) describe(ctx context.Context, path string, describe Describer) (sdk.Description, error) {
	if c == nil {
		return describe(ctx, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return sdk.Description{}, err
	}
	key := folderID(path)
	if hit, ok := c.content.Plugins[key]; ok && hit.SizeBytes == info.Size() && hit.Modified.Equal(info.ModTime()) {
		return hit.Description, nil
	}
	d, err := describe(ctx, path)
	if err != nil {
		return d, err
	}
	c.content.Plugins[key] = cachedEntry{SizeBytes: info.Size(), Modified: info.ModTime(), Description: d}
	c.changed = true
	return d, nil
}

// Save writes the cache where something was learnt. Entries of binaries that
// are gone are dropped.
func (c *Cache) Save() error {
	if c == nil || !c.changed {
		return nil
	}
	for path := range c.content.Plugins {
		if _, err := os.Stat(path); err != nil {
			delete(c.content.Plugins, path)
		}
	}
	data, err := json.Marshal(c.content)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(c.path), ".plugin-descriptions-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already where the rename succeeded
	if _, err := tmp.Write(data); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), c.path)
}

// Checksum is the SHA-256 of a plugin binary, in hexadecimal in results and in
// `plugins list`.
func Checksum(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, fmt.Errorf("checksum of %s: %w", path, err)
	}
	return h.Sum(nil), nil
}
