package tokenizer

import "slices"

// maxShortWord is the number of symbols up to which scanning for the best pair beats a heap.
const maxShortWord = 40

// A symbol is a token in the making.
type symbol struct {
	id, size uint32
	// rank and into are those of the pair with the next symbol; noRank where there is none.
	rank, into uint32
}

const noRank = ^uint32(0)

// A mergeTable maps pairs of tokens to the rank of their merge and the token it makes.
type mergeTable struct {
	slots []mergeSlot
	shift uint
	count int
}

type mergeSlot struct{ left, right, rank, into uint32 } // rank noRank: free

func (t *mergeTable) init(n int) {
	size, log := 16, uint(4)
	for size*3 < n*4 {
		size, log = size*2, log+1
	}
	t.slots = make([]mergeSlot, size)
	for i := range t.slots {
		t.slots[i].rank = noRank
	}
	t.shift = 64 - log
}

func (t *mergeTable) hash(left, right uint32) uint64 {
	return ((uint64(left)<<32 | uint64(right)) * mix1) >> t.shift
}

// set enters a merge; a pair entered twice keeps the later rank.
func (t *mergeTable) set(left, right, rank, into uint32) {
	if (t.count+1)*8 > len(t.slots)*7 {
		old := t.slots
		t.init(len(old) * 2)
		t.count = 0
		for _, s := range old {
			if s.rank != noRank {
				t.set(s.left, s.right, s.rank, s.into)
			}
		}
	}
	mask := uint64(len(t.slots) - 1)
	for i := t.hash(left, right); ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.rank == noRank {
			t.count++
		} else if s.left != left || s.right != right {
			continue
		}
		*s = mergeSlot{left, right, rank, into}
		return
	}
}

// get returns the rank and the token of a pair, or noRank.
func (t *mergeTable) get(left, right uint32) (rank, into uint32) {
	mask := uint64(len(t.slots) - 1)
	for i := t.hash(left, right); ; i = (i + 1) & mask {
		s := &t.slots[i&mask]
		if s.left == left && s.right == right || s.rank == noRank {
			return s.rank, s.into
		}
	}
}

// mergeShort merges in place: quadratic, and fastest for a few symbols.
func (t *mergeTable) mergeShort(sym []symbol) []symbol {
	n := len(sym)
	if n == 0 {
		return sym
	}
	for i := range n - 1 {
		sym[i].rank, sym[i].into = t.get(sym[i].id, sym[i+1].id)
	}
	sym[n-1].rank = noRank
	for {
		best, at := noRank, 0
		for i := range sym {
			if sym[i].rank < best {
				best, at = sym[i].rank, i
			}
		}
		if best == noRank {
			return sym
		}
		sym[at].id = sym[at].into
		sym[at].size += sym[at+1].size
		copy(sym[at+1:], sym[at+2:])
		sym = sym[:len(sym)-1]
		if at+1 < len(sym) {
			sym[at].rank, sym[at].into = t.get(sym[at].id, sym[at+1].id)
		} else {
			sym[at].rank = noRank
		}
		if at > 0 {
			sym[at-1].rank, sym[at-1].into = t.get(sym[at-1].id, sym[at].id)
		}
	}
}

// A mergeNode is a symbol in a linked list.
type mergeNode struct {
	symbol
	prev, next int32 // -1 at the ends
}

// mergeLong merges with a heap of rank<<32 | position: n log n.
func (t *mergeTable) mergeLong(work *wordWork, dst []wordToken, sym []symbol) []wordToken {
	nodes, heap := slices.Grow(work.nodes[:0], len(sym)), slices.Grow(work.heap[:0], len(sym))
	for i, s := range sym {
		n := mergeNode{symbol: s, prev: int32(i - 1), next: int32(i + 1)}
		n.rank = noRank
		if i+1 < len(sym) {
			n.rank, n.into = t.get(s.id, sym[i+1].id)
		} else {
			n.next = -1
		}
		nodes = append(nodes, n)
		if n.rank != noRank {
			heap = append(heap, uint64(n.rank)<<32|uint64(i))
		}
	}
	for i := len(heap)/4 + 1; i >= 0; i-- {
		siftDown(heap, i)
	}
	for len(heap) > 0 {
		top := heap[0]
		last := len(heap) - 1
		heap[0] = heap[last]
		heap = heap[:last]
		siftDown(heap, 0)
		at := int32(uint32(top))
		node := &nodes[at]
		if node.rank != uint32(top>>32) {
			continue // the pair has changed since
		}
		gone := &nodes[node.next]
		node.id = node.into
		node.size += gone.size
		gone.rank = noRank
		node.next = gone.next
		node.rank = noRank
		if node.next >= 0 {
			nodes[node.next].prev = at
			node.rank, node.into = t.get(node.id, nodes[node.next].id)
			if node.rank != noRank {
				heap = heapPush(heap, uint64(node.rank)<<32|uint64(at))
			}
		}
		if node.prev >= 0 {
			before := &nodes[node.prev]
			before.rank, before.into = t.get(before.id, node.id)
			if before.rank != noRank {
				heap = heapPush(heap, uint64(before.rank)<<32|uint64(node.prev))
			}
		}
	}
	pos := 0
	for i := int32(0); i >= 0; i = nodes[i].next {
		end := pos + int(nodes[i].size)
		dst = append(dst, wordToken{nodes[i].id, pos, end})
		pos = end
	}
	work.nodes, work.heap = nodes, heap
	return dst
}

// The heap has four children to a node: fewer levels, and siblings share a cache line.
func siftDown(h []uint64, i int) {
	if i >= len(h) {
		return
	}
	x := h[i]
	for {
		first := 4*i + 1
		if first >= len(h) {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, len(h)); c++ {
			if h[c] < h[least] {
				least = c
			}
		}
		if h[least] >= x {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = x
}

func heapPush(h []uint64, x uint64) []uint64 {
	h = append(h, x)
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if h[parent] <= x {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = x
	return h
}
