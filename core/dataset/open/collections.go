package open

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/dataset/lambda"
	"github.com/genai-bench/genai-bench/core/dataset/table"
)

// Columns that are used where none is named, the likeliest first.
var (
	promptColumns       = []string{"prompt", table.TextColumn}
	imageColumns        = []string{table.ImageColumn, "images"}
	conversationColumns = []string{"conversations", "messages", "conversation", "turns", table.ListColumn}
)

// prompter makes the prompt of a row.
type prompter struct {
	column   string
	function *lambda.Lambda
	fixed    string // of all rows
}

// promptOf chooses how prompts are made from the columns that there are.
func (d *Dataset) promptOf(there []string, needed bool) (p prompter, err error) {
	say := d.description.sayColumn("prompt")
	switch text := d.description.PromptLambda; {
	case lambda.Is(text):
		if p.function, err = lambda.Compile(text); err != nil {
			return p, fmt.Errorf("prompt_lambda %w", err)
		}
		names, _ := p.function.Columns()
		for _, name := range names {
			if !slices.Contains(there, name) {
				return p, noColumn("prompt_lambda", name, there)
			}
		}
		return p, nil
	case text != "" && slices.Contains(there, text):
		return prompter{column: text}, nil
	case text != "":
		return prompter{fixed: text}, nil
	}
	if name := d.description.PromptColumn; name != "" {
		if !slices.Contains(there, name) {
			return p, noColumn(say, name, there)
		}
		return prompter{column: name}, nil
	}
	if len(there) == 1 && needed {
		return prompter{column: there[0]}, nil
	}
	for _, name := range slices.Concat(promptColumns, conversationColumns) {
		if slices.Contains(there, name) {
			return prompter{column: name}, nil
		}
	}
	if needed {
		return p, fmt.Errorf("has several columns: %s (say with %s which has the prompts)", enumerate(clipAll(there)), say)
	}
	return p, nil
}

// columns are those that prompts are made of; nil is all.
func (p prompter) columns() []string {
	if p.function != nil {
		names, all := p.function.Columns()
		if all {
			return nil
		}
		return append([]string{}, names...)
	}
	if p.column != "" {
		return []string{p.column}
	}
	return []string{}
}

// text makes the prompt of a row; "" where the row is to have none.
func (p prompter) text(row table.Row) (string, error) {
	switch {
	case p.function != nil:
		text, err := p.function.Call(row)
		if err != nil {
			return "", fmt.Errorf("prompt_lambda %w", err)
		}
		return text, nil
	case p.column != "":
		return textOf(p.column, row)
	}
	return p.fixed, nil
}

func (p prompter) String() string {
	switch {
	case p.function != nil:
		return "prompt_lambda"
	case p.column != "":
		return p.column
	}
	return ""
}

var errEmptyPrompt = errors.New("has an empty prompt")

// texts is a dataset's prompts.
type texts struct {
	*Dataset
	prompt prompter
}

// Texts reads the prompts of the dataset.
func (d *Dataset) Texts(ctx context.Context) (dataset.Texts, error) {
	if d.builtIn {
		builtIn := dataset.BuiltIn()
		d.facts.Rows = builtIn.Len()
		name, size, sum := dataset.BuiltInFile()
		d.facts.Files = []FileFacts{{Name: name, Bytes: size, SHA256: sum}}
		return builtIn, nil
	}
	t := &texts{Dataset: d}
	err := d.index(ctx, reading{
		columns: func(there []string) ([]string, error) {
			if d.plainText() {
				there = []string{table.TextColumn}
				if name := d.description.PromptColumn; name != "" && name != table.TextColumn {
					d.note("%s %s is ignored: a text file has no columns", d.description.sayColumn("prompt"), name)
					d.description.PromptColumn = ""
				}
			}
			prompt, err := d.promptOf(there, true)
			if err != nil {
				return nil, err
			}
			t.prompt = prompt
			columns := prompt.columns()
			if columns != nil && len(columns) == 0 {
				columns = there[:min(1, len(there))] // something must be counted
			}
			return columns, nil
		},
		usable:  func(row table.Row) error { _, err := t.take(row); return err },
		extract: t.take,
	})
	if err != nil {
		return nil, d.failure(ctx, err)
	}
	d.facts.Prompt = t.prompt.String()
	return t, nil
}

// plainText tells a dataset of text files.
func (d *Dataset) plainText() bool {
	if d.description.Format != "" {
		return d.description.Format == table.Text
	}
	return len(d.parts) > 0 && table.FormatOf(d.parts[0].files[0]) == table.Text
}

// failure words an error of opening a collection.
func (d *Dataset) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return named(d.name, err)
}

func (t *texts) take(row table.Row) (string, error) {
	if text, ok := row[table.ExtractedColumn].(string); ok {
		return text, nil
	}
	text, err := t.prompt.text(row)
	if err == nil && strings.TrimSpace(text) == "" {
		err = errEmptyPrompt
	}
	return text, err
}

// Name implements dataset.Texts.
func (t *texts) Name() string { return t.name }

// Len implements dataset.Texts.
func (t *texts) Len() int { return t.table.Len() }

// Text implements dataset.Texts. Where row i is not usable any more, because its
// file was changed, the next one that is stands in for it.
func (t *texts) Text(i int) (text string, err error) {
	_, err = t.next(i, func(row table.Row) (err error) { text, err = t.take(row); return err })
	return text, err
}

// next walks from row i on, round the end, to the first that take accepts.
func (d *Dataset) next(i int, take func(table.Row) error) (row int, err error) {
	n := d.table.Len()
	for k := range n {
		row := (i + k) % n
		if d.bad.Has(row) {
			continue
		}
		values, err := d.table.Row(row)
		var bad *table.BadRow
		if err != nil && !errors.As(err, &bad) {
			return 0, err
		}
		if err == nil {
			if err = take(values); err == nil {
				return row, nil
			}
		}
		d.bad.AddRow(d.table, row, err)
	}
	return 0, d.noneLeft()
}

func (d *Dataset) noneLeft() error {
	reason := ""
	if first := d.bad.First(); len(first) > 0 {
		reason = "; the first: " + first[0]
	}
	return fmt.Errorf("dataset %s: none of its %d rows is usable%s", d.name, d.bad.Count(), reason)
}

// extractedPictures is how large a file of Parquet with pictures may be, in bytes,
// to be unpacked into a temporary one. Rows of larger ones take milliseconds.
const extractedPictures = 8 << 30

// records is a dataset's pictures.
type records struct {
	*Dataset
	prompt   prompter
	column   string
	pictures pictures
}

// Records reads the pictures of the dataset and the prompts beside them.
func (d *Dataset) Records(ctx context.Context) (dataset.Records, error) {
	if d.builtIn {
		return nil, errors.New("the built-in text has no pictures (give a dataset that has some)")
	}
	r := &records{Dataset: d, pictures: pictures{folder: d.pictureFolder(), large: d.description.LargeImages}}
	err := d.index(ctx, reading{
		columns: func(there []string) ([]string, error) {
			var err error
			if r.column, err = d.imageOf(there); err != nil {
				return nil, err
			}
			rest := slices.DeleteFunc(slices.Clone(there), func(name string) bool { return name == r.column })
			if r.prompt, err = d.promptOf(rest, false); err != nil {
				return nil, err
			}
			columns := r.prompt.columns()
			if columns == nil {
				return nil, nil
			}
			return append(columns, r.column), nil
		},
		usable: func(row table.Row) error {
			if !looksLike(row[r.column]) {
				return fmt.Errorf("has no picture in column %s", table.Clip(r.column))
			}
			_, err := r.prompt.text(row)
			return err
		},
		extract: func(row table.Row) (string, error) {
			record, err := r.take(row)
			return packRecord(record), err
		},
		extractMost: extractedPictures,
	})
	if err == nil {
		_, err = r.Record(0)
	}
	if err != nil {
		return nil, d.failure(ctx, err)
	}
	d.facts.Prompt, d.facts.Image = r.prompt.String(), r.column
	return r, nil
}

// pictureFolder is what paths of pictures are relative to: the folder of the
// file that names them. The hub's files name none that are here.
func (d *Dataset) pictureFolder() string {
	if d.client != nil || len(d.parts) == 0 || d.parts[0].pictures {
		return ""
	}
	return filepath.Dir(filepath.Join(d.parts[0].root, filepath.FromSlash(d.parts[0].files[0])))
}

// imageOf chooses the column of pictures.
func (d *Dataset) imageOf(there []string) (string, error) {
	say := d.description.sayColumn("image")
	if name := d.description.ImageColumn; name != "" {
		if !slices.Contains(there, name) {
			return "", noColumn(say, name, there)
		}
		return name, nil
	}
	for _, name := range imageColumns {
		if slices.Contains(there, name) {
			return name, nil
		}
	}
	return "", fmt.Errorf("has no column called %s, but %s (say with %s which has the pictures)", strings.Join(imageColumns, " or "), enumerate(clipAll(there)), say)
}

// Name implements dataset.Records.
func (r *records) Name() string { return r.name }

// Len implements dataset.Records.
func (r *records) Len() int { return r.table.Len() }

// Record implements dataset.Records.
func (r *records) Record(i int) (dataset.Record, error) {
	var record dataset.Record
	row, err := r.next(i, func(row table.Row) (err error) { record, err = r.take(row); return err })
	record.Row = row
	return record, err
}

// take makes a record of a row.
func (r *records) take(row table.Row) (record dataset.Record, err error) {
	if packed, ok := row[table.ExtractedColumn].(string); ok {
		return unpackRecord(packed)
	}
	if record.Text, err = r.prompt.text(row); err == nil {
		record.Pictures, err = r.pictures.of(r.column, row)
	}
	return record, err
}

// Reject implements dataset.Records.
func (r *records) Reject(row int, reason error) error {
	r.bad.AddRow(r.table, row, reason)
	if r.bad.Count() < r.table.Len() {
		return nil
	}
	for i := range r.table.Len() {
		if !r.bad.Has(i) {
			return nil
		}
	}
	return r.noneLeft()
}

// conversations is a dataset of conversations.
type conversations struct {
	*Dataset
	column string
}

// Conversations reads the conversations of the dataset: lists of turns, each
// with from and value, as ShareGPT has them, or with role and content.
func (d *Dataset) Conversations(ctx context.Context) (dataset.Conversations, error) {
	if d.builtIn {
		return nil, errors.New("the built-in text has no conversations (give a file that has some)")
	}
	c := &conversations{Dataset: d}
	err := d.index(ctx, reading{
		columns: func(there []string) (_ []string, err error) {
			c.column, err = d.conversationsOf(there)
			return []string{c.column}, err
		},
		usable: func(row table.Row) error { _, err := conversationOf(c.column, row); return err },
		extract: func(row table.Row) (string, error) {
			turns, err := conversationOf(c.column, row)
			if err != nil {
				return "", err
			}
			text, err := json.Marshal(turns)
			return string(text), err
		},
	})
	if err != nil {
		return nil, d.failure(ctx, err)
	}
	d.facts.Prompt = c.column
	return c, nil
}

func (d *Dataset) conversationsOf(there []string) (string, error) {
	if name := d.description.PromptColumn; name != "" {
		if !slices.Contains(there, name) {
			return "", noColumn(d.description.sayColumn("prompt"), name, there)
		}
		return name, nil
	}
	for _, name := range conversationColumns {
		if slices.Contains(there, name) {
			return name, nil
		}
	}
	return "", fmt.Errorf(`has no column of conversations: %s (one of %s, with a list of {"from": …, "value": …} or {"role": …, "content": …})`,
		enumerate(clipAll(there)), strings.Join(conversationColumns[:len(conversationColumns)-1], ", "))
}

// Name implements dataset.Conversations.
func (c *conversations) Name() string { return c.name }

// Len implements dataset.Conversations.
func (c *conversations) Len() int { return c.table.Len() }

// Conversation implements dataset.Conversations. Where conversation i is not
// usable any more, the next one that is stands in for it.
func (c *conversations) Conversation(i int) (turns []dataset.Turn, err error) {
	_, err = c.next(i, func(row table.Row) (err error) {
		if text, ok := row[table.ExtractedColumn].(string); ok {
			return json.Unmarshal([]byte(text), &turns)
		}
		turns, err = conversationOf(c.column, row)
		return err
	})
	return turns, err
}
