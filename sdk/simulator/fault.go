package simulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is a way in which an answer is to differ from the usual. The zero value
// is no fault: chunked, one event a chunk, role first, usage in a chunk of its own
// where it was asked for.
//
// Its text form, in the header X-Simulate, in the body's field "simulate" and on
// the command line, is a list of keys and values: "error=429; retry-after=2s",
// "disconnect=mid-body; after=3; reset". FaultKeys lists the keys.
type Fault struct {
	// Instead of an answer.
	Error      int           // status of an error answer, 400 to 599
	Code       string        // its code; digits are sent as a number. "": the status
	Message    string        // its message
	ErrorBody  string        // json (default), string, detail, html, text, empty
	EchoKey    bool          // the message repeats the credentials, as careless servers do
	RetryAfter time.Duration // its Retry-After, in whole seconds
	Redirect   int           // status 301, 302, 303, 307 or 308, to the same path
	Body       string        // of an answer with status 200: empty, html, garbage, truncated-json

	// The connection. Mid-body is after After tokens.
	Disconnect string        // before-head, mid-head, mid-body
	Reset      bool          // disconnect with RST in place of FIN
	Stall      string        // before-head, mid-body
	StallFor   time.Duration // 0: until the client gives up
	Delay      time.Duration // before the head, besides the engine's time

	// The stream.
	After          int    // tokens before what happens mid-body; ParseFault's default is 2
	StreamError    string // code of an error object in the stream; digits are sent as a number
	Garbage        string // json, bytes: a broken event in the stream
	Cut            string // finish, done, event: what is left out (or cut in half), with a regular end of the body
	Usage          string // none, final (unasked), finish (with the finish reason, after the last content), last (with the last content), cumulative (with every chunk), null (null before the end)
	Reasoning      string // reasoning, reasoning_content, both: name of the delta's field
	ReasoningCount int    // how many tokens are reasoning; 0: half of them
	Output         string // text (default), tool, refusal, none
	Finish         string // finish_reason to send instead
	First          string // role (default), early-role (with the head), none, no-choices
	Comments       bool   // a comment line before each token
	TokensPerChunk int    // tokens in each chunk; 0 is 1
	Unicode        bool   // words of several bytes a letter
	ASCII          bool   // JSON strings with \uXXXX escapes

	// How the bytes are cut.
	Borders    string        // bytes, mid-rune, mid-line, mid-newline, joined, straddle, trickled, next-head, random
	Newline    string        // lf (default), crlf, cr
	PieceDelay time.Duration // between the pieces of a cut event
	Framing    string        // chunked (default), close, length
}

// field is one key of the text form.
type field struct {
	name    string
	value   any // *string, *int, *bool, *time.Duration
	allowed []string
	help    string
}

func (f *Fault) fields() []field {
	return []field{
		{"error", &f.Error, nil, "status of an error answer"},
		{"code", &f.Code, nil, "code of the error; digits are sent as a number"},
		{"message", &f.Message, nil, "message of the error"},
		{"error-body", &f.ErrorBody, []string{"json", "string", "detail", "html", "text", "empty"}, "form of the error's body"},
		{"echo-key", &f.EchoKey, nil, "the error's message repeats the credentials"},
		{"retry-after", &f.RetryAfter, nil, "Retry-After of the error"},
		{"redirect", &f.Redirect, nil, "status of a redirect to the same path"},
		{"body", &f.Body, []string{"empty", "html", "garbage", "truncated-json"}, "a body that is no answer, with status 200"},
		{"disconnect", &f.Disconnect, []string{"before-head", "mid-head", "mid-body"}, "where the connection is closed"},
		{"reset", &f.Reset, nil, "disconnect with RST"},
		{"stall", &f.Stall, []string{"before-head", "mid-body"}, "where the answer stands still"},
		{"stall-for", &f.StallFor, nil, "for how long; without: until the client gives up"},
		{"delay", &f.Delay, nil, "before the head"},
		{"after", &f.After, nil, "tokens before what happens mid-body"},
		{"stream-error", &f.StreamError, nil, "code of an error object in the stream"},
		{"garbage", &f.Garbage, []string{"json", "bytes"}, "a broken event in the stream"},
		{"cut", &f.Cut, []string{"finish", "done", "event"}, "what the stream ends without"},
		{"usage", &f.Usage, []string{"none", "final", "finish", "last", "cumulative", "null"}, "where usage is reported"},
		{"reasoning", &f.Reasoning, []string{"reasoning", "reasoning_content", "both"}, "field of reasoning deltas"},
		{"reasoning-count", &f.ReasoningCount, nil, "how many tokens are reasoning"},
		{"output", &f.Output, []string{"text", "tool", "refusal", "none"}, "what the tokens are"},
		{"finish", &f.Finish, nil, "finish_reason to send"},
		{"first", &f.First, []string{"role", "early-role", "none", "no-choices"}, "first event of the stream"},
		{"comments", &f.Comments, nil, "a comment before each token"},
		{"tokens-per-chunk", &f.TokensPerChunk, nil, "tokens in each chunk"},
		{"unicode", &f.Unicode, nil, "words of several bytes a letter"},
		{"ascii", &f.ASCII, nil, "escape all but ASCII in JSON"},
		{"borders", &f.Borders, []string{"bytes", "mid-rune", "mid-line", "mid-newline", "joined", "straddle", "trickled", "next-head", "random"}, "where chunks begin and end"},
		{"newline", &f.Newline, []string{"lf", "crlf", "cr"}, "line ends of the stream"},
		{"piece-delay", &f.PieceDelay, nil, "between the pieces of a cut event"},
		{"framing", &f.Framing, []string{"chunked", "close", "length"}, "how the end of the body is told"},
	}
}

// FaultKey documents one key of a Fault's text form.
type FaultKey struct {
	Name    string
	Allowed []string // nil: a number, a duration, a text, or nothing for a switch
	Help    string
}

// FaultKeys lists the keys of a Fault's text form.
func FaultKeys() []FaultKey {
	var f Fault
	var keys []FaultKey
	for _, k := range f.fields() {
		keys = append(keys, FaultKey{k.name, k.allowed, k.help})
	}
	return keys
}

// ParseFault reads the text form of a Fault. The error names the key and what it
// takes.
func ParseFault(text string) (Fault, error) {
	f := Fault{After: 2}
	fields := f.fields()
	for _, item := range strings.Split(text, ";") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		name, value, given := strings.Cut(item, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		i := slices.IndexFunc(fields, func(k field) bool { return k.name == name })
		if i < 0 {
			var known []string
			for _, k := range fields {
				known = append(known, k.name)
			}
			return Fault{}, fmt.Errorf("fault %q: no key %q (known are %s)", text, name, strings.Join(known, ", "))
		}
		if err := fields[i].set(value, given); err != nil {
			return Fault{}, fmt.Errorf("fault %q: %s: %w", text, name, err)
		}
	}
	return f, f.check()
}

func (k field) set(value string, given bool) (err error) {
	if _, isSwitch := k.value.(*bool); !given && !isSwitch {
		return fmt.Errorf("no value (give %s=…)", k.name)
	}
	switch p := k.value.(type) {
	case *bool:
		*p = true
		if given {
			if *p, err = strconv.ParseBool(value); err != nil {
				return fmt.Errorf("%q is no truth value (give true or false, or the key alone)", value)
			}
		}
	case *int:
		if *p, err = strconv.Atoi(value); err != nil || *p < 0 {
			return fmt.Errorf("%q is no number of at least 0", value)
		}
	case *time.Duration:
		if seconds, e := strconv.ParseUint(value, 10, 31); e == nil {
			*p = time.Duration(seconds) * time.Second
		} else if *p, err = time.ParseDuration(value); err != nil || *p < 0 {
			return fmt.Errorf("%q is no duration (give seconds, or 250ms, 2s)", value)
		}
	case *string:
		if k.allowed != nil && !slices.Contains(k.allowed, value) {
			return fmt.Errorf("%q is not one of %s", value, strings.Join(k.allowed, ", "))
		}
		*p = value
	}
	return nil
}

func (f Fault) check() error {
	if f.Error != 0 && (f.Error < 400 || f.Error > 599) {
		return fmt.Errorf("fault: error=%d is no error status (400 to 599)", f.Error)
	}
	if f.Redirect != 0 && !slices.Contains([]int{301, 302, 303, 307, 308}, f.Redirect) {
		return fmt.Errorf("fault: redirect=%d is none of 301, 302, 303, 307, 308", f.Redirect)
	}
	if strings.ContainsAny(f.Code+f.Message+f.StreamError+f.Finish, "\r\n") {
		return fmt.Errorf("fault: a value has a line end")
	}
	if f.Framing == "length" && (f.Garbage != "" || f.StreamError != "") {
		return fmt.Errorf("fault: framing=length cannot foresee what garbage and stream-error add")
	}
	return nil
}

// String is the text form; "" is no fault.
func (f Fault) String() string {
	var b strings.Builder
	write := func(name, value string) {
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(name)
		if value != "" {
			b.WriteString("=" + value)
		}
	}
	midBody := f.Disconnect == "mid-body" || f.Stall == "mid-body" || f.StreamError != "" || f.Garbage != "" || f.Cut == "finish" || f.Cut == "event"
	for _, k := range f.fields() {
		switch p := k.value.(type) {
		case *bool:
			if *p {
				write(k.name, "")
			}
		case *int:
			if k.name == "after" && !midBody || k.name != "after" && *p == 0 {
				continue
			}
			write(k.name, strconv.Itoa(*p))
		case *time.Duration:
			if *p != 0 {
				write(k.name, p.String())
			}
		case *string:
			if *p != "" {
				write(k.name, *p)
			}
		}
	}
	return b.String()
}

// MarshalText writes the text form.
func (f Fault) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads the text form.
func (f *Fault) UnmarshalText(text []byte) (err error) {
	*f, err = ParseFault(string(text))
	return err
}

// newline returns what ends a line of the stream.
func (f *Fault) newline() string {
	switch {
	case f.Newline == "crlf" || f.Newline == "" && f.Borders == "mid-newline":
		return "\r\n"
	case f.Newline == "cr":
		return "\r"
	}
	return "\n"
}
