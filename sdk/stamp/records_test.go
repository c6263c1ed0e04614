package stamp_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// reading is a connection that is only read.
type reading struct {
	net.Conn
	io.Reader
}

func (r reading) Read(p []byte) (int, error) { return r.Reader.Read(p) }

func TestOneRecordAtATime(t *testing.T) {
	stream := []byte("\x16\x03\x03\x00\x02ab" + "\x14\x03\x03\x00\x00" + "\x17\x03\x03\x00\x03cde" + "\x15\x03")
	ends := map[int]bool{7: true, 12: true, 20: true, 22: true}
	for name, source := range map[string]io.Reader{
		"all at hand": bytes.NewReader(stream),
		"in bytes":    iotest.OneByteReader(bytes.NewReader(stream)),
		"in halves":   iotest.HalfReader(bytes.NewReader(stream)),
	} {
		t.Run(name, func(t *testing.T) {
			conn := stamp.OneRecordAtATime(reading{Reader: source})
			var got []byte
			buf := make([]byte, 100)
			for {
				n, err := conn.Read(buf)
				for within := len(got) + 1; within < len(got)+n; within++ {
					if ends[within] {
						t.Errorf("a read goes on after byte %d, where a record ends", within)
					}
				}
				got = append(got, buf[:n]...)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(stream, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
