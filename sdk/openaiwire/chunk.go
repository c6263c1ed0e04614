package openaiwire

// chunk is what one JSON text of an answer says: an event of a stream or a
// whole answer, which differ in the name of one field only ("delta" and
// "message"). Its slices are valid until the next parse; a chunk is reused from
// one event to the next and then allocates nothing.
type chunk struct {
	choices    []choice
	hasChoices bool // the field "choices" was there, be it empty or null
	usage      tokenCounts
	// failure is the JSON of an error object or string, nil where there is none.
	failure []byte

	scratch []byte // holds the values of strings that were escaped or joined
}

// choice is one element of "choices".
type choice struct {
	index     int
	role      bool // names a role
	text      []byte
	reasoning []byte
	refusal   []byte
	toolText  []byte // names and arguments of tool calls, joined
	tool      bool   // holds a tool call, perhaps without any text as yet
	audio     bool
	finish    []byte // finish_reason; empty where null
	tokens    int    // how many tokens its lists of tokens have; 0: there are none
	usage     tokenCounts
}

func (c *chunk) reset() {
	c.choices = c.choices[:0]
	c.hasChoices = false
	c.usage = tokenCounts{}
	c.failure = nil
	c.scratch = c.scratch[:0]
}

// parse reads data: by the scanner, and by encoding/json where the scanner gives
// up. The error means that data is not JSON, or not an object.
func (c *chunk) parse(data []byte) error {
	if c.scan(data) {
		return nil
	}
	return c.decode(data)
}

// value returns a string's value, which lies in data or in the scratch.
func (c *chunk) value(t text) []byte {
	if !t.escaped {
		return t.raw
	}
	start := len(c.scratch)
	c.scratch = t.appendTo(c.scratch)
	return c.scratch[start:len(c.scratch):len(c.scratch)]
}

// seen notes the fields met in an object. A second time makes the scanner give
// up: which one counts is for encoding/json to say.
type seen uint32

func (s *seen) first(bit int) bool {
	if *s&(1<<bit) != 0 {
		return false
	}
	*s |= 1 << bit
	return true
}

// scan fills c by the scanner alone and tells whether it could.
func (c *chunk) scan(data []byte) bool {
	c.reset()
	s := &scanner{data: data}
	var met seen
	return s.object(func(key text) bool {
		switch string(key.raw) {
		case "choices":
			c.hasChoices = true
			if !met.first(0) {
				return false
			}
			if s.null() {
				return true
			}
			return s.array(func() bool { return c.scanChoice(s) })
		case "usage":
			return met.first(1) && c.usage.scan(s)
		case "error", "x_groq":
			// An error, and Groq's own place for the usage, are rare enough to
			// be read the slow way.
			return s.null()
		case "object":
			t, ok := s.str()
			return ok && !t.escaped && string(t.raw) != "error"
		default:
			return s.skip()
		}
	}) && s.end()
}

// add returns a new choice, cleared, at the end of c.choices.
func (c *chunk) add() *choice {
	if len(c.choices) < cap(c.choices) {
		c.choices = c.choices[:len(c.choices)+1]
		last := &c.choices[len(c.choices)-1]
		*last = choice{}
		return last
	}
	c.choices = append(c.choices, choice{})
	return &c.choices[len(c.choices)-1]
}

func (c *chunk) scanChoice(s *scanner) bool {
	ch := c.add()
	var met seen
	logprobs, ids := 0, 0
	var completion []byte
	ok := s.object(func(key text) (ok bool) {
		switch string(key.raw) {
		case "index":
			n, ok := s.count()
			ch.index = int(min(n, indexMax))
			return ok && met.first(0)
		case "delta", "message":
			return met.first(1) && (s.null() || c.scanDelta(s, ch))
		case "text":
			completion, ok = c.scanText(s)
			return ok && met.first(2)
		case "finish_reason":
			ch.finish, ok = c.scanText(s)
			return ok && met.first(3)
		case "logprobs":
			logprobs, ok = scanLogprobs(s)
			return ok && met.first(4)
		case "token_ids":
			ids, ok = s.elements()
			return ok && met.first(5)
		default:
			return s.skip()
		}
	})
	if len(ch.text) == 0 {
		ch.text = completion
	}
	ch.tokens = ids
	if ids == 0 {
		ch.tokens = logprobs
	}
	return ok
}

// indexMax bounds the index of a choice that is believed.
const indexMax = 1 << 20

// scanText consumes a string or null.
func (c *chunk) scanText(s *scanner) ([]byte, bool) {
	if s.null() {
		return nil, true
	}
	t, ok := s.str()
	if !ok || len(t.raw) == 0 {
		return nil, ok
	}
	return c.value(t), true
}

func (c *chunk) scanDelta(s *scanner, ch *choice) bool {
	var met seen
	var plain, alternative []byte // "reasoning" and "reasoning_content"
	ok := s.object(func(key text) (ok bool) {
		switch string(key.raw) {
		case "role":
			role, ok := c.scanText(s)
			ch.role = len(role) > 0
			return ok && met.first(0)
		case "content":
			content, ok := c.scanText(s)
			if len(content) > 0 {
				ch.text = content
			}
			return ok && met.first(1)
		case "reasoning":
			plain, ok = c.scanText(s)
			return ok && met.first(2)
		case "reasoning_content":
			alternative, ok = c.scanText(s)
			return ok && met.first(3)
		case "refusal":
			ch.refusal, ok = c.scanText(s)
			return ok && met.first(4)
		case "tool_calls":
			return met.first(5) && (s.null() || s.array(func() bool { return c.scanToolCall(s, ch) }))
		case "usage":
			return met.first(6) && ch.usage.scan(s)
		case "function_call", "audio":
			return s.null()
		default:
			return s.skip()
		}
	})
	ch.reasoning = pickReasoning(plain, alternative)
	return ok
}

// pickReasoning decides between the two spellings of the reasoning field. Where
// a server sends both they say the same; where they do not, "reasoning" counts,
// because adding them up would count twice.
func pickReasoning(reasoning, reasoningContent []byte) []byte {
	if len(reasoning) > 0 {
		return reasoning
	}
	return reasoningContent
}

func (c *chunk) scanToolCall(s *scanner, ch *choice) bool {
	ch.tool = true
	var met seen
	return s.object(func(key text) bool {
		if string(key.raw) != "function" {
			return s.skip()
		}
		return met.first(0) && (s.null() || c.scanFunction(s, ch))
	})
}

func (c *chunk) scanFunction(s *scanner, ch *choice) bool {
	var met seen
	var name, arguments []byte
	ok := s.object(func(key text) (ok bool) {
		switch string(key.raw) {
		case "name":
			name, ok = c.scanText(s)
			return ok && met.first(0)
		case "arguments":
			arguments, ok = c.scanText(s)
			return ok && met.first(1)
		default:
			return s.skip()
		}
	})
	if ok {
		ch.addTool(c, name, arguments)
	}
	return ok
}

// addTool joins a name and arguments to the text of the choice's tool calls.
func (ch *choice) addTool(c *chunk, name, arguments []byte) {
	ch.tool = true
	switch {
	case len(ch.toolText) == 0 && len(name) == 0:
		ch.toolText = arguments
	case len(ch.toolText) == 0 && len(arguments) == 0:
		ch.toolText = name
	default:
		start := len(c.scratch)
		c.scratch = append(c.scratch, ch.toolText...)
		c.scratch = append(c.scratch, name...)
		c.scratch = append(c.scratch, arguments...)
		ch.toolText = c.scratch[start:len(c.scratch):len(c.scratch)]
	}
}

// scanLogprobs consumes the log probabilities of a choice and returns how many
// tokens they are of: lists "content" and "refusal" with chat, "tokens" with
// completions.
func scanLogprobs(s *scanner) (int, bool) {
	if s.null() {
		return 0, true
	}
	total := 0
	var met seen
	ok := s.object(func(key text) bool {
		bit := 0
		switch string(key.raw) {
		case "content":
		case "refusal":
			bit = 1
		case "tokens":
			bit = 2
		default:
			return s.skip()
		}
		n, ok := s.elements()
		total += n
		return ok && met.first(bit)
	})
	return total, ok
}
