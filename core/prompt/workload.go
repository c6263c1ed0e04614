package prompt

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// Workload is the identity of the requests of a run: a SHA-256 over the
// digests of the requests in order of their index. Two runs with equal hashes
// over equally many requests have asked the same. It is not safe for
// concurrent use.
type Workload struct {
	sum      hash.Hash
	requests uint64
}

// NewWorkload returns the workload without requests.
func NewWorkload() *Workload { return &Workload{sum: sha256.New()} }

// Add takes the next request in.
func (w *Workload) Add(item Item) {
	w.sum.Write(item.Digest[:])
	w.requests++
}

// Requests is how many were added.
func (w *Workload) Requests() uint64 { return w.requests }

// Hash returns the hash so far, in hexadecimal.
func (w *Workload) Hash() string { return hex.EncodeToString(w.sum.Sum(nil)) }

// digest hashes what a request asks: its texts and images, and how long the
// answer shall be. Its number, times and transport do not count. Every field
// is written with its length, so that no two requests look alike.
func digest(r *backend.Request) (sum [32]byte) {
	d := &digester{sum: sha256.New()}
	d.texts(string(r.Task), string(r.Kind()))
	d.flag(r.FixOutputLength)
	switch {
	case r.Chat != nil:
		d.number(uint64(len(r.Chat.Messages)))
		for _, m := range r.Chat.Messages {
			d.message(m)
		}
		d.number(uint64(r.Chat.MaxTokens))
		d.flag(r.Chat.Stream)
	case r.Completion != nil:
		d.texts(r.Completion.Prompt)
		d.number(uint64(len(r.Completion.TokenIDs)))
		for _, id := range r.Completion.TokenIDs {
			d.number(uint64(id))
		}
		d.number(uint64(r.Completion.MaxTokens))
		d.flag(r.Completion.Stream)
	case r.Embed != nil:
		d.number(uint64(len(r.Embed.Inputs)))
		d.texts(r.Embed.Inputs...)
		for i := range r.Embed.Images {
			d.image(&r.Embed.Images[i])
		}
	case r.Rerank != nil:
		d.texts(r.Rerank.Query)
		d.texts(r.Rerank.Documents...)
	case r.Image != nil:
		d.texts(r.Image.Prompt)
		d.number(uint64(r.Image.N))
		d.number(uint64(r.Image.Width))
		d.number(uint64(r.Image.Height))
	case r.Speech != nil:
		d.texts(r.Speech.Text, r.Speech.Voice, r.Speech.Format)
	}
	d.sum.Sum(sum[:0])
	return sum
}

type digester struct {
	sum hash.Hash
	buf [1024]byte // texts pass through it: a hash takes bytes, and a string's would be copied to the heap
}

func (d *digester) number(n uint64) {
	binary.LittleEndian.PutUint64(d.buf[:8], n)
	d.sum.Write(d.buf[:8])
}

func (d *digester) flag(b bool) {
	if b {
		d.number(1)
	} else {
		d.number(0)
	}
}

func (d *digester) raw(text string) {
	for len(text) > 0 {
		n := copy(d.buf[:], text)
		d.sum.Write(d.buf[:n])
		text = text[n:]
	}
}

func (d *digester) texts(list ...string) {
	for _, text := range list {
		d.number(uint64(len(text)))
		d.raw(text)
	}
}

// message writes adjacent text parts as one text, which they are on the wire.
func (d *digester) message(m backend.Message) {
	d.texts(m.Role)
	for parts := m.Parts; ; {
		run, length := 0, 0
		for run < len(parts) && parts[run].Image == nil {
			length += len(parts[run].Text)
			run++
		}
		d.number(uint64(length))
		for _, p := range parts[:run] {
			d.raw(p.Text)
		}
		if run == len(parts) {
			d.flag(false)
			return
		}
		d.flag(true) // an image follows
		d.image(parts[run].Image)
		parts = parts[run+1:]
	}
}

func (d *digester) image(i *backend.Image) {
	d.texts(i.MIME, i.URL)
	d.number(uint64(len(i.Bytes)))
	d.sum.Write(i.Bytes)
}
