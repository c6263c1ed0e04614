package bench

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/core/scenario"
	"github.com/genai-bench/genai-bench/core/settings"
	"github.com/genai-bench/genai-bench/core/stoprule"
	"github.com/genai-bench/genai-bench/core/trace"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/option"
)

// Plan is an experiment that is known to make sense.
type Plan struct {
	Settings   *settings.Benchmark
	Task       backend.Task
	Backend    backend.Description
	Options    option.Values
	Support    backend.TaskSupport
	Kind       backend.Kind // of the requests
	Stream     bool
	Scenarios  []Scenario
	Iteration  scenario.Iteration
	Levels     []Level
	Warmup     metrics.Cut // what the statistics leave out at the begin of a run
	Cooldown   metrics.Cut // and at its end
	StopRules  []stoprule.Rule
	Params     json.RawMessage     // what is left for the plugin to merge
	Before     []backend.Message   // lifted out of the parameters
	Voice      string              // of speech
	Objectives []metrics.Objective // of goodput
	Warnings   []string

	Trace         *trace.Trace // that is replayed; nil for none
	traceSessions []int        // by request; nil: none
	traceTurns    []int        // by request: which of its session, from 1
}

// Scenario keeps what the user wrote beside what it means: files and reports
// bear the user's own spelling. That of a recording is a name only.
type Scenario struct {
	scenario.Scenario
	Written string
}

// FileName is the scenario in names of files.
func (s Scenario) FileName() string { return experiment.InFileName(s.Written) }

// Level is one row of an experiment: a number of requests in flight, of
// documents a request, or a rate.
type Level struct {
	Concurrency int     // of closed loops
	BatchSize   int     // documents a request; 0 where the task has none
	Rate        float64 // of the open loop, requests per second; else 0
	TimeScale   float64 // of a trace, whose mean rate at it is Rate; else 0
	Sessions    bool    // Rate is of conversations that begin
}

// Number is the level as file names have it: a rate is in thousandths, because
// the Python tool's loader wants whole numbers.
func (l Level) Number(iteration scenario.Iteration) int {
	switch {
	case l.Rate > 0:
		return max(int(l.Rate*1000+0.5), 1)
	case iteration == scenario.BatchSize:
		return l.BatchSize
	}
	return l.Concurrency
}

// String names the level to the user.
func (l Level) String() string {
	var parts []string
	if l.BatchSize > 0 {
		parts = append(parts, fmt.Sprintf("batch size %d", l.BatchSize))
	}
	switch {
	case l.TimeScale > 0:
		return fmt.Sprintf("time scale %s, %.4g req/s", scaled(l.TimeScale), l.Rate)
	case l.Sessions:
		parts = append(parts, fmt.Sprintf("%g sessions/s", l.Rate))
	case l.Rate > 0:
		parts = append(parts, fmt.Sprintf("%g req/s", l.Rate))
	case l.BatchSize == 0 || l.Concurrency > 1:
		parts = append(parts, fmt.Sprintf("concurrency %d", l.Concurrency))
	}
	return strings.Join(parts, " at ")
}

// Said is what a plan must know of how settings were given.
type Said struct {
	Given func(flag string) bool // typed, or set by environment or file
	Trace *trace.Trace           // that --trace names; nil: none, or it cannot be read
}

// NewPlan checks settings against each other and against what the backend can
// do. It returns every problem, and a plan only where there is none.
func NewPlan(s *settings.Benchmark, d backend.Description, options option.Values, said Said) (*Plan, settings.Problems) {
	p := &Plan{Settings: s, Backend: d, Options: options, Task: backend.Task(s.Task)}
	c := &checker{plan: p, said: said}
	c.target()
	c.endpoint()
	c.conversations()
	c.traced()
	if s.Trace == "" {
		c.scenarios()
		c.levels()
	}
	c.load()
	c.limits()
	if s.Trace == "" && s.Conversation == "" {
		c.prefix()
	}
	c.chatTemplate()
	c.params()
	c.goodput()
	c.calibrate()
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return p, nil
}

// calibrate leaves --calibrate out where there is nothing to rehearse.
func (c *checker) calibrate() {
	if s := c.plan.Settings; s.Calibrate && !metrics.Generates(c.plan.Task) {
		s.Calibrate = false
		c.warn("--calibrate is left out: the answers of %s are no streams of tokens, which are what is held against a simulator", c.plan.Task)
	}
}

type checker struct {
	plan     *Plan
	said     Said
	problems settings.Problems
}

func (c *checker) wrong(flag, hint, format string, args ...any) {
	c.problems = append(c.problems, settings.Problem{Flag: flag, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (c *checker) warn(format string, args ...any) {
	c.plan.Warnings = append(c.plan.Warnings, fmt.Sprintf(format, args...))
}

// target checks address, key and task.
func (c *checker) target() {
	p, s, d := c.plan, c.plan.Settings, c.plan.Backend
	support, ok := d.Support(p.Task)
	if !ok {
		var tasks []string
		for _, t := range d.Tasks {
			tasks = append(tasks, string(t.Task))
		}
		c.wrong("task", "", "backend %s does not do %s; it does %s", d.Name, p.Task, strings.Join(tasks, ", "))
	}
	p.Support = support
	switch support.Streaming {
	case backend.StreamingYes:
		p.Stream = true
		if !s.Stream {
			c.wrong("stream", "leave it out", "backend %s always streams %s", d.Name, p.Task)
		}
	case backend.StreamingOptional:
		p.Stream = s.Stream
	}
	if s.APIBase == "" {
		s.APIBase = d.DefaultAPIBase
	}
	if s.APIBase == "" && d.APIBase == backend.Required {
		c.wrong("api-base", "as http://127.0.0.1:8000", "is required by backend %s", d.Name)
	}
	switch {
	case s.APIKey.IsZero() && d.APIKey == backend.Required:
		c.wrong("api-key", "", "is required by backend %s; give it, or set %s", d.Name, strings.Join(d.APIKeyEnv, " or "))
	case !s.APIKey.IsZero() && d.APIKey == backend.Unused && c.said.Given("api-key"):
		c.warn("--api-key is not used by backend %s", d.Name)
	}
	if s.ClientKey != "" && s.ClientCert == "" || s.ClientKey == "" && s.ClientCert != "" {
		c.wrong("client-cert", "", "needs --client-key, and the other way round")
	}
}

// scenarios parses them and holds them against the task.
func (c *checker) scenarios() {
	p, s := c.plan, c.plan.Settings
	if s.Conversation != "" {
		p.Scenarios = []Scenario{c.recordedConversations()}
		return
	}
	if s.SessionTurns > 1 {
		defer func() { withTurns(p.Scenarios, s.SessionTurns) }()
	}
	if len(s.Scenarios) == 0 {
		for _, d := range scenario.Defaults(p.Task, s.DatasetPath != "" || s.DatasetConfig != "") {
			p.Scenarios = append(p.Scenarios, Scenario{d, d.String()})
		}
		return
	}
	for _, text := range s.Scenarios {
		parsed, err := scenario.Parse(text)
		if err == nil {
			err = parsed.Fits(p.Task)
		}
		if err == nil && parsed.Kind() == scenario.Rows && c.noPictures() {
			c.wrong("traffic-scenario", "give one, or a size as I(512,512)", "dataset for task %s needs a dataset of pictures (--dataset-path or --dataset-config)", p.Task)
			continue
		}
		if err != nil {
			c.wrong("traffic-scenario", "", "%v", err)
			continue
		}
		if slices.ContainsFunc(p.Scenarios, func(o Scenario) bool { return o.Scenario == parsed }) {
			c.warn("--traffic-scenario %s is given twice; it is run once", text)
			continue
		}
		p.Scenarios = append(p.Scenarios, Scenario{parsed, text})
	}
}

// noPictures tells whether the task shows pictures, and there are synthetic ones
// only: those have no size of their own.
func (c *checker) noPictures() bool {
	s := c.plan.Settings
	shows := c.plan.Task == backend.ImageTextToText || c.plan.Task == backend.ImageToEmbedding
	return shows && s.DatasetPath == "" && s.DatasetConfig == ""
}

func (c *checker) prefix() {
	p, s := c.plan, c.plan.Settings
	var plain []scenario.Scenario
	for _, x := range p.Scenarios {
		plain = append(plain, x.Scenario)
	}
	for _, err := range (prompt.Prefix{Tokens: s.PrefixLen, Ratio: s.PrefixRatio}).Check(p.Task, plain) {
		c.wrong("", "", "%v", err)
	}
}
