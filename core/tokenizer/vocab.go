package tokenizer

import "fmt"

// noID stands for "no such token".
const noID = ^uint32(0)

// maxID bounds the ids of a vocabulary: they index arrays.
const maxID = 1 << 24

// A vocab maps tokens to ids and back. All tokens lie in one arena. It does not change after
// loading.
type vocab struct {
	arena   []byte
	entries []vocabEntry
	slots   []uint32 // hash table of entry numbers + 1
	byID    []uint32 // entry numbers + 1
	count   int      // distinct tokens
}

type vocabEntry struct{ off, size, id uint32 }

// newVocab prepares for about n tokens.
func newVocab(n int) *vocab {
	v := &vocab{entries: make([]vocabEntry, 0, n), byID: make([]uint32, 0, n), arena: make([]byte, 0, n*8)}
	v.resize(n)
	return v
}

func (v *vocab) resize(n int) {
	size := 16
	for size < n*2 {
		size *= 2
	}
	v.slots = make([]uint32, size)
	for i := range v.entries {
		*v.slot(v.text(uint32(i))) = uint32(i) + 1
	}
}

func (v *vocab) text(entry uint32) string {
	e := v.entries[entry]
	return view(v.arena[e.off : e.off+e.size])
}

// slot finds the place of token, taken or free.
func (v *vocab) slot(token string) *uint32 {
	mask := uint64(len(v.slots) - 1)
	for i := keyOf(token).hash() >> 20 & mask; ; i = (i + 1) & mask {
		s := &v.slots[i]
		if *s == 0 || v.text(*s-1) == token {
			return s
		}
	}
}

// add enters token under id. A token entered twice keeps the later id; an id used twice keeps
// the later token.
func (v *vocab) add(token string, id uint32) error {
	if id >= maxID {
		return fmt.Errorf("id %d of token %q is out of range (at most %d)", id, token, maxID-1)
	}
	if len(v.arena)+len(token) > 1<<31 {
		return fmt.Errorf("the tokens take over 2 GiB")
	}
	if len(v.entries)*2 >= len(v.slots) {
		v.resize(len(v.slots))
	}
	for int(id) >= len(v.byID) {
		v.byID = append(v.byID, 0)
	}
	s := v.slot(token)
	if *s != 0 {
		e := &v.entries[*s-1]
		if v.byID[e.id] == *s {
			v.byID[e.id] = 0
		}
		e.id = id
	} else {
		v.count++
		v.entries = append(v.entries, vocabEntry{uint32(len(v.arena)), uint32(len(token)), id})
		v.arena = append(v.arena, token...)
		*s = uint32(len(v.entries))
	}
	v.byID[id] = *s
	return nil
}

// id looks a token up.
func (v *vocab) id(token string) (uint32, bool) {
	s := *v.slot(token)
	if s == 0 {
		return 0, false
	}
	return v.entries[s-1].id, true
}

// lookup is id with noID for an unknown token.
func (v *vocab) lookup(token string) uint32 {
	s := *v.slot(token)
	if s == 0 {
		return noID
	}
	return v.entries[s-1].id
}

// token returns the token of an id.
func (v *vocab) token(id uint32) (string, bool) {
	if int(id) >= len(v.byID) || v.byID[id] == 0 {
		return "", false
	}
	return v.text(v.byID[id] - 1), true
}
