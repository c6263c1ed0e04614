package bench

import (
	"time"

	"github.com/genai-bench/genai-bench/core/chattemplate"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// ChatTemplate renders chats of texts with a model's own templates.
type ChatTemplate struct {
	Set *chattemplate.Set
	// Now is what the templates take for the present: one moment for a whole
	// experiment, so that sizes do not change at midnight.
	Now time.Time
}

var _ prompt.Template = ChatTemplate{}

// Render implements prompt.Template.
func (c ChatTemplate) Render(messages []backend.Message) (string, error) {
	list := make([]any, len(messages))
	for i, m := range messages {
		d := chattemplate.NewDict()
		d.Set("role", m.Role)
		d.Set("content", m.TextOf())
		list[i] = d
	}
	return c.Set.Render(chattemplate.Conversation{Messages: list, AddGenerationPrompt: true, Now: c.Now})
}

// chatTemplate checks --count-chat-template against the task.
func (c *checker) chatTemplate() {
	p := c.plan
	if p.Settings.CountTemplate && p.Kind == backend.KindCompletion {
		c.wrong("count-chat-template", "leave it out, or use --endpoint chat", "is for chats; completions have no template")
		return
	}
	if p.Settings.CountTemplate && p.Task != backend.TextToText {
		c.wrong("count-chat-template", "leave it out", "is for task %s, whose prompts have a size in tokens, not for %s", backend.TextToText, p.Task)
	}
}
