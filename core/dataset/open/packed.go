package open

import (
	"encoding/binary"
	"errors"

	"github.com/genai-bench/genai-bench/core/dataset"
)

// packRecord writes a record, but for its row, as bytes: lengths before texts and
// data.
func packRecord(r dataset.Record) string {
	size := len(r.Text) + 16
	for _, p := range r.Pictures {
		size += len(p.URL) + len(p.Data) + 64
	}
	out := make([]byte, 0, size)
	text := func(t string) { out = append(binary.AppendUvarint(out, uint64(len(t))), t...) }
	text(r.Text)
	for _, p := range r.Pictures {
		text(p.URL)
		text(p.Format)
		out = binary.AppendUvarint(out, uint64(p.Width))
		out = binary.AppendUvarint(out, uint64(p.Height))
		out = append(binary.AppendUvarint(out, uint64(len(p.Data))), p.Data...)
	}
	return string(out)
}

var errPacked = errors.New("is damaged in the temporary file")

// unpackRecord reads what packRecord wrote.
func unpackRecord(packed string) (r dataset.Record, err error) {
	rest := []byte(packed)
	number := func() int {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > 1<<40 {
			err, rest = errPacked, nil
			return 0
		}
		rest = rest[size:]
		return int(n)
	}
	data := func() []byte {
		n := number()
		if n > len(rest) {
			err, rest = errPacked, nil
			return nil
		}
		part := rest[:n:n]
		rest = rest[n:]
		return part
	}
	r.Text = string(data())
	for len(rest) > 0 && err == nil {
		p := dataset.Picture{URL: string(data()), Format: string(data()), Width: number(), Height: number(), Data: data()}
		if p.URL != "" {
			p.Data = nil
		}
		r.Pictures = append(r.Pictures, p)
	}
	if err == nil && len(r.Pictures) == 0 {
		err = errPacked
	}
	return r, err
}
