package workers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// What is shared is sent once a process; a process that takes another's place
// has it too, and what is no longer shared is sent whole.
func TestSharedTextsReachEveryProcessAndItsSuccessor(t *testing.T) {
	l := &launcher{}
	c := collect(t)
	p := open(t, l, 2, c.outcome)
	prefix := strings.Repeat("shared ", 4000)
	sent := uint64(0)
	ask := func(n int) {
		t.Helper()
		first := sent + 1
		for range n {
			sent++
			r := chat(sent, "")
			r.Chat.Messages[0].Parts = []backend.Part{{Text: prefix}, {Text: "own"}}
			if err := p.Start(r); err != nil {
				t.Fatal(err)
			}
		}
		by := c.wait(n)
		for seq := first; seq <= sent; seq++ {
			if o := by[seq]; o.Status != backend.StatusOK || o.Choices[0].FinishRaw != "28003 bytes" {
				t.Errorf("request %d: %v, %+v", seq, o.Error, o.Choices)
			}
		}
	}
	p.ShareText(prefix)
	p.ShareImage(nil)
	p.ShareText("")
	ask(20)
	l.crash(t)
	for l.launched() < 3 {
		time.Sleep(time.Millisecond)
	}
	ask(20)
	p.Unshare()
	ask(20)
}
