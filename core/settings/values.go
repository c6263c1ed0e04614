package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/core/nearest"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// The types of flag values that pflag lacks. Each is a pflag.Value; one that
// takes several values also has Replace, as pflag.SliceValue asks.

// limitValue is a time limit: a bare number is minutes, as in the Python tool;
// with a unit it is a duration.
type limitValue struct{ d *time.Duration }

func (v limitValue) String() string {
	if v.d == nil || *v.d == 0 {
		return ""
	}
	return v.d.String()
}

func (v limitValue) Type() string { return "minutes|duration" }

func (v limitValue) Set(text string) error {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(n) || n <= 0 || n > 60*24*365 {
			return fmt.Errorf("must be a positive number of minutes, or a duration such as 90s or 5m")
		}
		*v.d = time.Duration(n * float64(time.Minute))
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is neither a number of minutes nor a duration such as 90s or 5m", text)
	}
	if d <= 0 {
		return errors.New("must be positive")
	}
	*v.d = d
	return nil
}

// durationValue is a duration in which a bare number is seconds.
type durationValue struct{ d *time.Duration }

func (v durationValue) String() string {
	if v.d == nil {
		return ""
	}
	return v.d.String()
}

func (v durationValue) Type() string { return "duration" }

func (v durationValue) Set(text string) error {
	d, err := ParseDuration(text)
	if err != nil {
		return err
	}
	*v.d = d
	return nil
}

// ParseDuration reads "90s", "1.5m" or a bare number of seconds; never less
// than zero.
func ParseDuration(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(n) && n >= 0 && n < 1e9 {
		return time.Duration(n * float64(time.Second)), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration such as 500ms, 90s or 5m", text)
	}
	return d, nil
}

// enumValue takes one of a list of words in any case and keeps the listed
// spelling.
type enumValue struct {
	value   *string
	allowed []string
}

func (v enumValue) String() string {
	if v.value == nil {
		return ""
	}
	return *v.value
}

func (v enumValue) Type() string { return strings.Join(v.allowed, "|") }

func (v enumValue) Set(text string) error {
	for _, a := range v.allowed {
		if strings.EqualFold(a, strings.TrimSpace(text)) {
			*v.value = a
			return nil
		}
	}
	hint := ""
	if near := nearest.Words(strings.ToLower(text), v.allowed); len(near) > 0 {
		hint = fmt.Sprintf("; did you mean %s?", near[0])
	}
	return fmt.Errorf("%q is not one of %s%s", text, strings.Join(v.allowed, ", "), hint)
}

// positiveInts is a repeatable list of integers ≥ 1; commas separate too.
type positiveInts struct {
	values *[]int
	given  bool // the first Set replaces the default
}

func (v *positiveInts) String() string {
	if v.values == nil {
		return ""
	}
	var parts []string
	for _, n := range *v.values {
		parts = append(parts, strconv.Itoa(n))
	}
	return strings.Join(parts, ",")
}

func (v *positiveInts) Type() string { return "int" }

func (v *positiveInts) Set(text string) error {
	if !v.given {
		*v.values, v.given = nil, true
	}
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return fmt.Errorf("%q is not a whole number", part)
		}
		if n < 1 || n > 1_000_000 {
			return fmt.Errorf("%d is out of range, the least is 1", n)
		}
		*v.values = append(*v.values, n)
	}
	return nil
}

// rates is a repeatable list of rates in (0, 10000]; commas separate too.
type rates struct{ values *[]float64 }

func (v rates) String() string {
	if v.values == nil {
		return ""
	}
	var parts []string
	for _, q := range *v.values {
		parts = append(parts, strconv.FormatFloat(q, 'g', -1, 64))
	}
	return strings.Join(parts, ",")
}

func (v rates) Type() string { return "requests/s" }

func (v rates) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		q, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", part)
		}
		// File names carry the rate in thousandths, which must be a whole number.
		if !(q >= 0.001 && q <= 10000) {
			return fmt.Errorf("%s is out of range: a rate is above 0 (at least 0.001) and at most 10000 requests per second", part)
		}
		*v.values = append(*v.values, q)
	}
	return nil
}

// secretValue is a value that is never printed.
type secretValue struct{ s *secret.Secret }

func (v secretValue) String() string {
	if v.s == nil {
		return ""
	}
	return v.s.String()
}

func (v secretValue) Type() string { return "secret" }

func (v secretValue) Set(text string) error { *v.s = secret.New(text); return nil }

// jsonObject is the text of a JSON object, kept compact.
type jsonObject struct{ raw *json.RawMessage }

func (v jsonObject) String() string {
	if v.raw == nil {
		return ""
	}
	return string(*v.raw)
}

func (v jsonObject) Type() string { return "JSON" }

func (v jsonObject) Set(text string) error {
	if strings.TrimSpace(text) == "" {
		*v.raw = nil
		return nil
	}
	compact, err := compactJSON(text)
	if err != nil {
		return err
	}
	if compact[0] != '{' {
		return fmt.Errorf(`must be a JSON object such as {"temperature": 0.5}, not %s`, clip(text))
	}
	*v.raw = compact
	return nil
}

// compactJSON validates a JSON text and says where it goes wrong.
func compactJSON(text string) (json.RawMessage, error) {
	var out bytes.Buffer
	if err := json.Compact(&out, []byte(text)); err != nil {
		hint := ""
		if strings.Contains(text, "'") && !strings.Contains(text, `"`) {
			hint = `; JSON strings take double quotes`
		}
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("not valid JSON at character %d of %s: %w%s", syntax.Offset, clip(text), err, hint)
		}
		return nil, fmt.Errorf("not valid JSON: %w%s", err, hint)
	}
	return out.Bytes(), nil
}

func clip(text string) string {
	const most = 60
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

// ratio is a share in [0, 1) or, where whole is set, [0, 1].
type ratio struct {
	value *float64
	whole bool
}

func (v ratio) String() string {
	if v.value == nil || *v.value == 0 {
		return ""
	}
	return strconv.FormatFloat(*v.value, 'g', -1, 64)
}

func (v ratio) Type() string { return "0..1" }

func (v ratio) Set(text string) error {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("%q is not a number", text)
	}
	if !(x >= 0 && (x < 1 || v.whole && x == 1)) {
		if v.whole {
			return fmt.Errorf("%s is not a share from 0 to 1", text)
		}
		return fmt.Errorf("%s is not a share from 0 to below 1", text)
	}
	*v.value = x
	return nil
}

// count is an integer ≥ least.
type count struct {
	value *int
	least int
}

func (v count) String() string {
	if v.value == nil {
		return ""
	}
	if *v.value == 0 {
		return ""
	}
	return strconv.Itoa(*v.value)
}

func (v count) Type() string { return "int" }

func (v count) Set(text string) error {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return fmt.Errorf("%q is not a whole number", text)
	}
	if n < v.least {
		return fmt.Errorf("%d is below the least, %d", n, v.least)
	}
	*v.value = n
	return nil
}

// headerLines is a repeatable list of "Name: value".
type headerLines struct{ values *[]string }

func (v headerLines) String() string { return "" } // values may hold credentials
func (v headerLines) Type() string   { return "name:value" }

func (v headerLines) Set(text string) error {
	name, value, ok := strings.Cut(text, ":")
	name = strings.TrimSpace(name)
	if !ok || name == "" || strings.ContainsAny(name, " \t\r\n") || strings.ContainsAny(value, "\r\n") {
		// The text itself is not repeated: it may hold a credential.
		return errors.New(`must be written "Name: value"`)
	}
	*v.values = append(*v.values, name+": "+strings.TrimSpace(value))
	return nil
}
