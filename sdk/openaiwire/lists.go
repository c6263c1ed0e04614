package openaiwire

import (
	"encoding/base64"
	"encoding/json"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
)

// list is an answer that lists things: vectors, scores, pictures. Only their
// number and size are kept.
type list struct {
	found      bool // there was a list
	count      int
	dimensions int   // of the first vector
	bytes      int64 // of pictures that came in the answer itself
	usage      tokenCounts
	failure    []byte
}

// parseList reads the answer to embeddings, rerank and images: a list by itself
// (some rerank servers), or an object with it in "data" or "results".
func parseList(body []byte) (list, error) {
	var l list
	s := &scanner{data: body}
	if l.scan(s) && s.end() {
		return l, nil
	}
	return decodeList(body)
}

func (l *list) scan(s *scanner) bool {
	if s.peek() == '[' {
		l.found = true
		return s.array(func() bool { return l.scanItem(s) })
	}
	var met seen
	return s.object(func(key text) bool {
		switch string(key.raw) {
		case "data", "results":
			l.found = true
			return met.first(0) && s.array(func() bool { return l.scanItem(s) })
		case "usage":
			return met.first(1) && l.usage.scan(s)
		case "error":
			return s.null()
		case "object":
			t, ok := s.str()
			return ok && !t.escaped && string(t.raw) != "error"
		default:
			return s.skip()
		}
	})
}

func (l *list) scanItem(s *scanner) bool {
	l.count++
	var met seen
	return s.object(func(key text) bool {
		switch string(key.raw) {
		case "embedding":
			if s.peek() == '[' {
				n, ok := s.elements()
				l.vector(n)
				return ok && met.first(0)
			}
			t, ok := s.str()
			l.vector(base64Bytes(t.raw) / float32Bytes)
			return ok && !t.escaped && met.first(0)
		case "b64_json":
			if s.null() {
				return true
			}
			t, ok := s.str()
			l.bytes += int64(base64Bytes(t.raw))
			return ok && !t.escaped && met.first(1)
		default:
			return s.skip()
		}
	})
}

const float32Bytes = 4

func (l *list) vector(dimensions int) {
	if l.dimensions == 0 {
		l.dimensions = dimensions
	}
}

// base64Bytes is how many bytes a base64 text stands for.
func base64Bytes(text []byte) int {
	for len(text) > 0 && text[len(text)-1] == '=' {
		text = text[:len(text)-1]
	}
	return base64.RawStdEncoding.DecodedLen(len(text))
}

// decodeList is what parseList falls back on.
func decodeList(body []byte) (list, error) {
	var l list
	var bare []object
	if json.Unmarshal(body, &bare) == nil && bare != nil {
		l.found = true
		l.add(bare)
		return l, nil
	}
	var c chunk // for the failure and the usage
	if err := c.decode(body); err != nil {
		return l, err
	}
	l.usage, l.failure = c.usage, c.failure
	var top object
	decodeInto(body, &top)
	for _, name := range []string{"data", "results"} {
		var items []object
		decodeInto(top[name], &items)
		l.found = l.found || items != nil
		l.add(items)
	}
	return l, nil
}

func (l *list) add(items []object) {
	for _, item := range items {
		l.count++
		if n := lengthOf(item["embedding"]); n > 0 {
			l.vector(n)
		} else {
			l.vector(base64Bytes(bytesOf(item["embedding"])) / float32Bytes)
		}
		l.bytes += int64(base64Bytes(bytesOf(item["b64_json"])))
	}
}

// record tells the recorder what a list is of, and what is wrong with it.
func (l *list) record(rec *backend.Recorder, kind backend.Kind, body []byte) *fault.Error {
	if l.failure != nil {
		return newFailure(0, readErrorReport(l.failure))
	}
	if !l.found {
		return fault.New(fault.Protocol, "the answer lists no results: %s", jsonhttp.Excerpt(body))
	}
	if l.usage.any() {
		if !l.usage.has(inputCount) && l.usage.has(totalCount) && kind != backend.KindImage {
			// Nothing is generated, so the total is the input (Jina's rerank).
			l.usage.set(inputCount, l.usage.n[totalCount])
		}
		rec.Usage(l.usage.usage(backend.UsageFinal))
	}
	if kind == backend.KindImage {
		rec.Media(backend.Media{Count: int32(l.count), Bytes: l.bytes})
		if l.count == 0 {
			return fault.New(fault.Protocol, "the server answered 200 with no image")
		}
		return nil
	}
	rec.Vectors(backend.Vectors{Count: int32(l.count), Dimensions: int32(l.dimensions)})
	if l.count == 0 {
		return fault.New(fault.Protocol, "the server answered 200 with no results")
	}
	return nil
}
