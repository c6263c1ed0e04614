package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/core/chattemplate"
	"github.com/genai-bench/genai-bench/core/tokenizer"
)

// renderTemplate renders a template alone, for the contexts of the input: one,
// or with jsonl one a line.
func (a *app) renderTemplate(path string, jsonl bool, now time.Time, in io.Reader, out *bufio.Writer) error {
	source, err := os.ReadFile(path)
	if err != nil {
		return withCode(exitUsage, "--chat-template %s: %w", path, fileReason(err))
	}
	template, err := chattemplate.Parse(string(source))
	if !jsonl {
		if err != nil {
			return withCode(exitUsage, "--chat-template %s: %w", path, err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			return fmt.Errorf("reading the context: %w", fileReason(err))
		}
		text, err := renderOne(template, data, now)
		if err != nil {
			return withCode(exitUsage, "--chat-template %s: %w", path, err)
		}
		_, err = out.WriteString(text)
		return err
	}
	return renderLines(template, err, now, in, out)
}

func renderOne(template *chattemplate.Template, context []byte, now time.Time) (string, error) {
	ctx, err := chattemplate.DecodeContext(context)
	if err != nil {
		return "", err
	}
	return template.RenderAt(ctx, now)
}

// renderChat prints a conversation as the model's chat template renders it, and
// on the last line the number of its tokens: what a chat server counts as its
// input.
func (a *app) renderChat(ctx context.Context, o tokenizeOptions, in io.Reader, out *bufio.Writer) error {
	now, err := parseNow(o.now)
	if err != nil {
		return err
	}
	t, path, err := a.findTokenizer(ctx, o.tokenizer)
	if err != nil {
		return withCode(exitUsage, "--model-tokenizer: %w", err)
	}
	if t != nil {
		return withCode(exitUsage, "--chat: %s is an encoding without a chat template (give the folder or the Hugging Face name of a model that has one)", o.tokenizer)
	}
	if t, err = tokenizer.Load(path); err != nil {
		return withCode(exitUsage, "--model-tokenizer: %w", err)
	}
	templates, err := chatTemplates(path)
	if err != nil {
		return withCode(exitUsage, "--model-tokenizer %s: %w", o.tokenizer, err)
	}
	if o.chat != "-" {
		f, err := os.Open(o.chat)
		if err != nil {
			return withCode(exitUsage, "--chat %s: %w", o.chat, fileReason(err))
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("--chat %s: %w", o.chat, fileReason(err))
	}
	conversation, err := chattemplate.DecodeConversation(data)
	if err != nil {
		return withCode(exitUsage, "--chat %s: %w", o.chat, err)
	}
	conversation.Now = now
	text, err := templates.Render(conversation)
	if err != nil {
		return withCode(exitUsage, "--chat %s: %w", o.chat, err)
	}
	fmt.Fprintf(out, "%s\n%d tokens\n", text, t.Count(text))
	return nil
}

// parseNow reads what --now says: a date, a moment, or nothing for the present.
func parseNow(text string) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, withCode(exitUsage, "--now %q: write a date as 2026-01-31, or a moment as 2026-01-31T12:00:00Z", text)
}

// renderedLine answers a line of contexts: the text, or why there is none.
type renderedLine struct {
	ID    json.RawMessage `json:"id"`
	Text  *string         `json:"text,omitempty"`
	Error string          `json:"error,omitempty"`
}

// renderLines answers a line with a line, as they come. A template that does
// not parse answers every line with its error.
func renderLines(template *chattemplate.Template, broken error, now time.Time, in io.Reader, out *bufio.Writer) error {
	lines := bufio.NewReaderSize(in, 1<<20)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if len(strings.TrimSpace(string(line))) > 0 {
			var question struct {
				ID      json.RawMessage `json:"id"`
				Context json.RawMessage `json:"context"`
			}
			if err := json.Unmarshal(line, &question); err != nil {
				return withCode(exitUsage, `line %d: not the JSON that --jsonl wants, {"id": …, "context": {…}}: %w`, n, err)
			}
			answer := renderedLine{ID: question.ID}
			text, renderErr := "", broken
			if broken == nil {
				text, renderErr = renderOne(template, question.Context, now)
			}
			if renderErr != nil {
				answer.Error = renderErr.Error()
			} else {
				answer.Text = &text
			}
			if err := writeJSONLine(out, answer); err != nil {
				return err
			}
			if lines.Buffered() == 0 { // whoever talks over a pipe waits for the answer
				if err := out.Flush(); err != nil {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading line %d: %w", n, fileReason(err))
		}
	}
}
