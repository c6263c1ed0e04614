package trace

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// line is a row of any JSONL format.
type line struct {
	// Mooncake and Bailian.
	Timestamp    *json.Number `json:"timestamp"`
	InputLength  *int64       `json:"input_length"`
	OutputLength *int64       `json:"output_length"`
	HashIDs      blocks       `json:"hash_ids"`
	SessionID    label        `json:"session_id"`
	TextInput    string       `json:"text_input"`
	// Bailian.
	ChatID       label `json:"chat_id"`
	ParentChatID label `json:"parent_chat_id"`
	// Our own.
	AtS          *float64 `json:"at_s"`
	AtMS         *float64 `json:"at_ms"`
	InputTokens  *int64   `json:"input_tokens"`
	OutputTokens *int64   `json:"output_tokens"`
	BlockIDs     blocks   `json:"block_ids"`
	BlockTokens  *int64   `json:"block_tokens"`
	Session      label    `json:"session"`
	Text         string   `json:"text"`
}

// label is a name, which some traces write as a number; "" for none.
type label string

func (l *label) UnmarshalJSON(raw []byte) error {
	var n json.Number
	if len(raw) > 0 && raw[0] != '"' {
		err := json.Unmarshal(raw, &n) // null is none
		*l = label(n)
		return err
	}
	return json.Unmarshal(raw, (*string)(l))
}

// blocks are ids, which hashes with a sign are too.
type blocks []uint64

func (b *blocks) UnmarshalJSON(raw []byte) error {
	if json.Unmarshal(raw, (*[]uint64)(b)) == nil {
		return nil
	}
	*b = nil
	var signed []int64
	err := json.Unmarshal(raw, &signed)
	for _, id := range signed {
		*b = append(*b, uint64(id))
	}
	return err
}

// Tokens a block by format.
const (
	mooncakeBlockTokens = 512
	bailianBlockTokens  = 16
	ownBlockTokens      = 512
)

// format tells which format a line is of.
func (l *line) format() (string, error) {
	switch {
	case l.AtS != nil && l.AtMS != nil:
		return "", errors.New("at_s and at_ms exclude each other")
	case (l.AtS != nil || l.AtMS != nil) && l.Timestamp != nil:
		return "", errors.New("timestamp and at_s or at_ms in one trace: which unit holds?")
	case l.AtS != nil || l.AtMS != nil:
		return Own, nil
	case l.Timestamp == nil:
		return "", errNoTime
	case l.ChatID != "":
		return Bailian, nil
	}
	return Mooncake, nil
}

var errNoTime = errors.New("there is neither timestamp nor at_s nor at_ms")

// fields lists the names of an object's fields, for a message.
func fields(text []byte) string {
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil || len(object) == 0 {
		return "no fields"
	}
	return oneOf(slices.Sorted(maps.Keys(object)))
}

// jsonlReader reads lines of one format.
type jsonlReader struct {
	trace    *Trace
	options  Options
	field    string           // the field of our own format that tells the time
	sessions map[label]string // Bailian: chat to the first of its conversation
	block    int64            // tokens a block as the lines say
	whole    bool             // Mooncake: times so far are whole numbers
	rows     []Request
}

func (t *Trace) readJSONL(b *bufio.Reader, o Options) ([]Request, error) {
	r := &jsonlReader{trace: t, options: o, sessions: map[label]string{}, whole: true}
	number := 0
	for {
		text, err := readLine(b)
		number++
		if len(bytes.TrimSpace(text)) > 0 {
			if err := r.add(text); err != nil {
				if err := t.leaveOut(number, err); err != nil {
					return nil, err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return r.rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
}

// readLine reads a line of bounded length.
func readLine(b *bufio.Reader) ([]byte, error) {
	var whole []byte
	for {
		part, err := b.ReadSlice('\n')
		whole = append(whole, part...)
		if len(whole) > lineBytesMax {
			return nil, fmt.Errorf("it has more than %d MiB", lineBytesMax>>20)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return whole, err
		}
	}
}

func (r *jsonlReader) add(text []byte) error {
	var l line
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if err := json.Unmarshal(text, &l); err != nil {
		return bad("no JSON object of a trace: %w", err)
	}
	format, err := l.format()
	if errors.Is(err, errNoTime) {
		return bad("%w; the fields are %s", err, fields(text))
	}
	if err != nil {
		return err
	}
	if format, err = r.said(format); err != nil {
		return err
	}
	if r.trace.Format == "" {
		r.trace.Format = format
	}
	if format != r.trace.Format {
		return fmt.Errorf("it is of the %s format, the lines before of %s: one trace has one format and one unit of time", format, r.trace.Format)
	}
	if format == Own {
		return r.addOwn(&l, text)
	}
	return r.addRecorded(&l, format, text)
}

// said is the format of a line where the user says one: Mooncake and Bailian may
// have the same fields.
func (r *jsonlReader) said(format string) (string, error) {
	said := r.options.Format
	switch {
	case said == "" || said == format:
		return format, nil
	case (said == Mooncake || said == Bailian) && format != Own:
		return said, nil
	}
	return "", fmt.Errorf("its fields are those of the %s format, not of %s as --trace-format says", format, said)
}

// addRecorded takes a line of Mooncake or Bailian.
func (r *jsonlReader) addRecorded(l *line, format string, text []byte) error {
	if l.InputLength == nil || l.OutputLength == nil {
		return bad("input_length or output_length is missing; the fields are %s", fields(text))
	}
	at, err := r.recordedTime(l, format)
	if err != nil {
		return err
	}
	in, err := checkTokens("input_length", *l.InputLength)
	if err != nil {
		return err
	}
	out, err := checkTokens("output_length", *l.OutputLength)
	if err != nil {
		return err
	}
	r.trace.BlockTokens = mooncakeBlockTokens
	request := Request{At: at, InputTokens: in, OutputTokens: out, Blocks: l.HashIDs, Text: l.TextInput}
	request.Session = string(l.SessionID)
	if format == Bailian {
		r.trace.BlockTokens = bailianBlockTokens
		if l.ChatID != "" {
			request.Session = r.session(l)
		}
	}
	if r.options.BlockTokens > 0 {
		r.trace.BlockTokens = r.options.BlockTokens
	}
	r.rows = r.trace.take(r.rows, request)
	return nil
}

// session is the root of a Bailian chat.
func (r *jsonlReader) session(l *line) string {
	root := string(l.ChatID)
	if p := l.ParentChatID; p != "" && !strings.HasPrefix(string(p), "-") {
		if of, ok := r.sessions[p]; ok {
			root = of
		} else {
			root = string(p)
		}
	}
	r.sessions[l.ChatID] = root
	return root
}

// recordedTime is the time of a line of Mooncake (whole milliseconds) or
// Bailian (seconds), unless the user says otherwise.
func (r *jsonlReader) recordedTime(l *line, format string) (time.Duration, error) {
	n, err := l.Timestamp.Float64()
	if err != nil || math.IsNaN(n) {
		return 0, bad("timestamp %q is no number", l.Timestamp)
	}
	unit := r.options.Unit
	if unit == UnitOfFormat {
		unit = Seconds
		if format == Mooncake {
			unit = Milliseconds
			if n != math.Trunc(n) {
				return 0, fmt.Errorf("timestamp %s is no whole number of milliseconds, which this format has (if the times are seconds: --trace-time-unit s)", l.Timestamp)
			}
		}
	}
	if unit == Milliseconds {
		n /= 1000
	}
	return seconds(n)
}

// addOwn takes a line of our own format.
func (r *jsonlReader) addOwn(l *line, text []byte) error {
	field, at := "at_s", 0.0
	if l.AtMS != nil {
		field, at = "at_ms", *l.AtMS/1000
	} else {
		at = *l.AtS
	}
	if r.field == "" {
		r.field = field
	}
	if r.field != field {
		return fmt.Errorf("%s, where the lines before have %s: one trace has one unit of time", field, r.field)
	}
	offset, err := seconds(at)
	if err != nil {
		return err
	}
	if l.OutputTokens == nil || l.InputTokens == nil && l.Text == "" {
		return bad("output_tokens, or both input_tokens and text, are missing; the fields are %s", fields(text))
	}
	request := Request{At: offset, Blocks: l.BlockIDs, Session: string(l.Session), Text: l.Text}
	if request.OutputTokens, err = checkTokens("output_tokens", *l.OutputTokens); err != nil {
		return err
	}
	if l.InputTokens != nil {
		if request.InputTokens, err = checkTokens("input_tokens", *l.InputTokens); err != nil {
			return err
		}
	}
	if err := r.blockTokens(l); err != nil {
		return err
	}
	r.rows = r.trace.take(r.rows, request)
	return nil
}

// blockTokens takes the size of blocks, which is one for the whole trace.
func (r *jsonlReader) blockTokens(l *line) error {
	size := int64(ownBlockTokens)
	switch {
	case r.options.BlockTokens > 0:
		size = int64(r.options.BlockTokens)
	case l.BlockTokens != nil:
		size = *l.BlockTokens
	case r.block > 0:
		size = r.block
	}
	if size < 1 || size > tokensMax {
		return bad("block_tokens is %d", size)
	}
	if r.block > 0 && size != r.block {
		return fmt.Errorf("block_tokens is %d, on the lines before %d: one trace has one size of blocks", size, r.block)
	}
	r.block, r.trace.BlockTokens = size, int(size)
	return nil
}
