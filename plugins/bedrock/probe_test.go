package main

import (
	"testing"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// preflight asks the probe and returns what it found wrong.
func preflight(t testing.TB, b backend.Backend) *fault.Error {
	t.Helper()
	p, err := b.(backend.Prober).Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p.Failure
}

// TestPreflight: each thing that can be wrong with the credentials, the region
// and the model is told before a run, in AWS's own words, with its request id and
// what to do.
func TestPreflight(t *testing.T) {
	awsEnvironment(t)
	keys := &verifier{keyID: testKeyID, secret: testSecret, region: "us-east-1", service: "bedrock"}
	service := emulate(t, &emulator{keys: keys}, secret.Secret{})
	for name, tc := range map[string]struct {
		edit func(*backend.Config)
		want failed
		id   string
	}{
		"a wrong secret": {
			func(c *backend.Config) { c.Options[optionSecretKey] = secret.New("wrong" + testSecret) },
			failed{fault.Auth, 403, "InvalidSignatureException", "does not match the signature you provided", "--aws-secret-access-key and --aws-region", false}, "emulated-request",
		},
		"an unknown key": {
			func(c *backend.Config) { c.Options[optionAccessKey] = secret.New("AKIAOTHER") },
			failed{fault.Auth, 403, "UnrecognizedClientException", "security token included in the request is invalid", "--aws-access-key-id", false}, "emulated-request",
		},
		"another region than the keys' scope": {
			func(c *backend.Config) { c.Options[optionRegion] = "eu-west-1" },
			failed{fault.Auth, 403, "InvalidSignatureException", "should be scoped to", "--aws-region", false}, "emulated-request",
		},
		"an API key in the place of keys": {
			func(c *backend.Config) {
				delete(c.Options, optionAccessKey)
				delete(c.Options, optionSecretKey)
				c.APIKey = secret.New(testBearer)
			},
			failed{fault.Auth, 403, "MissingAuthenticationTokenException", "Missing Authentication Token", "--api-base", false}, "emulated-request",
		},
		"a model that is none": {
			func(c *backend.Config) { c.Model = "anthropic.claude-99" },
			failed{fault.NotFound, 400, "ValidationException", "model identifier is invalid", "--api-model-name and --aws-region", false}, "emulated-request",
		},
		"no credentials at all": {
			func(c *backend.Config) {
				delete(c.Options, optionAccessKey)
				delete(c.Options, optionSecretKey)
			},
			failed{fault.Auth, 0, "", "no AWS credentials were found", "--api-key (AWS_BEARER_TOKEN_BEDROCK; Amazon Bedrock console > API keys)", false}, "",
		},
		"a region that is none": {
			func(c *backend.Config) { c.APIBase, c.Options[optionRegion] = "", "xx-nowhere-1" },
			failed{fault.DNS, 0, "", "bedrock-runtime.xx-nowhere-1.amazonaws.com", "does the region xx-nowhere-1 exist", false}, "",
		},
		"nobody": {
			func(c *backend.Config) { c.APIBase = "http://127.0.0.1:1" },
			failed{fault.Connect, 0, "", "refused", "nothing listens there", true}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			failure := preflight(t, open(t, service.URL(), tc.edit))
			expectFailure(t, failure, tc.want)
			if failure.RequestID != tc.id {
				t.Errorf("request id %q, want %q", failure.RequestID, tc.id)
			}
		})
	}
	if n := service.Stats().OutputTokens; n > 0 {
		t.Errorf("the probes generated %d tokens", n)
	}
}

// TestPreflightIsNoJudge: refusals that say nothing of the requests to come do
// not end a benchmark before it began.
func TestPreflightIsNoJudge(t *testing.T) {
	awsEnvironment(t)
	for name, tc := range map[string]struct {
		status     int
		code, body string
		model      string
		fails      bool
	}{
		"the model cannot count":      {400, "ValidationException", `{"message":"The provided model doesn't support counting tokens."}`, "m", false},
		"a profile":                   {404, "ResourceNotFoundException", `{"message":"The model was not found"}`, "us.anthropic.claude-sonnet-4-20250514-v1:0", false},
		"a gateway without the path":  {404, "", `{"detail":"Not Found"}`, "m", false},
		"throttled":                   {429, "ThrottlingException", `{"message":"Too many requests"}`, "m", false},
		"out of order":                {503, "ServiceUnavailableException", `{}`, "m", false},
		"may invoke, may not count":   {403, "AccessDeniedException", `{"Message":"User: u is not authorized to perform: bedrock:CountTokens on resource: r"}`, "m", false},
		"a model that is not there":   {404, "ResourceNotFoundException", `{"message":"The model was not found"}`, "amazon.nova-lite-v1:0", true},
		"a model without access":      {403, "AccessDeniedException", `{"message":"You don't have access to the model with the specified model ID."}`, "m", true},
		"an ended session":            {403, "ExpiredTokenException", `{"message":"expired"}`, "m", true},
		"a server without the method": {405, "", `Method Not Allowed`, "m", false},
	} {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, 0, func(r received) []byte {
				if r.Path != modelID(tc.model).path(opCountTokens) {
					t.Errorf("it asks %s", r.Path)
				}
				return response(tc.status, jsonType+"X-Amzn-Errortype: "+tc.code+"\r\n", tc.body)
			})
			failure := preflight(t, open(t, server.URL(), func(c *backend.Config) { c.Model = tc.model }))
			if (failure != nil) != tc.fails {
				t.Errorf("%v, want a failure: %v", failure, tc.fails)
			}
		})
	}
}
