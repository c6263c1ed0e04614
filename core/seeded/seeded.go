// Package seeded makes random numbers that are pure functions of a seed, of
// names and of an index, so that request i of a run is the same whoever makes
// it, in whatever order, and however many workers there are.
//
// A Stream is a counter-based generator: the SplitMix64 sequence of Steele, Lea
// and Flood (Fast Splittable Pseudorandom Number Generators, OOPSLA 2014), whose
// i-th output is a hash of the key plus i times an odd constant. It needs no
// state, so any index can be asked for, concurrently. It is not fit for secrets.
package seeded

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// Stream is an endless sequence of random numbers, open at every index.
// Streams are values; they are equal where seed and names were.
type Stream struct{ key, key2 uint64 }

// New returns the stream of a seed and names. The names are hashed with their
// lengths, so that ("ab", "c") and ("a", "bc") differ.
func New(seed uint64, names ...string) Stream {
	h := sha256.New()
	var word [8]byte
	binary.LittleEndian.PutUint64(word[:], seed)
	h.Write(word[:])
	for _, name := range names {
		binary.LittleEndian.PutUint64(word[:], uint64(len(name)))
		h.Write(word[:])
		h.Write([]byte(name))
	}
	sum := h.Sum(nil)
	return Stream{binary.LittleEndian.Uint64(sum), binary.LittleEndian.Uint64(sum[8:])}
}

// golden is 2^64 divided by the golden ratio, odd: SplitMix64's increment.
const golden = 0x9e3779b97f4a7c15

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Uint64 returns the stream's i-th number.
func (s Stream) Uint64(i uint64) uint64 { return mix(s.key + (i+1)*golden) }

// Float64 returns the stream's i-th number in [0, 1), a multiple of 2^-53.
func (s Stream) Float64(i uint64) float64 { return float64(s.Uint64(i)>>11) / (1 << 53) }

// Rand returns a generator for index i, for whoever needs an unknown number of
// draws there.
func (s Stream) Rand(i uint64) *rand.Rand {
	return rand.New(rand.NewPCG(s.Uint64(i), mix(s.key2+i*golden)))
}

// Permute returns the i-th element of a permutation of the numbers below n,
// the stream's own. i counts modulo n; n must not be 0.
//
// It is a Feistel network of four rounds over the smallest even number of bits
// that holds n, walked along until it lands below n (Black and Rogaway, Ciphers
// with Arbitrary Finite Domains, CT-RSA 2002): under four steps on average.
func (s Stream) Permute(i, n uint64) uint64 {
	i %= n
	half := (bits.Len64(n-1) + 1) / 2
	if half == 0 {
		return 0
	}
	mask := uint64(1)<<half - 1
	for {
		left, right := i>>half, i&mask
		for round := range uint64(4) {
			left, right = right, left^mix(s.key2+round*golden^mix(right+s.key))&mask
		}
		i = left<<half | right
		if i < n {
			return i
		}
	}
}
