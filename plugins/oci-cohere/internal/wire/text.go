package wire

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// appendString appends s as a JSON string. Bytes that are no UTF-8 become
// U+FFFD, as with encoding/json.
func appendString(dst []byte, s string) []byte {
	if !plain(s) {
		text, err := marshal(s)
		if err != nil { // strings always marshal
			text = json.RawMessage(`""`)
		}
		return append(dst, text...)
	}
	dst = slices.Grow(dst, len(s)+2)
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// plain tells whether a text is its own JSON string.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' {
			return false
		}
	}
	return utf8.ValidString(s)
}

// quoted returns s as a JSON string.
func quoted(s string) json.RawMessage { return appendString(nil, s) }

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

func appendUint(dst []byte, n uint32) []byte { return strconv.AppendUint(dst, uint64(n), 10) }

// appendMember appends a field; its value follows where value is nil.
func appendMember(dst []byte, name string, value json.RawMessage) []byte {
	dst = append(appendString(dst, name), ':')
	return append(dst, value...)
}

// appendImageURL appends an image's address, or its bytes as a data URL.
func appendImageURL(dst []byte, image *backend.Image) []byte {
	if len(image.Bytes) == 0 {
		return appendString(dst, image.URL)
	}
	dst = slices.Grow(dst, base64.StdEncoding.EncodedLen(len(image.Bytes))+len(image.MIME)+16)
	dst = append(dst, `"data:`...)
	dst = append(dst, image.MIME...)
	dst = append(dst, `;base64,`...)
	dst = base64.StdEncoding.AppendEncode(dst, image.Bytes)
	return append(dst, '"')
}
