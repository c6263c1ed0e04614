package open

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/dataset/table"
	"github.com/genai-bench/genai-bench/core/picture"
)

// textOf makes a prompt of a column's value: a text, a number, or, of a
// conversation, what its user says first.
func textOf(column string, row table.Row) (string, error) {
	value, there := row[column]
	if !there || value == nil {
		return "", fmt.Errorf("has nothing in column %s", table.Clip(column))
	}
	var text string
	switch v := value.(type) {
	case string:
		text = v
	case []byte:
		text = string(v)
	case json.Number:
		text = v.String()
	case bool, int32, int64, float32, float64:
		text = fmt.Sprint(v)
	case []any:
		turns, err := turnsOf(v)
		if err != nil {
			return "", fmt.Errorf("column %s: %w", table.Clip(column), err)
		}
		for _, t := range turns {
			if t.Role == dataset.RoleUser {
				return t.Text, nil
			}
		}
		return "", fmt.Errorf("column %s: %w", table.Clip(column), errNoUser)
	default:
		return "", fmt.Errorf("column %s is no text", table.Clip(column))
	}
	if !utf8.ValidString(text) {
		return "", fmt.Errorf("column %s is not UTF-8 text", table.Clip(column))
	}
	if strings.TrimSpace(text) == "" {
		return "", fmt.Errorf("has nothing in column %s", table.Clip(column))
	}
	return text, nil
}

var (
	errNoUser  = errors.New("is a conversation in which no user says anything")
	errNoTurns = errors.New(`is no conversation (a list of {"from": …, "value": …} or {"role": …, "content": …})`)
)

// turnsOf reads a conversation: ShareGPT's from and value, OpenAI's role and
// content, or texts, all the user's.
func turnsOf(list []any) ([]dataset.Turn, error) {
	var turns []dataset.Turn
	for i, item := range list {
		var turn dataset.Turn
		switch v := item.(type) {
		case string:
			turn = dataset.Turn{Role: dataset.RoleUser, Text: v}
		case map[string]any:
			role, content := first(v, "from", "role"), first(v, "value", "content")
			name, ok := role.(string)
			if !ok {
				return nil, errNoTurns
			}
			turn = dataset.Turn{Role: roleOf(name), Text: contentOf(content)}
		default:
			return nil, errNoTurns
		}
		if !utf8.ValidString(turn.Text) {
			return nil, fmt.Errorf("turn %d is not UTF-8 text", i+1)
		}
		if strings.TrimSpace(turn.Text) != "" {
			turns = append(turns, turn)
		}
	}
	return turns, nil
}

// first returns the value of the first key that is there and not null.
func first(object map[string]any, keys ...string) any {
	for _, key := range keys {
		if v := object[key]; v != nil {
			return v
		}
	}
	return nil
}

func roleOf(name string) string {
	switch name = strings.ToLower(strings.TrimSpace(name)); name {
	case "human", "user", "prompter":
		return dataset.RoleUser
	case "gpt", "assistant", "chatgpt", "bing", "bard", "model", "bot", "chatbot":
		return dataset.RoleAssistant
	}
	return name
}

// contentOf is the text of a message: a string, or its text parts together.
func contentOf(content any) string {
	switch v := content.(type) {
	case string:
		return v
	case []any:
		var texts []string
		for _, part := range v {
			if object, ok := part.(map[string]any); ok {
				if text, ok := object["text"].(string); ok {
					texts = append(texts, text)
				}
			}
		}
		return strings.Join(texts, "\n")
	}
	return ""
}

// conversationOf takes a conversation out of a row. Turns before the first of
// the system's or the user's are the rest of another conversation.
func conversationOf(column string, row table.Row) ([]dataset.Turn, error) {
	list, ok := row[column].([]any)
	if !ok {
		return nil, fmt.Errorf("column %s %w", table.Clip(column), errNoTurns)
	}
	turns, err := turnsOf(list)
	if err != nil {
		return nil, fmt.Errorf("column %s %w", table.Clip(column), err)
	}
	for _, t := range turns {
		if t.Role == dataset.RoleUser {
			return turns, nil
		}
	}
	return nil, fmt.Errorf("column %s %w", table.Clip(column), errNoUser)
}

// Bounds of a picture's encoded data.
const (
	pictureBytesMax      = 64 << 20
	largePictureBytesMax = 1 << 30
)

// pictures reads the pictures of a row.
type pictures struct {
	folder string // what relative paths of files are relative to; "" refuses them
	large  bool
}

// of returns the pictures in a column's value: one, or a list.
func (p pictures) of(column string, row table.Row) ([]dataset.Picture, error) {
	value := row[column]
	list, many := value.([]any)
	if !many {
		list = []any{value}
	}
	var found []dataset.Picture
	for _, item := range list {
		if item == nil {
			continue
		}
		picture, err := p.one(item)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", table.Clip(column), err)
		}
		found = append(found, picture)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("has no picture in column %s", table.Clip(column))
	}
	return found, nil
}

// looksLike tells whether a value may be a picture, without reading it.
func looksLike(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.TrimSpace(v) != ""
	case []byte, table.Path:
		return true
	case map[string]any:
		return first(v, "bytes", "url", "path", "src") != nil
	case []any:
		for _, item := range v {
			if looksLike(item) {
				return true
			}
		}
	}
	return false
}

func (p pictures) one(value any) (dataset.Picture, error) {
	switch v := value.(type) {
	case []byte:
		return p.data(v)
	case table.Path:
		return p.file(string(v))
	case string:
		return p.text(v)
	case map[string]any:
		switch data := v["bytes"].(type) {
		case []byte:
			if len(data) > 0 {
				return p.data(data)
			}
		case string:
			// Parquet's bytes are a string where the file does not say what they are.
			if raw, err := p.data([]byte(data)); err == nil || !utf8.ValidString(data) {
				return raw, err
			}
			if data != "" {
				return p.base64(data)
			}
		}
		if text, ok := first(v, "url", "src", "path").(string); ok {
			return p.text(text)
		}
	}
	return dataset.Picture{}, errors.New("is no picture (bytes, an http address, base64, or a file beside the dataset)")
}

// text reads a picture's address, its data as base64, or the path of its file.
func (p pictures) text(text string) (dataset.Picture, error) {
	if !utf8.ValidString(text) {
		return p.data([]byte(text))
	}
	text = strings.TrimSpace(text)
	lower := strings.ToLower(text[:min(len(text), 8)])
	switch {
	case strings.HasPrefix(lower, "http://"), strings.HasPrefix(lower, "https://"):
		return dataset.Picture{URL: text}, nil
	case strings.HasPrefix(lower, "data:"):
		head, data, ok := strings.Cut(text, ",")
		if !ok || !strings.HasSuffix(strings.ToLower(head), ";base64") {
			return dataset.Picture{}, errors.New("is a data address that is not base64")
		}
		return p.base64(data)
	case len(text) > 256 && !strings.Contains(text, "."):
		return p.base64(text)
	case p.folder == "":
		return dataset.Picture{}, fmt.Errorf("is the path of a file, %s, which cannot be found here", table.Clip(text))
	case !filepath.IsLocal(filepath.FromSlash(text)):
		// A dataset may come from anywhere: it must not send this machine's files.
		return dataset.Picture{}, fmt.Errorf("is the path %s, which leads out of the dataset's folder (write it relative to the file)", table.Clip(text))
	}
	return p.file(filepath.Join(p.folder, filepath.FromSlash(text)))
}

func (p pictures) base64(text string) (dataset.Picture, error) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		data, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	}
	if err != nil {
		return dataset.Picture{}, errors.New("is no picture: neither base64 nor the path of a file")
	}
	return p.data(data)
}

func (p pictures) file(path string) (dataset.Picture, error) {
	info, err := os.Stat(path)
	if err != nil {
		return dataset.Picture{}, fmt.Errorf("%s: %w", filepath.Base(path), plain(err))
	}
	if !info.Mode().IsRegular() || info.Size() > p.bytesMax() {
		return dataset.Picture{}, fmt.Errorf("%s: is no file of at most %d MiB", filepath.Base(path), p.bytesMax()>>20)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return dataset.Picture{}, fmt.Errorf("%s: %w", filepath.Base(path), plain(err))
	}
	return p.data(data)
}

func (p pictures) bytesMax() int64 {
	if p.large {
		return largePictureBytesMax
	}
	return pictureBytesMax
}

func (p pictures) data(data []byte) (dataset.Picture, error) {
	if int64(len(data)) > p.bytesMax() {
		return dataset.Picture{}, fmt.Errorf("is a picture of %d MiB (at most %d)", len(data)>>20, p.bytesMax()>>20)
	}
	format, width, height, err := picture.Check(data, p.large)
	if err != nil {
		return dataset.Picture{}, err
	}
	return dataset.Picture{Data: data, Format: format, Width: width, Height: height}, nil
}

// plain takes the path out of an error of package os, where the message names
// it already.
func plain(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
