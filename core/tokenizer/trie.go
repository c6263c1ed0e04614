package tokenizer

import "strings"

// A trie maps strings to numbers. Its edges lie in one hash table, keyed by node and byte, so
// that it is quick to build and a step costs one probe.
type trie struct {
	edges  []trieEdge
	shift  uint
	nodes  uint32   // besides the root, which is 0
	values []uint32 // by node: value + 1, 0 for none
}

type trieEdge struct {
	key  uint32 // node<<8 | byte, plus 1; 0 is free
	node uint32
}

// maxTrieNodes keeps keys within 32 bits.
const maxTrieNodes = 1<<24 - 2

func indexByte(s string, b byte) int { return strings.IndexByte(s, b) }

func (t *trie) slot(key uint32) *trieEdge {
	mask := uint32(len(t.edges) - 1)
	for i := uint32((uint64(key) * mix1) >> t.shift); ; i = (i + 1) & mask {
		e := &t.edges[i&mask]
		if e.key == key || e.key == 0 {
			return e
		}
	}
}

func (t *trie) grow() {
	old := t.edges
	size, log := 64, uint(6)
	for size < len(old)*2 {
		size, log = size*2, log+1
	}
	t.edges, t.shift = make([]trieEdge, size), 64-log
	for _, e := range old {
		if e.key != 0 {
			*t.slot(e.key) = e
		}
	}
}

// add enters s with a value and reports whether there was room; a string entered twice keeps
// the later value.
func (t *trie) add(s string, value uint32) bool {
	if len(t.values) == 0 {
		t.values = append(t.values, 0)
		t.grow()
	}
	node := uint32(0)
	for i := range len(s) {
		key := (node<<8 | uint32(s[i])) + 1
		e := t.slot(key)
		if e.key == 0 {
			if t.nodes >= maxTrieNodes {
				return false
			}
			if int(t.nodes+1)*2 > len(t.edges) {
				t.grow()
				e = t.slot(key)
			}
			t.nodes++
			*e = trieEdge{key, t.nodes}
			t.values = append(t.values, 0)
		}
		node = e.node
	}
	t.values[node] = value + 1
	return true
}

// step follows the edge b from node.
func (t *trie) step(node uint32, b byte) (uint32, bool) {
	if len(t.edges) == 0 {
		return 0, false
	}
	e := t.slot((node<<8 | uint32(b)) + 1)
	return e.node, e.key != 0
}

// value returns the value at node.
func (t *trie) value(node uint32) (uint32, bool) {
	v := t.values[node]
	return v - 1, v != 0
}

// longest returns the length and the value of the longest string that s begins with.
func (t *trie) longest(s string) (n int, value uint32, ok bool) {
	node := uint32(0)
	for i := range len(s) {
		next, found := t.step(node, s[i])
		if !found {
			break
		}
		node = next
		if v, is := t.value(node); is {
			n, value, ok = i+1, v, true
		}
	}
	return n, value, ok
}

// walk follows s from the root and returns the node where it ends.
func (t *trie) walk(s string) (uint32, bool) {
	node := uint32(0)
	for i := range len(s) {
		next, found := t.step(node, s[i])
		if !found {
			return 0, false
		}
		node = next
	}
	return node, true
}
