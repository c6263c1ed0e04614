package jsonhttp_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
)

func parse(t *testing.T, text string) jsonhttp.Object {
	t.Helper()
	o, err := jsonhttp.ParseObject([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestMerge(t *testing.T) {
	for name, c := range map[string]struct{ ours, users, want string }{
		"order is kept, new fields come last": {`{"b": 1, "a": 2}`, `{"c": 3, "b": 4}`, `{"b":4,"a":2,"c":3}`},
		"objects field by field":              {`{"g": {"max": 8, "t": 0}}`, `{"g": {"t": 1, "k": [2]}}`, `{"g":{"max":8,"t":1,"k":[2]}}`},
		"lists are replaced":                  {`{"l": [1, 2]}`, `{"l": [3]}`, `{"l":[3]}`},
		"null leaves out":                     {`{"a": 1, "b": {"c": 1}}`, `{"a": null, "b": {"c": null}, "d": null}`, `{"b":{}}`},
		"the last of a name counts":           {`{}`, `{"a": 1, "a": 2}`, `{"a":2}`},
		"another type replaces":               {`{"a": {"b": 1}}`, `{"a": 1}`, `{"a":1}`},
		"nothing":                             {``, ``, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			o := parse(t, c.ours)
			o.Merge(parse(t, c.users))
			if got := string(o.Text()); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
	o := parse(t, `{"a": 1}`)
	o.MergeAt("g.t", json.RawMessage("0.5"))
	o.MergeAt("a", json.RawMessage("2"))
	if got := string(o.Text()); got != `{"a":2,"g":{"t":0.5}}` {
		t.Error(got)
	}
	o.MergeAt("g.t", json.RawMessage("null"))
	if got := string(o.Text()); got != `{"a":2}` {
		t.Error(got)
	}
}

func TestParseObjectDoesNotQuoteWhatItRefuses(t *testing.T) {
	for _, text := range []string{`["SECRET"]`, `"SECRET"`, `{"SECRET"`, `7`, `null`, `true`} {
		if _, err := jsonhttp.ParseObject([]byte(text)); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: error %v", text, err)
		}
	}
}

func FuzzQuoted(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"b\\c\n", "<&>", "\xff\xfe", "\u2028 é 語"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal(jsonhttp.Quoted(s), &got); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); len(want) == len(s) && got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func FuzzParseObject(f *testing.F) {
	f.Add([]byte(`{"a": {"b": [1, null, "x"]}, "a": 2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := jsonhttp.ParseObject(text)
		if err != nil {
			return
		}
		o.Merge(o)
		if !json.Valid(o.Text()) {
			t.Fatalf("%q", o.Text())
		}
	})
}
