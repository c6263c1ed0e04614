package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/genai-bench/genai-bench/core/tokenizer"
)

type tokenizeOptions struct {
	tokenizer                         string
	count, ids, tokens, decode, jsonl bool
	special                           bool
	template, chat, now               string
}

func (a *app) tokenizeCommand() *cobra.Command {
	var o tokenizeOptions
	cmd := &cobra.Command{
		Use:   "tokenize --model-tokenizer TOKENIZER [--count|--ids|--tokens|--decode|--jsonl|--chat FILE] [FILE|-]",
		Short: "count, encode or decode text as a model's tokenizer does",
		Long: `Count, encode or decode the text of a file, or of standard input.

With --jsonl each line is one text and is answered with one line, in order:
  in   {"id": …, "text": …} or {"id": …, "raw_b64": …}
  out  {"id": …, "ids": […], "ids_special": […], "decoded": …, "decoded_skip_special": …}

--chat-template renders a template by itself, with --jsonl
  in   {"id": …, "context": {…}}
  out  {"id": …, "text": …} or {"id": …, "error": …}`,
		Example: `  echo -n "Hello, world" | genai-bench tokenize --model-tokenizer ./tokenizer.json --ids
  genai-bench tokenize --model-tokenizer ./model --count book.txt`,
		Args:        cobra.MaximumNArgs(1),
		Annotations: map[string]string{"sift": "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.problems.Err(); err != nil {
				return err
			}
			return a.tokenize(cmd.Context(), o, args)
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&o.tokenizer, "model-tokenizer", "", "tokenizer: a folder, a file such as tokenizer.json, an OpenAI model, or a Hugging Face name")
	fs.BoolVar(&o.count, "count", false, "print the number of tokens (the default)")
	fs.BoolVar(&o.ids, "ids", false, "print the ids, a line in all")
	fs.BoolVar(&o.tokens, "tokens", false, "print id and token, a line each")
	fs.BoolVar(&o.decode, "decode", false, "read ids, separated by blanks or commas, and print their text")
	fs.BoolVar(&o.jsonl, "jsonl", false, "a line of JSON in, a line of JSON out")
	fs.StringVar(&o.template, "chat-template", "", "render this Jinja template alone, for the context that the input holds as JSON; no tokenizer is needed")
	fs.StringVar(&o.chat, "chat", "", "file (or -) with a conversation, a JSON list of messages or a chat request: print it as the model's chat template renders it, and its count")
	fs.StringVar(&o.now, "now", "", "moment that templates take for the present, as 2026-01-31; default is the real one")
	fs.BoolVar(&o.special, "special", false, "with the special tokens that the model's own tokenizer adds; with --decode: keep them out of the text")
	return cmd
}

func (a *app) tokenize(ctx context.Context, o tokenizeOptions, args []string) error {
	if o.tokenizer == "" && o.template == "" {
		return withCode(exitUsage, "--model-tokenizer is required: a folder, a tokenizer.json, an OpenAI model or a Hugging Face name")
	}
	modes := 0
	for _, on := range []bool{o.count, o.ids, o.tokens, o.decode, o.jsonl && o.template == "", o.chat != "", o.template != ""} {
		if on {
			modes++
		}
	}
	if modes > 1 {
		return withCode(exitUsage, "give one of --count, --ids, --tokens, --decode, --jsonl, --chat, --chat-template")
	}
	in := a.stdin
	if len(args) == 1 && args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return withCode(exitUsage, "%s: %w", args[0], fileReason(err))
		}
		defer f.Close()
		in = f
	}
	out := bufio.NewWriterSize(a.stdout, 64<<10)
	err := a.tokenizeInput(ctx, o, in, out)
	return errors.Join(err, out.Flush())
}

func (a *app) tokenizeInput(ctx context.Context, o tokenizeOptions, in io.Reader, out *bufio.Writer) error {
	if o.template != "" {
		now, err := parseNow(o.now)
		if err != nil {
			return err
		}
		return a.renderTemplate(o.template, o.jsonl, now, in, out)
	}
	if o.chat != "" {
		return a.renderChat(ctx, o, in, out)
	}
	t, err := a.loadTokenizer(ctx, o.tokenizer)
	if err != nil {
		return withCode(exitUsage, "--model-tokenizer: %w", err)
	}
	if o.jsonl {
		return tokenizeLines(t, in, out)
	}
	return tokenizeWhole(t, o, in, out)
}

// tokenizeWhole takes the input as one text (or list of ids).
func tokenizeWhole(t *tokenizer.Tokenizer, o tokenizeOptions, in io.Reader, out *bufio.Writer) error {
	data, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("reading the input: %w", fileReason(err))
	}
	if o.decode {
		ids, err := parseIDs(string(data))
		if err != nil {
			return err
		}
		fmt.Fprintln(out, t.Decode(ids, o.special))
		return nil
	}
	text := string(data)
	if !o.ids && !o.tokens && !o.special {
		fmt.Fprintln(out, t.Count(text))
		return nil
	}
	var ids []uint32
	if o.special {
		ids = t.AppendEncodeSpecial(nil, text)
	} else {
		ids = t.AppendEncode(nil, text)
	}
	switch {
	case o.ids:
		for i, id := range ids {
			if i > 0 {
				fmt.Fprint(out, " ")
			}
			fmt.Fprint(out, id)
		}
		fmt.Fprintln(out)
	case o.tokens:
		for _, id := range ids {
			token, _ := t.IDToToken(id)
			fmt.Fprintf(out, "%d\t%q\n", id, token)
		}
	default:
		fmt.Fprintln(out, len(ids))
	}
	return nil
}

func parseIDs(text string) ([]uint32, error) {
	var ids []uint32
	for _, field := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,\t\r\n[]", r) }) {
		id, err := strconv.ParseUint(field, 10, 32)
		if err != nil {
			return nil, withCode(exitUsage, "--decode: %q is not a token id (write whole numbers, separated by blanks or commas)", field)
		}
		ids = append(ids, uint32(id))
	}
	return ids, nil
}

// tokenizeLine is a line of --jsonl.
type tokenizeLine struct {
	ID     json.RawMessage `json:"id"`
	Text   *string         `json:"text"`
	RawB64 *string         `json:"raw_b64"`
}

type tokenizedLine struct {
	ID                 json.RawMessage `json:"id"`
	IDs                []uint32        `json:"ids"`
	IDsSpecial         []uint32        `json:"ids_special"`
	Decoded            string          `json:"decoded"`
	DecodedSkipSpecial string          `json:"decoded_skip_special"`
}

// tokenizeLines answers a line with a line, as they come: it holds one at a
// time, whatever the number.
func tokenizeLines(t *tokenizer.Tokenizer, in io.Reader, out *bufio.Writer) error {
	lines := bufio.NewReaderSize(in, 1<<20)
	var ids, special []uint32
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if len(strings.TrimSpace(string(line))) > 0 {
			text, id, problem := parseTokenizeLine(line)
			if problem != nil {
				return withCode(exitUsage, "line %d: %w", n, problem)
			}
			ids = t.AppendEncode(ids[:0], text)
			special = t.AppendEncodeSpecial(special[:0], text)
			answer := tokenizedLine{ID: id, IDs: orEmpty(ids), IDsSpecial: orEmpty(special), Decoded: t.Decode(ids, false), DecodedSkipSpecial: t.Decode(ids, true)}
			if err := writeJSONLine(out, answer); err != nil {
				return err
			}
			// Whoever talks to this over a pipe waits for the answer.
			if lines.Buffered() == 0 {
				if err := out.Flush(); err != nil {
					return err
				}
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading line %d: %w", n, fileReason(err))
		}
	}
}

// writeJSONLine writes a value as JSON on a line. U+0085 is escaped besides
// what encoding/json escapes: it is legal in JSON, and some readers of lines,
// Python's splitlines among them, take it for the end of one.
func writeJSONLine(out *bufio.Writer, v any) error {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	_, err := out.Write(bytes.ReplaceAll(line.Bytes(), []byte("\u0085"), []byte(`\u0085`)))
	return err
}

// orEmpty makes an empty list [] in JSON, not null.
func orEmpty(ids []uint32) []uint32 {
	if ids == nil {
		return []uint32{}
	}
	return ids
}

func parseTokenizeLine(line []byte) (text string, id json.RawMessage, err error) {
	var l tokenizeLine
	if err := json.Unmarshal(line, &l); err != nil {
		return "", nil, fmt.Errorf("not the JSON that --jsonl wants: %w", err)
	}
	switch {
	case l.Text != nil:
		return *l.Text, l.ID, nil
	case l.RawB64 != nil:
		raw, err := base64.StdEncoding.DecodeString(*l.RawB64)
		if err != nil {
			return "", nil, fmt.Errorf("raw_b64: %w", err)
		}
		return string(raw), l.ID, nil
	}
	return "", nil, errors.New(`has neither "text" nor "raw_b64"`)
}
