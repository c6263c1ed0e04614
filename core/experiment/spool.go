package experiment

import (
	"fmt"
	"os"
)

// Spool is a temporary file in the experiment's folder, where there is room for
// the results too. It is unlinked while it is open where the system allows it,
// so that nothing is left of it even by a process that is killed.
type Spool struct{ *os.File }

// NewSpool makes an empty spool. Close removes it.
func (f *Folder) NewSpool() (*Spool, error) {
	file, err := os.CreateTemp(f.path, ".spool-*")
	if err != nil {
		return nil, fmt.Errorf("experiment folder %s: %w", f.path, pathReason(err))
	}
	// Where open files cannot be unlinked, Close does it.
	_ = os.Remove(file.Name())
	return &Spool{file}, nil
}

// Close closes and removes the spool.
func (s *Spool) Close() error {
	err := s.File.Close()
	_ = os.Remove(s.Name()) // gone already where it could be
	return err
}
