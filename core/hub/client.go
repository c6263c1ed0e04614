package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/sdk/secret"
)

// maxInfoBytes bounds the answer about a repository: a million file names.
const maxInfoBytes = 128 << 20

// Progress is told how far a download of a file is, in bytes; total is -1 where
// nobody said. It is called from the goroutine that called the client, with
// done = 0 first, or what an interrupted download has left.
type Progress func(file string, done, total int64)

// Client reads from the cache and the hub. It is safe for concurrent use, also
// by several processes and by Python's huggingface_hub at the same time.
type Client struct {
	endpoint *url.URL
	cacheDir string
	token    secret.Secret
	offline  bool
	timeout  time.Duration
	http     *http.Client

	tries   int           // of a request
	backoff time.Duration // before the second try; doubles
	symlink func(old, name string) error
}

// New checks a configuration and reads the token file. Nothing is connected to.
func New(config Config) (*Client, error) {
	if config.problem != nil {
		return nil, config.problem
	}
	endpoint, err := parseEndpoint(config.Endpoint)
	if err != nil {
		return nil, err
	}
	if config.CacheDir == "" {
		return nil, errors.New("there is no place for the hub's cache (set HF_HOME or HF_HUB_CACHE to a folder)")
	}
	if config.Timeout <= 0 {
		config.Timeout = defaultTimeout
	}
	var token secret.Secret
	if !config.Offline {
		if token, err = config.token(); err != nil {
			return nil, err
		}
	}
	return &Client{
		endpoint: endpoint,
		cacheDir: config.CacheDir,
		token:    token,
		offline:  config.Offline,
		timeout:  config.Timeout,
		http: &http.Client{
			Transport:     config.transport(),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		tries:   defaultTries,
		backoff: 500 * time.Millisecond,
		symlink: os.Symlink,
	}, nil
}

// Close closes idle connections. Calls under way go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// CacheDir is the folder of the cache.
func (c *Client) CacheDir() string { return c.cacheDir }

func (c *Client) endpointText() string { return c.endpoint.String() }

// Info is what the hub says about a repository at a revision.
type Info struct {
	Commit string
	// Files are the paths of all files, with slashes. Each is relative and
	// leads nowhere else.
	Files   []string
	Private bool
	Gated   bool
}

// Info asks the hub what a repository holds at a revision; "" is main. The
// cache cannot answer that: offline is an error (see Snapshot).
func (c *Client) Info(ctx context.Context, repo Repo, revision string) (Info, error) {
	if revision == "" {
		revision = defaultRevision
	}
	if err := errors.Join(repo.check(), checkRevision(revision)); err != nil {
		return Info{}, err
	}
	t := target{repo: repo, revision: revision}
	if c.offline {
		return Info{}, failed(ErrOffline, nil, "%s: the hub knows which files it has, and HF_HUB_OFFLINE is set (unset it)", repo)
	}
	// Built as text: a slash in a revision must stay %2F.
	u, err := url.Parse(fmt.Sprintf("%s/api/%ss/%s/revision/%s", c.endpointText(), repo.kind, repo.name, url.PathEscape(revision)))
	if err != nil {
		return Info{}, fmt.Errorf("%s: %w", t, err)
	}
	var data []byte
	for try := 1; ; try++ {
		resp, err := c.fetch(ctx, t, http.MethodGet, u, nil, nil)
		if err != nil {
			return Info{}, err
		}
		data, err = readAll(resp.Body, maxInfoBytes)
		resp.Body.Close()
		if err == nil {
			break
		}
		if try >= c.tries || !c.pause(ctx, try, err) {
			return Info{}, c.unreachable(t, c.endpointText(), try, err)
		}
	}
	return parseInfo(t, c.endpointText(), data)
}

func parseInfo(t target, endpoint string, data []byte) (Info, error) {
	var wire struct {
		SHA      string `json:"sha"`
		Private  bool   `json:"private"`
		Gated    any    `json:"gated"` // false, "auto" or "manual"
		Siblings []struct {
			Name string `json:"rfilename"`
		} `json:"siblings"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return Info{}, failed(ErrDamaged, err, "%s: what %s says of it is not the JSON of a hub: %v (is HF_ENDPOINT right?)", t.repo, endpoint, err)
	}
	if !commitHash.MatchString(wire.SHA) {
		return Info{}, failed(ErrDamaged, nil, "%s: %s names no commit, but %q (is HF_ENDPOINT right?)", t.repo, endpoint, shorten(wire.SHA))
	}
	info := Info{Commit: wire.SHA, Private: wire.Private, Files: make([]string, 0, len(wire.Siblings))}
	switch gated := wire.Gated.(type) {
	case bool:
		info.Gated = gated
	case string:
		info.Gated = gated != ""
	}
	for _, s := range wire.Siblings {
		if err := checkFile(s.Name); err != nil {
			return Info{}, failed(ErrDamaged, nil, "%s: %s lists a file that is refused: %s", t.repo, endpoint, err)
		}
		info.Files = append(info.Files, s.Name)
	}
	return info, nil
}

// metadata is what HEAD says of a file.
type metadata struct {
	commit string
	blob   string // name of the blob: the ETag, made fit for a file's name
	sha256 string // of the contents, in hex; "" where the ETag is none
	size   int64  // -1: not said
	// at is where the contents are. validator is that place's own strong ETag in
	// quotes, or "".
	at        *url.URL
	validator string
}

// head asks for a file's metadata.
func (c *Client) head(ctx context.Context, t target) (metadata, error) {
	u, err := url.Parse(fmt.Sprintf("%s%s/resolve/%s/%s", c.endpointText(), t.repo.page(), url.PathEscape(t.revision), escapeFile(t.file)))
	if err != nil {
		return metadata{}, fmt.Errorf("%s: %w", t, err)
	}
	// A hub sends large files' readers to another host, and says here all that
	// there is to know; a mirror sends them to a hub, and says nothing. A
	// renamed repository is a redirect within the hub.
	resp, err := c.fetch(ctx, t, http.MethodHead, u, nil, func(r *http.Response, sameOrigin bool) bool {
		linked, etag := r.Header.Get("X-Linked-Etag") != "", r.Header.Get("ETag") != ""
		return !linked && (!etag || sameOrigin)
	})
	if err != nil {
		return metadata{}, err
	}
	resp.Body.Close()
	h := resp.Header
	m := metadata{commit: h.Get("X-Repo-Commit"), size: -1, at: resp.Request.URL}
	if m.commit == "" && fullCommit.MatchString(t.revision) {
		m.commit = t.revision
	}
	etag := h.Get("X-Linked-Etag")
	if etag == "" {
		etag = h.Get("ETag")
	}
	if etag == "" || !commitHash.MatchString(m.commit) {
		return metadata{}, failed(ErrUnreachable, nil, "%s: the answer of %s has no ETag or X-Repo-Commit, so it is no hub's (check HF_ENDPOINT and proxies)", t, c.endpointText())
	}
	m.blob, m.sha256 = blobName(etag)
	switch {
	case h.Get("X-Linked-Size") != "":
		if m.size, err = strconv.ParseInt(h.Get("X-Linked-Size"), 10, 64); err != nil || m.size < 0 {
			return metadata{}, failed(ErrDamaged, nil, "%s: X-Linked-Size is %q", t, shorten(h.Get("X-Linked-Size")))
		}
	case !isRedirect(resp.StatusCode):
		m.size = resp.ContentLength
	}
	if isRedirect(resp.StatusCode) {
		if m.at, err = resp.Location(); err != nil {
			return metadata{}, failed(ErrDamaged, nil, "%s: %s redirects to nowhere", t, c.endpointText())
		}
	} else if own := h.Get("ETag"); strings.HasPrefix(own, `"`) {
		m.validator = own
	}
	return m, nil
}
