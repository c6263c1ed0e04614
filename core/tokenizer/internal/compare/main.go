// Command compare answers for the scripts beside it, which set this module's tokenizers against
// Hugging Face's Rust library, tiktoken and GitHub's bpe crate. See README.md.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/core/tokenizer"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "answer":
		return answer(args[1], os.Stdin, os.Stdout)
	case len(args) >= 3 && args[0] == "speed":
		return speed(args[1], args[2:])
	}
	return errors.New("usage: compare answer TOKENIZER < STRINGS, or compare speed TOKENIZER TEXT...")
}

func load(name string) (*tokenizer.Tokenizer, error) {
	return tokenizer.Load(name)
}

// answer reads strings, each after its length as 32 bits, and writes a line of JSON for each.
func answer(name string, in io.Reader, out io.Writer) error {
	t, err := load(name)
	if err != nil {
		return err
	}
	r, w := bufio.NewReaderSize(in, 1<<20), bufio.NewWriterSize(out, 1<<20)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	var size [4]byte
	for {
		if _, err := io.ReadFull(r, size[:]); errors.Is(err, io.EOF) {
			return w.Flush()
		} else if err != nil {
			return err
		}
		buf := make([]byte, binary.LittleEndian.Uint32(size[:]))
		if _, err := io.ReadFull(r, buf); err != nil {
			return err
		}
		text := string(buf)
		ids := t.AppendEncode([]uint32{}, text)
		with, spans := t.AppendEncodeOffsets([]uint32{}, nil, text, true)
		offsets := [][2]int{}
		for _, s := range spans {
			offsets = append(offsets, [2]int{s.Start, s.End})
		}
		if n := t.Count(text); n != len(ids) {
			return fmt.Errorf("count of %q is %d, but there are %d ids", text, n, len(ids))
		}
		err := e.Encode([]any{ids, t.AppendEncodeSpecial([]uint32{}, text), with, offsets, t.Decode(ids, false), t.Decode(ids, true)})
		if err != nil {
			return err
		}
	}
}

// speed prints, for each text, the best rate of several passes over it in 8 kB documents.
func speed(name string, files []string) error {
	t, err := load(name)
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		docs := documents(string(data))
		best := time.Duration(1<<63 - 1)
		tokens := 0
		var ids []uint32
		for began := time.Now(); time.Since(began) < 2*time.Second; {
			start := time.Now()
			tokens = 0
			for _, d := range docs {
				ids = t.AppendEncode(ids[:0], d)
				tokens += len(ids)
			}
			best = min(best, time.Since(start))
		}
		fmt.Printf("%s %.2f %d\n", file, float64(len(data))/1e6/best.Seconds(), tokens)
	}
	return nil
}

// documents cuts a text into pieces of about 8 kB at ends of lines.
func documents(text string) []string {
	var docs []string
	for len(text) > 8192 {
		n := strings.IndexByte(text[8192:], '\n')
		if n < 0 {
			break
		}
		docs = append(docs, text[:8192+n+1])
		text = text[8192+n+1:]
	}
	return append(docs, text)
}
