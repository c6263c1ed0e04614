package host

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/hashicorp/go-hclog"

	"github.com/genai-bench/genai-bench/sdk/internal/limits"
)

// crashBegins is how the Go runtime begins to tell of a crash.
var crashBegins = regexp.MustCompile(`^(panic|fatal error|SIG[A-Z]+): `)

// pluginLog takes in what a plugin prints on stderr: hclog's JSON becomes
// records of the host's log, anything else is text. It expects nonsense.
type pluginLog struct {
	logger hclog.Logger
	blot   atomic.Pointer[strings.Replacer] // secrets; nil before Open

	limiter lineLimiter

	mu    sync.Mutex
	last  string // the last line
	crash string // the line that a crash of a Go program begins with
}

func newPluginLog(logger hclog.Logger) *pluginLog {
	return &pluginLog{logger: logger, limiter: lineLimiter{tokens: limits.LogLinesBurst}}
}

// hide makes blotOut blot out these values from now on.
func (l *pluginLog) hide(secrets []string) {
	// Shorter ones ("EMPTY", "dummy") guard nothing, and would blot out
	// ordinary words.
	const shortest = 8
	var pairs []string
	for _, s := range secrets {
		if len(s) < shortest {
			continue
		}
		pairs = append(pairs, s, "[redacted]")
		if quoted, err := json.Marshal(s); err == nil && string(quoted[1:len(quoted)-1]) != s {
			pairs = append(pairs, string(quoted[1:len(quoted)-1]), "[redacted]")
		}
	}
	if len(pairs) > 0 {
		l.blot.Store(strings.NewReplacer(pairs...))
	}
}

// blotOut takes the secrets out of what a plugin says.
func (l *pluginLog) blotOut(text string) string {
	if blot := l.blot.Load(); blot != nil {
		return blot.Replace(text)
	}
	return text
}

// clean is a line fit for a log: no secrets, no control characters.
func (l *pluginLog) clean(line string) string { return printable(l.blotOut(line)) }

// oneLiner keeps the lines of a stack trace apart on one line.
var oneLiner = strings.NewReplacer("\r\n", "\t", "\n", "\t")

func printable(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// read copies r to the log until it ends.
func (l *pluginLog) read(r io.Reader) {
	lines := bufio.NewReaderSize(r, limits.LogLineBytes)
	for {
		line, err := lines.ReadSlice('\n')
		dropped := 0
		text := strings.TrimRight(string(line), "\r\n")
		for errors.Is(err, bufio.ErrBufferFull) {
			line, err = lines.ReadSlice('\n')
			dropped += len(line)
		}
		if text != "" {
			if dropped > 0 {
				text += fmt.Sprintf("… (%d bytes dropped)", dropped)
			}
			l.line(text)
		}
		if err != nil {
			l.report(l.limiter.flush())
			return
		}
	}
}

func (l *pluginLog) report(suppressed int) {
	if suppressed > 0 {
		l.logger.Warn("the plugin logs too much", "dropped_lines", suppressed, "allowed_per_second", limits.LogLinesPerSecond)
	}
}

func (l *pluginLog) line(line string) {
	line = l.clean(line)
	level, message, fields := parseLine(line)
	// Again, because JSON can spell anything with escapes.
	message = l.clean(oneLiner.Replace(message))
	for i, field := range fields {
		if text, ok := field.(string); ok {
			fields[i] = l.clean(oneLiner.Replace(text))
		}
	}
	l.remember(message, fields)
	allowed, suppressed := l.limiter.allow(time.Now())
	l.report(suppressed)
	if allowed {
		l.logger.Log(level, message, fields...)
	}
}

// parseLine reads hclog's JSON, whose "@message" and "@level" are strings. A
// line that is not that is text, at level debug unless it says otherwise.
func parseLine(line string) (hclog.Level, string, []any) {
	if strings.HasPrefix(line, "{") {
		var record map[string]any
		if json.Unmarshal([]byte(line), &record) == nil {
			message, isText := record["@message"].(string)
			name, _ := record["@level"].(string)
			level := hclog.LevelFromString(name)
			if isText && level != hclog.NoLevel && level != hclog.Off {
				return level, message, fieldsOf(record)
			}
		}
		return hclog.Debug, line, nil
	}
	return levelOfText(line), line, nil
}

func levelOfText(line string) hclog.Level {
	starts := func(prefix string) bool { return strings.HasPrefix(line, prefix) }
	switch {
	case starts("[TRACE]"):
		return hclog.Trace
	case starts("[INFO]"):
		return hclog.Info
	case starts("[WARN]"):
		return hclog.Warn
	case starts("[ERR"), starts("panic: "), starts("fatal error: "):
		return hclog.Error
	}
	return hclog.Debug
}

func fieldsOf(record map[string]any) []any {
	var fields []any
	for _, key := range slices.Sorted(maps.Keys(record)) {
		switch key {
		case "@message", "@level", "@module", "@timestamp", "@caller":
			continue // the host's log has its own
		}
		value := record[key]
		switch value.(type) {
		case map[string]any, []any:
			if text, err := json.Marshal(value); err == nil {
				value = string(text)
			}
		}
		fields = append(fields, key, value)
	}
	return fields
}

func (l *pluginLog) remember(message string, fields []any) {
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == "error" || fields[i] == "panic" {
			message = fmt.Sprintf("%s: %v", message, fields[i+1])
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = oneLine(message)
	if l.crash == "" && crashBegins.MatchString(message) {
		l.crash = l.last
	}
}

// lastWords is the line that says most about why the plugin ended; "" where it
// said nothing.
func (l *pluginLog) lastWords() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.crash != "" {
		return l.crash
	}
	return l.last
}

// lineLimiter is a token bucket that counts what it refuses.
type lineLimiter struct {
	tokens     float64
	at         time.Time
	reported   time.Time
	suppressed int
}

// allow tells whether a line may pass, and at most once a second how many did
// not.
func (b *lineLimiter) allow(now time.Time) (ok bool, suppressed int) {
	if !b.at.IsZero() {
		b.tokens = min(b.tokens+now.Sub(b.at).Seconds()*limits.LogLinesPerSecond, limits.LogLinesBurst)
	}
	b.at = now
	if b.tokens < 1 {
		b.suppressed++
		return false, 0
	}
	b.tokens--
	if b.suppressed > 0 && now.Sub(b.reported) >= time.Second {
		b.reported = now
		return true, b.flush()
	}
	return true, 0
}

func (b *lineLimiter) flush() int {
	n := b.suppressed
	b.suppressed = 0
	return n
}
