package simulator

import (
	"encoding/json"
	"fmt"
	"math"
)

// generation is what a chat or completion request asks for.
type generation struct {
	chat            bool
	model           string
	prompts         []int      // tokens of each
	ids             [][]uint32 // the tokens of each, where there is a prefix cache; else nil
	n               int        // choices for each prompt
	maxTokens       int
	maxGiven        bool
	minTokens       int
	ignoreEOS       bool
	seed            uint64
	stream          bool
	includeUsage    bool
	continuousUsage bool
	renderer        func() Renderer
}

// generationBody is the part of the body that chat and completion share.
type generationBody struct {
	Model               string `json:"model"`
	MaxTokens           *int   `json:"max_tokens"`
	MaxCompletionTokens *int   `json:"max_completion_tokens"`
	MinTokens           int    `json:"min_tokens"`
	IgnoreEOS           bool   `json:"ignore_eos"`
	N                   *int   `json:"n"`
	Seed                *int64 `json:"seed"`
	Stream              bool   `json:"stream"`
	StreamOptions       *struct {
		IncludeUsage         bool `json:"include_usage"`
		ContinuousUsageStats bool `json:"continuous_usage_stats"`
	} `json:"stream_options"`
}

// badRequest is a reason for status 400.
type badRequest struct{ param, message string }

func (b *generationBody) read(x *exchange, chat bool) (generation, *badRequest) {
	g := generation{
		chat: chat, model: x.record.Model, n: 1, maxTokens: x.server.config.DefaultMaxTokens,
		minTokens: b.MinTokens, ignoreEOS: b.IgnoreEOS, stream: b.Stream,
		seed: mix(x.server.config.Seed ^ mix(x.record.Arrival)),
	}
	if b.MaxTokens != nil {
		g.maxTokens, g.maxGiven = *b.MaxTokens, true
	}
	if b.MaxCompletionTokens != nil {
		g.maxTokens, g.maxGiven = *b.MaxCompletionTokens, true
	}
	if !g.maxGiven {
		g.maxTokens = max(g.maxTokens, g.minTokens)
	}
	if b.N != nil {
		g.n = *b.N
	}
	if bad := g.bounds(); bad != nil {
		return g, bad
	}
	if b.Seed != nil {
		g.seed = mix(x.server.config.Seed ^ mix(uint64(*b.Seed)))
	}
	if b.StreamOptions != nil {
		if !b.Stream {
			return g, &badRequest{"stream_options", "Stream options can only be defined when `stream=True`."}
		}
		g.includeUsage, g.continuousUsage = b.StreamOptions.IncludeUsage, b.StreamOptions.ContinuousUsageStats
	}
	return g, nil
}

func (g *generation) bounds() *badRequest {
	const most = 1 << 30 // far beyond any model, and sums of it do not overflow
	if g.maxTokens < 1 || g.maxTokens > most {
		return &badRequest{"max_tokens", fmt.Sprintf("max_tokens must be at least 1 and at most %d, got %d.", most, g.maxTokens)}
	}
	if g.minTokens < 0 || g.minTokens > g.maxTokens {
		return &badRequest{"min_tokens", fmt.Sprintf("min_tokens must be between 0 and max_tokens=%d, got %d.", g.maxTokens, g.minTokens)}
	}
	if g.n < 1 || g.n > 128 {
		return &badRequest{"n", fmt.Sprintf("n must be between 1 and 128, got %d.", g.n)}
	}
	return nil
}

// outputs returns the length of each choice and its finish reason.
func (g *generation) outputs(eosProbability float64) (tokens []int, finish []string) {
	for i := range len(g.prompts) * g.n {
		length, reason := g.maxTokens, "length"
		if !g.maxGiven {
			reason = "stop"
		}
		if eosProbability > 0 && !g.ignoreEOS {
			// Geometric: how many tokens up to the first that ends the text.
			u := draw(g.seed, uint64(i), 'e')
			k := g.maxTokens + 1
			if eosProbability >= 1 {
				k = 1
			} else if exact := 1 + math.Floor(math.Log1p(-u)/math.Log1p(-eosProbability)); exact <= float64(g.maxTokens) {
				k = int(exact)
			}
			if k = max(k, g.minTokens, 1); k <= g.maxTokens {
				length, reason = k, "stop"
			}
		}
		tokens, finish = append(tokens, length), append(finish, reason)
	}
	return tokens, finish
}

func (x *exchange) chat() error {
	var body struct {
		generationBody
		Messages []struct {
			Role    string  `json:"role"`
			Content content `json:"content"`
		} `json:"messages"`
	}
	if ok, err := x.decode(&body); !ok {
		return err
	}
	if ok, err := x.knows(body.Model); !ok {
		return err
	}
	g, bad := body.read(x, true)
	if bad == nil && len(body.Messages) == 0 {
		bad = &badRequest{"messages", "messages must have at least one item."}
	}
	if bad != nil {
		return x.fail(400, "", "BadRequestError", bad.param, bad.message)
	}
	config := &x.server.config
	tokens := 0
	for _, m := range body.Messages {
		tokens += config.ChatTokensPerMessage + x.countPrompt(Prompt{Text: m.Content.text, Images: m.Content.images})
	}
	g.prompts = []int{tokens}
	if x.server.prefixes != nil {
		var ids []uint32
		for _, m := range body.Messages {
			ids = config.messageIDs(ids, m.Role, m.Content.text, m.Content.images)
		}
		g.ids = [][]uint32{ids}
	}
	return x.generate(&g)
}

// content is a message's content: a text, or parts.
type content struct {
	text   string
	images int
}

func (c *content) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] != '[' {
		return json.Unmarshal(raw, &c.text) // null is the empty text
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return err
	}
	for _, p := range parts {
		switch p.Type {
		case "text":
			c.text += p.Text
		case "image_url", "input_image":
			c.images++
		default:
			return fmt.Errorf("content part of unknown type %q", p.Type)
		}
	}
	return nil
}

func (x *exchange) completion() error {
	var body struct {
		generationBody
		Prompt prompts `json:"prompt"`
	}
	if ok, err := x.decode(&body); !ok {
		return err
	}
	if ok, err := x.knows(body.Model); !ok {
		return err
	}
	g, bad := body.read(x, false)
	if bad == nil && len(body.Prompt.texts)+len(body.Prompt.tokens) == 0 {
		bad = &badRequest{"prompt", "prompt must be a text, texts, token ids, or lists of these."}
	}
	if bad != nil {
		return x.fail(400, "", "BadRequestError", bad.param, bad.message)
	}
	g.prompts = body.Prompt.tokens
	for _, text := range body.Prompt.texts {
		g.prompts = append(g.prompts, x.countPrompt(Prompt{Text: text}))
		if x.server.prefixes != nil {
			g.ids = append(g.ids, x.server.config.TokenIDs(text))
		}
	}
	return x.generate(&g)
}

// prompts is a completion's prompt: a text, several, token ids, or several lists
// of these.
type prompts struct {
	texts  []string
	tokens []int // how many
}

func (p *prompts) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		p.texts = []string{text}
		return nil
	}
	if json.Unmarshal(raw, &p.texts) == nil {
		return nil
	}
	p.texts = nil
	var ids []int
	if json.Unmarshal(raw, &ids) == nil {
		p.tokens = []int{len(ids)}
		return nil
	}
	var lists [][]int
	if err := json.Unmarshal(raw, &lists); err != nil {
		return fmt.Errorf("prompt is neither text nor token ids: %w", err)
	}
	for _, ids := range lists {
		p.tokens = append(p.tokens, len(ids))
	}
	return nil
}

// countPrompt counts the tokens of a prompt, and notes its text.
func (x *exchange) countPrompt(p Prompt) int {
	config := &x.server.config
	if config.KeepBodies {
		x.record.Prompts = append(x.record.Prompts, p.Text)
	}
	return config.CountTokens(p.Text) + p.Images*config.ImageTokens + p.Tokens
}

// enqueue hands sequences to the engine. It is false where they can never fit;
// the answer has been sent then.
func (x *exchange) enqueue(sequences []*sequence) (bool, error) {
	config := &x.server.config
	for _, s := range sequences {
		if config.MaxModelLen > 0 && s.prompt+s.output > config.MaxModelLen {
			return false, x.fail(400, "", "BadRequestError", "max_tokens", fmt.Sprintf(
				"This model's maximum context length is %d tokens. However, you requested %d output tokens and your prompt contains %d input tokens. Please reduce the length of the input prompt or the number of requested output tokens.",
				config.MaxModelLen, s.output, s.prompt))
		}
	}
	at, ok := x.server.loop.submit(sequences)
	if !ok {
		return false, x.fail(400, "", "BadRequestError", "max_tokens", fmt.Sprintf(
			"The request needs more than the %d tokens of the KV cache.", config.KVTokens))
	}
	x.record.Queued = at
	return true, nil
}

// settle notes the engine's times and takes back what it has not finished.
func (x *exchange) settle(sequences []*sequence) {
	x.server.loop.cancel(sequences)
	r := x.record
	r.Admitted, r.Prefilled, r.Decoded = x.server.loop.times(sequences)
	if len(sequences) > 0 {
		r.Spread = x.server.loop.after(sequences[0])
	}
}

// generate lets the engine answer and sends it.
func (x *exchange) generate(g *generation) error {
	x.record.Stream = g.stream
	outputs, finish := g.outputs(x.server.config.EOSProbability)
	box := newMailbox()
	sequences := make([]*sequence, len(outputs))
	for i, output := range outputs {
		sequences[i] = &sequence{prompt: g.prompts[i/g.n], output: output, choice: i, sink: box, quiet: !g.stream}
		if i%g.n == 0 {
			x.record.PromptTokens += g.prompts[i/g.n]
		}
	}
	x.lookUp(g, sequences)
	if ok, err := x.enqueue(sequences); !ok {
		return err
	}
	defer x.settle(sequences)
	a := newAnswer(x, g, outputs, finish)
	defer a.record()
	if g.stream {
		return a.streamFrom(box)
	}
	if err := x.await(box, len(sequences)); err != nil {
		return err
	}
	for choice := range outputs {
		a.remember(choice)
	}
	return a.sendWhole()
}

// await waits until so many sequences have ended.
func (x *exchange) await(box *mailbox, sequences int) error {
	for sequences > 0 {
		select {
		case <-box.ready:
		case <-x.gone:
			return errGone
		case <-x.server.closed:
			x.wire.cut(false)
			return errCut
		}
		for _, m := range box.take(nil) {
			if m.last {
				sequences--
			}
		}
	}
	return nil
}

// lookUp finds in the prefix cache what of the prompts need not be prefilled.
func (x *exchange) lookUp(g *generation, sequences []*sequence) {
	for i, ids := range g.ids {
		found := x.server.prefixes.find(ids)
		x.record.CachedTokens += found
		for _, s := range sequences[i*g.n : (i+1)*g.n] {
			s.cached = found
		}
	}
}

// remember puts the prompt of a choice whose tokens are all made into the prefix
// cache and, of a chat, the answer as the next turn will send it. That is before
// the last of them leaves, so that the next turn finds it.
func (a *Answer) remember(choice int) {
	prompt := choice / a.g.n
	if choice%a.g.n != 0 || prompt >= len(a.g.ids) {
		return
	}
	ids := a.g.ids[prompt]
	if a.g.chat {
		ids = a.x.server.config.messageIDs(ids, "assistant", a.said(choice, a.output[choice]).Text, 0)
	}
	a.x.server.prefixes.remember(ids)
}
