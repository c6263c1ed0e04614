package experiment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"regexp"

	"github.com/genai-bench/genai-bench/core/metrics"
)

// Requests are the individual requests of a run, read one after the other as
// they are asked for: there may be millions. A request is only good until the
// next one comes.
type Requests = iter.Seq2[*metrics.Request, error]

// RequestsOf are requests that are in memory.
func RequestsOf(list []metrics.Request) Requests {
	return func(yield func(*metrics.Request, error) bool) {
		for i := range list {
			if !yield(&list[i], nil) {
				return
			}
		}
	}
}

// converted are the requests with their latencies in another unit.
func converted(requests Requests, from, to metrics.Unit) Requests {
	if requests == nil || from == to {
		return requests
	}
	return func(yield func(*metrics.Request, error) bool) {
		for r, err := range requests {
			if err == nil {
				c := metrics.ConvertRequest(*r, from, to)
				r = &c
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// requestsIn are the requests of a run's file.
func requestsIn(path string) Requests {
	return func(yield func(*metrics.Request, error) bool) {
		file, err := os.Open(path)
		if err != nil {
			yield(nil, fmt.Errorf("%s: %w", path, pathReason(err)))
			return
		}
		defer file.Close()
		stopped := errors.New("enough")
		err = eachKey(json.NewDecoder(file), func(key string, d *json.Decoder) error {
			if key != requestsKey {
				var skipped json.RawMessage
				return d.Decode(&skipped)
			}
			return eachElement(d, func(d *json.Decoder) error {
				var r metrics.Request
				if err := d.Decode(&r); err != nil {
					return err
				}
				if !yield(&r, nil) {
					return stopped
				}
				return nil
			})
		})
		if err != nil && !errors.Is(err, stopped) {
			yield(nil, fmt.Errorf("%s: %w", path, err))
		}
	}
}

// The keys of a run's file.
const (
	figuresKey  = "aggregated_metrics"
	requestsKey = "individual_request_metrics"
	unitKey     = "_time_unit"
)

// eachKey calls each with every key of the object that comes next; each reads
// the value.
func eachKey(d *json.Decoder, each func(key string, d *json.Decoder) error) error {
	if err := expect(d, '{'); err != nil {
		return err
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string) // the decoder takes nothing else for a key
		if err := each(key, d); err != nil {
			return err
		}
	}
	return expect(d, '}')
}

// eachElement calls each for every element of the list that comes next, or for
// none where null does.
func eachElement(d *json.Decoder, each func(d *json.Decoder) error) error {
	token, err := d.Token()
	if err != nil || token == nil {
		return err
	}
	if token != json.Delim('[') {
		return fmt.Errorf("a list was expected, not %v", token)
	}
	for d.More() {
		if err := each(d); err != nil {
			return err
		}
	}
	return expect(d, ']')
}

func expect(d *json.Decoder, want json.Delim) error {
	token, err := d.Token()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	if err == nil && token != want {
		err = fmt.Errorf("%q was expected, not %v", want.String(), token)
	}
	return err
}

// endOfRun is how a run's file ends, as this tool and the Python tool write it.
// A text cannot look like it: it has no bare newlines.
var endOfRun = regexp.MustCompile(`\],?\n\s*"` + unitKey + `":\s*"([a-z]+)"\n\}\n?$`)

// readFigures reads a run's file without its requests, of which there may be
// gigabytes: the figures stand before them and the unit behind. A file in
// another order is read as a whole.
func readFigures(path string, into *RunFile) error {
	file, err := os.Open(path)
	if err != nil {
		return pathReason(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return pathReason(err)
	}
	const tail = 256
	end := make([]byte, min(info.Size(), tail))
	if _, err := file.ReadAt(end, info.Size()-int64(len(end))); err != nil && !errors.Is(err, io.EOF) {
		return pathReason(err)
	}
	unit := endOfRun.FindSubmatch(bytes.ReplaceAll(end, []byte("\r\n"), []byte("\n")))
	enough := errors.New("enough")
	d := json.NewDecoder(file)
	figures := false
	err = eachKey(d, func(key string, d *json.Decoder) error {
		switch {
		case key == figuresKey:
			figures = true
			return d.Decode(&into.Aggregated)
		case key == unitKey:
			return d.Decode(&into.TimeUnit)
		case key == requestsKey && figures && unit != nil:
			into.TimeUnit = metrics.Unit(unit[1])
			return enough
		case key == requestsKey:
			return eachElement(d, func(d *json.Decoder) error {
				var skipped json.RawMessage
				return d.Decode(&skipped)
			})
		}
		var skipped json.RawMessage
		return d.Decode(&skipped)
	})
	switch {
	case errors.Is(err, enough):
		return nil
	case err != nil:
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more behind the end of the object")
	}
	return nil
}
