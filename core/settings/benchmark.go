package settings

import (
	"encoding/json"
	"time"

	"github.com/spf13/pflag"

	"github.com/genai-bench/genai-bench/core/load"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// Benchmark is everything that the benchmark command can be told, save the
// options of the chosen plugin. Times that are 0 are not limited.
type Benchmark struct {
	// Target
	APIBackend    string
	APIBase       string
	APIKey        secret.Secret
	Task          string
	APIModelName  string
	Endpoint      string // auto, chat, completions
	RequestParams json.RawMessage
	Stream        bool

	// Labels: written into the results, without any effect
	ServerEngine   string
	ServerVersion  string
	ServerGPUType  string
	ServerGPUCount string
	Model          string

	// Workload
	ModelTokenizer      string
	Scenarios           []string
	DatasetPath         string
	DatasetPromptColumn string
	DatasetImageColumn  string
	DatasetConfig       string
	PrefixLen           int
	PrefixRatio         float64
	CountTemplate       bool
	Seed                uint64
	SeedGiven           bool

	// Recorded traffic
	Trace            string // file; "": none
	TraceFormat      string // auto, or one of the formats
	TraceTimeUnit    string // auto, s, ms
	TraceBlockTokens int    // 0: what the format says
	TraceFrom        time.Duration
	TraceUntil       time.Duration // 0: to the end
	TimeScale        []float64     // none is 1

	// Conversations
	Conversation string // file; "": none
	SessionTurns int    // 0: not given
	TurnDelay    load.Think

	// Load
	ExecutionEngine   string
	IterationType     string
	NumConcurrency    []int
	BatchSize         []int
	QPSLevels         []float64
	Distribution      string
	Burstiness        float64 // 0: not given
	RateRamp          load.RateRamp
	MaxConcurrency    int // of the open loop; 0: no cap
	SpawnRate         int
	ConcurrencyRamp   time.Duration
	ThinkTime         load.Think
	AbortRate         float64
	AbortAfter        AbortPoint
	NumWorkers        int
	MasterPort        int
	MaxTimePerRun     time.Duration
	MaxRequestsPerRun int
	WarmupRatio       float64
	WarmupRequests    int
	WarmupTime        time.Duration
	CooldownRatio     float64
	CooldownRequests  int
	CooldownTime      time.Duration
	DrainTimeout      time.Duration
	PauseBetweenRuns  time.Duration
	StopOn            []string
	StopOnEnds        string

	// Transport
	RequestTimeout time.Duration
	ConnectTimeout time.Duration
	HeaderTimeout  time.Duration
	IdleTimeout    time.Duration
	CAFile         string
	ClientCert     string
	ClientKey      string
	Insecure       bool
	Headers        []string
	Proxy          string
	Clock          string

	// Results
	MetricsTimeUnit      string
	ExperimentBaseDir    string
	ExperimentFolderName string
	LogDir               string
	SaveTexts            bool
	Goodput              []metrics.Objective
	Strict               bool
	Calibrate            bool

	// This program
	Config      string
	PluginDirs  []string
	NoPreflight bool
	Yes         bool
}

// The groups of flags in --help, in the order shown.
const (
	groupTarget    = "Target"
	groupWorkload  = "Workload"
	groupRecorded  = "Recorded traffic and conversations"
	groupLoad      = "Load"
	groupTransport = "Transport"
	groupResults   = "Results"
	groupLabels    = "Labels (stored with the results, without effect)"
	groupProgram   = "Program"
)

// Groups lists the groups of core's flags in the order in which --help shows
// them; a plugin's groups come after the first.
func Groups() []string {
	return []string{groupTarget, groupWorkload, groupRecorded, groupLoad, groupTransport, groupResults, groupLabels, groupProgram}
}

// groupAnnotation is where a flag remembers its group.
const groupAnnotation = "genai-bench-group"

// GroupOf returns the group of a flag, "" for one that has none.
func GroupOf(f *pflag.Flag) string {
	if g := f.Annotations[groupAnnotation]; len(g) == 1 {
		return g[0]
	}
	return ""
}

// BenchmarkFlags declares core's flags of the benchmark command and returns
// the struct that they fill.
func BenchmarkFlags(fs *pflag.FlagSet) *Benchmark {
	b := &Benchmark{}
	fs.SortFlags = false
	b.target(declarer{fs, groupTarget})
	b.workload(declarer{fs, groupWorkload})
	b.recorded(declarer{fs, groupRecorded})
	b.load(declarer{fs, groupLoad})
	b.transport(declarer{fs, groupTransport})
	b.results(declarer{fs, groupResults})
	b.labels(declarer{fs, groupLabels})
	b.program(declarer{fs, groupProgram})
	return b
}

// declarer declares flags of one group.
type declarer struct {
	fs    *pflag.FlagSet
	group string
}

func (d declarer) mark(name string) *pflag.Flag {
	f := d.fs.Lookup(name)
	f.Annotations = map[string][]string{groupAnnotation: {d.group}}
	return f
}

func (d declarer) value(v pflag.Value, name, usage string) *pflag.Flag {
	d.fs.Var(v, name, usage)
	return d.mark(name)
}

func (d declarer) text(p *string, name, usage string) {
	d.fs.StringVar(p, name, *p, usage)
	d.mark(name)
}

func (d declarer) list(p *[]string, name, usage string) {
	d.fs.StringArrayVar(p, name, nil, usage)
	d.mark(name)
}

func (d declarer) flag(p *bool, name, usage string) {
	d.fs.BoolVar(p, name, *p, usage)
	d.mark(name)
}
