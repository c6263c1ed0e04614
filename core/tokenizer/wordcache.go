package tokenizer

import (
	"math/bits"
	"strings"
	"sync/atomic"
	"unsafe"
)

const (
	cacheSets   = 1 << 14
	cacheWays   = 4
	maxCacheKey = 128 // longer words are rare and are computed anew
	inlineIDs   = 5
)

// A wordCache remembers the ids of words. Entries are immutable and reached through atomic
// pointers, so readers and writers need no lock.
//
// A set that is full gives a place away only at every sixteenth miss: words in excess of the
// cache cost their computation and not an allocation each time as well.
type wordCache struct {
	sets   [cacheSets][cacheWays]atomic.Pointer[cacheEntry]
	misses atomic.Uint32
}

type cacheEntry struct {
	key wordKey
	n   uint32 // number of ids
	ids [inlineIDs]uint32
	// more holds the ids where there are over inlineIDs; word is the key of a word over 16 bytes.
	more []uint32
	word string
}

// A wordKey is the word itself up to 16 bytes, else two hashes and the length.
type wordKey struct {
	lo, hi uint64
	length uint32
}

func load64(p unsafe.Pointer, i int) uint64 { return *(*uint64)(unsafe.Add(p, i)) }
func load32(p unsafe.Pointer, i int) uint64 { return uint64(*(*uint32)(unsafe.Add(p, i))) }

const (
	mix1 = 0x9E3779B97F4A7C15
	mix2 = 0xD6E8FEB86659FD93
)

// keyOf reads the word by overlapping loads, all of which lie inside it.
func keyOf(w string) wordKey {
	n := len(w)
	p := unsafe.Pointer(unsafe.StringData(w))
	switch {
	case n > 16:
		lo, hi := uint64(mix1), uint64(n)
		i := 0
		for ; i+16 <= n; i += 16 {
			h, l := bits.Mul64(lo^load64(p, i), mix1)
			lo = h ^ l
			h, l = bits.Mul64(hi^load64(p, i+8), mix2)
			hi = h ^ l
			lo += hi
		}
		h, l := bits.Mul64(lo^load64(p, n-16), mix2)
		lo = h ^ l
		h, l = bits.Mul64(hi^load64(p, n-8), mix1)
		return wordKey{lo, h ^ l, uint32(n)}
	case n >= 8:
		return wordKey{load64(p, 0), load64(p, n-8), uint32(n)}
	case n >= 4:
		return wordKey{load32(p, 0) | load32(p, n-4)<<32, 0, uint32(n)}
	case n > 0:
		return wordKey{uint64(w[0]) | uint64(w[n/2])<<8 | uint64(w[n-1])<<16, 0, uint32(n)}
	}
	return wordKey{}
}

// hash mixes strongly: words of one language share most of their bits.
func (k wordKey) hash() uint64 {
	h, l := bits.Mul64(k.lo^mix1, k.hi^mix2^uint64(k.length)<<56)
	h2, l2 := bits.Mul64(h^l^k.lo, mix1)
	return h2 ^ l2
}

// find returns the entry of w or nil.
func (c *wordCache) find(w string, key wordKey, hash uint64) *cacheEntry {
	set := &c.sets[hash>>50]
	home := int(hash & (cacheWays - 1))
	for i := range cacheWays {
		e := set[(home+i)&(cacheWays-1)].Load()
		if e == nil {
			return nil
		}
		if e.key == key && (len(w) <= 16 || e.word == w) {
			return e
		}
	}
	return nil
}

// add remembers the ids of w, if there is room.
func (c *wordCache) add(w string, key wordKey, hash uint64, ids []uint32) {
	set := &c.sets[hash>>50]
	home := int(hash & (cacheWays - 1))
	place := -1
	for i := range cacheWays {
		if set[(home+i)&(cacheWays-1)].Load() == nil {
			place = (home + i) & (cacheWays - 1)
			break
		}
	}
	if place < 0 {
		if c.misses.Add(1)%16 != 0 {
			return
		}
		place = home
	}
	e := &cacheEntry{key: key, n: uint32(len(ids))}
	if len(w) > 16 {
		e.word = strings.Clone(w)
	}
	if len(ids) <= inlineIDs {
		copy(e.ids[:], ids)
	} else {
		e.more = append([]uint32(nil), ids...)
	}
	set[place].Store(e)
}

// appendTo appends the entry's ids.
func (e *cacheEntry) appendTo(dst []uint32) []uint32 {
	if e.n == 1 {
		return append(dst, e.ids[0])
	}
	if e.n <= inlineIDs {
		return append(dst, e.ids[:e.n]...)
	}
	return append(dst, e.more...)
}
