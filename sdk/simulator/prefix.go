package simulator

import (
	"container/list"
	"slices"
	"sync"
)

// prefixBlock is how many tokens the prefix cache remembers at a time, as vLLM
// does by default.
const prefixBlock = 16

// prefixCache remembers the beginnings of prompts whose prefill need not be done
// again: whole blocks, each by a hash of all tokens up to its end, the least
// recently used forgotten first. It is safe for concurrent use.
type prefixCache struct {
	room int // blocks

	mu      sync.Mutex
	blocks  map[uint64]*list.Element
	recent  *list.List // of hashes; the one used last in front, a beginning before what follows it
	touched []*list.Element
	queried uint64 // tokens of prompts that were looked up
	hit     uint64 // tokens of these that were found
}

func newPrefixCache(tokens int) *prefixCache {
	return &prefixCache{room: tokens / prefixBlock, blocks: map[uint64]*list.Element{}, recent: list.New()}
}

// eachBlock calls each with the hash of every whole block, until it says false.
func eachBlock(ids []uint32, each func(hash uint64) bool) {
	hash := uint64(0)
	for len(ids) >= prefixBlock {
		for _, id := range ids[:prefixBlock] {
			hash = mix(hash ^ uint64(id))
		}
		ids = ids[prefixBlock:]
		if !each(hash) {
			return
		}
	}
}

// find tells how many tokens at the beginning of a prompt are remembered, all but
// one at most: the last one is always computed, to know what follows it.
func (c *prefixCache) find(ids []uint32) (tokens int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	eachBlock(ids, func(hash uint64) bool {
		e, known := c.blocks[hash]
		if known {
			c.touched = append(c.touched, e)
			tokens += prefixBlock
		}
		return known
	})
	c.touch()
	if tokens == len(ids) && tokens > 0 {
		tokens--
	}
	c.queried += uint64(len(ids))
	c.hit += uint64(tokens)
	return tokens
}

// remember keeps the blocks of a prompt, or of a prompt and its answer.
func (c *prefixCache) remember(ids []uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	eachBlock(ids, func(hash uint64) bool {
		e, known := c.blocks[hash]
		if !known {
			e = c.recent.PushFront(hash)
			c.blocks[hash] = e
		}
		c.touched = append(c.touched, e)
		return true
	})
	c.touch()
	for len(c.blocks) > c.room {
		oldest := c.recent.Back()
		delete(c.blocks, oldest.Value.(uint64))
		c.recent.Remove(oldest)
	}
}

// touch makes the blocks that were just used the last used, the first of them
// last of all: a block is of no use without those before it.
func (c *prefixCache) touch() {
	for _, e := range slices.Backward(c.touched) {
		c.recent.MoveToFront(e)
	}
	c.touched = c.touched[:0]
}

// figures are the tokens looked up and found so far.
func (c *prefixCache) figures() (queried, hit uint64) {
	if c == nil {
		return 0, 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queried, c.hit
}

// fourBytes are the tokens of a text that is counted by its bytes.
func fourBytes(text string) []uint32 {
	ids := make([]uint32, 0, (len(text)+3)/4)
	for ; len(text) > 0; text = text[min(4, len(text)):] {
		id := uint32(0)
		for _, b := range []byte(text[:min(4, len(text))]) {
			id = id<<8 | uint32(b)
		}
		ids = append(ids, id)
	}
	return ids
}

// Tokens that stand for what is no text in a chat: unlike those of texts, which
// are small or printable.
const (
	roleToken  = 0xff00_0000
	imageToken = 0xff10_0000
)

// messageIDs are the tokens of a message: the template's, its text's, its
// pictures'.
func (c *Config) messageIDs(ids []uint32, role, text string, images int) []uint32 {
	for i := range c.ChatTokensPerMessage {
		ids = append(ids, uint32(roleToken+i)^uint32(len(role)))
	}
	ids = append(ids, c.TokenIDs(text)...)
	for range images * c.ImageTokens {
		ids = append(ids, imageToken)
	}
	return ids
}
