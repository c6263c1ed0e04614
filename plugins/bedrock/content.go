package main

import (
	"encoding/base64"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

// picture is an image as Bedrock takes it.
type picture struct {
	format string // "jpeg", "png", "gif", "webp"
	base64 string
	s3     string // instead of the bytes
}

func (p picture) mediaType() string { return "image/" + p.format }

// pictureOf turns an image into what Bedrock takes: bytes, never an address on
// the web.
func pictureOf(image *backend.Image) (picture, *fault.Error) {
	mime, data := image.MIME, ""
	switch {
	case len(image.Bytes) > 0:
		data = base64.StdEncoding.EncodeToString(image.Bytes)
	case strings.HasPrefix(image.URL, "data:"):
		head, body, ok := strings.Cut(strings.TrimPrefix(image.URL, "data:"), ",")
		kind, encoded := strings.CutSuffix(head, ";base64")
		if !ok || !encoded {
			return picture{}, fault.New(fault.InvalidRequest, "a picture's data URL is not in base64")
		}
		mime, _, _ = strings.Cut(kind, ";")
		data = body
	case strings.HasPrefix(image.URL, "s3://"):
		dot := strings.LastIndexByte(image.URL, '.')
		return picture{format: formatOf(image.URL[dot+1:]), s3: image.URL}, nil
	default:
		e := fault.New(fault.InvalidRequest, "Amazon Bedrock does not fetch pictures from %s", schemeOf(image.URL))
		e.Hint = "give the pictures as files; genai-bench then sends their bytes"
		return picture{}, e
	}
	return picture{format: formatOf(strings.TrimPrefix(mime, "image/")), base64: data}, nil
}

func schemeOf(address string) string {
	if scheme, _, ok := strings.Cut(address, "://"); ok {
		return scheme + " addresses"
	}
	return "such addresses"
}

// formatOf is Bedrock's word for a picture's format.
func formatOf(kind string) string {
	switch kind = strings.ToLower(kind); kind {
	case "png", "gif", "webp":
		return kind
	}
	return "jpeg" // and jpg, and what genai-bench makes of all others
}

// turn is one message of the conversation, with adjacent texts joined.
type turn struct {
	role  string
	parts []part
}

type part struct {
	text    string
	picture *picture
}

// conversation are the messages, the system's apart.
type conversation struct {
	system string
	turns  []turn
}

// conversationOf reads the messages of a chat.
func conversationOf(messages []backend.Message) (conversation, *fault.Error) {
	var c conversation
	for _, m := range messages {
		switch m.Role {
		case "system", "developer":
			if c.system != "" {
				c.system += "\n"
			}
			c.system += m.TextOf()
			continue
		case "user", "assistant":
		default:
			return c, fault.New(fault.InvalidRequest, "Amazon Bedrock has no messages of the role %q", m.Role)
		}
		parts, failure := partsOf(m)
		if failure != nil {
			return c, failure
		}
		c.turns = append(c.turns, turn{m.Role, parts})
	}
	return c, nil
}

func partsOf(m backend.Message) ([]part, *fault.Error) {
	if !m.HasImages() {
		return []part{{text: m.TextOf()}}, nil
	}
	var parts []part
	for _, p := range m.Parts {
		last := len(parts) - 1
		switch {
		case p.Image != nil:
			converted, failure := pictureOf(p.Image)
			if failure != nil {
				return nil, failure
			}
			parts = append(parts, part{picture: &converted})
		case last >= 0 && parts[last].picture == nil:
			parts[last].text += p.Text
		default:
			parts = append(parts, part{text: p.Text})
		}
	}
	return parts, nil
}

// asPrompt is the conversation as one text, for models that take nothing else.
func asPrompt(messages []backend.Message) (string, *fault.Error) {
	if len(messages) == 1 && !messages[0].HasImages() {
		return messages[0].TextOf(), nil
	}
	var b strings.Builder
	for i, m := range messages {
		if m.HasImages() {
			e := fault.New(fault.InvalidRequest, "the body of these models in InvokeModel has no room for pictures")
			e.Hint = "use --bedrock-api converse"
			return "", e
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(m.TextOf())
	}
	return b.String(), nil
}
