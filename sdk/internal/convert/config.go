package convert

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	pluginv1 "github.com/genai-bench/genai-bench/sdk/internal/genproto/genaibench/plugin/v1"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// ConfigToProto makes the request to open a backend. It fails where an option's
// value has a Go type that no option.Type has.
func ConfigToProto(component string, c backend.Config) (*pluginv1.OpenRequest, error) {
	options, err := valuesToProto(c.Options)
	if err != nil {
		return nil, err
	}
	return &pluginv1.OpenRequest{
		Component: component, ComponentKind: "backend",
		Task: string(c.Task), RequestKind: string(c.Requests), Model: c.Model, ApiBase: c.APIBase, ApiKey: c.APIKey.Reveal(),
		Options: options, RequestParams: c.RequestParams,
		Limits: &pluginv1.Limits{
			ConnectNs: int64(c.Limits.Connect), ResponseHeaderNs: int64(c.Limits.ResponseHeader),
			IdleNs: int64(c.Limits.Idle), TotalNs: int64(c.Limits.Total),
		},
		Tls: &pluginv1.Tls{
			CaFile: c.TLS.CAFile, Insecure: c.TLS.Insecure,
			ClientCertFile: c.TLS.ClientCertFile, ClientKeyFile: c.TLS.ClientKeyFile,
		},
		Http: &pluginv1.Http{
			Proxy: c.HTTP.Proxy, Headers: each(c.HTTP.Header, headerToProto), Version: c.HTTP.Version,
		},
		Clock:       string(c.Clock),
		MaxInFlight: uint32(min(max(c.MaxInFlight, 0), math.MaxUint32)),
		WorkerIndex: uint32(c.WorkerIndex), WorkerCount: uint32(c.WorkerCount),
		LocalPortFirst: uint32(c.LocalPortFirst), LocalPortLast: uint32(c.LocalPortLast),
		HostCapabilities: c.HostCapabilities,
	}, nil
}

// ConfigFromProto reads the request to open a backend.
func ConfigFromProto(r *pluginv1.OpenRequest) backend.Config {
	limits, tls, http := r.GetLimits(), r.GetTls(), r.GetHttp()
	return backend.Config{
		Task: backend.Task(r.GetTask()), Requests: backend.Kind(r.GetRequestKind()), Model: r.GetModel(), APIBase: r.GetApiBase(),
		APIKey:  secret.New(r.GetApiKey()),
		Options: valuesFromProto(r.GetOptions()), RequestParams: r.GetRequestParams(),
		Limits: backend.Limits{
			Connect: time.Duration(limits.GetConnectNs()), ResponseHeader: time.Duration(limits.GetResponseHeaderNs()),
			Idle: time.Duration(limits.GetIdleNs()), Total: time.Duration(limits.GetTotalNs()),
		},
		TLS: backend.TLS{
			CAFile: tls.GetCaFile(), Insecure: tls.GetInsecure(),
			ClientCertFile: tls.GetClientCertFile(), ClientKeyFile: tls.GetClientKeyFile(),
		},
		HTTP: backend.HTTP{
			Proxy: http.GetProxy(), Header: each(http.GetHeaders(), headerFromProto), Version: http.GetVersion(),
		},
		Clock:       backend.ClockChoice(r.GetClock()),
		MaxInFlight: int(r.GetMaxInFlight()),
		WorkerIndex: int(r.GetWorkerIndex()), WorkerCount: int(r.GetWorkerCount()),
		LocalPortFirst: port(r.GetLocalPortFirst()), LocalPortLast: port(r.GetLocalPortLast()),
		HostCapabilities: r.GetHostCapabilities(),
	}
}

// port is n where it is a port, else 0: any.
func port(n uint32) uint16 {
	if n > math.MaxUint16 {
		return 0
	}
	return uint16(n)
}

func valuesToProto(values option.Values) (map[string]*pluginv1.OptionValue, error) {
	if len(values) == 0 {
		return nil, nil
	}
	converted := make(map[string]*pluginv1.OptionValue, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		var v pluginv1.OptionValue
		switch value := values[name].(type) {
		case string:
			v.Value = &pluginv1.OptionValue_Text{Text: value}
		case int64:
			v.Value = &pluginv1.OptionValue_Integer{Integer: value}
		case float64:
			v.Value = &pluginv1.OptionValue_Number{Number: value}
		case bool:
			v.Value = &pluginv1.OptionValue_Truth{Truth: value}
		case time.Duration:
			v.Value = &pluginv1.OptionValue_DurationNs{DurationNs: int64(value)}
		case []string:
			v.Value = &pluginv1.OptionValue_List{List: &pluginv1.StringList{Values: value}}
		case map[string]string:
			v.Value = &pluginv1.OptionValue_Map{Map: &pluginv1.StringMap{Entries: value}}
		case json.RawMessage:
			v.Value = &pluginv1.OptionValue_Json{Json: value}
		case []byte:
			v.Value = &pluginv1.OptionValue_Json{Json: value}
		case secret.Secret:
			v.Value = &pluginv1.OptionValue_Secret{Secret: value.Reveal()}
		default:
			return nil, unknownType(name, value)
		}
		converted[name] = &v
	}
	return converted, nil
}

// valuesFromProto leaves out values of a type that is not known here: to the
// plugin the option is absent.
func valuesFromProto(values map[string]*pluginv1.OptionValue) option.Values {
	if len(values) == 0 {
		return nil
	}
	converted := make(option.Values, len(values))
	for name, v := range values {
		switch value := v.GetValue().(type) {
		case *pluginv1.OptionValue_Text:
			converted[name] = value.Text
		case *pluginv1.OptionValue_Integer:
			converted[name] = value.Integer
		case *pluginv1.OptionValue_Number:
			converted[name] = value.Number
		case *pluginv1.OptionValue_Truth:
			converted[name] = value.Truth
		case *pluginv1.OptionValue_DurationNs:
			converted[name] = time.Duration(value.DurationNs)
		case *pluginv1.OptionValue_List:
			converted[name] = value.List.GetValues()
		case *pluginv1.OptionValue_Map:
			converted[name] = value.Map.GetEntries()
		case *pluginv1.OptionValue_Json:
			converted[name] = value.Json
		case *pluginv1.OptionValue_Secret:
			converted[name] = secret.New(value.Secret)
		}
	}
	return converted
}
