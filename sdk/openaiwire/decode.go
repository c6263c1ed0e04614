package openaiwire

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
)

// object is a decoded JSON object, names as spelled; of a name given twice the
// last value counts.
type object map[string]json.RawMessage

// errNotObject says that an answer is JSON but not of the protocol.
var errNotObject = errors.New("the answer is not a JSON object")

// decode fills c by encoding/json. It forgives fields of a wrong type, as if
// they were absent; text that is no JSON object is an error.
func (c *chunk) decode(data []byte) error {
	c.reset()
	var top object
	if err := json.Unmarshal(data, &top); err != nil {
		if json.Valid(data) {
			return errNotObject
		}
		return err
	}
	if top == nil { // null
		return errNotObject
	}
	c.failure = failureOf(top, data)
	c.usage.decode(top["usage"])
	if !c.usage.any() {
		var groq object
		decodeInto(top["x_groq"], &groq)
		c.usage.decode(groq["usage"])
	}
	choices, ok := top["choices"]
	c.hasChoices = ok
	var all []json.RawMessage
	decodeInto(choices, &all)
	for _, one := range all {
		var fields object
		decodeInto(one, &fields)
		c.decodeChoice(fields)
	}
	return nil
}

// failureOf finds the error in an object that reports one: the value of
// "error", or the whole where "object" says "error" or TGI puts the error's type
// beside it.
func failureOf(top object, whole []byte) []byte {
	switch e := top["error"]; string(e) {
	case "", "null", "false", `""`:
	default:
		if stringOf(e) != "" && top["error_type"] != nil {
			return whole // its type stands beside it
		}
		return e
	}
	if stringOf(top["object"]) == "error" {
		return whole
	}
	return nil
}

func (c *chunk) decodeChoice(fields object) {
	ch := c.add()
	if n, ok := wholeNumber(fields["index"]); ok {
		ch.index = int(min(n, indexMax))
	}
	ch.text = bytesOf(fields["text"])
	ch.finish = bytesOf(fields["finish_reason"])
	ch.tokens = lengthOf(fields["token_ids"])
	if ch.tokens == 0 {
		var logprobs object
		decodeInto(fields["logprobs"], &logprobs)
		ch.tokens = lengthOf(logprobs["content"]) + lengthOf(logprobs["refusal"]) + lengthOf(logprobs["tokens"])
	}
	for _, name := range []string{"delta", "message"} {
		var delta object
		decodeInto(fields[name], &delta)
		if delta != nil {
			c.decodeDelta(ch, delta)
		}
	}
}

func (c *chunk) decodeDelta(ch *choice, delta object) {
	ch.role = ch.role || stringOf(delta["role"]) != ""
	texts, thoughts := partsOf(delta["content"])
	if len(texts) > 0 {
		ch.text = texts
	}
	ch.reasoning = pickReasoning(bytesOf(delta["reasoning"]), bytesOf(delta["reasoning_content"]))
	if len(ch.reasoning) == 0 {
		ch.reasoning = thoughts
	}
	ch.refusal = bytesOf(delta["refusal"])
	ch.usage.decode(delta["usage"])

	var calls []json.RawMessage
	decodeInto(delta["tool_calls"], &calls)
	for _, one := range calls {
		var call object
		decodeInto(one, &call)
		ch.tool = true
		ch.decodeFunction(c, call["function"])
	}
	// function_call is the spelling that tool_calls replaced in 2023.
	ch.decodeFunction(c, delta["function_call"])

	var audio object
	decodeInto(delta["audio"], &audio)
	if audio != nil {
		ch.audio = true
		if len(ch.text) == 0 {
			ch.text = bytesOf(audio["transcript"])
		}
	}
}

func (ch *choice) decodeFunction(c *chunk, value json.RawMessage) {
	var function object
	decodeInto(value, &function)
	if function != nil {
		ch.addTool(c, bytesOf(function["name"]), bytesOf(function["arguments"]))
	}
}

// partsOf reads content that is a string or a list of parts, as Mistral's
// reasoning models send it: {"type":"text","text":…} and
// {"type":"thinking","thinking":[parts]}.
func partsOf(value json.RawMessage) (texts, thoughts []byte) {
	if s := bytesOf(value); s != nil {
		return s, nil
	}
	var parts []json.RawMessage
	decodeInto(value, &parts)
	for _, one := range parts {
		var part object
		decodeInto(one, &part)
		texts = append(texts, bytesOf(part["text"])...)
		inner, _ := partsOf(part["thinking"])
		thoughts = append(thoughts, inner...)
	}
	return texts, thoughts
}

// decode reads a usage report.
func (u *tokenCounts) decode(value json.RawMessage) {
	var fields object
	decodeInto(value, &fields)
	// In the order of the names, so that of two spellings the same one always
	// counts; the detail objects come last and win.
	for _, name := range sortedKeys(fields) {
		if kind := countOf(nil, []byte(name)); kind >= 0 {
			u.decodeCount(kind, fields[name])
		}
	}
	for _, name := range sortedKeys(fields) {
		if !isDetails([]byte(name)) {
			continue
		}
		var details object
		decodeInto(fields[name], &details)
		for _, inner := range sortedKeys(details) {
			if kind := countOf([]byte(name), []byte(inner)); kind >= 0 {
				u.decodeCount(kind, details[inner])
			}
		}
	}
}

func (u *tokenCounts) decodeCount(kind int, value json.RawMessage) {
	if n, ok := wholeNumber(value); ok {
		u.set(kind, n)
	}
}

func sortedKeys(o object) []string { return slices.Sorted(maps.Keys(o)) }

// decodeInto decodes a value that may be absent or of another type, in which
// case the target keeps its zero value.
func decodeInto[T any](value json.RawMessage, target *T) {
	if len(value) == 0 {
		return
	}
	if err := json.Unmarshal(value, target); err != nil {
		var zero T
		*target = zero
	}
}

// bytesOf returns the value of a string; nil where it is empty or none.
func bytesOf(value json.RawMessage) []byte {
	s := stringOf(value)
	if s == "" {
		return nil
	}
	return []byte(s)
}

func stringOf(value json.RawMessage) string {
	var s string
	decodeInto(value, &s)
	return s
}

func lengthOf(value json.RawMessage) int {
	var all []json.RawMessage
	decodeInto(value, &all)
	return len(all)
}

// wholeNumber reads a count, also one that is spelled as a float (27.0).
func wholeNumber(value json.RawMessage) (int64, bool) {
	value = bytes.TrimSpace(value)
	if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
		return n, n >= 0
	}
	f, err := strconv.ParseFloat(string(value), 64)
	if err != nil || f < 0 || f != math.Trunc(f) || f > 1<<53 {
		return 0, false
	}
	return int64(f), true
}
