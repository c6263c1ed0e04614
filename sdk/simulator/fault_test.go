package simulator

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseFault(t *testing.T) {
	tests := map[string]struct {
		text string
		want Fault
		err  string
	}{
		"nothing":            {"", Fault{After: 2}, ""},
		"status":             {"error=429; retry-after=3; code=rate_limit_exceeded", Fault{Error: 429, RetryAfter: 3 * time.Second, Code: "rate_limit_exceeded", After: 2}, ""},
		"switches":           {"disconnect=mid-body;reset;after=0", Fault{Disconnect: "mid-body", Reset: true}, ""},
		"switch with value":  {"reset=false", Fault{After: 2}, ""},
		"duration":           {" stall = mid-body ; stall-for = 250ms ", Fault{Stall: "mid-body", StallFor: 250 * time.Millisecond, After: 2}, ""},
		"equals sign inside": {"error=500; message=a=b", Fault{Error: 500, Message: "a=b", After: 2}, ""},
		"unknown key":        {"stal=mid-body", Fault{}, `no key "stal" (known are error,`},
		"unknown word":       {"stall=never", Fault{}, `stall: "never" is not one of before-head, mid-body`},
		"no value":           {"error", Fault{}, "error: no value (give error=…)"},
		"bad number":         {"after=-1", Fault{}, `after: "-1" is no number of at least 0`},
		"bad duration":       {"delay=soon", Fault{}, `delay: "soon" is no duration (give seconds, or 250ms, 2s)`},
		"bad switch":         {"reset=maybe", Fault{}, `reset: "maybe" is no truth value`},
		"no error status":    {"error=200", Fault{}, "error=200 is no error status (400 to 599)"},
		"no redirect":        {"redirect=304", Fault{}, "redirect=304 is none of"},
		"length and garbage": {"framing=length; garbage=json", Fault{}, "framing=length cannot foresee"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseFault(test.text)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want one with %q", err, test.err)
				}
				return
			}
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("error %v, fault (-want +got):\n%s", err, diff)
			}
		})
	}
}

func FuzzParseFault(f *testing.F) {
	f.Add("error=429; retry-after=3")
	f.Add("stall=mid-body; after=7; borders=bytes; unicode")
	f.Add("message==;;code=1")
	f.Fuzz(func(t *testing.T, text string) {
		fault, err := ParseFault(text)
		if err != nil {
			return
		}
		again, err := ParseFault(fault.String())
		if err != nil {
			t.Fatalf("%q was read, but its form %q is not: %v", text, fault, err)
		}
		if again.String() != fault.String() {
			t.Errorf("%q became %q and then %q", text, fault, again)
		}
	})
}

func TestValidateNamesEveryMistake(t *testing.T) {
	_, err := New(Config{
		StepTime: -1, JitterRatio: 2, EOSProbability: -1, MaxBatch: 10, MaxBatchedTokens: 5, Words: []string{"a", ""},
		Faults: []FaultRate{{Rate: 0.7}, {Rate: 0.7, Fault: Fault{Error: 500}}}, KVTokens: -4,
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"step_time is negative", "kv_tokens is negative: -4", "jitter_ratio is 2", "eos_probability is -1", "max_batched_tokens 5 is less than max_batch 10",
		"word 1 is empty", "add up to 1.4",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("DefaultConfig: %v", err)
	}
}
