// Package convert maps the hand-written types of the sdk to the generated ones
// of the wire, both ways. All functions take nil and give zero values for it.
// A number or word of an enumeration that is not known here becomes the
// unspecified one, as the contract's rules of growth ask.
package convert

import (
	"fmt"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	pluginv1 "github.com/genai-bench/genai-bench/sdk/internal/genproto/genaibench/plugin/v1"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// each converts a slice; an empty one is nil.
func each[A, B any](all []A, one func(A) B) []B {
	if len(all) == 0 {
		return nil
	}
	converted := make([]B, len(all))
	for i, a := range all {
		converted[i] = one(a)
	}
	return converted
}

// words converts a slice of strings of one named type to another.
func words[B, A ~string](all []A) []B { return each(all, func(a A) B { return B(a) }) }

// clean makes text what a protobuf string must be: a server's words may be cut
// in the middle of a rune, and one bad byte would end the whole stream.
func clean(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// known is n where the wire's number lies in 1…last, else 0 (unspecified).
func known[G ~uint8, W ~int32](n W, last G) G {
	if n < 0 || n > W(last) {
		return 0
	}
	return G(n)
}

func headerToProto(f backend.HeaderField) *pluginv1.HeaderField {
	return &pluginv1.HeaderField{Name: f.Name, Value: f.Value}
}

func headerFromProto(f *pluginv1.HeaderField) backend.HeaderField {
	return backend.HeaderField{Name: f.GetName(), Value: f.GetValue()}
}

// ErrorToProto converts a failure; nil is nil.
func ErrorToProto(e *fault.Error) *pluginv1.Error {
	if e == nil {
		return nil
	}
	return &pluginv1.Error{
		Class:        pluginv1.ErrorClass(e.Class),
		HttpStatus:   int32(e.HTTPStatus),
		ProviderCode: clean(e.ProviderCode),
		Message:      fault.Clip(e.Message),
		Hint:         clean(e.Hint),
		RequestId:    clean(e.RequestID),
		RetryAfterNs: int64(e.RetryAfter),
		Retryable:    e.Retryable,
		Partial:      e.Partial,
	}
}

// ErrorFromProto converts a failure; nil is nil.
func ErrorFromProto(e *pluginv1.Error) *fault.Error {
	if e == nil {
		return nil
	}
	return &fault.Error{
		Class:        known(e.GetClass(), fault.Plugin),
		HTTPStatus:   int(e.GetHttpStatus()),
		ProviderCode: e.GetProviderCode(),
		Message:      fault.Clip(e.GetMessage()),
		Hint:         e.GetHint(),
		RequestID:    e.GetRequestId(),
		RetryAfter:   time.Duration(e.GetRetryAfterNs()),
		Retryable:    e.GetRetryable(),
		Partial:      e.GetPartial(),
	}
}

// BackendDescriptionToProto converts what a backend says of itself.
func BackendDescriptionToProto(d backend.Description) *pluginv1.BackendDescription {
	return &pluginv1.BackendDescription{
		Name: d.Name, Aliases: d.Aliases, Summary: d.Summary,
		Tasks: each(d.Tasks, func(t backend.TaskSupport) *pluginv1.TaskSupport {
			return &pluginv1.TaskSupport{
				Task: string(t.Task), Requests: words[string](t.Requests),
				Streaming: string(t.Streaming), Parts: t.Parts,
			}
		}),
		Capabilities:   words[string](d.Capabilities),
		DefaultApiBase: d.DefaultAPIBase, ApiBase: string(d.APIBase),
		ApiKey: string(d.APIKey), ApiKeyEnv: d.APIKeyEnv,
		Options: each(d.Options, optionToProto),
	}
}

// BackendDescriptionFromProto converts what a backend says of itself.
func BackendDescriptionFromProto(d *pluginv1.BackendDescription) backend.Description {
	return backend.Description{
		Name: d.GetName(), Aliases: d.GetAliases(), Summary: d.GetSummary(),
		Tasks: each(d.GetTasks(), func(t *pluginv1.TaskSupport) backend.TaskSupport {
			return backend.TaskSupport{
				Task: backend.Task(t.GetTask()), Requests: words[backend.Kind](t.GetRequests()),
				Streaming: backend.Streaming(t.GetStreaming()), Parts: t.GetParts(),
			}
		}),
		Capabilities:   words[backend.Capability](d.GetCapabilities()),
		DefaultAPIBase: d.GetDefaultApiBase(), APIBase: backend.Need(d.GetApiBase()),
		APIKey: backend.Need(d.GetApiKey()), APIKeyEnv: d.GetApiKeyEnv(),
		Options: each(d.GetOptions(), optionFromProto),
	}
}

func optionToProto(o option.Option) *pluginv1.Option {
	return &pluginv1.Option{
		Name: o.Name, Type: string(o.Type), Default: o.Default, Env: o.Env,
		Values: each(o.Allowed, func(a option.Allowed) *pluginv1.AllowedValue {
			return &pluginv1.AllowedValue{Value: a.Value, Help: a.Help}
		}),
		Required: o.Required, Group: o.Group, Help: o.Help, Example: o.Example,
		Aliases: o.Aliases, Deprecated: o.Deprecated,
	}
}

func optionFromProto(o *pluginv1.Option) option.Option {
	return option.Option{
		Name: o.GetName(), Type: option.Type(o.GetType()), Default: o.GetDefault(), Env: o.GetEnv(),
		Allowed: each(o.GetValues(), func(a *pluginv1.AllowedValue) option.Allowed {
			return option.Allowed{Value: a.GetValue(), Help: a.GetHelp()}
		}),
		Required: o.GetRequired(), Group: o.GetGroup(), Help: o.GetHelp(), Example: o.GetExample(),
		Aliases: o.GetAliases(), Deprecated: o.GetDeprecated(),
	}
}

// OpenedToProto converts the answer to Open.
func OpenedToProto(o backend.Opened) *pluginv1.OpenResponse {
	return &pluginv1.OpenResponse{
		Problems: each(o.Problems, func(p option.Problem) *pluginv1.Problem {
			severity := pluginv1.Severity_SEVERITY_ERROR
			if p.Severity == option.Warning {
				severity = pluginv1.Severity_SEVERITY_WARNING
			}
			return &pluginv1.Problem{
				Option: clean(p.Option), Severity: severity, Message: clean(p.Message), Hint: clean(p.Hint),
			}
		}),
		EffectiveConfig: o.EffectiveConfig,
		Endpoint:        clean(o.Endpoint),
		Clock:           pluginv1.Clock(o.Clock),
		ClockNote:       clean(o.ClockNote),
	}
}

// OpenedFromProto converts the answer to Open. A problem of unknown severity is
// an error: a run must not go on over what may be one.
func OpenedFromProto(o *pluginv1.OpenResponse) backend.Opened {
	return backend.Opened{
		Problems: each(o.GetProblems(), func(p *pluginv1.Problem) option.Problem {
			severity := option.Error
			if p.GetSeverity() == pluginv1.Severity_SEVERITY_WARNING {
				severity = option.Warning
			}
			return option.Problem{
				Option: p.GetOption(), Severity: severity, Message: p.GetMessage(), Hint: p.GetHint(),
			}
		}),
		EffectiveConfig: o.GetEffectiveConfig(),
		Endpoint:        o.GetEndpoint(),
		Clock:           known(o.GetClock(), stamp.ClockPacket),
		ClockNote:       o.GetClockNote(),
	}
}

// ProbeToProto converts what a probe found.
func ProbeToProto(p backend.Probe) *pluginv1.ProbeResponse {
	return &pluginv1.ProbeResponse{
		Failure:    ErrorToProto(p.Failure),
		ServerName: clean(p.ServerName), ServerVersion: clean(p.ServerVersion),
		Models: each(p.Models, clean), MaxModelLen: p.MaxModelLen, LatencyNs: int64(p.Latency),
	}
}

// ProbeFromProto converts what a probe found.
func ProbeFromProto(p *pluginv1.ProbeResponse) backend.Probe {
	return backend.Probe{
		Failure:    ErrorFromProto(p.GetFailure()),
		ServerName: p.GetServerName(), ServerVersion: p.GetServerVersion(),
		Models: p.GetModels(), MaxModelLen: p.GetMaxModelLen(), Latency: time.Duration(p.GetLatencyNs()),
	}
}

// ProgressToProto converts a progress report.
func ProgressToProto(p backend.Progress) *pluginv1.Progress {
	return &pluginv1.Progress{
		Started: p.Started, FirstOutputs: p.FirstOutputs, Finished: p.Finished, Failed: p.Failed,
		InFlight: p.InFlight, OutputEvents: p.OutputEvents,
	}
}

// ProgressFromProto converts a progress report.
func ProgressFromProto(p *pluginv1.Progress) backend.Progress {
	return backend.Progress{
		Started: p.GetStarted(), FirstOutputs: p.GetFirstOutputs(), Finished: p.GetFinished(), Failed: p.GetFailed(),
		InFlight: p.GetInFlight(), OutputEvents: p.GetOutputEvents(),
	}
}

// unknownType is the error for an option value that no option type has.
func unknownType(name string, value any) error {
	return fmt.Errorf("option %s has a value of Go type %T, which no option type has", name, value)
}
