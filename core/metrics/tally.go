package metrics

import (
	"strconv"
	"strings"
)

// class is what is known of a request without reading its row.
type class uint8

const (
	succeeded class = 1 << iota
	failed          // of itself; neither means that this client ended it
	good            // met all objectives
	warmup
	cooldown
	afterLimit
)

func (c class) phase() Phase {
	switch {
	case c&warmup != 0:
		return PhaseWarmup
	case c&cooldown != 0:
		return PhaseCooldown
	case c&afterLimit != 0:
		return PhaseAfterLimit
	}
	return ""
}

// inside tells whether the request is in the statistics of requests, if it
// succeeded.
func (c class) inside() bool { return c&(warmup|cooldown) == 0 }

// tally is what is counted of all requests as they end.
type tally struct {
	classes      []class // by row
	completed    int
	errors       int
	cancelled    int
	aborted      int
	short        int
	codes        map[string]int
	errorClasses map[string]int
	messages     map[string]string // the first of each error class
	clocks       map[string]int
	truth        tokenSums
	bytes        byteCount
	events       eventTokens
}

// byteCount holds the bytes of output that events say to hold against those
// that arrived.
type byteCount struct {
	requests           int // where both are known
	inEvents, inAnswer int64
	overReceived       int // answers with more output than bytes were received
}

// eventTokens holds the tokens that events say to hold against the usage.
type eventTokens struct {
	requests        int
	inEvents, usage float64
}

func newTally() tally {
	return tally{codes: map[string]int{}, errorClasses: map[string]int{}, messages: map[string]string{}, clocks: map[string]int{}}
}

func (t *tally) add(r *Request) {
	if r.Clock != "" {
		t.clocks[r.Clock]++
	}
	c := class(0)
	switch {
	case r.OK():
		c |= succeeded
		t.completed++
		t.success(r)
	case r.Aborted():
		t.aborted++
	case r.Cancelled():
		t.cancelled++
	default:
		c |= failed
		t.errors++
		code := strconv.Itoa(*r.ErrorCode)
		t.codes[code]++
		kind := r.ErrorClass
		if kind != "" {
			t.errorClasses[kind]++
		} else {
			kind = code
		}
		if _, known := t.messages[kind]; !known && r.ErrorMessage != nil {
			t.messages[kind] = clip(*r.ErrorMessage)
		}
	}
	if r.Goodput == goodputMet {
		c |= good
	}
	t.classes = append(t.classes, c)
}

// clip keeps an error's message to what a report shows.
func clip(message string) string {
	const longest = 500 // bytes
	if len(message) > longest {
		message = strings.ToValidUTF8(message[:longest], "") + "…"
	}
	return message
}

func (t *tally) success(r *Request) {
	t.truth.add(r)
	if r.OutputAsked.Exists() && r.OutputTokens.Exists() && r.OutputTokens < r.OutputAsked {
		t.short++
	}
	if r.EventBytes > 0 && r.AnswerBytes > 0 {
		t.bytes.requests++
		t.bytes.inEvents += r.EventBytes
		t.bytes.inAnswer += r.AnswerBytes
	}
	if r.BytesReceived > 0 && r.EventBytes > r.BytesReceived {
		t.bytes.overReceived++
	}
	if r.EventTokens.Exists() && r.OutputSource == fromUsage {
		t.events.requests++
		t.events.inEvents += float64(r.EventTokens)
		t.events.usage += float64(r.OutputTokens)
	}
}
