package main

import "github.com/genai-bench/genai-bench/sdk/option"

// Names of options, core's own among them.
const (
	optionAPIBase = "api-base"
	optionAPIKey  = "api-key"
	optionModel   = "api-model-name"
	optionTask    = "task"
	optionParams  = "additional-request-params"

	optionProject     = "gcp-project-id"
	optionLocation    = "gcp-location"
	optionCredentials = "gcp-credentials-path"
	optionModelAPIKey = "model-api-key"
	optionToken       = "gcp-access-token"
	optionAuth        = "gcp-auth"
	optionModelAPI    = "gcp-model-api"
	optionTransport   = "gcp-transport"
	optionEndpoint    = "gcp-endpoint-id"
)

// The ways to authenticate, as --gcp-auth names them.
const (
	authAuto           = "auto"
	authAPIKey         = "api-key"
	authToken          = "access-token"
	authServiceAccount = "service-account"
	authADC            = "adc"
	authNone           = "none"
)

// The APIs of models, as --gcp-model-api names them.
const (
	apiAuto      = "auto"
	apiGemini    = "gemini"
	apiAnthropic = "anthropic"
	apiOpenAI    = "openai"
	apiPredict   = "predict"
)

// The transports of Gemini.
const (
	transportREST = "rest"
	transportGRPC = "grpc"
)

const defaultLocation = "us-central1"

func options() []option.Option {
	const group = "Google Cloud Vertex AI"
	return []option.Option{
		{Name: optionProject, Type: option.String, Env: []string{"GCP_PROJECT_ID", "GOOGLE_CLOUD_PROJECT"}, Group: group, Example: "my-project",
			Help: "project to bill; not needed with an API key of express mode"},
		{Name: optionLocation, Type: option.String, Env: []string{"GCP_LOCATION"}, Default: defaultLocation, Group: group, Help: "region of the model, or global"},
		{Name: optionCredentials, Type: option.String, Env: []string{"GOOGLE_APPLICATION_CREDENTIALS"}, Group: group,
			Help: "file with the key of a service account, or other credentials of Google's"},
		{Name: optionModelAPIKey, Type: option.Secret, Env: []string{"MODEL_API_KEY"}, Group: group, Help: "API key of Google Cloud; wins over --api-key"},
		{Name: optionToken, Type: option.Secret, Env: []string{"GCP_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"}, Group: group,
			Help: "access token, as from gcloud auth print-access-token; it is not renewed"},
		{Name: optionAuth, Type: option.Enum, Default: authAuto, Group: group, Help: "how to authenticate", Allowed: []option.Allowed{
			{Value: authAuto, Help: "the API key if there is one, else the access token, else the credentials file, else, at an address of Google's, application default credentials"},
			{Value: authAPIKey, Help: "an API key"},
			{Value: authToken, Help: "the access token"},
			{Value: authServiceAccount, Help: "the file of --gcp-credentials-path"},
			{Value: authADC, Help: "application default credentials: gcloud's, a workload's, the metadata server's"},
			{Value: authNone, Help: "nothing, for gateways that authenticate themselves"},
		}},
		{Name: optionModelAPI, Type: option.Enum, Default: apiAuto, Group: group, Help: "API by which the model is asked", Allowed: []option.Allowed{
			{Value: apiAuto, Help: "by the model's name: claude… is anthropic, publisher/model and those of an endpoint are openai, text-bison… and embeddings are predict, else gemini"},
			{Value: apiGemini, Help: "generateContent and streamGenerateContent"},
			{Value: apiAnthropic, Help: "rawPredict and streamRawPredict, Anthropic's messages"},
			{Value: apiOpenAI, Help: "chat completions of models as a service (Llama, Mistral, DeepSeek, …)"},
			{Value: apiPredict, Help: "predict, without a stream"},
		}},
		{Name: optionEndpoint, Type: option.String, Group: group, Example: "1234567890123456789",
			Help: "endpoint of a model of your own (vLLM or TGI of Model Garden), asked by chat completions"},
		{Name: optionTransport, Type: option.Enum, Default: transportREST, Group: group, Help: "transport of Gemini", Allowed: []option.Allowed{
			{Value: transportREST, Help: "HTTP and an event stream, whose arrivals can be stamped"},
			{Value: transportGRPC, Help: "gRPC by cloud.google.com/go/vertexai, which its maker has deprecated; times are those of user space"},
		}},
	}
}
