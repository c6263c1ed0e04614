package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/genai-bench/genai-bench/core/tokenizer/demo"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// received BASE FILE writes into FILE what the simulator at BASE, which keeps
// bodies, received since the last time: for each request that asked for an answer
// a line with its messages, or its prompt, as JSON. Experiments are in their order
// and requests in the order in which they were handed over: those of a few
// milliseconds may arrive in any.
func received(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: received BASE FILE")
	}
	since := 1
	if mark := ts.Getenv("RECEIVED"); mark != "" {
		var err error
		since, err = strconv.Atoi(mark)
		ts.Check(err)
	}
	answer, err := http.Get(args[0] + "/simulator/requests")
	ts.Check(err)
	defer answer.Body.Close()
	var records []simulator.Record
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var r simulator.Record
		ts.Check(json.Unmarshal(lines.Bytes(), &r))
		if int(r.Arrival) >= since && r.Method == http.MethodPost {
			records = append(records, r)
		}
	}
	ts.Check(lines.Err())
	begun := map[string]uint64{} // first arrival of an experiment
	for _, r := range records {
		name, _ := requestID(r.ID)
		if first, known := begun[name]; !known || r.Arrival < first {
			begun[name] = r.Arrival
		}
	}
	slices.SortFunc(records, func(a, b simulator.Record) int {
		x, i := requestID(a.ID)
		y, j := requestID(b.ID)
		return cmp.Or(cmp.Compare(begun[x], begun[y]), cmp.Compare(i, j))
	})
	var out strings.Builder
	for _, r := range records {
		since = max(since, int(r.Arrival)+1)
		var body struct {
			Messages json.RawMessage `json:"messages"`
			Prompt   json.RawMessage `json:"prompt"`
		}
		ts.Check(json.Unmarshal(r.Body, &body))
		if body.Messages == nil {
			body.Messages = body.Prompt
		}
		fmt.Fprintf(&out, "%s\n", body.Messages)
	}
	ts.Setenv("RECEIVED", strconv.Itoa(since))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(out.String()), 0o600))
}

// requestID takes a request's id apart: its experiment, and its number there.
func requestID(id string) (experiment string, number int) {
	cut := strings.LastIndexByte(id, '-')
	number, err := strconv.Atoi(id[cut+1:])
	if cut < 0 || err != nil {
		return id, 0
	}
	return id[:cut], number
}

// message is one of a chat, as a body has it.
type message struct{ Role, Content string }

// chats reads what received wrote.
func chats(ts *testscript.TestScript, file string) (all [][]message) {
	for line := range strings.Lines(ts.ReadFile(file)) {
		var messages []message
		ts.Check(json.Unmarshal([]byte(line), &messages))
		all = append(all, messages)
	}
	return all
}

// shares FILE I J TOKENS fails unless prompts I and J (from 1) of FILE begin
// with exactly so many equal tokens of the demo tokenizer.
func shares(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: shares FILE I J TOKENS")
	}
	tokenizer, err := demo.Load()
	ts.Check(err)
	all := chats(ts, args[0])
	var ids [2][]uint32
	for k := range ids {
		n, err := strconv.Atoi(args[1+k])
		ts.Check(err)
		if n > len(all) {
			ts.Fatalf("%s has %d requests, not %d", args[0], len(all), n)
		}
		messages := all[n-1]
		ids[k] = tokenizer.AppendEncode(nil, messages[len(messages)-1].Content)
	}
	same := 0
	for same < min(len(ids[0]), len(ids[1])) && ids[0][same] == ids[1][same] {
		same++
	}
	if strconv.Itoa(same) != args[3] {
		ts.Fatalf("requests %s and %s, of %d and %d tokens, share %d at their beginning, want %s", args[1], args[2], len(ids[0]), len(ids[1]), same, args[3])
	}
}

// grows FILE fails unless the chats of FILE are conversations, each request of
// which begins with all the messages of its conversation's request before, then
// an answer, then what the user says next. The first messages tell conversations
// apart.
func grows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: grows FILE")
	}
	before := map[message][]message{} // by what the user said first
	later := 0
	for n, chat := range chats(ts, args[0]) {
		first := chat[slices.IndexFunc(chat, func(m message) bool { return m.Role == "user" })]
		last := before[first]
		before[first] = chat
		if last == nil {
			continue
		}
		later++
		switch {
		case len(chat) != len(last)+2 || !slices.Equal(chat[:len(last)], last):
			ts.Fatalf("request %d of %s does not go on with the conversation:\n%v\n%v", n+1, args[0], last, chat)
		case chat[len(last)].Role != "assistant" || chat[len(last)].Content == "" || chat[len(last)+1].Role != "user":
			ts.Fatalf("request %d of %s: an answer and a question are missing: %v", n+1, args[0], chat[len(last):])
		}
	}
	if later == 0 {
		ts.Fatalf("%s has no conversation of two turns", args[0])
	}
}

// firsts FILE FILE fails unless what users said is the same in both: all
// messages that are no answers.
func firsts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: firsts FILE FILE")
	}
	var said [2][]message
	for k, file := range args {
		for _, chat := range chats(ts, file) {
			for _, m := range chat {
				if m.Role != "assistant" {
					said[k] = append(said[k], m)
				}
			}
		}
	}
	if len(said[0]) == 0 || !slices.Equal(said[0], said[1]) {
		ts.Fatalf("%s and %s are of other users: %v\n%v", args[0], args[1], said[0], said[1])
	}
}

// settingsOf is the command settings PARENT FILE, which writes into FILE the settings of the only experiment in
// PARENT, as its metadata have them.
func settingsOf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: settings PARENT FILE")
	}
	found, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*", "experiment_metadata.json"))
	ts.Check(err)
	if len(found) != 1 {
		ts.Fatalf("%d experiments in %s", len(found), args[0])
	}
	data, err := os.ReadFile(found[0])
	ts.Check(err)
	var metadata struct {
		Settings map[string]any `json:"settings"`
	}
	ts.Check(json.Unmarshal(data, &metadata))
	delete(metadata.Settings, "experiment-base-dir")
	data, err = json.Marshal(metadata.Settings)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o600))
}
