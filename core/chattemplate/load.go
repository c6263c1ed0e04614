package chattemplate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ErrNoTemplate is that a model's folder has no chat template: a base model has none.
var ErrNoTemplate = errors.New("no chat template")

// maxConfigBytes bounds the files read: a tokenizer_config.json with thousands of added tokens has
// about 1 MB.
const maxConfigBytes = 64 << 20

// Set is the chat templates of one model with its special tokens. It is safe for concurrent use.
type Set struct {
	templates map[string]*Template
	sources   map[string]string
	tokens    *Dict
}

// Conversation is what a chat request says.
type Conversation struct {
	// Messages is a list of messages, each with role and content, as decoded by [DecodeContext] or
	// [DecodeValue] or built of Go values (see [Dict.Set]).
	Messages any
	// Tools and Documents are lists, nil for none.
	Tools     any
	Documents any
	// AddGenerationPrompt ends the text where the assistant's answer begins, as chat servers do.
	AddGenerationPrompt bool
	// Template names one of several templates; empty takes "tool_use" where there are tools and the
	// model has such a template, else "default".
	Template string
	// Extra holds further variables, such as enable_thinking. They win over the special tokens.
	Extra *Dict
	// Now is what strftime_now tells; zero is the present.
	Now time.Time
}

// Load reads the chat templates of a model's folder. Later sources in this list win: chat_template
// of tokenizer_config.json (a text, or a list of name and template), chat_template.json,
// chat_template.jinja with additional_chat_templates/*.jinja. Special tokens come from
// tokenizer_config.json, then special_tokens_map.json. Without any template the error is
// [ErrNoTemplate]; a template that does not parse is named with its file and line.
func Load(dir string) (*Set, error) {
	set := &Set{templates: map[string]*Template{}, sources: map[string]string{}, tokens: NewDict()}
	found := false
	for _, name := range []string{"tokenizer_config.json", "special_tokens_map.json", "chat_template.json"} {
		config, err := readConfig(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = true
		if name != "chat_template.json" {
			set.addTokens(config)
		}
		if t, ok := config.Get("chat_template"); ok && t != nil && name != "special_tokens_map.json" {
			if err := set.addTemplates(filepath.Join(dir, name), t); err != nil {
				return nil, err
			}
		}
	}
	if err := set.addFiles(dir); err != nil {
		return nil, err
	}
	if len(set.templates) == 0 {
		if _, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("chat template: %w", err)
		}
		why := "neither chat_template.jinja nor tokenizer_config.json is there"
		if found {
			why = "tokenizer_config.json names none and there is no chat_template.jinja; a base model has none"
		}
		return nil, fmt.Errorf("%w in %s: %s", ErrNoTemplate, dir, why)
	}
	return set, nil
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxConfigBytes {
		return nil, fmt.Errorf("%s: not a file of at most %d MiB", path, maxConfigBytes>>20)
	}
	return os.ReadFile(path)
}

func readConfig(path string) (*Dict, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	d, err := DecodeContext(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// addTemplates reads chat_template: a text or a list of {name, template}.
func (set *Set) addTemplates(path string, v any) error {
	clear(set.templates)
	clear(set.sources)
	if source, ok := v.(string); ok {
		return set.add(path, "default", source)
	}
	l, ok := v.(*List)
	if !ok {
		return fmt.Errorf("%s: chat_template must be a text or a list", path)
	}
	for i, item := range l.items {
		d, ok := item.(*Dict)
		if !ok {
			return fmt.Errorf("%s: chat_template[%d] must be an object with name and template", path, i)
		}
		name, _ := d.Get("name")
		source, _ := d.Get("template")
		n, nameOK := name.(string)
		t, sourceOK := source.(string)
		if !nameOK || !sourceOK {
			return fmt.Errorf("%s: chat_template[%d] must have the texts name and template", path, i)
		}
		if err := set.add(path, n, t); err != nil {
			return err
		}
	}
	return nil
}

func (set *Set) add(path, name, source string) error {
	t, err := Parse(source)
	if err != nil {
		return fmt.Errorf("%s: template %s: %w", path, name, err)
	}
	set.templates[name] = t
	set.sources[name] = source
	return nil
}

// addFiles reads chat_template.jinja and additional_chat_templates/*.jinja. Where there is any, what
// the JSON files say does not count.
func (set *Set) addFiles(dir string) error {
	files := map[string]string{}
	if path := filepath.Join(dir, "chat_template.jinja"); exists(path) {
		files["default"] = path
	}
	more := filepath.Join(dir, "additional_chat_templates")
	entries, err := os.ReadDir(more)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("chat template: %w", err)
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".jinja"); ok {
			files[name] = filepath.Join(more, e.Name())
		}
	}
	if len(files) == 0 {
		return nil
	}
	clear(set.templates)
	clear(set.sources)
	for name, path := range files {
		source, err := readFile(path)
		if err != nil {
			return fmt.Errorf("chat template: %w", err)
		}
		if err := set.add(path, name, string(source)); err != nil {
			return err
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// tokenNames are the special tokens that transformers hands to a template.
var tokenNames = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// addTokens takes over special tokens that are not known yet: a text, or an object with content.
func (set *Set) addTokens(config *Dict) {
	take := func(name string, v any) {
		if _, known := set.tokens.Get(name); known {
			return
		}
		if t, ok := tokenText(v); ok {
			set.tokens.Set(name, t)
		}
	}
	for _, name := range tokenNames {
		v, _ := config.Get(name)
		take(name, v)
	}
	if v, ok := config.Get("extra_special_tokens"); ok {
		if d, ok := v.(*Dict); ok {
			for _, e := range d.entries {
				if name, ok := e.key.(string); ok {
					take(name, e.val)
				}
			}
		}
	}
	if v, ok := config.Get("additional_special_tokens"); ok {
		if _, known := set.tokens.Get("additional_special_tokens"); known {
			return
		}
		if l, ok := v.(*List); ok && len(l.items) > 0 {
			out := &List{}
			for _, x := range l.items {
				if t, ok := tokenText(x); ok {
					out.items = append(out.items, t)
				}
			}
			set.tokens.Set("additional_special_tokens", out)
		}
	}
}

func tokenText(v any) (string, bool) {
	if d, ok := v.(*Dict); ok {
		v, _ = d.Get("content")
	}
	t, ok := v.(string)
	return t, ok
}

// Names returns the names of the templates, sorted; a single one is "default".
func (set *Set) Names() []string {
	names := make([]string, 0, len(set.templates))
	for n := range set.templates {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Source returns the text of a template.
func (set *Set) Source(name string) (string, bool) {
	s, ok := set.sources[name]
	return s, ok
}

// Token returns a special token such as bos_token.
func (set *Set) Token(name string) (string, bool) {
	v, _ := set.tokens.Get(name)
	t, ok := v.(string)
	return t, ok
}

// Render renders a conversation with what apply_chat_template of transformers hands to a template:
// messages, tools and documents (None where there are none), add_generation_prompt, and the special
// tokens. The text begins with the template's own BOS token, if it writes one, so that it is to be
// encoded without special tokens.
func (set *Set) Render(c Conversation) (string, error) {
	t, err := set.choose(c)
	if err != nil {
		return "", err
	}
	ctx := set.tokens.copy()
	if c.Extra != nil {
		for _, e := range c.Extra.entries {
			ctx.put(e.key, e.val)
		}
	}
	for _, v := range []struct {
		name string
		v    any
	}{{"messages", c.Messages}, {"tools", c.Tools}, {"documents", c.Documents}, {"add_generation_prompt", c.AddGenerationPrompt}} {
		x, err := fromGo(v.v)
		if err != nil {
			return "", fmt.Errorf("chat template: %s: %w", v.name, err)
		}
		ctx.put(v.name, x)
	}
	if _, ok := ctx.lookup("messages"); !ok || c.Messages == nil {
		return "", errors.New("chat template: the conversation has no messages")
	}
	now := c.Now
	if now.IsZero() {
		now = time.Now()
	}
	return t.RenderAt(ctx, now)
}

func (set *Set) choose(c Conversation) (*Template, error) {
	name := c.Template
	if name == "" {
		name = "default"
		if c.Tools != nil && set.templates["tool_use"] != nil {
			name = "tool_use"
		}
	}
	if t := set.templates[name]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("chat template: there is no template %q: name one of %s", name, strings.Join(set.Names(), ", "))
}

// DecodeConversation reads a request as a chat server takes it: a JSON array of messages, or an
// object with messages and, if wanted, tools, documents, add_generation_prompt (default true, as
// chat servers have it) and chat_template_kwargs; other fields become variables of the template.
func DecodeConversation(jsonText []byte) (Conversation, error) {
	c := Conversation{AddGenerationPrompt: true}
	v, err := decodeJSON(jsonText)
	if err != nil {
		return c, err
	}
	if l, ok := v.(*List); ok {
		c.Messages = l
		return c, nil
	}
	d, ok := v.(*Dict)
	if !ok {
		return c, fmt.Errorf("a conversation is a JSON array of messages or an object with messages, not %s", jsonKind(v))
	}
	c.Extra = NewDict()
	for _, e := range d.entries {
		switch e.key {
		case "messages":
			if _, ok := e.val.(*List); !ok {
				return c, errors.New("messages must be a JSON array")
			}
			c.Messages = e.val
		case "tools":
			c.Tools = e.val
		case "documents":
			c.Documents = e.val
		case "add_generation_prompt":
			add, ok := e.val.(bool)
			if !ok {
				return c, errors.New("add_generation_prompt must be true or false")
			}
			c.AddGenerationPrompt = add
		case "chat_template_kwargs":
			kwargs, ok := e.val.(*Dict)
			if !ok {
				return c, errors.New("chat_template_kwargs must be a JSON object")
			}
			for _, k := range kwargs.entries {
				c.Extra.put(k.key, k.val)
			}
		default:
			c.Extra.put(e.key, e.val)
		}
	}
	if c.Messages == nil {
		return c, errors.New("the conversation has no messages")
	}
	return c, nil
}
