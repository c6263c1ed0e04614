package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

// failed is what a test looks at in a failure.
type failed struct {
	class     fault.Class
	status    int
	code      string
	message   string // a part of it
	hint      string // a part of it; "" none is looked for
	retryable bool
}

func expectFailure(t *testing.T, got *fault.Error, want failed) {
	t.Helper()
	if got == nil {
		t.Fatal("no failure")
	}
	if got.Class != want.class || got.HTTPStatus != want.status || got.ProviderCode != want.code || got.Retryable != want.retryable {
		t.Errorf("class %v status %d code %q retryable %v, want %+v", got.Class, got.HTTPStatus, got.ProviderCode, got.Retryable, want)
	}
	if !strings.Contains(got.Message, want.message) || !strings.Contains(got.Hint, want.hint) || strings.ContainsAny(got.Message+got.Hint, "\r\n") {
		t.Errorf("message %q and hint %q, want %q and %q", got.Message, got.Hint, want.message, want.hint)
	}
}

// TestRefusals: an answer that is no success has the class that it has on every
// cloud, AWS's own message, its request id and what to do. The names are those of
// the API reference (InvokeModel, Common Errors); the wording of most messages is
// from memory.
func TestRefusals(t *testing.T) {
	awsEnvironment(t)
	const access = "You don't have access to the model with the specified model ID."
	for name, tc := range map[string]struct {
		status int
		code   string // of the header X-Amzn-Errortype
		body   string
		want   failed
	}{
		"throttled":               {429, "ThrottlingException", `{"message":"Too many requests, please wait."}`, failed{fault.RateLimited, 429, "ThrottlingException", "Too many requests", "", true}},
		"throttled as of old":     {400, "ThrottlingException", `{"message":"Rate exceeded"}`, failed{fault.RateLimited, 400, "ThrottlingException", "Rate exceeded", "", true}},
		"a quota":                 {400, "ServiceQuotaExceededException", `{"message":"Too many tokens per day"}`, failed{fault.RateLimited, 400, "ServiceQuotaExceededException", "per day", "Service Quotas", false}},
		"not ready":               {429, "ModelNotReadyException", `{"message":"Model is not ready"}`, failed{fault.Overloaded, 429, "ModelNotReadyException", "not ready", "", true}},
		"unavailable":             {503, "ServiceUnavailableException", `{"message":"later"}`, failed{fault.Overloaded, 503, "ServiceUnavailableException", "later", "", true}},
		"model's time-out":        {408, "ModelTimeoutException", `{"message":"too slow"}`, failed{fault.TimeoutHeaders, 408, "ModelTimeoutException", "too slow", "", true}},
		"model's own error":       {424, "ModelErrorException", `{"message":"down","originalStatusCode":429,"resourceName":"m"}`, failed{fault.RateLimited, 424, "ModelErrorException", "down", "", true}},
		"internal":                {500, "InternalServerException", `{"message":"oops"}`, failed{fault.Server, 500, "InternalServerException", "oops", "", true}},
		"a bad body":              {400, "ValidationException", `{"message":"Malformed input request: #: extraneous key [x], please reformat your input and try again."}`, failed{fault.InvalidRequest, 400, "ValidationException", "extraneous key", "--bedrock-model-family", false}},
		"no such model":           {400, "ValidationException", `{"message":"The provided model identifier is invalid."}`, failed{fault.NotFound, 400, "ValidationException", "identifier is invalid", "--aws-region", false}},
		"only by a profile":       {400, "ValidationException", `{"message":"Invocation of model ID x with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model."}`, failed{fault.InvalidRequest, 400, "ValidationException", "on-demand throughput", "id of an inference profile", false}},
		"no Converse":             {400, "ValidationException", `{"message":"This action doesn't support the model that you provided. Try again with a supported text or chat model."}`, failed{fault.InvalidRequest, 400, "ValidationException", "doesn't support the model", "--bedrock-api invoke", false}},
		"no access to the model":  {403, "AccessDeniedException", `{"message":"` + access + `"}`, failed{fault.Permission, 403, "AccessDeniedException", access, "Model access", false}},
		"no permission":           {403, "AccessDeniedException", `{"Message":"User: arn:aws:iam::1:user/u is not authorized to perform: bedrock:InvokeModel on resource: x"}`, failed{fault.Permission, 403, "AccessDeniedException", "not authorized to perform", "bedrock:InvokeModel", false}},
		"a bad API key":           {403, "AccessDeniedException", `{"Message":"Authentication failed: Please make sure your API Key is valid."}`, failed{fault.Auth, 403, "AccessDeniedException", "API Key is valid", "AWS_BEARER_TOKEN_BEDROCK", false}},
		"an unknown key":          {403, "UnrecognizedClientException", `{"message":"The security token included in the request is invalid."}`, failed{fault.Auth, 403, "UnrecognizedClientException", "security token", "--aws-session-token", false}},
		"a wrong secret":          {403, "InvalidSignatureException", `{"message":"The request signature we calculated does not match the signature you provided."}`, failed{fault.Auth, 403, "InvalidSignatureException", "does not match", "--aws-secret-access-key", false}},
		"an ended session":        {403, "ExpiredTokenException", `{"message":"The security token included in the request is expired"}`, failed{fault.Auth, 403, "ExpiredTokenException", "expired", "renew it", false}},
		"no such thing":           {404, "ResourceNotFoundException", `{"message":"Could not resolve the foundation model"}`, failed{fault.NotFound, 404, "ResourceNotFoundException", "resolve", "--api-model-name", false}},
		"no such operation":       {404, "UnknownOperationException", `{}`, failed{fault.NotFound, 404, "UnknownOperationException", "{}", "--api-base", false}},
		"a name in the body":      {400, "", `{"__type":"com.amazon.coral.service#ThrottlingException","message":"m"}`, failed{fault.RateLimited, 400, "ThrottlingException", "m", "", true}},
		"a name in lower case":    {400, "", `{"code":"ValidationException","message":"m"}`, failed{fault.InvalidRequest, 400, "ValidationException", "m", "", false}},
		"a gateway of OpenAI's":   {429, "", `{"error":{"code":"rate_limit_exceeded","message":"slow down"}}`, failed{fault.RateLimited, 429, "rate_limit_exceeded", "slow down", "", true}},
		"a gateway in detail":     {422, "", `{"detail":"wrong type"}`, failed{fault.InvalidRequest, 422, "", "wrong type", "", false}},
		"a web page":              {502, "", "<html><head><title>Bad\nGateway</title></head></html>", failed{fault.Server, 502, "", `titled "Bad\nGateway"`, "", true}},
		"nothing":                 {500, "", "", failed{fault.Server, 500, "", "Internal Server Error", "", true}},
		"a name nobody knows":     {418, "TeapotException", `{"message":"short and stout"}`, failed{fault.InvalidRequest, 418, "TeapotException", "short and stout", "", false}},
		"an address that changed": {307, "", "", failed{fault.Protocol, 307, "", "redirects to", "--api-base", false}},
	} {
		t.Run(name, func(t *testing.T) {
			header := jsonType + "X-Amzn-Requestid: wire-req\r\nRetry-After: 2\r\n"
			if tc.code != "" {
				header += "X-Amzn-Errortype: " + tc.code + ":http://internal.amazon.com/coral/com.amazon.bedrock/\r\n"
			}
			server := startServer(t, 0, func(received) []byte { return response(tc.status, header, tc.body) })
			out := do(open(t, server.URL(), nil), chatRequest(true))
			expectFailure(t, out.Error, tc.want)
			if out.Error.RequestID != "wire-req" || out.Error.RetryAfter != 2*time.Second {
				t.Errorf("request id %q, retry after %v", out.Error.RequestID, out.Error.RetryAfter)
			}
			if n := server.Requests(); n != 1 {
				t.Errorf("it was sent %d times", n)
			}
		})
	}
}

// TestExceptionsInTheStream: after a head of 200 and some output, each exception
// of ConverseStream and InvokeModelWithResponseStream becomes what it is; what
// came before is kept.
func TestExceptionsInTheStream(t *testing.T) {
	awsEnvironment(t)
	before := map[string]string{
		"converse": events(t, "messageStart", `{"role":"assistant"}`, "contentBlockDelta", `{"delta":{"text":"a"}}`),
		"invoke":   chunks(t, `{"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}`),
	}
	exception := func(name, payload string) string { return message(t, "exception", name, payload) }
	for name, tc := range map[string]struct {
		last string
		want failed
	}{
		"throttled":        {exception("throttlingException", `{"message":"slow"}`), failed{fault.RateLimited, 429, "throttlingException", "slow", "", true}},
		"validation":       {exception("validationException", `{"message":"bad"}`), failed{fault.InvalidRequest, 400, "validationException", "bad", "", false}},
		"internal":         {exception("internalServerException", `{"message":"oops"}`), failed{fault.Server, 500, "internalServerException", "oops", "", true}},
		"unavailable":      {exception("serviceUnavailableException", `{"message":"later"}`), failed{fault.Overloaded, 503, "serviceUnavailableException", "later", "", true}},
		"time-out":         {exception("modelTimeoutException", `{"message":"slow"}`), failed{fault.TimeoutHeaders, 408, "modelTimeoutException", "slow", "", true}},
		"model's error":    {exception("modelStreamErrorException", `{"message":"m","originalMessage":"o","originalStatusCode":503}`), failed{fault.Overloaded, 424, "modelStreamErrorException", "m", "", true}},
		"unknown":          {exception("newException", `{"message":"m"}`), failed{fault.Server, 0, "newException", "m", "", true}},
		"without payload":  {exception("newException", ``), failed{fault.Server, 0, "newException", "says nothing of it", "", true}},
		"no exception":     {messageOf(t, map[string]string{":message-type": "error", ":error-code": "InternalFailure", ":error-message": "gone"}), failed{fault.Server, 500, "InternalFailure", "gone", "", true}},
		"an error object":  {wrapped(t, `{"error":{"code":429,"message":"slow"}}`), failed{fault.RateLimited, 429, "429", "slow", "", true}},
		"cut off":          {wrapped(t, `{}`)[:30], failed{fault.Truncated, 0, "", "in the middle of a message", "", false}},
		"without an end":   {"", failed{fault.Truncated, 0, "", "without a finish reason", "", false}},
		"garbage":          {"data: {}\n\n and more", failed{fault.Protocol, 0, "", "malformed event stream", "", false}},
		"no JSON":          {message(t, "event", "contentBlockDelta", `{"delta":`), failed{fault.Protocol, 0, "", "is no JSON object", "", false}},
		"no chunk":         {message(t, "event", "chunk", `7`), failed{fault.Protocol, 0, "", "holds no chunk", "", false}},
		"a failed message": {events(t, "messageStop", `{"stopReason":"malformed_model_output"}`), failed{fault.Server, 0, "malformed_model_output", "ended the answer with the reason", "", true}},
	} {
		for api, start := range before {
			t.Run(name+", "+api, func(t *testing.T) {
				server := startServer(t, 0, func(received) []byte {
					return response(200, streamType+"X-Amzn-Requestid: wire-req\r\n", start+tc.last)
				})
				out := do(open(t, server.URL(), func(c *backend.Config) { c.Options[optionAPI] = api }), chatRequest(true))
				expectFailure(t, out.Error, tc.want)
				if out.Error.RequestID != "wire-req" || len(out.Choices) != 1 || out.Choices[0].Text != "a" || !out.Error.Partial {
					t.Errorf("request id %q, partial %v, choices %+v", out.Error.RequestID, out.Error.Partial, out.Choices)
				}
			})
		}
	}
}

// TestCompressed: a body that was packed although nobody asked for it is no
// measurement.
func TestCompressed(t *testing.T) {
	awsEnvironment(t)
	server := startServer(t, 0, func(r received) []byte {
		if got := r.Header.Get("Accept-Encoding"); got != "identity" {
			t.Errorf("Accept-Encoding: %q", got)
		}
		return response(200, streamType+"Content-Encoding: gzip\r\n", "\x1f\x8b")
	})
	out := do(open(t, server.URL(), nil), chatRequest(true))
	expectFailure(t, out.Error, failed{fault.Protocol, 200, "", "compressed its answer (gzip)", "", false})
}

// TestClockSkew: AWS refuses signatures whose time is off; by how much its own
// Date tells. What the emulator says is held against this machine's clock as a
// verifier five minutes and more apart would.
func TestClockSkew(t *testing.T) {
	awsEnvironment(t)
	for offset, want := range map[time.Duration]string{time.Hour: "behind AWS's: set it", -time.Hour: "ahead of AWS's: set it"} {
		theirs := func() time.Time { return time.Now().Add(offset) }
		keys := verifier{keyID: testKeyID, secret: testSecret, region: "us-east-1", service: "bedrock", now: theirs}
		server := startServer(t, 0, func(r received) []byte {
			refused := keys.verify(r.Method, r.Path, r.Host, r.Header, r.Body)
			if refused == nil {
				t.Error("a signature an hour off is taken")
				return nil
			}
			return response(403, fmt.Sprintf("%sDate: %s\r\nX-Amzn-Errortype: %s\r\nX-Amzn-Requestid: skewed\r\n",
				jsonType, theirs().UTC().Format(http.TimeFormat), refused.code), fmt.Sprintf(`{"message":%q}`, refused.message))
		})
		b := open(t, server.URL(), nil)
		for _, failure := range []*fault.Error{preflight(t, b), do(b, chatRequest(true)).Error} {
			expectFailure(t, failure, failed{fault.Auth, 403, "InvalidSignatureException", "Signature ", want, false})
			if failure.RequestID != "skewed" || !strings.Contains(failure.Hint, "this machine's clock is") {
				t.Errorf("%+v", failure)
			}
		}
	}
}
