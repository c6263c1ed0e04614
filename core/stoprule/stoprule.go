// Package stoprule ends a run by what is seen of it while it goes on.
//
// A rule is a comparison, written
//
//	FIGURE OPERATOR LIMIT [after N]
//
// as in "error-rate>0.5", "ttft-p99 >= 2s" or "in-flight>500 after 100". It is
// judged by all requests of the run so far, warm-up included, as soon as N of
// them have ended (by default DefaultAfter); in-flight as soon as N have been
// sent, because on a server that stands still nothing ends. The figures:
//
//	error-rate          errors / (errors + completed), from 0 to 1, or as 50%
//	errors              number of errors
//	consecutive-errors  errors since the last completed request
//	in-flight           requests sent and not ended
//	ttft-… tpot-… e2e-… a latency of completed requests: mean, max, or a
//	                    percentile from p1 to p99; limits are durations, in
//	                    which a bare number is milliseconds
//
// What this client ended itself, cancelled or aborted on purpose, is in none
// but in-flight.
package stoprule

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// DefaultAfter is how many requests a rule waits for where it does not say.
const DefaultAfter = 20

// Rule is one rule.
type Rule struct {
	text     string
	figure   figure
	operator string
	limit    float64 // seconds for latencies
	after    uint64
}

// String is the rule as it was written.
func (r Rule) String() string { return r.text }

// figure is what a rule looks at.
type figure struct {
	name     string
	latency  latency // of the families with a statistic
	quantile float64 // percentile, mean or maximum
}

type latency int

const (
	noLatency latency = iota
	ttft
	tpot
	e2e
	latencies
)

const (
	mean    = -1
	maximum = 100
)

const (
	errorRate         = "error-rate"
	errorCount        = "errors"
	consecutiveErrors = "consecutive-errors"
	inFlight          = "in-flight"
)

// operators, the longer ones first.
var operators = [...]string{">=", "<=", ">", "<"}

// known is for error messages.
const known = "error-rate, errors, consecutive-errors, in-flight, and ttft, tpot, e2e with -mean, -max or a percentile, as ttft-p99"

// Parse reads a rule.
func Parse(text string) (Rule, error) {
	r := Rule{text: strings.Join(strings.Fields(text), " "), after: DefaultAfter}
	for _, op := range operators {
		if strings.Contains(r.text, op) {
			r.operator = op
			break
		}
	}
	if r.operator == "" {
		return r, fmt.Errorf("%q compares nothing; a rule is written as error-rate>0.5 or ttft-p99>2s", text)
	}
	left, right, _ := strings.Cut(r.text, r.operator)
	limit, after, given := strings.Cut(strings.TrimSpace(right), " after ")
	var err error
	if r.figure, err = parseFigure(strings.TrimSpace(left)); err != nil {
		return r, err
	}
	if r.limit, err = r.figure.parseLimit(strings.TrimSpace(limit)); err != nil {
		return r, fmt.Errorf("%q: %w", text, err)
	}
	if given {
		if r.after, err = strconv.ParseUint(strings.TrimSpace(after), 10, 32); err != nil || r.after == 0 {
			return r, fmt.Errorf("%q: after %s is no number of requests, as in error-rate>0.5 after 100", text, strings.TrimSpace(after))
		}
	}
	return r, nil
}

func parseFigure(name string) (figure, error) {
	switch name {
	case errorRate, errorCount, consecutiveErrors, inFlight:
		return figure{name: name}, nil
	case "":
		return figure{}, errors.New("a rule begins with what it is about: " + known)
	}
	family, statistic, _ := strings.Cut(name, "-")
	f := figure{name: name}
	switch family {
	case "ttft":
		f.latency = ttft
	case "tpot":
		f.latency = tpot
	case "e2e":
		f.latency = e2e
	default:
		return f, fmt.Errorf("there is no figure %q; there are %s", name, known)
	}
	switch p, isPercentile := strings.CutPrefix(statistic, "p"); {
	case statistic == "mean":
		f.quantile = mean
	case statistic == "max":
		f.quantile = maximum
	case isPercentile:
		n, err := strconv.ParseFloat(p, 64)
		if err != nil || !(n >= 1 && n < 100) {
			return f, fmt.Errorf("%q has no percentile from p1 to p99", name)
		}
		f.quantile = n
	default:
		return f, fmt.Errorf("%q lacks a statistic: %s-mean, %s-max, or a percentile as %s-p99", name, family, family, family)
	}
	return f, nil
}

func (f figure) parseLimit(text string) (float64, error) {
	number, err := strconv.ParseFloat(text, 64)
	isNumber := err == nil && !math.IsNaN(number) && !math.IsInf(number, 0) && number >= 0
	switch {
	case f.latency != noLatency:
		if isNumber {
			return number / 1000, nil
		}
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("%q is no duration such as 500ms or 2s", text)
		}
		return d.Seconds(), nil
	case f.name == errorRate:
		if share, ok := strings.CutSuffix(text, "%"); ok {
			number, err = strconv.ParseFloat(strings.TrimSpace(share), 64)
			number /= 100
			isNumber = err == nil && number >= 0
		}
		if !isNumber || number > 1 {
			return 0, fmt.Errorf("%q is no share from 0 to 1, or from 0%% to 100%%", text)
		}
		return number, nil
	case !isNumber:
		return 0, fmt.Errorf("%q is no number", text)
	}
	return number, nil
}

// holds compares.
func (r Rule) holds(value float64) bool {
	switch r.operator {
	case ">":
		return value > r.limit
	case ">=":
		return value >= r.limit
	case "<":
		return value < r.limit
	}
	return value <= r.limit
}

// written is a value as the rule's limit would be written.
func (f figure) written(value float64) string {
	if f.latency != noLatency {
		return time.Duration(value * 1e9).Round(10 * time.Microsecond).String()
	}
	return strconv.FormatFloat(value, 'g', 4, 64)
}
