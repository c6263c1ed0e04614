package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/genai-bench/genai-bench/core/tokenizer/demo"
)

// bodiesOf asks a simulator that keeps bodies for those of an experiment, by
// the ids in its journal, in the order in which the requests were made.
func bodiesOf(ts *testscript.TestScript, base, parent string) (bodies [][]byte) {
	journals, err := filepath.Glob(filepath.Join(ts.MkAbs(parent), "*", "journal.jsonl"))
	ts.Check(err)
	if len(journals) != 1 {
		ts.Fatalf("%d journals below %s, want one", len(journals), parent)
	}
	journal, err := os.ReadFile(journals[0])
	ts.Check(err)
	index := map[string]int{}
	for line := range bytes.Lines(journal) {
		var entry struct {
			Request struct {
				Metrics struct {
					ID    string `json:"request_id"`
					Index int    `json:"index"`
				} `json:"metrics"`
			} `json:"request"`
		}
		ts.Check(json.Unmarshal(line, &entry))
		if m := entry.Request.Metrics; m.ID != "" {
			index[m.ID] = sequence(m.ID)
		}
	}
	answer, err := http.Get(base + "/simulator/requests?since=1")
	ts.Check(err)
	defer answer.Body.Close()
	type one struct {
		seq  int
		body []byte
	}
	var found []one
	for reader := bufio.NewReader(answer.Body); ; {
		line, err := reader.ReadBytes('\n')
		if err == io.EOF {
			break
		}
		ts.Check(err)
		var record struct {
			ID   string `json:"id"`
			Body []byte `json:"body"`
		}
		ts.Check(json.Unmarshal(line, &record))
		if seq, ours := index[record.ID]; ours {
			found = append(found, one{seq, record.Body})
		}
	}
	if len(found) == 0 || len(found) != len(index) {
		ts.Fatalf("the simulator remembers %d of %d requests", len(found), len(index))
	}
	slices.SortFunc(found, func(a, b one) int { return cmp.Compare(a.seq, b.seq) })
	for _, f := range found {
		bodies = append(bodies, f.body)
	}
	return bodies
}

// sequence is the number at the end of a request's id.
func sequence(id string) int {
	n, err := strconv.Atoi(id[strings.LastIndexByte(id, '-')+1:])
	if err != nil {
		return math.MaxInt
	}
	return n
}

// bodies BASE PARENT FILE writes what the simulator at BASE received from the
// only experiment in PARENT, a body a line.
func bodies(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: bodies BASE PARENT FILE")
	}
	all := append(bytes.Join(bodiesOf(ts, args[0], args[1]), []byte("\n")), '\n')
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), all, 0o644))
}

// common BASE PARENT N fails unless the prompts that the simulator received have
// exactly the first N tokens in common.
func common(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: common BASE PARENT N")
	}
	want, err := strconv.Atoi(args[2])
	ts.Check(err)
	tokenizer, err := demo.Load()
	ts.Check(err)
	var first []uint32
	for i, body := range bodiesOf(ts, args[0], args[1]) {
		var request struct {
			Prompt   string
			Messages []struct{ Content string }
		}
		ts.Check(json.Unmarshal(body, &request))
		for _, m := range request.Messages {
			request.Prompt += m.Content
		}
		ids := tokenizer.AppendEncode(nil, request.Prompt)
		if i == 0 {
			first = ids
			continue
		}
		n := 0
		for n < min(len(first), len(ids)) && first[n] == ids[n] {
			n++
		}
		first = first[:n]
	}
	if len(first) != want {
		ts.Fatalf("the prompts have their first %d tokens in common, want %d", len(first), want)
	}
}

// workload PARENT VAR sets VAR to the hash of what the only run in PARENT sent.
func workload(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: workload PARENT VAR")
	}
	found, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*", "experiment_metadata.json"))
	ts.Check(err)
	if len(found) != 1 {
		ts.Fatalf("%d experiments below %s, want one", len(found), args[0])
	}
	text, err := os.ReadFile(found[0])
	ts.Check(err)
	var metadata struct {
		Workloads []struct{ SHA256 string }
	}
	ts.Check(json.Unmarshal(text, &metadata))
	if len(metadata.Workloads) != 1 || len(metadata.Workloads[0].SHA256) != 64 {
		ts.Fatalf("workloads %v, want one", metadata.Workloads)
	}
	ts.Setenv(args[1], metadata.Workloads[0].SHA256)
}
