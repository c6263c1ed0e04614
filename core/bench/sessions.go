package bench

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/genai-bench/genai-bench/core/load"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/core/scenario"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// conversing tells whether runs hold conversations: made-up ones of several
// turns, or recorded ones.
func (p *Plan) conversing() bool { return p.Settings.Conversation != "" || p.Settings.SessionTurns > 1 }

// conversations checks what is said of them. Recorded ones take the place of the
// scenarios, made-up ones are named beside them.
func (c *checker) conversations() {
	p, s := c.plan, c.plan.Settings
	flag := "session-turns"
	if s.Conversation != "" {
		flag = "conversation"
		c.conflicts("conversation", map[string]bool{
			"traffic-scenario": len(s.Scenarios) > 0, "prefix-len": s.PrefixLen > 0, "prefix-ratio": s.PrefixRatio > 0, "count-chat-template": s.CountTemplate,
		}, map[string]string{
			"traffic-scenario": ": what users say is recorded", "prefix-len": ": what users say is recorded", "prefix-ratio": ": what users say is recorded",
			"count-chat-template": ": what users say has the size that it has",
		})
	}
	if !p.conversing() {
		if s.TurnDelay.Mean > 0 && s.Trace == "" {
			c.warn("--turn-delay is ignored: there are no further turns without --session-turns or --conversation")
		}
		return
	}
	switch {
	case s.Trace != "": // that they do not go together has been said
	case p.Task != backend.TextToText:
		c.wrong(flag, "", "is for task %s, not for %s", backend.TextToText, p.Task)
	case p.Kind == backend.KindCompletion:
		c.wrong(flag, "leave out --endpoint completions", "is for chats: completions have no turns")
	}
}

// recordedConversations is the scenario of recorded conversations.
func (c *checker) recordedConversations() Scenario {
	return Scenario{Written: "conversation-" + stem(c.plan.Settings.Conversation)}
}

// withTurns names scenarios after the turns that their conversations have.
func withTurns(list []Scenario, turns int) {
	for i := range list {
		list[i].Written += fmt.Sprintf("/%dturns", turns)
	}
}

// asked is a request to be sent, and the conversation that it belongs to.
type asked struct {
	prompt.Item
	session, turn int    // from 1; 0: none
	connection    string // that the conversation has to itself; "" any
}

// talk is a conversation that is being held.
type talk struct {
	number   int // from 1
	slot     int // of its connection
	turn     int // that is asked or to be asked next, from 1
	inFlight bool
	next     prompt.Item
	further  []prompt.Turn // after next
	template prompt.Template
	tokens   func(text string) int // nil: nothing is counted
}

// talks are the conversations of a run: who holds one, and how far it is.
type talks struct {
	delays   load.Delays
	sticky   bool
	byUser   bool // each user has a connection, whatever conversation it holds
	template prompt.Template
	tokens   func(text string) int

	mu    sync.Mutex
	open  map[int]*talk // by ticket's user
	slots []int         // of connections that no conversation has, of those that there are
	made  int           // connections
	count metrics.Sessions
}

func (x *experimenter) newTalks(run string) *talks {
	if !x.plan.conversing() {
		return nil
	}
	t := &talks{
		delays: load.NewDelays(x.plan.Settings.TurnDelay, x.plan.Settings.Seed, run), sticky: x.plan.Backend.Can(backend.CanStick),
		byUser: x.plan.loop() != openLoop, open: map[int]*talk{},
	}
	if x.tokenizer != nil {
		t.tokens = x.tokenizer.Count
	}
	if x.plan.Settings.CountTemplate {
		t.template = x.template
	}
	return t
}

// take is what a user asks next: the next turn of its conversation, or the first
// of a new one, which begin makes.
func (t *talks) take(user int, begin func() (prompt.Item, error)) (asked, error) {
	t.mu.Lock()
	k := t.open[user]
	t.mu.Unlock()
	if k == nil {
		item, err := begin()
		if err != nil {
			return asked{}, err
		}
		k = t.begin(user, item)
	}
	k.inFlight = true
	a := asked{Item: k.next, session: k.number, turn: k.turn}
	switch {
	case t.sticky && t.byUser:
		a.connection = "user " + strconv.Itoa(user)
	case t.sticky:
		a.connection = "session " + strconv.Itoa(k.slot)
	}
	return a, nil
}

func (t *talks) begin(user int, item prompt.Item) *talk {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count.Begun++
	k := &talk{number: t.count.Begun, turn: 1, next: item, further: item.Turns, template: t.template, tokens: t.tokens}
	if !t.byUser {
		if n := len(t.slots); n > 0 {
			k.slot, t.slots = t.slots[n-1], t.slots[:n-1]
		} else {
			k.slot = t.made
			t.made++
		}
	}
	t.open[user] = k
	return k
}

// hear takes the end of a user's request. It tells whether the conversation goes
// on, and after what pause.
func (t *talks) hear(user int, o *backend.Outcome) (pause time.Duration, goesOn bool) {
	t.mu.Lock()
	k := t.open[user]
	t.mu.Unlock()
	if k == nil {
		return 0, false
	}
	said := ""
	if o.Status == backend.StatusOK && len(o.Choices) > 0 {
		said = o.Choices[0].Text
	}
	// The user has waited for this, so that nobody else is at the conversation.
	k.inFlight = false
	if goesOn = len(k.further) > 0 && said != ""; goesOn {
		pause = t.delays.After(uint64(k.number-1), k.turn-1)
		k.goOn(said)
		return pause, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case len(k.further) == 0 && o.Status == backend.StatusOK:
		t.count.Completed++
	case o.Status == backend.StatusCancelled: // with the run
		t.count.Unfinished++
		t.count.TurnsLeft += len(k.further)
	case o.Status == backend.StatusOK:
		t.count.Silent++
		t.count.TurnsNotSent += len(k.further)
	default:
		t.count.Failed++
		t.count.TurnsNotSent += len(k.further)
	}
	delete(t.open, user)
	if !t.byUser {
		t.slots = append(t.slots, k.slot)
	}
	return 0, false
}

// goOn makes the next request of the conversation: all that was said, the answer
// and what the user says now.
func (k *talk) goOn(answer string) {
	turn, before := k.further[0], k.next.Request.Chat
	k.further = k.further[1:]
	k.turn++
	messages := append(slices.Clip(before.Messages), backend.Message{Role: "assistant", Parts: []backend.Part{{Text: answer}}}, backend.UserText(turn.Text))
	item := prompt.Item{
		Index: k.next.Index,
		Size:  scenario.Size{OutputTokens: turn.OutputTokens, Row: k.next.Size.Row},
		Request: &backend.Request{Task: k.next.Request.Task, FixOutputLength: turn.OutputTokens > 0,
			Chat: &backend.Chat{Messages: messages, MaxTokens: uint32(turn.OutputTokens), Stop: before.Stop, Stream: before.Stream}},
	}
	if k.tokens != nil && k.next.InputTokens > 0 {
		item.InputTokens = k.next.InputTokens + k.tokens(answer) + turn.InputTokens
		if k.template != nil {
			if rendered, err := k.template.Render(messages); err == nil {
				item.InputTokens = k.tokens(rendered)
			}
		}
		if !item.Size.Row {
			item.Size.InputTokens = item.InputTokens
		}
	}
	k.next = item
}

// ended sums the conversations of a run up; those that its end has cut off are
// unfinished.
func (t *talks) ended() *metrics.Sessions {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := t.count
	for _, k := range t.open {
		sum.Unfinished++
		sum.TurnsLeft += len(k.further)
		if !k.inFlight { // the one that was to come next
			sum.TurnsLeft++
		}
	}
	return &sum
}
