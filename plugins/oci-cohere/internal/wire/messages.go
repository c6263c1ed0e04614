package wire

import (
	"encoding/json"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

// role is a role as OCI spells it.
func role(name string) string {
	if name == "" {
		return "ASSISTANT"
	}
	return strings.ToUpper(name)
}

// turnRole is a role as the COHERE format's history spells it.
func turnRole(name string) string {
	if strings.EqualFold(name, "assistant") {
		return "CHATBOT"
	}
	return role(name)
}

// appendMessage appends a chat in the COHERE format: the last message of the
// user as "message", what was said before as "chatHistory", what the system
// says before all others as "preambleOverride".
func appendMessage(dst []byte, t *chatTemplate, chat *backend.Chat) ([]byte, *fault.Error) {
	messages := chat.Messages
	for _, m := range messages {
		if m.HasImages() {
			failure := fault.New(fault.InvalidRequest, "the COHERE format has no pictures in chats")
			failure.Hint = "use --api-backend oci-cohere-v2"
			return dst, failure
		}
	}
	var preamble []string
	for len(messages) > 1 && strings.EqualFold(messages[0].Role, "system") {
		preamble = append(preamble, messages[0].TextOf())
		messages = messages[1:]
	}
	if len(preamble) > 0 && !t.has[fieldPreamble] {
		dst = appendMember(append(dst, ','), fieldPreamble, quoted(strings.Join(preamble, "\n")))
	}
	last := len(messages) - 1
	if last > 0 && !t.has[fieldHistory] {
		dst = appendMember(append(dst, ','), fieldHistory, nil)
		dst = append(dst, '[')
		for i, m := range messages[:last] {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendMember(append(dst, '{'), "role", quoted(turnRole(m.Role)))
			dst = appendMember(append(dst, ','), fieldMessage, nil)
			dst = append(appendString(dst, m.TextOf()), '}')
		}
		dst = append(dst, ']')
	}
	if t.has[fieldMessage] {
		return dst, nil
	}
	dst = appendMember(append(dst, ','), fieldMessage, nil)
	if last < 0 {
		return append(dst, `""`...), nil
	}
	return appendString(dst, messages[last].TextOf()), nil
}

// appendMessages appends a chat in the formats that have "messages".
func appendMessages(dst []byte, t *chatTemplate, chat *backend.Chat, f Format) ([]byte, *fault.Error) {
	if t.has[fieldMessages] {
		return dst, nil
	}
	dst = append(dst, `,"messages":[`...)
	for i, turn := range t.before {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, turn...)
	}
	for i, m := range chat.Messages {
		if i > 0 || len(t.before) > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"role":`...)
		dst = appendString(dst, role(m.Role))
		dst = append(dst, `,"content":[`...)
		for j := 0; j < len(m.Parts); {
			if j > 0 {
				dst = append(dst, ',')
			}
			if image := m.Parts[j].Image; image != nil {
				dst = append(appendImageURL(append(dst, f.imageBefore()...), image), `}}`...)
				j++
				continue
			}
			end := j + 1
			for end < len(m.Parts) && m.Parts[end].Image == nil {
				end++
			}
			dst = append(dst, `{"type":"TEXT","text":`...)
			dst = append(appendString(dst, backend.Message{Parts: m.Parts[j:end]}.TextOf()), '}')
			j = end
		}
		dst = append(dst, `]}`...)
	}
	return append(dst, ']'), nil
}

// imageBefore is what stands before the address of a picture.
func (f Format) imageBefore() string {
	if f == Generic {
		return `{"type":"IMAGE","imageUrl":{"url":`
	}
	return `{"type":"IMAGE_URL","imageUrl":{"url":`
}

// turns are the messages of the parameters systemMessage and chatHistory, as
// the reference tool takes them: contents may be a text, an object or a list.
// Entries without a content are left out.
func (f Format) turns(params object) []json.RawMessage {
	var all []json.RawMessage
	add := func(who string, content []json.RawMessage) {
		if len(content) == 0 {
			return
		}
		list, err := marshal(content)
		if err != nil {
			return
		}
		turn := append(appendMember([]byte{'{'}, "role", quoted(role(who))), ',')
		all = append(all, append(appendMember(turn, "content", list), '}'))
	}
	if system, ok := params[fieldSystem]; ok {
		add("system", f.contents(system))
	}
	var history []json.RawMessage
	if json.Unmarshal(params[fieldHistory], &history) != nil {
		return all
	}
	for _, entry := range history {
		var turn struct {
			Role    string          `json:"role"`
			Content json.RawMessage `json:"content"`
			Message json.RawMessage `json:"message"`
		}
		if json.Unmarshal(entry, &turn) != nil {
			continue
		}
		who := turn.Role
		if strings.EqualFold(who, "chatbot") {
			who = "assistant"
		}
		if len(turn.Content) == 0 {
			turn.Content = turn.Message
		}
		add(who, f.contents(turn.Content))
	}
	return all
}

// contents brings a content of any form into OCI's list of objects.
func (f Format) contents(value json.RawMessage) []json.RawMessage {
	var many []json.RawMessage
	if json.Unmarshal(value, &many) != nil {
		many = []json.RawMessage{value}
	}
	var out []json.RawMessage
	for _, one := range many {
		var text string
		if json.Unmarshal(one, &text) == nil && !isNull(one) {
			one = textContent(text)
		} else {
			one = f.content(one)
		}
		if one != nil {
			out = append(out, one)
		}
	}
	return out
}

func textContent(text string) json.RawMessage {
	return append(appendMember([]byte(`{"type":"TEXT",`), "text", quoted(text)), '}')
}

// content brings one object of a content into OCI's form; nil where it is
// none. What it does not know goes out as it is.
func (f Format) content(value json.RawMessage) json.RawMessage {
	var o object
	if json.Unmarshal(value, &o) != nil || o == nil {
		return nil
	}
	first := func(names ...string) string {
		for _, name := range names {
			var s string
			if json.Unmarshal(o[name], &s) == nil && s != "" {
				return s
			}
		}
		return ""
	}
	switch strings.ToUpper(first("type")) {
	case "TEXT", "OUTPUT_TEXT", "OUTPUT_TEXT_DELTA", "":
		return textContent(first("text", "data"))
	case "THINKING":
		return append(appendMember([]byte(`{"type":"THINKING",`), "thinking", quoted(first("thinking", "text"))), '}')
	case "IMAGE_URL", "IMAGE":
		url := first("imageUrl", "url")
		var nested struct {
			URL string `json:"url"`
		}
		if json.Unmarshal(o["imageUrl"], &nested) == nil && nested.URL != "" {
			url = nested.URL
		}
		return append(appendString([]byte(f.imageBefore()), url), `}}`...)
	}
	return value
}
