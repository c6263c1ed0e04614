package lambda_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/dataset/lambda"
)

// rowJSON is the row that the tests' lambdas see.
const rowJSON = `{
	"question": "What is shown?", "empty": "", "none": null, "n": 7, "f": 1.5, "yes": true,
	"text": "añ日本語z", "tags": ["a", "b", "c"], "sizes": [3, 4, 5],
	"conversations": [{"from": "human", "value": "<image>\nHow many?"}, {"from": "gpt", "value": "Two."}],
	"meta": {"title": "T", "depth": {"x": 1}}
}`

func row(t testing.TB) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(rowJSON))
	decoder.UseNumber()
	var row map[string]any
	if err := decoder.Decode(&row); err != nil {
		t.Fatal(err)
	}
	return row
}

// cases are lambdas and what Python makes of them.
var cases = map[string]string{
	`lambda x: x['conversations'][0]['value'] if len(x['conversations']) > 1 else ''`:     "<image>\nHow many?",
	`lambda item: f"Question: {item['question']}"`:                                        "Question: What is shown?",
	`lambda x: x['question']`:                                                             "What is shown?",
	`(lambda x: x["question"])`:                                                           "What is shown?",
	`lambda x: 'x marks ' + x['question']`:                                                "x marks What is shown?",
	`lambda x: x['conversations'][-1]['value']`:                                           "Two.",
	`lambda x: x['question'][:4]`:                                                         "What",
	`lambda x: x['text'][1:4]`:                                                            "ñ日本",
	`lambda x: x['text'][-2:]`:                                                            "語z",
	`lambda x: x['text'][::-1]`:                                                           "z語本日ña",
	`lambda x: x['text'][5:2:-2]`:                                                         "z本",
	`lambda x: x['text'][99:]`:                                                            "",
	`lambda x: x['text'][2]`:                                                              "日",
	`lambda x: str(len(x['text']))`:                                                       "6",
	`lambda x: str(x['text'].find('本'))`:                                                  "3",
	`lambda x: str(x['text'].find('none'))`:                                               "-1",
	`lambda x: x['text'][:x['text'].index('語')]`:                                          "añ日本",
	`lambda x: x.get('question', 'none')`:                                                 "What is shown?",
	`lambda x: x.get('nothing', 'none')`:                                                  "none",
	`lambda x: x['none']`:                                                                 "",
	`lambda x: 'a' if x['none'] is None else 'b'`:                                         "a",
	`lambda x: 'a' if x['n'] is not None else 'b'`:                                        "a",
	`lambda x: 'a' if x['n'] is  not  None and not x['none'] is not None else 'b'`:        "a",
	`lambda x: x['none'] or x['empty'] or 'last'`:                                         "last",
	`lambda x: x['question'] if 'question' in x else 'no'`:                                "What is shown?",
	`lambda x: 'in' if 'shown' in x['question'] and 'b' in x['tags'] else 'out'`:          "in",
	`lambda x: 'out' if 'zzz' not in x else 'in'`:                                         "out",
	`lambda x: ', '.join(x['tags'])`:                                                      "a, b, c",
	`lambda x: ' '.join(t['value'] for t in x['conversations'] if t['from'] == 'gpt')`:    "Two.",
	`lambda x: ' '.join([t['value'].strip() for t in x['conversations']])`:                "<image>\nHow many? Two.",
	`lambda x: str(sum(s for s in x['sizes']))`:                                           "12",
	`lambda x: str(sum(x['sizes'], 10))`:                                                  "22",
	`lambda x: str(max(x['sizes'])) + str(min(x['sizes']))`:                               "53",
	`lambda x: str(any(s > 4 for s in x['sizes'])) + str(all(s > 4 for s in x['sizes']))`: "TrueFalse",
	`lambda x: 'Question: ' 'and ' "answer: " + x['question'].lower()`:                    "Question: and answer: what is shown?",
	`lambda x: 'a' 'b'.upper()`:                                                           "AB",
	`lambda x: f'{x["n"]} of {x["f"]}, {x["yes"]}, {x["none"]}: 100% {{sure}}'`:           "7 of 1.5, True, None: 100% {sure}",
	`lambda x: f"{x['meta']['title']!s}"`:                                                 "T",
	`lambda x: f"{'; '.join(f'<{t}>' for t in x['tags'])}!"`:                              "<a>; <b>; <c>!",
	`lambda x: f"plain 100%"`:                                                             "plain 100%",
	`lambda x: rf'\d{x["n"]}'`:                                                            `\d7`,
	`lambda x: r'\n' + u'\u00e9'`:                                                         `\né`,
	`lambda x: 'a\tb\n'`:                                                                  "a\tb\n",
	"lambda x: '''a\n'b' ''' + \"\"\"c\"\"\"":                                             "a\n'b' c",
	"lambda x: (x['question']\n    if x['n'] > 3\n    else '')":                           "What is shown?",
	`lambda x: '%s has %d' % (x['question'], x['n'])`:                                     "What is shown? has 7",
	`lambda x: '{} and {}'.format(x['n'], x['tags'][0])`:                                  "7 and a",
	`lambda x: x['conversations'][0]['value'].replace('<image>\n', '').strip()`:           "How many?",
	`lambda x: x['question'].split(' ')[0].upper()`:                                       "WHAT",
	`lambda x: x['n'] * 2 + 1`:                                                            "15",
	`lambda x: x['n'] // 2`:                                                               "3",
	`lambda x: str(x['n'] % 4) + 'ab' * 2`:                                                "3abab",
	`lambda x: x['f']`:                                                                    "1.5",
	`lambda x: str(x['meta']['depth'].get('x'))`:                                          "1",
	`lambda x: sorted(x['tags'], reverse=True)[0]`:                                        "c",
	`lambda x: ''.join(sorted(list(x['tags']), key=lambda t: -ord(t)))`:                   "cba",
	`lambda x: ''.join(str(i) + t for i, t in enumerate(x['tags']))`:                      "0a1b2c",
	`lambda x: ''.join([a + b for a, b in zip(x['tags'], ['1', '2', '3'])])`:              "a1b2c3",
	`lambda x: ' '.join(str(i) for i in range(3))`:                                        "0 1 2",
	`lambda x: 'is' + 'for' + ' lambda '`:                                                 "isfor lambda ",
	`lambda x: [t for t in x['tags']][1]`:                                                 "b",
	`lambda x: {'a': x['question']}['a']`:                                                 "What is shown?",
	`lambda x: x['tags'][1:][0] + x['tags'][-1]`:                                          "bc",
	`lambda x: 'yes' if not x['empty'] else 'no'`:                                         "yes",
	`lambda x: x["question"] if x["n"] != 7 or x["n"] >= 7 else x["text"]`:                "What is shown?",
}

func TestLambdas(t *testing.T) {
	for source, want := range cases {
		t.Run(source, func(t *testing.T) {
			l, err := lambda.Compile(source)
			if err != nil {
				t.Fatal(err)
			}
			got, err := l.Call(row(t))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestPythonAgrees holds the expectations above against Python, where there is
// one.
func TestPythonAgrees(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 here")
	}
	input, err := json.Marshal(map[string]any{"row": json.RawMessage(rowJSON), "cases": cases})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), python, "-c", `
import json, sys
given = json.load(sys.stdin)
for source, want in given["cases"].items():
    got = eval(source.strip())(given["row"])
    got = "" if got is None else str(got)
    if got != want:
        print(source, "is", repr(got), "and not", repr(want))`)
	command.Stdin = strings.NewReader(string(input))
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if len(out) > 0 {
		t.Errorf("%s", out)
	}
}

func TestWhatIsRefused(t *testing.T) {
	for source, want := range map[string]string{
		`x['question']`:              "is not a lambda of one parameter",
		`lambda: 1`:                  "is not a lambda of one parameter",
		`lambda x, y: x`:             "is not a lambda of one parameter",
		`lambda *x: x`:               "has a parameter that is no plain name",
		`lambda x: open('f').read()`: "undefined: open",
		`lambda x: __import__('os')`: "undefined: __import__",
		`lambda x: eval('1')`:        "undefined: eval",
		`lambda x: x['a`:             "has a quote that is not closed",
		`lambda x: (x['a']`:          "lacks a )",
		`lambda x: x['a'])`:          "has a ) that nothing opens",
		`lambda x: x['a'] x`:         "got identifier after expression",
		`lambda x: f"{x['f']:.2f}"`:  `has an f-string with the format ":.2f", which is not supported`,
		`lambda x: f"{x['f']!a}"`:    `has an f-string with "!a", which is not supported`,
		`lambda x: f"{x['f']"`:       "has an f-string with a { that is not closed",
		`lambda x: f"}"`:             "has an f-string with a } that nothing opens",
		`lambda x: f"{}"`:            "has an f-string with an empty {}",
		"lambda x: 1 # one":          "has a comment",
		"lambda x: \xff":             "is not UTF-8",
		"lambda x: " + strings.Repeat("(", 200) + strings.Repeat(")", 200): "is nested deeper than 100",
		"lambda x: '" + strings.Repeat("a", 70_000) + "'":                  "is longer than 65536 bytes",
	} {
		if _, err := lambda.Compile(source); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60s: error %v, want one line with %q", source, err, want)
		}
	}
}

func TestFailuresOfACall(t *testing.T) {
	doubling := "x['question']"
	for range 40 {
		doubling = "(lambda s: s + s)(" + doubling + ")"
	}
	for source, want := range map[string]string{
		`lambda x: x['nothing']`:                                         `there is no column "nothing" (the row has conversations, empty, f, meta, n, none, question, sizes, tags, text, yes)`,
		`lambda x: x['tags'][9]`:                                         "index 9 is out of range, of 3",
		`lambda x: x['meta']['none']`:                                    `there is no key "none"`,
		`lambda x: x['question'] + 1`:                                    "unknown binary op",
		`lambda x: x['question'].none()`:                                 "a string has no method none",
		`lambda x: x.question`:                                           ".question is not called (write .question(…), or ['question'] for a column)",
		`lambda x: x['none'][0]`:                                         "a NoneType has no elements",
		`lambda x: len([i for i in range(99999) for j in range(99999)])`: "takes more than 1000000 steps",
		`lambda x: str(max(range(1000000000)))`:                          "has more than 1000000 elements",
		`lambda x: 'a' * (1 << 40)`:                                      "makes a value of more than 64 MiB",
		`lambda x: 'a' * 100000000`:                                      "makes a value of more than 64 MiB",
		`lambda x: [0] * 100000000`:                                      "makes a value of more than 64 MiB",
		`lambda x: ('a' * 1000000).join(['b'] * 1000)`:                   "makes a value of more than 64 MiB",
		`lambda x: (''.join)(['a' * 1000000] * 1000)`:                    "makes a value of more than 64 MiB",
		`lambda x: ('a' * 10000).replace('a', 'b' * 10000)`:              "makes a value of more than 64 MiB",
		`lambda x: '{0}{0}{0}{0}{0}{0}{0}{0}'.format('a' * 30000000)`:    "makes a value of more than 64 MiB",
		`lambda x: str([['a' * 1000000] * 60] * 1000)`:                   "makes a value of more than 64 MiB",
		`lambda x: getattr('', 'join')(x['tags'])`:                       "getattr is not available",
		`lambda x: (lambda f: f(f))(lambda f: f(f))`:                     "called recursively",
		"lambda x: " + doubling:                                          "makes a value of more than 64 MiB",
	} {
		l, err := lambda.Compile(source)
		if err != nil {
			t.Errorf("%.60s: %v", source, err)
			continue
		}
		start := time.Now()
		if _, err := l.Call(row(t)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60s: error %v, want one line with %q", source, err, want)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%.60s: took %v", source, took)
		}
	}
}

func TestColumnsThatAreRead(t *testing.T) {
	for source, want := range map[string][]string{
		`lambda x: x['a'] + x["b"][0]['c'] + x.get('d', x['e'])`: {"a", "b", "d", "e"},
		`lambda x: 'x'`:                       nil,
		`lambda x: x[x['a']]`:                 {"*"},
		`lambda x: str(x)`:                    {"*"},
		`lambda x: x['a'] if 'b' in x else 1`: {"*"},
		`lambda x: x.get(x['a'])`:             {"*"},
		`lambda x: x.items()`:                 {"*"},
	} {
		l, err := lambda.Compile(source)
		if err != nil {
			t.Fatal(err)
		}
		got, all := l.Columns()
		if all {
			got = []string{"*"}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", source, diff)
		}
	}
}

func TestIs(t *testing.T) {
	for text, want := range map[string]bool{
		"lambda x: x": true, "  (lambda x: x)": true, "lambdas": false, "question": false, "Explain lambda calculus": false, "": false,
	} {
		if lambda.Is(text) != want {
			t.Errorf("Is(%q) is %v", text, !want)
		}
	}
}

func FuzzLambda(f *testing.F) {
	for source := range cases {
		f.Add(source)
	}
	f.Add(`lambda x: f"{f'{x}'}" "a" rb'b'`)
	values := row(f)
	f.Fuzz(func(t *testing.T, source string) {
		l, err := lambda.Compile(source)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("%q: error of several lines: %v", source, err)
			}
			return
		}
		_, _ = l.Call(values) // a text or an error, and no panic
	})
}

func BenchmarkGuide(b *testing.B) {
	l, err := lambda.Compile(`lambda x: x['conversations'][0]['value'] if len(x['conversations']) > 1 else ''`)
	if err != nil {
		b.Fatal(err)
	}
	values := row(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Call(values); err != nil {
			b.Fatal(err)
		}
	}
}
