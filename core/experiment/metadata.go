package experiment

import (
	"encoding/json"

	"github.com/genai-bench/genai-bench/core/calibrate"
	"github.com/genai-bench/genai-bench/core/metrics"
)

// MetadataFile is the name of the metadata in an experiment's folder.
const MetadataFile = "experiment_metadata.json"

// Metadata describes an experiment. The keys up to dataset_path are the Python
// tool's 22, in its order and types; what follows is added. No field may hold
// a secret: what goes in is redacted before.
type Metadata struct {
	Cmd                     string          `json:"cmd"` // as typed, secrets replaced
	BenchmarkVersion        string          `json:"benchmark_version"`
	APIBackend              string          `json:"api_backend"`
	AuthConfig              json.RawMessage `json:"auth_config"` // an object; which credentials, never their values
	APIModelName            string          `json:"api_model_name"`
	ServerModelTokenizer    *string         `json:"server_model_tokenizer"`
	Model                   string          `json:"model"`
	Task                    string          `json:"task"`
	NumConcurrency          []int           `json:"num_concurrency"`
	BatchSize               []int           `json:"batch_size"`
	IterationType           string          `json:"iteration_type"`
	TrafficScenario         []string        `json:"traffic_scenario"`
	AdditionalRequestParams json.RawMessage `json:"additional_request_params"` // an object
	ServerEngine            *string         `json:"server_engine"`
	ServerVersion           *string         `json:"server_version"`
	ServerGPUType           *string         `json:"server_gpu_type"`
	ServerGPUCount          *string         `json:"server_gpu_count"`
	MaxTimePerRunSeconds    int             `json:"max_time_per_run_s"` // 0: not limited
	MaxRequestsPerRun       int             `json:"max_requests_per_run"`
	FolderName              string          `json:"experiment_folder_name"` // absolute path
	MetricsTimeUnit         metrics.Unit    `json:"metrics_time_unit"`
	DatasetPath             *string         `json:"dataset_path"`

	ExecutionEngine string             `json:"execution_engine,omitempty"`
	QPSLevels       []float64          `json:"qps_level,omitempty"`
	Seed            uint64             `json:"seed,string"` // as text: JSON readers round beyond 2^53
	Settings        map[string]any     `json:"settings,omitempty"`
	Endpoint        string             `json:"endpoint,omitempty"`
	BackendConfig   json.RawMessage    `json:"backend_config,omitempty"` // as the plugin understood it, redacted
	Plugin          *PluginMetadata    `json:"plugin,omitempty"`
	Clock           string             `json:"clock,omitempty"`
	ClockNote       string             `json:"clock_note,omitempty"`
	Server          *ServerMetadata    `json:"server,omitempty"`
	Host            *HostMetadata      `json:"host,omitempty"`
	StartedAt       string             `json:"started_at,omitempty"` // RFC 3339
	Tokenizer       *TokenizerMetadata `json:"tokenizer,omitempty"`
	// Calibration is how far this tool's times were off at the experiment's levels;
	// nil: that was not asked.
	Calibration *calibrate.Calibration `json:"calibration,omitempty"`
	// Workloads say what was sent, a run each, in their order.
	Workloads     []WorkloadMetadata `json:"workloads,omitempty"`
	Trace         *TraceMetadata     `json:"trace,omitempty"`
	Dataset       *DatasetMetadata   `json:"dataset,omitempty"`
	Conversations *DatasetMetadata   `json:"conversations,omitempty"`
}

// TraceMetadata is the recorded traffic that was replayed.
type TraceMetadata struct {
	File        string    `json:"file"`
	SHA256      string    `json:"sha256"` // of the whole file
	Format      string    `json:"format"`
	TimeScale   []float64 `json:"time_scale"`
	Requests    int       `json:"requests"` // that are sent
	SpanSeconds float64   `json:"span_s"`   // of these, as recorded
	Rate        float64   `json:"mean_rate"`
	BlockTokens int       `json:"block_tokens,omitempty"`
	Sessions    int       `json:"sessions,omitempty"`     // with more than one request; 0: none
	Skipped     int       `json:"skipped_rows,omitempty"` // without input or output
	Bad         int       `json:"bad_rows,omitempty"`
}

// WorkloadMetadata is the identity of what a run sent: two runs with the same
// hash over as many requests have sent the same.
type WorkloadMetadata struct {
	Scenario string `json:"scenario"`
	Level    int    `json:"level"` // as in file names
	Requests uint64 `json:"requests"`
	SHA256   string `json:"sha256"`
}

// PluginMetadata says which plugin did the talking.
type PluginMetadata struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
	Workers int    `json:"workers"`
}

// ServerMetadata is what the preflight learnt.
type ServerMetadata struct {
	Name           string   `json:"name,omitempty"`
	Version        string   `json:"version,omitempty"`
	Models         []string `json:"models,omitempty"`
	MaxModelLen    int64    `json:"max_model_len,omitempty"`
	ProbeLatencyMS float64  `json:"probe_latency_ms,omitempty"`
}

// HostMetadata is the machine that measured.
type HostMetadata struct {
	OS        string `json:"os"`
	Arch      string `json:"arch"`
	CPUs      int    `json:"cpus"`
	GoVersion string `json:"go_version"`
}

// TokenizerMetadata says how prompts were counted.
type TokenizerMetadata struct {
	VocabSize int `json:"vocab_size"`
}

// DatasetMetadata says what requests were made of.
type DatasetMetadata struct {
	Name         string        `json:"name"` // path or name on the hub, with config and split
	Config       string        `json:"config,omitempty"`
	Split        string        `json:"split,omitempty"`
	Commit       string        `json:"commit,omitempty"`        // of the hub's repository
	PromptColumn string        `json:"prompt_column,omitempty"` // or "prompt_lambda"
	ImageColumn  string        `json:"image_column,omitempty"`
	Rows         int           `json:"rows"`
	BadRows      int           `json:"bad_rows"` // that were found, and left out
	FirstBadRows []string      `json:"first_bad_rows,omitempty"`
	Files        []DatasetFile `json:"files,omitempty"`
}

// DatasetFile is a file that was read.
type DatasetFile struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256,omitempty"` // "": it was not read to its end
}
