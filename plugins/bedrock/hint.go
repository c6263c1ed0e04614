package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/sdk/fault"
)

// remedies are what the user can do, by the error's name and by what its
// message says; the first that fits counts. An empty name fits every error, an
// empty part every message. class 0 leaves the class as it is: AWS says
// "ValidationException" and "AccessDeniedException" of several things.
var remedies = []struct {
	code, part string
	class      fault.Class
	hint       string
}{
	{"", "model identifier is invalid", fault.NotFound, "check --api-model-name and --aws-region: regions differ in their models"},
	{"", "on-demand throughput", 0, "give --api-model-name the id of an inference profile, for example us.MODEL or global.MODEL"},
	{"", "malformed input request", 0, "the body does not fit the model: use --bedrock-api converse, or say with --bedrock-model-family what the model is"},
	{"ValidationException", "doesn't support the model", 0, "use --bedrock-api invoke: Converse does not have this model"},
	{"", "have access to the model", fault.Permission, "ask for access to the model in the Amazon Bedrock console (Model access), in the region of --aws-region"},
	{"", "access to this model", fault.Permission, "ask for access to the model in the Amazon Bedrock console (Model access), in the region of --aws-region"},
	{"AccessDeniedException", "not authorized to perform", 0, "the credentials need the permissions bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream for this model"},
	{"AccessDeniedException", "api key", fault.Auth, "check --api-key or AWS_BEARER_TOKEN_BEDROCK; short-term keys last twelve hours at most"},
	{"AccessDeniedException", "bearer token", fault.Auth, "check --api-key or AWS_BEARER_TOKEN_BEDROCK; short-term keys last twelve hours at most"},
	{"AccessDeniedException", "authentication failed", fault.Auth, "check --api-key or AWS_BEARER_TOKEN_BEDROCK; short-term keys last twelve hours at most"},
	{"AccessDeniedException", "", 0, "check that the credentials may use this model, and that access to it was granted in this region"},

	{"UnrecognizedClientException", "", 0, "AWS does not know the access key: check --aws-access-key-id; temporary keys need --aws-session-token as well"},
	{"InvalidClientTokenId", "", 0, "AWS does not know the access key: check --aws-access-key-id; temporary keys need --aws-session-token as well"},
	{"InvalidSignatureException", "", 0, "check --aws-secret-access-key and --aws-region"},
	{"SignatureDoesNotMatch", "", 0, "check --aws-secret-access-key and --aws-region"},
	{"ExpiredTokenException", "", 0, "the session has ended: renew it (aws sso login, or new temporary keys)"},
	{"ExpiredToken", "", 0, "the session has ended: renew it (aws sso login, or new temporary keys)"},
	{"MissingAuthenticationToken", "", 0, "the request came without a signature: check --api-base, and proxies on the way"},
	{"MissingAuthenticationTokenException", "", 0, "the request came without a signature: check --api-base, and proxies on the way"},
	{"OptInRequired", "", 0, "the account has to be subscribed to Amazon Bedrock in this region"},
	{"ServiceQuotaExceededException", "", 0, "the account's quota is used up: see Service Quotas in the AWS console"},
	{"UnknownOperationException", "", 0, "the server has no such path: check --api-base and --bedrock-api"},
}

// refine says what the user can do, and mends the class where the message says
// more than the name.
func refine(e *fault.Error) {
	message := strings.ToLower(e.Message)
	for _, r := range remedies {
		if (r.code == "" || r.code == e.ProviderCode) && strings.Contains(message, r.part) {
			if r.class != 0 {
				e.Class = r.class
			}
			e.Hint = r.hint
			return
		}
	}
	switch e.Class {
	case fault.Auth:
		e.Hint = "check the credentials"
	case fault.NotFound:
		e.Hint = "check --api-model-name, --aws-region and --api-base"
	}
}

// skewHint is the hint of a refused signature, which may be the clock's fault.
func skewHint(e *fault.Error, header http.Header) string {
	message := strings.ToLower(e.Message)
	if !strings.Contains(message, "signature expired") && !strings.Contains(message, "not yet current") && e.ProviderCode != "RequestExpired" {
		return e.Hint
	}
	theirs, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return "this machine's clock differs from AWS's by more than five minutes: set it"
	}
	skew, way := time.Since(theirs).Round(time.Second), "ahead of"
	if skew < 0 {
		skew, way = -skew, "behind"
	}
	return fmt.Sprintf("this machine's clock is %v %s AWS's: set it", skew, way)
}
