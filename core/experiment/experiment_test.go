package experiment_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func TestTheNameOfAnExperiment(t *testing.T) {
	at := time.Date(2024, 3, 14, 15, 9, 26, 0, time.Local)
	cases := map[string]struct{ engine, version, model, want string }{
		"with engine and version": {"SGLang", "1.0", "gpt-4", "openai_SGLang_1.0_text-to-text_gpt-4_20240314_150926"},
		"without":                 {"", "", "gpt-4", "openai_text-to-text_gpt-4_20240314_150926"},
		"sanitised":               {"", "", "org/m:../x", "openai_text-to-text_org_m_.._x_20240314_150926"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := experiment.Name("openai", c.engine, c.version, "text-to-text", c.model, at); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestSanitizedNamesStayInTheirFolder(t *testing.T) {
	for _, name := range []string{"../../etc/passwd", "..", ".", "a/b", `a\b`, "\x00", strings.Repeat("é", 300), "con:", "", "-x"} {
		clean := experiment.Sanitize(name)
		joined := filepath.Join("/base", "x"+clean)
		if strings.ContainsAny(clean, "/\\\x00:") || filepath.Dir(joined) != "/base" || len(clean) > 200 || strings.HasPrefix(clean, ".") {
			t.Errorf("Sanitize(%q) = %q", name, clean)
		}
	}
}

func TestAFolderThatIsNotEmptyIsRefused(t *testing.T) {
	base := t.TempDir()
	first, err := experiment.Create(base, "a/b")
	if err != nil || first.Path() != filepath.Join(base, "a_b") {
		t.Fatalf("%v, %v", first, err)
	}
	if err := first.WriteMetadata(experiment.Metadata{}); err != nil {
		t.Fatal(err)
	}
	if _, err := experiment.Create(base, "a/b"); err == nil || !strings.Contains(err.Error(), "not empty") || !strings.Contains(err.Error(), "--experiment-folder-name") {
		t.Errorf("error %v", err)
	}
	if err := os.Mkdir(filepath.Join(base, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := experiment.Create(base, "empty"); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
}

// TestFilesAreThoseThatThePythonToolReads holds what is written against the
// loader's own pattern and the key order of the files that the Python tool
// made.
func TestFilesAreThoseThatThePythonToolReads(t *testing.T) {
	f, err := experiment.Create(t.TempDir(), "e")
	if err != nil {
		t.Fatal(err)
	}
	name := experiment.RunFileName("N480_240_300_150", "text-to-text", "num_concurrency", 16, 59600*time.Millisecond)
	if name != "N480_240_300_150_text-to-text_num_concurrency_16_time_60s.json" {
		t.Errorf("name %s", name)
	}
	if !regexp.MustCompile(`^.+_.+_(?:concurrency|batch_size)_\d+_time_\d+s\.json$`).MatchString(name) {
		t.Errorf("the Python tool would not see %s", name)
	}
	requests := []metrics.Request{derived(t)}
	a := metrics.Compute(metrics.Run{Start: 1, End: 2e9}, requests, nil)
	a.Scenario, a.NumConcurrency, a.BatchSize, a.IterationType = "N(480,240)/(300,150)", 16, 1, "num_concurrency"
	if err := f.WriteRun(name, a, experiment.RequestsOf(requests), metrics.InMilliseconds); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteMetadata(experiment.Metadata{Task: "text-to-text", TrafficScenario: []string{"N(480,240)/(300,150)"}, MetricsTimeUnit: "ms",
		AuthConfig: json.RawMessage(`{}`), AdditionalRequestParams: json.RawMessage(`{}`)}); err != nil {
		t.Fatal(err)
	}
	for mine, golden := range map[string]string{
		name:                    "../metrics/testdata/chat/D100_40_text-to-text_num_concurrency_4_time_4s.json",
		experiment.MetadataFile: "../metrics/testdata/chat/experiment_metadata.json",
	} {
		want, got := keysOf(t, golden), keysOf(t, f.File(mine))
		positions := map[string]int{}
		for i, k := range got {
			if _, seen := positions[k]; !seen {
				positions[k] = i
			}
		}
		last := -1
		for _, k := range want {
			at, ok := positions[k]
			if !ok {
				t.Errorf("%s lacks the key %s", mine, k)
			} else if at < last {
				t.Errorf("%s has the key %s out of the Python tool's order", mine, k)
			}
			last = max(last, at)
		}
	}
	loaded, err := experiment.Load(f.Path())
	if err != nil || len(loaded.Problems) != 0 || len(loaded.Runs) != 1 {
		t.Fatalf("%+v, %v", loaded, err)
	}
	run := loaded.Runs[0]
	if got := all(t, run.Requests); run.Unit != "ms" || run.Level != 16 || len(got) != 1 || math.Abs(float64(got[0].TTFT)-100) > 1e-9 {
		t.Errorf("unit %s, level %d, %+v", run.Unit, run.Level, got)
	}
	if got := all(t, loaded.In("s").Runs[0].Requests); math.Abs(float64(got[0].TTFT)-0.1) > 1e-12 {
		t.Errorf("in seconds %v", got[0].TTFT)
	}
	if back := loaded.In("s").Runs[0].Figures.Stats.TTFT.P50; math.Abs(float64(back)-0.1) > 1e-12 {
		t.Errorf("in seconds %v", back)
	}
}

// all collects requests.
func all(t *testing.T, requests experiment.Requests) (list []metrics.Request) {
	t.Helper()
	for r, err := range requests {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, *r)
	}
	return list
}

// keysOf lists the keys of a file in the order in which they stand, each path
// once: "aggregated_metrics.stats.ttft".
func keysOf(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(data)))
	var keys []string
	seen := map[string]bool{}
	var walk func(prefix string)
	walk = func(prefix string) {
		token, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		switch token {
		case json.Delim('{'):
			for d.More() {
				k, err := d.Token()
				if err != nil {
					t.Fatal(err)
				}
				key := prefix + "." + k.(string)
				if !seen[key] && !strings.Contains(key, "error_codes_frequency.") && !strings.Contains(key, "auth_config.") {
					seen[key] = true
					keys = append(keys, key)
				}
				walk(key)
			}
		case json.Delim('['):
			for d.More() {
				walk(prefix + "[]")
			}
		default:
			return
		}
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
	}
	walk("")
	return keys
}

func outcome() *backend.Outcome {
	o := &backend.Outcome{Status: backend.StatusOK}
	o.SendStart = 1_000_000_000
	for i, ms := range []int{90, 100, 115} {
		kinds := backend.Text
		if i == 0 {
			kinds = backend.Role
		}
		o.Events = append(o.Events, backend.Event{At: o.SendStart.Add(time.Duration(ms) * time.Millisecond), Kinds: kinds, Bytes: uint32(i), ReadLag: 12 * time.Microsecond})
	}
	o.Events[2].Tokens, o.Events[2].Flags, o.Events[2].Choice = 2, stamp.Bundled, backend.NoChoice
	o.LastByte = o.Events[2].At
	return o
}

func derived(t *testing.T) metrics.Request {
	t.Helper()
	return metrics.Derive(backend.TextToText, &metrics.Record{Streamed: true, OutputTokensCounted: 3, InputTokens: 5, Outcome: outcome()})
}

func TestFoldersOfThePythonToolAreRead(t *testing.T) {
	cases := map[string]struct{ runs, requests int }{"chat": {9, 76}, "chat-ms": {2, 0}, "embed": {4, 0}, "errors": {2, 0}, "speech": {1, 0}}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) {
			l, err := experiment.Load(filepath.Join("../metrics/testdata", name))
			if err != nil || len(l.Problems) != 0 {
				t.Fatalf("%v, %v", err, l)
			}
			if len(l.Runs) != want.runs {
				t.Errorf("%d runs, want %d", len(l.Runs), want.runs)
			}
			for _, r := range l.Runs {
				if got := all(t, r.Requests); r.Figures.NumRequests != len(got) || len(got) == 0 || got[0].SendLateness.Exists() {
					t.Errorf("%s: %d requests of %d", r.File, len(got), r.Figures.NumRequests)
				}
			}
			if name == "errors" && l.Runs[1].Figures.ErrorRate != metrics.Value(18.0/74.0) {
				t.Errorf("error rate %v, want 18/74", l.Runs[1].Figures.ErrorRate)
			}
			for i := 1; i < len(l.Runs); i++ {
				a, b := l.Runs[i-1], l.Runs[i]
				if a.Figures.Scenario == b.Figures.Scenario && a.Level >= b.Level {
					t.Errorf("level %d stands before %d", a.Level, b.Level)
				}
			}
		})
	}
}

func TestOneBrokenFileDoesNotHideTheOthers(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../metrics/testdata/embed")); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"E64_text-to-embeddings_batch_size_8_time_1s.json": "{",
		"E64_text-to-embeddings_batch_size_4_time_9s.json": `{"aggregated_metrics":{"scenario":"E(64)","batch_size":4,"iteration_type":"batch_size"}}`,
		"E64_text-to-embeddings_batch_size_9_time_9s.json": `{"aggregated_metrics":{"scenario":"E(64)"},"_time_unit":"h"}`,
		"debug_for_run_E64_1.json":                         "not looked at",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := experiment.Load(dir)
	if err != nil || len(l.Runs) != 4 || len(l.Problems) != 3 {
		t.Fatalf("%d runs, problems %v, %v", len(l.Runs), l.Problems, err)
	}
	if _, err := experiment.Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), experiment.MetadataFile) {
		t.Errorf("a folder without metadata: %v", err)
	}
}

func TestTheJournalSurvivesATornLine(t *testing.T) {
	f, err := experiment.Create(t.TempDir(), "e")
	if err != nil {
		t.Fatal(err)
	}
	j, err := f.OpenJournal()
	if err != nil {
		t.Fatal(err)
	}
	o := outcome()
	entry := experiment.Entry{Request: &experiment.JournaledEnd{Metrics: derived(t), Events: experiment.PackEvents(o.SendStart, o.Events),
		Texts: []experiment.ChoiceTexts{{Text: "a\nb"}}}}
	for _, e := range []experiment.Entry{{Begin: &experiment.RunBegin{Scenario: "D(1,2)", Level: 3, At: 7}}, entry, {End: &experiment.RunEnd{At: 9}}} {
		if err := j.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(f.File(experiment.JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	standard, err := json.Marshal(entry)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(standard), strings.Split(string(written), "\n")[1]); diff != "" {
		t.Errorf("a request's line (-encoding/json +written):\n%s", diff)
	}
	read := func() (entries []experiment.Entry, torn bool) {
		torn, err := experiment.ReadJournal(f.File(experiment.JournalFile), func(e experiment.Entry) error { entries = append(entries, e); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return entries, torn
	}
	entries, torn := read()
	if torn || len(entries) != 3 || entries[0].Begin.Scenario != "D(1,2)" || entries[2].End == nil {
		t.Fatalf("torn %v, %+v", torn, entries)
	}
	if diff := cmp.Diff(o.Events, entries[1].Request.Events.Unpack(o.SendStart)); diff != "" {
		t.Errorf("events (-written +read):\n%s", diff)
	}
	if entries[1].Request.Texts[0].Text != "a\nb" || entries[1].Request.Metrics.TPOT.Exists() != derived(t).TPOT.Exists() {
		t.Errorf("request %+v", entries[1].Request)
	}
	data, err := os.ReadFile(f.File(experiment.JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.File(experiment.JournalFile), data[:len(data)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	if entries, torn = read(); !torn || len(entries) != 2 {
		t.Errorf("after a cut: torn %v, %d entries", torn, len(entries))
	}
}

// TestARunThatWasKilledIsRecovered: the journal alone makes the file that the
// run's end would have made.
func TestARunThatWasKilledIsRecovered(t *testing.T) {
	f, err := experiment.Create(t.TempDir(), "e")
	if err != nil {
		t.Fatal(err)
	}
	m := experiment.Metadata{Task: "text-to-text", IterationType: "num_concurrency", NumConcurrency: []int{1, 4}, MetricsTimeUnit: "ms",
		TrafficScenario: []string{"N(480,240)/(300,150)"}, AuthConfig: json.RawMessage(`{}`), AdditionalRequestParams: json.RawMessage(`{}`)}
	if err := f.WriteMetadata(m); err != nil {
		t.Fatal(err)
	}
	j, err := f.OpenJournal()
	if err != nil {
		t.Fatal(err)
	}
	o, q := outcome(), derived(t)
	request := experiment.Entry{Request: &experiment.JournaledEnd{Metrics: q, Events: experiment.PackEvents(o.SendStart, o.Events)}}
	begin := func(level int) experiment.Entry {
		return experiment.Entry{Begin: &experiment.RunBegin{Scenario: m.TrafficScenario[0], Level: level, At: o.SendStart - 1000}}
	}
	ended := experiment.Entry{End: &experiment.RunEnd{At: o.LastByte, File: "written then"}}
	for _, e := range []experiment.Entry{begin(1), request, ended, begin(4), request, request, request} {
		if err := j.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(f.File(experiment.JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.File(experiment.JournalFile), data[:len(data)-20], 0o600); err != nil { // killed in mid-write
		t.Fatal(err)
	}
	for _, want := range [][]string{{"N480_240_300_150_text-to-text_num_concurrency_4_time_1s.json"}, nil} { // once, and then no more
		got, err := experiment.Recover(f.Path())
		if err != nil || !got.Torn {
			t.Fatalf("%+v, %v", got, err)
		}
		if diff := cmp.Diff(want, got.Files); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
	}
	l, err := experiment.Load(f.Path())
	if err != nil || len(l.Runs) != 1 {
		t.Fatalf("%v, %v", l, err)
	}
	a := l.Runs[0].Figures
	if a.NumCompletedRequests != 2 || a.NumConcurrency != 4 || a.StopReason != "killed" || len(a.WarningsOfRun) != 1 {
		t.Errorf("figures %+v", a)
	}
	if math.Abs(float64(a.Stats.TTFT.P50)-100) > 1e-9 || math.Abs(float64(a.AddedStats.ITL.Max)-15) > 1e-9 {
		t.Errorf("ttft %v ms, itl %v ms", a.Stats.TTFT.P50, a.AddedStats.ITL.Max)
	}
	if diff := cmp.Diff([]string{"scenario N(480,240)/(300,150) has no run of concurrency 1"}, l.Problems); diff != "" {
		t.Error(diff)
	}
}

func TestOneExperimentOrAFolderOfThem(t *testing.T) {
	one, problems, err := experiment.LoadAll("../metrics/testdata/chat")
	if err != nil || len(problems) != 0 || len(one) != 1 {
		t.Errorf("one: %v, %v, %v", one, problems, err)
	}
	base := t.TempDir()
	if err := os.CopyFS(base, os.DirFS("../metrics/testdata")); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"logs", "broken"} {
		if err := os.Mkdir(filepath.Join(base, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(base, "broken", experiment.MetadataFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, problems, err := experiment.LoadAll(base)
	var names []string
	for _, l := range all {
		names = append(names, filepath.Base(l.Path))
	}
	if diff := cmp.Diff([]string{"chat", "chat-ms", "embed", "errors", "speech"}, names); diff != "" || err != nil || len(problems) != 1 {
		t.Errorf("%v, %v\n%s", problems, err, diff)
	}
	if _, _, err := experiment.LoadAll(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no experiment") {
		t.Errorf("an empty folder: %v", err)
	}
	if _, _, err := experiment.LoadAll(filepath.Join(base, "absent")); err == nil || strings.Count(err.Error(), "absent") != 1 {
		t.Errorf("an absent folder: %v", err)
	}
}

func TestWhatTheMetadataAnnounceAndTheFolderLacks(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../metrics/testdata/chat")); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"U50*", "N120*_4_*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%v, %v", files, err)
		}
		for _, f := range files {
			if err := os.Remove(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	l, err := experiment.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"scenario N(120,30)/(40,10) has no run of concurrency 4", "scenario U(50,100)/(20,40) has no run"}
	if diff := cmp.Diff(want, l.Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func FuzzReadJournal(f *testing.F) {
	f.Add([]byte(`{"begin":{"scenario":"D(1,2)"}}` + "\n"))
	f.Add([]byte(`{"request":{"metrics":{"ttft":null},"events":{"at_delta_ns":[1,2],"kinds":[1]}}}` + "\n{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "j")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = experiment.ReadJournal(path, func(e experiment.Entry) error {
			if e.Request != nil {
				e.Request.Events.Unpack(0)
			}
			return nil
		})
	})
}

func BenchmarkJournal(b *testing.B) {
	f, err := experiment.Create(b.TempDir(), "e")
	if err != nil {
		b.Fatal(err)
	}
	j, err := f.OpenJournal()
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	o := outcome()
	for range 6 {
		o.Events = append(o.Events, o.Events...)
	}
	r := metrics.Derive(backend.TextToText, &metrics.Record{Streamed: true, OutputTokensCounted: 3, Outcome: o})
	b.ReportAllocs()
	for b.Loop() {
		if err := j.Write(experiment.Entry{Request: &experiment.JournaledEnd{Metrics: r, Events: experiment.PackEvents(o.SendStart, o.Events)}}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestFiguresAreReadWithoutTheRequests: the requests of a file may be broken or
// gone, its figures are there; and a file in any order is read.
func TestFiguresAreReadWithoutTheRequests(t *testing.T) {
	const figures = `"aggregated_metrics": {"scenario":"D(1,1)","num_requests":2}`
	cases := map[string]struct {
		content  string
		problem  string
		requests int // −1: reading them fails
	}{
		"as written":              {"{\n    " + figures + ",\n    \"individual_request_metrics\": [\n {}, {}\n    ],\n    \"_time_unit\": \"ms\"\n}", "", 2},
		"with Windows' newlines":  {"{\r\n    " + figures + ",\r\n    \"individual_request_metrics\": [{}, {}],\r\n    \"_time_unit\": \"ms\"\r\n}\r\n", "", 2},
		"a broken request":        {"{\n    " + figures + ",\n    \"individual_request_metrics\": [\n {}, {]\n    ],\n    \"_time_unit\": \"ms\"\n}", "", -1},
		"on one line":             {"{" + figures + `, "individual_request_metrics": [{}], "_time_unit": "ms"}`, "", 1},
		"in another order":        {`{"_time_unit":"ms","individual_request_metrics":[{},{},{}],"x":[1],` + figures + "}", "", 3},
		"no requests":             {`{"_time_unit":"ms","individual_request_metrics":null,` + figures + "}", "", 0},
		"cut in the requests":     {"{\n    " + figures + ",\n    \"individual_request_metrics\": [\n {}, {", "unexpected EOF", 0},
		"requests are not a list": {"{" + figures + `, "individual_request_metrics": 7}`, "a list was expected", 0},
		"not an object":           {`[]`, "was expected", 0},
		"empty":                   {``, "unexpected EOF", 0},
		"more behind":             {"{" + figures + `, "_time_unit": "ms"} {}`, "more behind", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range map[string]string{"D1_1_text-to-text_num_concurrency_1_time_1s.json": c.content, experiment.MetadataFile: `{"task":"text-to-text"}`} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			l, err := experiment.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			if c.problem != "" {
				if len(l.Runs) != 0 || len(l.Problems) != 1 || !strings.Contains(l.Problems[0], c.problem) {
					t.Errorf("%d runs, problems %q", len(l.Runs), l.Problems)
				}
				return
			}
			if len(l.Problems) != 0 || len(l.Runs) != 1 || l.Runs[0].Unit != "ms" || l.Runs[0].Figures.NumRequests != 2 {
				t.Fatalf("%q, %+v", l.Problems, l.Runs)
			}
			n, failed := 0, false
			for _, err := range l.Runs[0].Requests {
				n++
				failed = failed || err != nil
			}
			if failed != (c.requests < 0) || !failed && n != c.requests {
				t.Errorf("%d requests, failed %v; want %d", n, failed, c.requests)
			}
		})
	}
}
