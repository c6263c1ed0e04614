package host

import (
	"sync"
	"unsafe"
)

// memory is where a text or an image lies. Comparing that is cheap, and what
// is shared stays alive, so that the place cannot become another's.
type memory struct {
	first *byte
	bytes int
}

// shared knows what was sent as blobs.
type shared struct {
	mu   sync.RWMutex
	ids  map[memory]uint64
	last uint64
}

func newShared() *shared { return &shared{ids: make(map[memory]uint64)} }

func (s *shared) addText(text string) (uint64, []byte) {
	return s.addImage(unsafe.Slice(unsafe.StringData(text), len(text)))
}

// addImage returns a new id for the bytes, or 0 where they are shared already
// or there are none.
func (s *shared) addImage(data []byte) (uint64, []byte) {
	place := memory{unsafe.SliceData(data), len(data)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.ids[place]; known || len(data) == 0 {
		return 0, nil
	}
	s.last++
	s.ids[place] = s.last
	return s.last, data
}

func (s *shared) clear() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []uint64
	for _, id := range s.ids {
		ids = append(ids, id)
	}
	clear(s.ids)
	return ids
}

func (s *shared) id(place memory) (uint64, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.ids) == 0 {
		return 0, false
	}
	id, ok := s.ids[place]
	return id, ok
}

// TextID implements convert.Shared.
func (s *shared) TextID(text string) (uint64, bool) {
	return s.id(memory{unsafe.StringData(text), len(text)})
}

// ImageID implements convert.Shared.
func (s *shared) ImageID(image []byte) (uint64, bool) {
	return s.id(memory{unsafe.SliceData(image), len(image)})
}
