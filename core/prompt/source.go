package prompt

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/genai-bench/genai-bench/core/scenario"
	"github.com/genai-bench/genai-bench/core/seeded"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// Config says what requests of a run are to be.
type Config struct {
	Task     backend.Task
	Scenario scenario.Scenario
	// Kind is the form of the requests: backend.KindChat or KindCompletion for
	// text-to-text. "" is the task's usual one.
	Kind backend.Kind
	// Seed decides sizes and texts; Run names the run (scenario and level, say)
	// and decides texts only.
	Seed uint64
	Run  string
	// BatchSize is the number of documents of an embeddings or rerank request;
	// 0 is 1.
	BatchSize int
	Prefix    Prefix
	// Stream asks for streamed answers; Before is put in front of each chat.
	Stream bool
	Before []backend.Message
	// Turns is how often the user of a conversation speaks; 0 and 1 are once.
	Turns int
	// Gallery has the pictures of tasks that show some; nil is synthetic ones.
	Gallery *Gallery
	// Template, which may be nil, renders chats as the server does: sizes of chats
	// then count the rendered text, not the bare prompt.
	Template Template
	// Voice is the voice of speech; "" is the provider's.
	Voice string
}

// Item is one request, made and counted.
type Item struct {
	Index uint64
	Size  scenario.Size
	// Request is this item's own, except for texts that it shares: the caller
	// sets Seq, ID, times and parameters in it.
	Request *backend.Request
	// InputTokens is what the tokenizer counts in the texts, messages before the
	// prompt not included; with Config.Template, in the whole rendered chat; 0
	// where nothing was counted (no tokenizer). For a size of tokens it is exactly
	// the size, times the documents.
	InputTokens int
	// PrefixTokens of them are shared with the other requests of the scenario.
	PrefixTokens int
	// Turns are what the user says later in the conversation, each after the
	// server's answer to the one before.
	Turns []Turn
	// Digest is the SHA-256 of what the request says, and of Turns; see Workload.
	Digest [32]byte
	// Again are pictures of the request that one before had too: the same memory,
	// so that whoever sends the requests may send them once.
	Again [][]byte
	// Bytes is the memory that the request's own texts take.
	Bytes int
}

// Source makes the requests of one run. It is safe for concurrent use.
type Source struct {
	corpus  *Corpus
	config  Config
	sizes   scenario.Sampler
	texts   seeded.Stream // draws within a text
	heads   seeded.Stream // first words
	looks   seeded.Stream // pictures
	prefix  *sharedPrefix // nil for none
	chat    *chatCounter  // nil: bare prompts are counted
	build   func(*Source, *Item) error
	idPool  sync.Pool // *[]uint32
	perItem uint64    // texts of a request
}

// NewSource checks the configuration and makes what all requests share.
func NewSource(corpus *Corpus, config Config) (*Source, error) {
	if err := config.Scenario.Fits(config.Task); err != nil {
		return nil, err
	}
	if errs := config.Prefix.Check(config.Task, []scenario.Scenario{config.Scenario}); errs != nil {
		return nil, errs[0]
	}
	config.BatchSize = max(config.BatchSize, 1)
	name := config.Scenario.String()
	s := &Source{
		corpus:  corpus,
		config:  config,
		texts:   seeded.New(config.Seed, "texts", name, config.Run),
		heads:   seeded.New(config.Seed, "heads", name, config.Run),
		looks:   seeded.New(config.Seed, "pictures", name, config.Run),
		perItem: 1,
	}
	if s.config.Gallery == nil {
		s.config.Gallery = NewGallery(nil, false)
	}
	s.idPool.New = func() any { return new([]uint32) }
	counted := false // does the scenario need a tokenizer?
	switch config.Task {
	case backend.TextToText:
		if !slices.Contains([]backend.Kind{"", backend.KindChat, backend.KindCompletion}, config.Kind) {
			return nil, fmt.Errorf("task %s cannot be a request of kind %s", config.Task, config.Kind)
		}
		if config.Turns > 1 && config.Kind == backend.KindCompletion {
			return nil, errors.New("completions have no turns: a conversation is a chat")
		}
		s.build, counted = (*Source).textToText, true
	case backend.TextToEmbeddings:
		s.build, counted, s.perItem = (*Source).embeddings, true, uint64(config.BatchSize)
	case backend.TextToRerank:
		s.build, counted, s.perItem = (*Source).rerank, true, uint64(config.BatchSize)+1
	case backend.TextToSpeech:
		s.build = (*Source).speech
	case backend.TextToImage:
		s.build = (*Source).imageGeneration
	case backend.ImageTextToText:
		s.build = (*Source).imageChat
	case backend.ImageToEmbedding:
		s.build = (*Source).imageEmbeddings
	default:
		return nil, fmt.Errorf("there is no task %q", config.Task)
	}
	if counted && config.Scenario.Kind() != scenario.Rows && corpus.tokenizer == nil {
		return nil, fmt.Errorf("traffic scenario %s counts tokens: a tokenizer is needed (--model-tokenizer)", config.Scenario)
	}
	lowest := 0
	if counted && corpus.tokenizer != nil {
		if err := s.makeChatCounter(); err != nil {
			return nil, err
		}
		lowest = s.frame() + 1
		if p := config.Prefix.tokens(config.Scenario, corpus.headLen+s.frame()); p > 0 {
			lowest += p
			if err := s.makePrefix(p); err != nil {
				return nil, err
			}
		}
	}
	var err error
	if s.sizes, err = config.Scenario.Sampler(config.Seed, lowest); err != nil && s.chat != nil {
		err = fmt.Errorf("%w (the chat template alone has %d tokens, which --count-chat-template counts)", err, s.frame())
	}
	return s, err
}

// makePrefix makes the shared prefix: the same for all runs of a scenario,
// another for another scenario or seed.
func (s *Source) makePrefix(tokens int) error {
	stream := seeded.New(s.config.Seed, "prefix", s.config.Scenario.String(), strconv.Itoa(tokens))
	text, err := s.corpus.compose(stream.Rand(0), s.corpus.head(stream, 0), tokens, true, s.count)
	if err != nil {
		return fmt.Errorf("shared prefix: %w", err)
	}
	s.prefix = &sharedPrefix{text: text, ids: s.corpus.tokenizer.AppendEncode(nil, text)}
	return nil
}

// count counts a text that stands alone.
func (s *Source) count(text string) (tokens int, ok bool) {
	return s.corpus.tokenizer.Count(text), true
}

// countBehindPrefix counts the tokens of prefix and text together, and makes
// sure that the prefix's tokens are still the first ones.
func (s *Source) countBehindPrefix(text string) (tokens int, ok bool) {
	buf := s.idPool.Get().(*[]uint32)
	defer s.idPool.Put(buf)
	whole := s.prefix.text + text
	*buf = s.corpus.tokenizer.AppendEncode((*buf)[:0], whole)
	ids := *buf
	shared := len(s.prefix.ids)
	ok = len(ids) >= shared && slices.Equal(ids[:shared], s.prefix.ids)
	if s.chat == nil || !ok {
		return len(ids) - shared, ok
	}
	tokens, ok = s.chat.count(whole)
	return tokens - shared, ok
}

// Request makes request i. It is a pure function of the configuration and i.
// An error says which request could not be made and why; it is final for i.
func (s *Source) Request(i uint64) (Item, error) {
	item := Item{
		Index:   i,
		Size:    s.sizes.At(i * uint64(max(s.config.Turns, 1))),
		Request: &backend.Request{Task: s.config.Task},
	}
	err := s.build(s, &item)
	if err == nil && s.config.Turns > 1 {
		err = s.turns(&item)
	}
	if err != nil {
		return Item{}, fmt.Errorf("making request %d of %s: %w", i, s.config.Scenario, err)
	}
	item.Digest = digest(item.Request)
	if len(item.Turns) > 0 {
		item.Digest = digestTurns(item.Digest, item.Turns)
	}
	return item, nil
}

// text makes the k-th text of request i, of exactly n tokens.
func (s *Source) text(i, k uint64, n int) (string, error) {
	index := i*s.perItem + k
	return s.corpus.compose(s.texts.Rand(index), s.corpus.head(s.heads, index), n, false, s.count)
}

// row returns the dataset's entry for the k-th text of request i: all entries
// in an order of the run's own, then all again in another order.
func (s *Source) row(i, k uint64) (string, error) {
	index, all := i*s.perItem+k, uint64(s.corpus.texts.Len())
	order := seeded.New(s.texts.Uint64(index/all), "rows")
	return s.corpus.texts.Text(int(order.Permute(index%all, all)))
}

// countIfAble counts a text where there is a tokenizer.
func (s *Source) countIfAble(text string) int {
	if s.corpus.tokenizer == nil {
		return 0
	}
	return s.corpus.tokenizer.Count(text)
}

func (s *Source) textToText(item *Item) error {
	place := item.Index * uint64(max(s.config.Turns, 1))
	var parts []backend.Part
	var text string
	var err error
	switch n := item.Size.InputTokens; {
	case item.Size.Row:
		if text, err = s.row(place, 0); err != nil {
			return err
		}
		if item.InputTokens, err = s.countRow(text); err != nil {
			return err
		}
	case s.prefix != nil:
		shared := len(s.prefix.ids)
		head := s.corpus.head(s.heads, place)
		joined := func(words int) []string {
			list := head(words)
			list[0] = s.corpus.joiner + list[0]
			return list
		}
		text, err = s.corpus.compose(s.texts.Rand(place), joined, n-s.frame()-shared, false, s.countBehindPrefix)
		item.InputTokens, item.PrefixTokens = n, shared
		parts = []backend.Part{{Text: s.prefix.text}}
	default:
		text, err = s.corpus.compose(s.texts.Rand(place), s.corpus.head(s.heads, place), n-s.frame(), false, s.countPrompt)
		item.InputTokens = n
	}
	if err != nil {
		return err
	}
	parts = append(parts, backend.Part{Text: text})
	item.Bytes = len(text)
	r := item.Request
	// Without a size the model says what it likes; with one, exactly so much.
	r.FixOutputLength = item.Size.OutputTokens > 0
	if s.config.Kind == backend.KindCompletion {
		prompt := backend.Message{Parts: parts}.TextOf()
		item.Bytes = len(prompt)
		r.Completion = &backend.Completion{Prompt: prompt, MaxTokens: uint32(item.Size.OutputTokens), Stream: s.config.Stream}
		return nil
	}
	messages := make([]backend.Message, 0, len(s.config.Before)+1)
	messages = append(messages, s.config.Before...)
	messages = append(messages, backend.Message{Role: "user", Parts: parts})
	r.Chat = &backend.Chat{Messages: messages, MaxTokens: uint32(item.Size.OutputTokens), Stream: s.config.Stream}
	return nil
}

// documents makes a batch of texts, or takes rows, and counts them.
func (s *Source) documents(item *Item) ([]string, error) {
	list := make([]string, s.config.BatchSize)
	for k := range list {
		var err error
		if item.Size.Row {
			list[k], err = s.row(item.Index, uint64(k))
			item.InputTokens += s.countIfAble(list[k])
		} else {
			list[k], err = s.text(item.Index, uint64(k), item.Size.InputTokens)
			item.InputTokens += item.Size.InputTokens
		}
		if err != nil {
			return nil, err
		}
		item.Bytes += len(list[k])
	}
	return list, nil
}

func (s *Source) embeddings(item *Item) error {
	inputs, err := s.documents(item)
	item.Request.Embed = &backend.Embed{Inputs: inputs}
	return err
}

func (s *Source) rerank(item *Item) error {
	documents, err := s.documents(item)
	if err != nil {
		return err
	}
	var query string
	if k := uint64(s.config.BatchSize); item.Size.Row {
		query, err = s.row(item.Index, k)
		item.InputTokens += s.countIfAble(query)
	} else {
		query, err = s.text(item.Index, k, item.Size.QueryTokens)
		item.InputTokens += item.Size.QueryTokens
	}
	item.Bytes += len(query)
	item.Request.Rerank = &backend.Rerank{Query: query, Documents: documents}
	return err
}

func (s *Source) speech(item *Item) error {
	var text string
	var err error
	if item.Size.Row {
		text, err = s.row(item.Index, 0)
	} else {
		text, err = s.characters(item.Index, item.Size.Characters)
	}
	item.Bytes = len(text)
	item.InputTokens = s.countIfAble(text)
	item.Request.Speech = &backend.Speech{Text: text, Voice: s.config.Voice}
	return err
}

// characters makes a text of exactly n characters (Unicode code points): lines
// joined by spaces, beginning with another line than the other requests as far
// as there are lines, cut at the end.
func (s *Source) characters(i uint64, n int) (string, error) {
	pieces := s.corpus.pieces
	if len(pieces) == 0 {
		return "", errors.New("the dataset has no text")
	}
	r := s.texts.Rand(i)
	next := s.heads.Permute(i, uint64(len(pieces)))
	var b strings.Builder
	for have := 0; have < n; next = r.Uint64N(uint64(len(pieces))) {
		if have > 0 {
			b.WriteByte(' ')
			have++
		}
		for _, c := range pieces[next].text {
			if have == n {
				break
			}
			b.WriteRune(c)
			have++
		}
	}
	text := b.String()
	if cut, found := strings.CutSuffix(text, " "); found {
		text = cut + "." // a space at the end might not be counted, or be trimmed
	}
	return text, nil
}

func (s *Source) imageGeneration(item *Item) error {
	text, err := s.row(item.Index, 0)
	item.Bytes = len(text)
	item.InputTokens = s.countIfAble(text)
	item.Request.Image = &backend.ImageGeneration{
		Prompt: text, N: uint32(max(item.Size.Images, 1)), Width: uint32(item.Size.Width), Height: uint32(item.Size.Height),
	}
	return err
}

// Shared are the texts that are parts of all chats of the source, the same
// memory each time, so that whoever sends the requests may send them once.
func (s *Source) Shared() []string {
	if s.prefix == nil || s.config.Kind == backend.KindCompletion {
		return nil
	}
	return []string{s.prefix.text}
}
