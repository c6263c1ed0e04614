package trace_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/trace"
)

const s, ms = time.Second, time.Millisecond

func TestFormats(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		options trace.Options
		want    trace.Trace
	}{
		"Mooncake: milliseconds, 512 tokens a block": {
			text: `{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}
{"timestamp": 30535, "input_length": 6472, "output_length": 26, "hash_ids": [46, 99]}
`,
			want: trace.Trace{Format: "Mooncake", BlockTokens: 512, Requests: []trace.Request{
				{InputTokens: 6955, OutputTokens: 52, Blocks: []uint64{46, 47}},
				{At: 3053 * ms, InputTokens: 6472, OutputTokens: 26, Blocks: []uint64{46, 99}},
			}},
		},
		"Mooncake with seconds, said by the user": {
			text:    `{"timestamp": 1.5, "input_length": 1, "output_length": 2}` + "\n" + `{"timestamp": 2.25, "input_length": 1, "output_length": 2, "session_id": "a"}`,
			options: trace.Options{Unit: trace.Seconds},
			want: trace.Trace{Format: "Mooncake", Requests: []trace.Request{
				{InputTokens: 1, OutputTokens: 2}, {At: 750 * ms, InputTokens: 1, OutputTokens: 2, Session: "a"},
			}},
		},
		"Bailian: seconds, 16 tokens a block, chats with parents": {
			text: `{"chat_id": 159, "parent_chat_id": -1, "timestamp": 61.114, "input_length": 521, "output_length": 132, "type": "text", "turn": 1, "hash_ids": [1089, 1090]}
{"chat_id": 160, "parent_chat_id": 159, "timestamp": 62.114, "input_length": 700, "output_length": 1, "type": "text", "turn": 2, "hash_ids": [1089]}
{"chat_id": 161, "parent_chat_id": 160, "timestamp": 63.114, "input_length": 800, "output_length": 1, "type": "text", "turn": 3}`,
			want: trace.Trace{Format: "Bailian", BlockTokens: 16, Requests: []trace.Request{
				{InputTokens: 521, OutputTokens: 132, Blocks: []uint64{1089, 1090}, Session: "159"},
				{At: s, InputTokens: 700, OutputTokens: 1, Blocks: []uint64{1089}, Session: "159"},
				{At: 2 * s, InputTokens: 800, OutputTokens: 1, Session: "159"},
			}},
		},
		"names that are numbers, hashes with a sign": {
			text: `{"timestamp": 0, "input_length": 1, "output_length": 2, "session_id": 7, "hash_ids": [-1]}
{"timestamp": 1, "input_length": 1, "output_length": 2, "session_id": null, "hash_ids": null}
{"timestamp": 2, "input_length": 1, "output_length": 2, "session_id": "7", "hash_ids": [18446744073709551615]}`,
			want: trace.Trace{Format: "Mooncake", BlockTokens: 512, Requests: []trace.Request{
				{InputTokens: 1, OutputTokens: 2, Session: "7", Blocks: []uint64{1<<64 - 1}},
				{At: ms, InputTokens: 1, OutputTokens: 2},
				{At: 2 * ms, InputTokens: 1, OutputTokens: 2, Session: "7", Blocks: []uint64{1<<64 - 1}},
			}},
		},
		"Bailian chats with names": {
			text: `{"chat_id": "a", "parent_chat_id": "-1", "timestamp": 1, "input_length": 1, "output_length": 2}
{"chat_id": "b", "parent_chat_id": "a", "timestamp": 2, "input_length": 1, "output_length": 2}`,
			want: trace.Trace{Format: "Bailian", Requests: []trace.Request{
				{InputTokens: 1, OutputTokens: 2, Session: "a"}, {At: s, InputTokens: 1, OutputTokens: 2, Session: "a"},
			}},
		},
		"BurstGPT of six columns; failed rows are left out": {
			text: "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n" +
				"5,ChatGPT,472,18,490,Conversation log\n45,ChatGPT,1087,0,1087,Conversation log\n118.5,GPT-4,417,276,693,API log\n",
			want: trace.Trace{Format: "BurstGPT", Skipped: 1, Requests: []trace.Request{
				{InputTokens: 472, OutputTokens: 18}, {At: 113500 * ms, InputTokens: 417, OutputTokens: 276},
			}},
		},
		"BurstGPT of eight columns, found by header": {
			text: "\ufeffTimestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n" +
				"0,s1,2.5,ChatGPT,10.0,20.0,30,API log\n",
			want: trace.Trace{Format: "BurstGPT", Requests: []trace.Request{{InputTokens: 10, OutputTokens: 20, Session: "s1"}}},
		},
		"Azure keeps all seven decimals; rows are put in order": {
			text: "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805901,374,44\n2023-11-16 18:15:46.6805900,396,109\n",
			want: trace.Trace{Format: "Azure", Requests: []trace.Request{
				{InputTokens: 396, OutputTokens: 109}, {At: 100, InputTokens: 374, OutputTokens: 44},
			}},
		},
		"Azure with CR LF and a zone": {
			text: "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2024-05-10 00:00:00.009930+00:00,374,44\r\n",
			want: trace.Trace{Format: "Azure", Requests: []trace.Request{{InputTokens: 374, OutputTokens: 44}}},
		},
		"our own": {
			text: `{"at_s": 0, "input_tokens": 100, "output_tokens": 10, "block_ids": [1, 2], "block_tokens": 32, "session": "x"}

{"at_s": 0.25, "output_tokens": 5, "text": "What is it?"}`,
			want: trace.Trace{Format: "own", BlockTokens: 32, Requests: []trace.Request{
				{InputTokens: 100, OutputTokens: 10, Blocks: []uint64{1, 2}, Session: "x"},
				{At: 250 * ms, OutputTokens: 5, Text: "What is it?"},
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := trace.Read(strings.NewReader(c.text), c.options)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestBadTraces(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":                  {"", "the trace is empty"},
		"an array":               {"[{}]", "an object a line"},
		"other columns":          {"a,b\n1,2\n", "the columns are a, b; a trace has TIMESTAMP"},
		"no JSON":                {"{\"timestamp\": 1,\n", "line 1: no JSON object"},
		"no time":                {`{"input_length": 1, "output_length": 1}`, "line 1: there is neither timestamp"},
		"no length":              {`{"timestamp": 1}`, "line 1: input_length or output_length is missing"},
		"mixed formats":          {`{"timestamp": 1, "input_length": 1, "output_length": 1}` + "\n" + `{"chat_id": 1, "timestamp": 1, "input_length": 1, "output_length": 1}`, "line 2: it is of the Bailian format, the lines before of Mooncake"},
		"mixed units":            {`{"at_s": 1, "input_tokens": 1, "output_tokens": 1}` + "\n" + `{"at_ms": 1, "input_tokens": 1, "output_tokens": 1}`, "line 2: at_ms, where the lines before have at_s"},
		"both units":             {`{"at_s": 1, "at_ms": 1000, "input_tokens": 1, "output_tokens": 1}`, "at_s and at_ms exclude each other"},
		"seconds in Mooncake":    {`{"timestamp": 1000, "input_length": 1, "output_length": 1}` + "\n" + `{"timestamp": 1.25, "input_length": 1, "output_length": 1}`, "line 2: timestamp 1.25 is no whole number of milliseconds"},
		"a date among numbers":   {"Timestamp,Request tokens,Response tokens\n1,1,1\n2023-11-16 18:15:46,1,1\n", "line 3: Timestamp: \"2023-11-16 18:15:46\" is no number of seconds (mixed units"},
		"a number among dates":   {"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,1\n17.5,1,1\n", "line 3: TIMESTAMP: \"17.5\" is no date and time"},
		"negative tokens":        {`{"timestamp": 1, "input_length": -5, "output_length": 1}`, "input_length is -5"},
		"absurd tokens":          {`{"timestamp": 1, "input_length": 5000000000, "output_length": 1}`, "which is no number of tokens"},
		"absurd time":            {`{"at_s": 1e300, "input_tokens": 1, "output_tokens": 1}`, "out of range"},
		"all failed":             {"Timestamp,Request tokens,Response tokens\n1,5,0\n", "no request that can be sent (1 rows"},
		"ragged CSV":             {"Timestamp,Request tokens,Response tokens\n1,5\n", "line 2: wrong number of fields"},
		"two block sizes":        {`{"at_s": 1, "input_tokens": 1, "output_tokens": 1, "block_tokens": 16}` + "\n" + `{"at_s": 1, "input_tokens": 1, "output_tokens": 1, "block_tokens": 32}`, "one size of blocks"},
		"words for tokens":       {"Timestamp,Request tokens,Response tokens\n1,many,5\n", `Request tokens "many" is no number`},
		"a fraction of a token":  {"Timestamp,Request tokens,Response tokens\n1,1.5,5\n", `Request tokens "1.5" is no number`},
		"blocks of a wrong type": {`{"timestamp": 1, "input_length": 1, "output_length": 1, "hash_ids": ["a"]}`, "line 1: no JSON object of a trace"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := trace.Read(strings.NewReader(c.text), trace.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, c.want)
			}
		})
	}
}

// A bad row is counted and named; the others are good.
func TestBadRowsAreLeftOut(t *testing.T) {
	const good = `{"timestamp": 1, "input_length": 5, "output_length": 6}` + "\n"
	for name, c := range map[string]struct {
		text string
		bad  []string
	}{
		"no JSON":          {good + "{\n" + good, []string{"line 2: no JSON object of a trace: unexpected end of JSON input"}},
		"another object":   {good + `{"a": 1, "input_length": 5}` + "\n", []string{"line 2: there is neither timestamp nor at_s nor at_ms; the fields are a, input_length"}},
		"a missing field":  {good + `{"timestamp": 1, "input_length": 5}` + "\n", []string{"line 2: input_length or output_length is missing; the fields are input_length, timestamp"}},
		"negative tokens":  {good + `{"timestamp": 1, "input_length": -5, "output_length": 1}`, []string{"line 2: input_length is -5, which is no number of tokens"}},
		"a ragged row":     {"Timestamp,Request tokens,Response tokens\n1,5\n1,5,6\n", []string{"line 2: wrong number of fields"}},
		"a quote too many": {"Timestamp,Request tokens,Response tokens\n1,5\",6\n1,5,6\n", []string{"line 2: bare \" in non-quoted-field"}},
		"no number":        {"Timestamp,Request tokens,Response tokens\nx,5,6\n1,many,6\n1,5,6\n", []string{`line 2: Timestamp: "x" is no number of seconds`, `line 3: Request tokens "many" is no number of tokens`}},
		"no date":          {"TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,1\n2023-11-16 18:15:46,5,6\n", []string{`line 2: TIMESTAMP: "yesterday" is no date and time as 2023-11-16 18:15:46.6805900`}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := trace.Read(strings.NewReader(c.text), trace.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.bad, got.FirstBad); diff != "" || got.Bad != len(c.bad) {
				t.Errorf("%d bad (-want +got):\n%s", got.Bad, diff)
			}
			if r := got.Requests[0]; r.InputTokens != 5 || r.OutputTokens != 6 {
				t.Errorf("%+v", r)
			}
		})
	}
	many, err := trace.Read(strings.NewReader(good+strings.Repeat("{}\n", 1000)), trace.Options{})
	if err != nil || many.Bad != 1000 || len(many.FirstBad) != 5 {
		t.Errorf("%v, %d of %d bad rows are shown", err, len(many.FirstBad), many.Bad)
	}
}

// Mooncake's fields are also Bailian's, with another unit and other blocks.
func TestAFormatThatIsSaid(t *testing.T) {
	const line = `{"timestamp": 2, "input_length": 5, "output_length": 6, "hash_ids": [1]}`
	text := line + "\n" + strings.Replace(line, "2", "4", 1)
	for format, want := range map[string]struct {
		blocks int
		at     time.Duration
	}{trace.Mooncake: {512, 2 * ms}, trace.Bailian: {16, 2 * s}} {
		got, err := trace.Read(strings.NewReader(text), trace.Options{Format: format})
		if err != nil {
			t.Fatal(err)
		}
		if got.Format != format || got.BlockTokens != want.blocks || got.Requests[1].At != want.at {
			t.Errorf("%s: %+v", format, got)
		}
	}
	for format, text := range map[string]string{trace.Azure: line, trace.Bailian: `{"at_s": 1, "input_tokens": 1, "output_tokens": 1}`, trace.BurstGPT: "TIMESTAMP,ContextTokens,GeneratedTokens\n"} {
		if _, err := trace.Read(strings.NewReader(text), trace.Options{Format: format}); err == nil || !strings.Contains(err.Error(), "not of "+format+" as --trace-format says") {
			t.Errorf("%s: error %v", format, err)
		}
	}
}

func TestPartsOfATrace(t *testing.T) {
	all := &trace.Trace{Requests: []trace.Request{
		{At: 0, Session: "a"}, {At: s, Session: "b"}, {At: 2 * s}, {At: 4 * s, Session: "a"}, {At: 8 * s},
	}}
	for name, c := range map[string]struct {
		from, until time.Duration
		most        int
		want        []time.Duration
		rate        float64
	}{
		"all":      {0, 0, 0, []time.Duration{0, s, 2 * s, 4 * s, 8 * s}, 0.5},
		"some":     {s, 8 * s, 0, []time.Duration{0, s, 3 * s}, 2. / 3},
		"so many":  {s, 0, 2, []time.Duration{0, s}, 1},
		"only one": {8 * s, 0, 0, []time.Duration{0}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			part, err := all.Part(c.from, c.until, c.most)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, part.Offsets(1)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if part.Rate(1) != c.rate {
				t.Errorf("rate %v, want %v", part.Rate(1), c.rate)
			}
		})
	}
	if _, err := all.Part(9*s, 0, 0); err == nil || !strings.Contains(err.Error(), "no request came then: the trace lasts 8s") {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff([]int{0, 1, -1, 0, -1}, all.Sessions()); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]time.Duration{0, s / 2, s, 2 * s, 4 * s}, all.Offsets(0.5)); diff != "" || all.Rate(0.5) != 1 {
		t.Errorf("at twice the speed the rate is %v; (-want +got):\n%s", all.Rate(0.5), diff)
	}
	if part, _ := all.Part(s, 4*s, 0); part.Sessions() != nil {
		t.Error("sessions of one request each were found")
	}
}

func TestATraceTellsOfItself(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.jsonl")
	if err := os.WriteFile(path, []byte(`{"timestamp": 0, "input_length": 10, "output_length": 2}
{"timestamp": 500, "input_length": 30, "output_length": 4}
{"timestamp": 1000, "input_length": 50, "output_length": 0}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := trace.Load(path, trace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := "trace " + path + " (Mooncake): 2 requests over 500ms, 2 requests/s, on average 20 tokens in and 3 out; 1 rows without input or output left out"
	if got.String() != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if _, err := trace.Load(filepath.Join(t.TempDir(), "none"), trace.Options{}); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("error %v of a file that is not there", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}`))
	f.Add([]byte(`{"chat_id": 1, "parent_chat_id": -1, "timestamp": 1.5, "input_length": 5, "output_length": 5}`))
	f.Add([]byte(`{"at_s": 1, "input_tokens": 5, "output_tokens": 5, "block_ids": [1], "block_tokens": 16}`))
	f.Add([]byte("Timestamp,Request tokens,Response tokens\n1,5,5\n"))
	f.Add([]byte("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,1,1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := trace.Read(strings.NewReader(string(data)), trace.Options{})
		if err != nil {
			return
		}
		last := time.Duration(0)
		for i, r := range got.Requests {
			if i == 0 && r.At != 0 || r.At < last || r.OutputTokens < 1 || r.InputTokens < 1 && r.Text == "" {
				t.Fatalf("request %d of %d: %+v after %v", i, len(got.Requests), r, last)
			}
			last = r.At
		}
	})
}
