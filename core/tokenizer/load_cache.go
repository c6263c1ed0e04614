package tokenizer

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// The cache of parsed vocabularies. A large tokenizer.json is mostly tokens and merges; the cache
// keeps them as the tables they become, and the rest of the file as it is.
//
// Entries lie in os.UserCacheDir()/genai-bench/tokenizers. An entry's name is the SHA-256 of the
// tokenizer.json, of this format's version and of the processor architecture, so a file that
// changes finds no entry, wherever it lies. An entry ends in a checksum of its own; one that is
// damaged or incomplete counts as missing and is written anew. Nothing fails for want of a cache.
const (
	cacheFormat = 2
	// cacheFrom is the size from which a file is worth an entry, cacheEntries how many are kept.
	cacheFrom    = 4 << 20
	cacheEntries = 12
)

const cacheMagic = "genai-bench tokenizer cache\n"

// CacheDir sets the folder of the cache of parsed vocabularies; the empty string is for none.
func CacheDir(folder string) Option { return func(o *loadOptions) { o.cache = folder } }

func defaultCache() string {
	folder, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(folder, "genai-bench", "tokenizers")
}

// cachedJSON reads a tokenizer.json by way of the cache.
func cachedJSON(data []byte, folder string) (*Tokenizer, error) {
	if folder == "" || len(data) < cacheFrom {
		return parseJSON(data)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d %s\n", cacheFormat, runtime.GOARCH)
	h.Write(data)
	entry := filepath.Join(folder, hex.EncodeToString(h.Sum(nil)))
	if saved, err := os.ReadFile(entry); err == nil {
		if rest, tables, err := decodeEntry(saved); err == nil {
			if t, _, err := parseDocument(rest, tables); err == nil {
				return t, nil
			}
		}
	}
	t, m, err := parseDocument(data, nil)
	if err != nil {
		return nil, err
	}
	m.neighbours = t.fast.neighbours
	if err := writeEntry(entry, encodeEntry(data, m)); err == nil {
		pruneCache(folder)
	}
	return t, nil
}

// encodeEntry lays out an entry: magic, sections (each its length in 64 bits and its bytes,
// padded to 8), checksum.
func encodeEntry(data []byte, m *modelFile) []byte {
	var rest []byte
	at := 0
	slices.SortFunc(m.bulk, func(a, b cut) int { return cmp.Compare(a.lo, b.lo) })
	for _, c := range m.bulk {
		rest = append(rest, data[at:c.lo]...)
		rest = append(rest, data[c.lo], data[c.hi-1]) // {} or []
		at = c.hi
	}
	rest = append(rest, data[at:]...)
	numbers := []uint64{uint64(m.vocab.count), uint64(m.merges.count), uint64(m.merges.shift), bit(m.hasMap), bit(m.merged)}
	var ascii, bits []uint64
	if n := m.neighbours; n != nil {
		for _, pair := range n.ascii {
			ascii = append(ascii, pair[0], pair[1])
		}
		ascii = append(ascii, n.paired[:]...)
		bits = n.bits
	}
	out := []byte(cacheMagic)
	for _, section := range [][]byte{
		rest, asBytes(numbers), m.vocab.arena, asBytes(m.vocab.entries), asBytes(m.vocab.slots), asBytes(m.vocab.byID),
		asBytes(m.scores), asBytes(m.merges.slots), asBytes(ascii), asBytes(bits),
	} {
		out = pad(out)
		out = binary.NativeEndian.AppendUint64(out, uint64(len(section)))
		out = append(out, section...)
	}
	out = pad(out)
	return binary.NativeEndian.AppendUint64(out, xxhash.Sum64(out))
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func pad(b []byte) []byte {
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

var errCacheEntry = errors.New("damaged cache entry")

// decodeEntry reads an entry; the tables lie in its memory.
func decodeEntry(saved []byte) (rest []byte, tables *modelTables, err error) {
	if len(saved) < len(cacheMagic)+8 || len(saved)%8 != 0 || !bytes.HasPrefix(saved, []byte(cacheMagic)) {
		return nil, nil, errCacheEntry
	}
	body := saved[:len(saved)-8]
	if binary.NativeEndian.Uint64(saved[len(body):]) != xxhash.Sum64(body) {
		return nil, nil, errCacheEntry
	}
	at := len(pad([]byte(cacheMagic)))
	next := func() []byte {
		at = (at + 7) &^ 7
		if len(body)-at < 8 {
			err = errCacheEntry
			return nil
		}
		n := binary.NativeEndian.Uint64(body[at:])
		at += 8
		if n > uint64(len(body)-at) {
			err = errCacheEntry
			return nil
		}
		section := body[at : at+int(n) : at+int(n)]
		at += int(n)
		return section
	}
	rest = next()
	numbers := asSlice[uint64](next())
	v := &vocab{arena: next()}
	v.entries, v.slots, v.byID = asSlice[vocabEntry](next()), asSlice[uint32](next()), asSlice[uint32](next())
	tables = &modelTables{vocab: v, scores: asSlice[float64](next())}
	tables.merges.slots = asSlice[mergeSlot](next())
	ascii, bits := asSlice[uint64](next()), asSlice[uint64](next())
	if err != nil || len(numbers) != 5 {
		return nil, nil, errCacheEntry
	}
	v.count, tables.merges.count, tables.merges.shift = int(numbers[0]), int(numbers[1]), uint(numbers[2])
	tables.hasMap, tables.merged = numbers[3] == 1, numbers[4] == 1
	if len(ascii) > 0 {
		n := &neighbourSet{bits: bits}
		if len(ascii) != 2*len(n.ascii)+len(n.paired) || len(bits) != 1<<neighbourBits/64 {
			return nil, nil, errCacheEntry
		}
		for i := range n.ascii {
			n.ascii[i] = [2]uint64{ascii[2*i], ascii[2*i+1]}
		}
		copy(n.paired[:], ascii[2*len(n.ascii):])
		tables.neighbours = n
	}
	if !tables.sound() {
		return nil, nil, errCacheEntry
	}
	return rest, tables, nil
}

// sound checks what the code that uses the tables relies on.
func (m *modelTables) sound() bool {
	v := m.vocab
	if n := len(v.slots); n == 0 || n&(n-1) != 0 || len(v.entries) >= n {
		return false
	}
	for _, e := range v.entries {
		if uint64(e.off)+uint64(e.size) > uint64(len(v.arena)) || int(e.id) >= len(v.byID) {
			return false
		}
	}
	used := 0
	for _, s := range v.slots {
		if s != 0 {
			used++
		}
		if int(s) > len(v.entries) {
			return false
		}
	}
	for _, s := range v.byID {
		if int(s) > len(v.entries) {
			return false
		}
	}
	n := len(m.merges.slots)
	if !m.merged {
		return used < len(v.slots)
	}
	return used < len(v.slots) && n > 0 && n&(n-1) == 0 && m.merges.count < n && m.merges.shift < 64 && 1<<(64-m.merges.shift) == uint64(n)
}

// writeEntry writes an entry in one step.
func writeEntry(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

// pruneCache removes the entries that were written longest ago, beyond cacheEntries. It is no
// matter if that fails.
func pruneCache(folder string) {
	list, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	type entry struct {
		name    string
		written int64
	}
	var entries []entry
	for _, e := range list {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			entries = append(entries, entry{e.Name(), info.ModTime().UnixNano()})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(b.written, a.written) })
	for i := cacheEntries; i < len(entries); i++ {
		_ = os.Remove(filepath.Join(folder, entries[i].name))
	}
}

// asBytes is a slice of numbers, or of structures of them, as memory.
func asBytes[T any](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(s[0])))
}

// asSlice is its inverse for memory at a multiple of 8; bytes over are dropped.
func asSlice[T any](b []byte) []T {
	var zero T
	n := len(b) / int(unsafe.Sizeof(zero))
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}
