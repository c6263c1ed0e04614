package openaiwire

import (
	"encoding/base64"
	"slices"
	"unicode/utf8"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, as with encoding/json; nothing is escaped that JSON does not ask for.
func appendString(dst []byte, s string) []byte {
	dst = slices.Grow(dst, len(s)+2)
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		for i+8 <= len(s) && special(load64(s[i:i+8])) == 0 {
			i += 8
		}
		if i == len(s) {
			break
		}
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			const hex = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// load64 reads eight bytes at once; the compiler makes one load of it.
func load64(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func appendStrings(dst []byte, all []string) []byte {
	dst = append(dst, '[')
	for i, s := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}

// appendImageURL appends an image's address, or its bytes as a data URL.
func appendImageURL(dst []byte, image *backend.Image) []byte {
	if len(image.Bytes) == 0 {
		return appendString(dst, image.URL)
	}
	dst = slices.Grow(dst, base64.StdEncoding.EncodedLen(len(image.Bytes))+len(image.MIME)+32)
	dst = append(dst, `"data:`...)
	dst = append(dst, image.MIME...)
	dst = append(dst, `;base64,`...)
	dst = base64.StdEncoding.AppendEncode(dst, image.Bytes)
	return append(dst, '"')
}

// appendMessages appends the messages of a chat. Text alone is a plain string;
// with images it is a list of parts, adjacent texts joined.
func appendMessages(dst []byte, messages []backend.Message) []byte {
	dst = append(dst, '[')
	for i, m := range messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"role":`...)
		dst = appendString(dst, m.Role)
		dst = append(dst, `,"content":`...)
		if m.HasImages() {
			dst = appendParts(dst, m.Parts)
		} else {
			dst = appendString(dst, m.TextOf())
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendParts(dst []byte, parts []backend.Part) []byte {
	dst = append(dst, '[')
	for i := 0; i < len(parts); {
		if i > 0 {
			dst = append(dst, ',')
		}
		if image := parts[i].Image; image != nil {
			dst = append(dst, `{"type":"image_url","image_url":{"url":`...)
			dst = appendImageURL(dst, image)
			dst = append(dst, `}}`...)
			i++
			continue
		}
		end := i + 1
		for end < len(parts) && parts[end].Image == nil {
			end++
		}
		dst = append(dst, `{"type":"text","text":`...)
		dst = appendString(dst, backend.Message{Parts: parts[i:end]}.TextOf())
		dst = append(dst, '}')
		i = end
	}
	return append(dst, ']')
}
