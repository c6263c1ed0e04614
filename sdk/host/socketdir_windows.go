package host

import "os"

// socketDir is only go-plugin's scratch folder here: the transport is loopback
// TCP with certificates.
type socketDir struct{ path string }

func newSocketDir(base string) (*socketDir, error) {
	path, err := os.MkdirTemp(base, "gbp-")
	return &socketDir{path}, err
}

func (d *socketDir) remove() { _ = os.RemoveAll(d.path) }
