package simulator

import (
	"fmt"
	"strings"
)

// serveProtocol answers a request in another provider's form.
func (x *exchange) serveProtocol() error {
	if x.tooLarge {
		return x.failTooLarge()
	}
	call := x.protocol.Read(&Request{HTTP: x.request, Body: x.body, Config: x.server.config, Arrival: x.record.Arrival})
	x.credential = call.Credential
	if r := call.Reply; r != nil {
		if r.Status >= 400 {
			return x.reply(*r, Body|Error)
		}
		x.record.Aside = true
		x.server.asides.Add(1)
		return x.reply(*r, Body)
	}
	stream := call.Generate != nil && call.Generate.Stream
	if err := x.chooseFault(true); err != nil {
		return x.fail(400, "", "BadRequestError", "simulate", err.Error())
	}
	if why := Lacking(x.protocol, x.record.Fault, stream); why != "" && call.OpenAI == "" {
		return x.fail(400, "", "BadRequestError", "simulate", fmt.Sprintf("fault %q has no form here: %s", x.record.Fault, why))
	}
	if done, err := x.instead(); done {
		return err
	}
	if call.OpenAI != "" {
		h, ok := x.handler(call.OpenAI)
		if !ok {
			panic("simulator: Protocol.Read names a route that there is not: " + call.OpenAI)
		}
		x.model = call.Model
		return h.serve()
	}
	if ok, err := x.knows(call.Model); !ok {
		return err
	}
	switch {
	case call.Generate != nil:
		return x.generateFor(call.Generate)
	case call.Embed != nil:
		return x.embedFor(call.Embed)
	case call.Rerank != nil:
		return x.rerankFor(call.Rerank)
	}
	panic(fmt.Sprintf("simulator: %s %s: Protocol.Read says nothing of what is asked for", x.record.Method, x.record.Path))
}

func (x *exchange) generateFor(asked *Generate) error {
	config := &x.server.config
	g := generation{
		chat: !asked.Completion, model: x.record.Model, n: orInt(asked.N, 1), maxTokens: asked.MaxTokens, maxGiven: asked.MaxTokens != 0,
		minTokens: asked.MinTokens, ignoreEOS: asked.IgnoreEOS, stream: asked.Stream, renderer: asked.Renderer,
		seed: mix(config.Seed ^ mix(x.record.Arrival)),
	}
	if !g.maxGiven {
		g.maxTokens = max(config.DefaultMaxTokens, g.minTokens)
	}
	if asked.Seed != nil {
		g.seed = mix(config.Seed ^ mix(uint64(*asked.Seed)))
	}
	bad := g.bounds()
	if bad == nil && len(asked.Prompts) == 0 {
		bad = &badRequest{"messages", "there must be at least one message or prompt."}
	}
	if bad != nil {
		return x.fail(400, "", "BadRequestError", bad.param, bad.message)
	}
	tokens := 0
	for _, p := range asked.Prompts {
		n := x.countPrompt(p)
		if asked.Completion {
			g.prompts = append(g.prompts, n)
		}
		tokens += n + config.ChatTokensPerMessage
	}
	if !asked.Completion {
		g.prompts = []int{tokens}
	}
	return x.generate(&g)
}

func (x *exchange) embedFor(asked *Embed) error {
	dimensions := orInt(asked.Dimensions, x.server.config.EmbeddingDimensions)
	switch {
	case len(asked.Prompts) == 0:
		return x.fail(400, "", "BadRequestError", "input", "there must be at least one input.")
	case dimensions < 1 || dimensions > 1<<16:
		return x.fail(400, "", "BadRequestError", "dimensions", fmt.Sprintf("dimensions must be between 1 and 65536, got %d.", dimensions))
	}
	v := Vectors{Fault: x.fault}
	counts := make([]int, len(asked.Prompts))
	for i, p := range asked.Prompts {
		counts[i] = x.countPrompt(p)
		v.Images += p.Images
		v.Vectors = append(v.Vectors, x.vector(i, dimensions))
	}
	if ok, err := x.forward(counts, 0); !ok {
		return err
	}
	v.PromptTokens = x.record.PromptTokens
	return x.reply(asked.Render(v), Body)
}

func (x *exchange) rerankFor(asked *Rerank) error {
	if len(asked.Documents) == 0 {
		return x.fail(400, "", "BadRequestError", "documents", "there must be at least one document.")
	}
	ranks, ok, err := x.rank(asked.Query, asked.Documents, asked.TopN)
	if !ok {
		return err
	}
	return x.reply(asked.Render(Ranking{Results: ranks, PromptTokens: x.record.PromptTokens, Fault: x.fault}), Body)
}

// Lacking returns why a protocol has no form for something, "" where it has one:
// for the text form of a Fault, or for one of the other words of Lack.What.
func Lacking(p Protocol, what string, stream bool) string {
	var items []string
	for _, item := range strings.Split(what, ";") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	for _, lack := range p.Lacks() {
		if lack.Only == "stream" && !stream || lack.Only == "whole" && stream {
			continue
		}
		for _, item := range items {
			key, _, _ := strings.Cut(item, "=")
			if lack.What == item || lack.What == key || lack.What == "newline" && item == "borders=mid-newline" {
				return lack.Why
			}
		}
	}
	return ""
}
