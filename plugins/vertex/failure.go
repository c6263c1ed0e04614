package main

import (
	"strings"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
)

// classes are the canonical codes of Google's errors
// (https://cloud.google.com/apis/design/errors) and the types of Anthropic's
// (https://docs.anthropic.com/en/api/errors), in upper case.
var classes = map[string]fault.Class{
	"UNAUTHENTICATED":       fault.Auth,
	"PERMISSION_DENIED":     fault.Permission,
	"NOT_FOUND":             fault.NotFound,
	"INVALID_ARGUMENT":      fault.InvalidRequest,
	"FAILED_PRECONDITION":   fault.InvalidRequest,
	"OUT_OF_RANGE":          fault.InvalidRequest,
	"RESOURCE_EXHAUSTED":    fault.RateLimited,
	"UNAVAILABLE":           fault.Overloaded,
	"DEADLINE_EXCEEDED":     fault.Server,
	"INTERNAL":              fault.Server,
	"UNKNOWN":               fault.Server,
	"ABORTED":               fault.Server,
	"CANCELLED":             fault.Server,
	"AUTHENTICATION_ERROR":  fault.Auth,
	"PERMISSION_ERROR":      fault.Permission,
	"NOT_FOUND_ERROR":       fault.NotFound,
	"INVALID_REQUEST_ERROR": fault.InvalidRequest,
	"REQUEST_TOO_LARGE":     fault.InvalidRequest,
	"RATE_LIMIT_ERROR":      fault.RateLimited,
	"OVERLOADED_ERROR":      fault.Overloaded,
	"TIMEOUT_ERROR":         fault.Server,
	"API_ERROR":             fault.Server,
}

// classify turns the provider's word into a class; unspecified leaves it to the
// status.
func classify(_ int, r jsonhttp.Report) fault.Class {
	if class, ok := classes[strings.ToUpper(r.Kind)]; ok {
		return class
	}
	return classes[strings.ToUpper(r.Code)]
}

// refusedHints say, by the way to authenticate, what to do about a refusal.
var refusedHints = map[string]string{
	authAPIKey:         "check --api-key, --model-api-key or GCP_API_KEY: a key of Google Cloud that Vertex AI may use",
	authToken:          "check --gcp-access-token or GCP_ACCESS_TOKEN: a token lasts an hour, and gcloud auth print-access-token prints a new one",
	authServiceAccount: credentialsHint,
	authADC:            credentialsHint,
	authNone:           "nothing authenticates (--gcp-auth " + authNone + "): give --api-key, --gcp-access-token or --gcp-credentials-path, or --gcp-auth " + authADC,
}

// explain says what a user can do about a failure.
func (w wiring) explain(failure *fault.Error) {
	message := strings.ToLower(failure.Message)
	switch failure.Class {
	case fault.Auth:
		if failure.Hint == "" || w.api == apiOpenAI { // a failure to get a token has its own
			failure.Hint = refusedHints[w.credentials.auth]
		}
		if strings.Contains(message, "api key not valid") || strings.Contains(message, "api keys are not supported") {
			failure.Hint = "this API takes no such key: " + credentialsHint
		}
	case fault.Permission:
		failure.Hint = "is the Vertex AI API enabled in the project, and has the account the role Vertex AI User? (a partner's model is enabled in Model Garden)"
	case fault.NotFound:
		failure.Hint = "check --api-model-name, --gcp-project-id and --gcp-location (" + w.target.location + "): not every model is in every region"
	case fault.RateLimited:
		failure.Hint = "the project's quota for this model and region is used up: see Quotas in the console, or another --gcp-location"
	case fault.DNS:
		if w.target.google {
			failure.Hint = "does the region " + w.target.location + " exist? check --gcp-location"
		}
	case fault.Connect:
		failure.Hint = "is --api-base right?"
	case fault.InvalidRequest:
		if strings.Contains(message, "api key") {
			failure.Class = fault.Auth
			failure.Hint = "check --api-key, --model-api-key or GCP_API_KEY"
		}
	}
}
