package bench

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/genai-bench/genai-bench/core/scenario"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// lifted are parameters that belong into the messages, in both spellings that
// the Python tool's backends know.
var lifted = struct{ system, history [2]string }{
	system:  [2]string{"system_message", "systemMessage"},
	history: [2]string{"chatHistory", "chat_history"},
}

// defaultVoice is what speaks where the user names no voice, as in the Python
// tool: OpenAI's API demands one.
const defaultVoice = "alloy"

// params takes what is core's out of --additional-request-params: messages and
// whether answers are streamed. The rest is the plugin's to merge.
func (c *checker) params() {
	p := c.plan
	if p.Task == backend.TextToSpeech {
		p.Voice = defaultVoice
	}
	if len(p.Settings.RequestParams) == 0 {
		return
	}
	var params map[string]json.RawMessage
	if err := json.Unmarshal(p.Settings.RequestParams, &params); err != nil {
		c.wrongParam("", "%v", err)
		return
	}
	c.messages(params)
	c.streamParam(params)
	c.paramsOfTask(params)
	if len(params) > 0 {
		merged, err := json.Marshal(params)
		if err != nil {
			c.wrongParam("", "%v", err)
			return
		}
		p.Params = merged
	}
}

func (c *checker) wrongParam(hint, format string, args ...any) {
	c.wrong("additional-request-params", hint, format, args...)
}

// messages lifts system message and history out of the parameters.
func (c *checker) messages(params map[string]json.RawMessage) {
	p := c.plan
	for _, key := range lifted.system {
		raw, ok := params[key]
		if !ok {
			continue
		}
		delete(params, key)
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			c.wrongParam("", "%s must be a text", key)
			continue
		}
		if text != "" && c.takesMessages(key) {
			p.Before = append(p.Before, backend.Message{Role: "system", Parts: []backend.Part{{Text: text}}})
		}
	}
	for _, key := range lifted.history {
		raw, ok := params[key]
		if !ok {
			continue
		}
		delete(params, key)
		turns, err := history(raw)
		if err != nil {
			c.wrongParam("", "%s: %v", key, err)
			continue
		}
		if len(turns) > 0 && c.takesMessages(key) {
			p.Before = append(p.Before, turns...)
		}
	}
}

// takesMessages tells whether requests have messages to put others before.
func (c *checker) takesMessages(key string) bool {
	switch c.plan.Kind {
	case backend.KindChat, "": // none: the task is wrong, which is said elsewhere
		return true
	case backend.KindCompletion:
		c.wrongParam("use --endpoint chat", "%s is for chats; a completion has no messages", key)
	default:
		c.wrongParam("remove it", "%s is for chats; task %s has no messages", key, c.plan.Task)
	}
	return false
}

// streamParam takes a "stream" of the parameters for --stream: what is measured
// of a stream and of a whole answer differs.
func (c *checker) streamParam(params map[string]json.RawMessage) {
	raw, ok := params["stream"]
	if !ok {
		return
	}
	var stream bool
	if err := json.Unmarshal(raw, &stream); err != nil {
		c.wrongParam("or leave it out and use --stream", "stream must be true or false")
		return
	}
	if c.plan.Support.Streaming != backend.StreamingOptional {
		return // the provider's own field of that name
	}
	delete(params, "stream")
	if c.said.Given("stream") && stream != c.plan.Settings.Stream {
		c.wrongParam("give one of them", "stream is %t, and --stream is %t", stream, c.plan.Settings.Stream)
		return
	}
	c.plan.Stream = stream
}

// paramsOfTask looks for parameters that contradict what is measured.
func (c *checker) paramsOfTask(params map[string]json.RawMessage) {
	p := c.plan
	given := func(keys ...string) string {
		for _, key := range keys {
			if raw, ok := params[key]; ok && string(raw) != "null" {
				return key
			}
		}
		return ""
	}
	sized := slices.ContainsFunc(p.Scenarios, func(s Scenario) bool { return s.Kind() != scenario.Rows })
	switch p.Task {
	case backend.TextToImage:
		if given("n") != "" {
			c.wrongParam("write it as --traffic-scenario I(width,height,n)", "n, the number of images a request, is a part of the scenario")
		}
		if given("size") != "" && sized {
			c.warn("--additional-request-params: size replaces the size of the scenarios, by whose names the results go")
		}
	case backend.TextToSpeech:
		// A voice that is no text is some server's own, and merged by the plugin.
		var voice string
		if json.Unmarshal(params["voice"], &voice) == nil {
			p.Voice = voice
		}
	case backend.TextToText:
		if !sized {
			return
		}
		if key := given("max_tokens", "max_completion_tokens", "maxTokens"); key != "" {
			c.warn("--additional-request-params: %s replaces the output length of the scenarios, by whose names the results go", key)
		}
		if key := given("ignore_eos"); key != "" && string(params[key]) == "false" {
			c.warn("--additional-request-params: with ignore_eos false answers may be shorter than the scenarios say")
		}
	}
}

// history reads turns of {"role", "content" or "message"}.
func history(raw json.RawMessage) ([]backend.Message, error) {
	var turns []struct {
		Role    string  `json:"role"`
		Content *string `json:"content"`
		Message *string `json:"message"`
	}
	if err := json.Unmarshal(raw, &turns); err != nil {
		return nil, fmt.Errorf(`must be a list of {"role": …, "content": …}`)
	}
	var messages []backend.Message
	for i, t := range turns {
		text := t.Content
		if text == nil {
			text = t.Message
		}
		if t.Role == "" || text == nil {
			return nil, fmt.Errorf(`turn %d lacks "role" or "content"`, i+1)
		}
		role := strings.ToLower(t.Role)
		if role == "chatbot" { // the word of some APIs
			role = "assistant"
		}
		messages = append(messages, backend.Message{Role: role, Parts: []backend.Part{{Text: *text}}})
	}
	return messages, nil
}
