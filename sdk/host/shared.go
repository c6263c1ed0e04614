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

func memoryOf(data []byte) memory { return memory{unsafe.SliceData(data), len(data)} }

// shared knows what was given to be sent as blobs, and what of it has been sent:
// a request that was queued before a blob must not refer to it.
type shared struct {
	mu    sync.RWMutex
	given map[memory]uint64
	sent  map[memory]uint64
	last  uint64
}

func newShared() *shared {
	return &shared{given: make(map[memory]uint64), sent: make(map[memory]uint64)}
}

func (s *shared) addText(text string) (uint64, []byte) {
	return s.addImage(unsafe.Slice(unsafe.StringData(text), len(text)))
}

// addImage returns a new id for the bytes, or 0 where they are shared already
// or there are none.
func (s *shared) addImage(data []byte) (uint64, []byte) {
	place := memoryOf(data)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.given[place]; known || len(data) == 0 {
		return 0, nil
	}
	s.last++
	s.given[place] = s.last
	return s.last, data
}

// clear takes everything back and returns the messages that drop it.
func (s *shared) clear() []blobMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	var drops []blobMessage
	for place, id := range s.given {
		drops = append(drops, blobMessage{id: id, place: place})
	}
	clear(s.given)
	return drops
}

// passed notes that a message is on its way: requests behind it may refer to
// its blob, or must not any more.
func (s *shared) passed(m blobMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(m.data) > 0:
		s.sent[m.place] = m.id
	case s.sent[m.place] == m.id:
		delete(s.sent, m.place)
	}
}

func (s *shared) id(place memory) (uint64, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.sent) == 0 {
		return 0, false
	}
	id, ok := s.sent[place]
	return id, ok
}

// TextID implements convert.Shared.
func (s *shared) TextID(text string) (uint64, bool) {
	return s.id(memory{unsafe.StringData(text), len(text)})
}

// ImageID implements convert.Shared.
func (s *shared) ImageID(image []byte) (uint64, bool) { return s.id(memoryOf(image)) }
