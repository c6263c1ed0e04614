//go:build unix

package host

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"

	"github.com/genai-bench/genai-bench/sdk/internal/limits"
)

// FuzzLog feeds whatever a plugin may print on stderr.
func FuzzLog(f *testing.F) {
	for _, seed := range []string{
		`{"@message": 5}`, `{"@level":"info","@message":"m","k":[1,{"a":null}]}`, "panic: x\n\ngoroutine 1", "\x00\xff\n\n", "[WARN] w\r\n", `{"@level":"off","@message":"m"}`,
		`{"@level":"info","@message":"\u001b[31m th\u0065-secret","k\u0000":{"a":["th\u0065-secret","\u0001"]}}`,
		`{"@level":"error","@message":"the-secret","error":"line\nline"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		l := newPluginLog(hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Trace, DisableTime: true}))
		l.hide([]string{"the-secret"})
		l.read(bytes.NewReader(data))
		if !utf8.Valid(out.Bytes()) {
			t.Errorf("not UTF-8: %q", &out)
		}
		if i := strings.IndexFunc(out.String(), func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }); i >= 0 {
			t.Errorf("control character at %d of %q", i, &out)
		}
		if strings.Contains(out.String(), "the-secret") || strings.Contains(l.lastWords(), "the-secret") {
			t.Errorf("the secret is out: %q", &out)
		}
		if words := l.lastWords(); strings.Contains(words, "\n") || len(words) > 600 {
			t.Errorf("last words %q", words)
		}
	})
}

// FuzzHandshake feeds whatever a plugin may print first on stdout.
func FuzzHandshake(f *testing.F) {
	for _, seed := range []string{"1|1|unix|/dir/s|grpc|", "1|2|unix|/dir/s|grpc", "2|1", "|||||", "1|1|unix|/dir/../s|grpc", "hello"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c := newChild("/p", "/dir", hclog.NewNullLogger())
		switch failure := c.checkHandshake(line); {
		case failure == nil && !strings.Contains(line, "/dir/"):
			t.Errorf("%q passes", line)
		case failure != nil && (strings.ContainsAny(failure.Error(), "\n\x00") || len(failure.Error()) > 4<<10):
			t.Errorf("%q", failure)
		}
	})
}

func TestLineLimiter(t *testing.T) {
	b := lineLimiter{tokens: limits.LogLinesBurst}
	now := time.Now()
	passed, told := 0, 0
	const seconds, perSecond = 10, 5000
	for range seconds * perSecond {
		now = now.Add(time.Second / perSecond)
		ok, suppressed := b.allow(now)
		if ok {
			passed++
		}
		if suppressed > 0 {
			told++
		}
	}
	if most := limits.LogLinesBurst + seconds*limits.LogLinesPerSecond; passed > most || passed < most*9/10 {
		t.Errorf("%d lines passed, about %d expected", passed, most)
	}
	if told > seconds+1 || told == 0 {
		t.Errorf("told %d times in %d s", told, seconds)
	}
	if b.flush() == 0 {
		t.Error("the last lines are not accounted for")
	}
}
