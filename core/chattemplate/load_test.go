package chattemplate

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func modelFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoadFindsTheTemplateThatTransformersWouldUse(t *testing.T) {
	const config = `{"bos_token":"<s>","eos_token":{"content":"</s>"},"pad_token":null,"chat_template":"config {{ bos_token }}{{ messages[0].content }}{{ eos_token }}"}`
	tests := map[string]struct {
		files map[string]string
		conv  string
		want  string
	}{
		"in the tokenizer's configuration": {
			map[string]string{"tokenizer_config.json": config},
			`[{"role":"user","content":"hi"}]`, "config <s>hi</s>",
		},
		"chat_template.json before it": {
			map[string]string{"tokenizer_config.json": config, "chat_template.json": `{"chat_template":"json {{ bos_token }}"}`},
			`[{"role":"user"}]`, "json <s>",
		},
		"chat_template.jinja before both": {
			map[string]string{"tokenizer_config.json": config, "chat_template.json": `{"chat_template":"json"}`, "chat_template.jinja": "jinja {{ eos_token }}\n"},
			`[{"role":"user"}]`, "jinja </s>",
		},
		"a list of templates, no tools": {
			map[string]string{"tokenizer_config.json": `{"chat_template":[{"name":"default","template":"d"},{"name":"tool_use","template":"t"}]}`},
			`[{"role":"user"}]`, "d",
		},
		"a list of templates, tools": {
			map[string]string{"tokenizer_config.json": `{"chat_template":[{"name":"default","template":"d"},{"name":"tool_use","template":"t{{ tools | length }}"}]}`},
			`{"messages":[{"role":"user"}],"tools":[{}]}`, "t1",
		},
		"an additional template": {
			map[string]string{"chat_template.jinja": "d", "additional_chat_templates/tool_use.jinja": "extra"},
			`{"messages":[{"role":"user"}],"tools":[{}]}`, "extra",
		},
		"tokens of special_tokens_map.json": {
			map[string]string{"chat_template.jinja": "{{ bos_token }}{{ eos_token }}", "tokenizer_config.json": `{"bos_token":"<b>"}`, "special_tokens_map.json": `{"bos_token":"<x>","eos_token":{"content":"<e>"}}`},
			`[{"role":"user"}]`, "<b><e>",
		},
		"tools and documents are none, and the prompt for an answer is on": {
			map[string]string{"chat_template.jinja": "{{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}{{ pad_token is defined }}"},
			`[{"role":"user"}]`, "TrueTrueTrueFalse",
		},
		"further variables": {
			map[string]string{"chat_template.jinja": "{{ add_generation_prompt }}{{ enable_thinking }}{{ x }}"},
			`{"messages":[{"role":"user"}],"add_generation_prompt":false,"chat_template_kwargs":{"enable_thinking":true},"x":1}`, "FalseTrue1",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			set, err := Load(modelFolder(t, tt.files))
			if err != nil {
				t.Fatal(err)
			}
			conv, err := DecodeConversation([]byte(tt.conv))
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range 2 { // a set is safe for concurrent use
				wg.Go(func() {
					got, err := set.Render(conv)
					if err != nil {
						t.Error(err)
					}
					if diff := cmp.Diff(tt.want, got); diff != "" {
						t.Error(diff)
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestRenderTakesMessagesOfGoValues(t *testing.T) {
	set, err := Load(modelFolder(t, map[string]string{"chat_template.jinja": "{% for m in messages %}<{{ m.role }}>{{ m['content'] }}{% endfor %}{{ add_generation_prompt }}"}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := set.Render(Conversation{Messages: []any{map[string]any{"role": "user", "content": "hi"}}})
	if want := "<user>hiFalse"; got != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	tests := map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing there":         {nil, "neither chat_template.jinja nor tokenizer_config.json is there"},
		"a base model":          {map[string]string{"tokenizer_config.json": `{"chat_template":null}`}, "a base model has none"},
		"malformed JSON":        {map[string]string{"tokenizer_config.json": `{"chat_template":`}, "tokenizer_config.json: malformed JSON"},
		"a number":              {map[string]string{"tokenizer_config.json": `{"chat_template":5}`}, "must be a text or a list"},
		"a list of texts":       {map[string]string{"tokenizer_config.json": `{"chat_template":["x"]}`}, "chat_template[0] must be an object"},
		"a list without a name": {map[string]string{"tokenizer_config.json": `{"chat_template":[{"template":"x"}]}`}, "chat_template[0] must have"},
		"malformed template":    {map[string]string{"chat_template.jinja": "a\n{% if %}"}, "chat_template.jinja: template default: chat template line 2"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Load(modelFolder(t, tt.files))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := Load(modelFolder(t, nil)); !errors.Is(err, ErrNoTemplate) {
		t.Errorf("got %v, want ErrNoTemplate", err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that the folder is absent", err)
	}
}

func TestAnUnknownTemplateNameIsRefusedWithTheNamesThereAre(t *testing.T) {
	set, err := Load(modelFolder(t, map[string]string{"chat_template.jinja": "d", "additional_chat_templates/rag.jinja": "r"}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = set.Render(Conversation{Messages: []any{}, Template: "rga"})
	if err == nil || !strings.Contains(err.Error(), "default, rag") {
		t.Errorf("got %v", err)
	}
}
