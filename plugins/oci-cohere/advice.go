package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/auth"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

// advice is what a user can do about a failure, with the names that they gave.
type advice struct {
	mode      auth.Mode
	signs     bool
	profile   string
	region    string
	dedicated bool
}

func adviceOf(c *checked) advice {
	return advice{
		mode: c.mode, signs: c.signer != nil, profile: c.config.Options.String(auth.OptionProfile),
		region: c.region, dedicated: c.serving.Dedicated,
	}
}

// skewMax is how far a client's clock may be off before OCI refuses its
// signatures: "Request Signatures" in Oracle's documentation.
const skewMax = 5 * time.Minute

// explain completes a failure; header is that of the answer, nil where none came.
func (a advice) explain(e *fault.Error, header http.Header) {
	switch e.Class {
	case fault.DNS, fault.TLS, fault.Connect, fault.TimeoutConnect:
		a.unreachable(e)
	case fault.Auth:
		e.Hint = a.auth(header)
	case fault.Permission:
		e.Hint = "ask for a policy such as: allow group G to use generative-ai-family in compartment C"
	case fault.NotFound:
		e.Hint = a.notFound(e)
	case fault.RateLimited:
		if strings.EqualFold(e.ProviderCode, "LimitExceeded") || strings.EqualFold(e.ProviderCode, "QuotaExceeded") {
			e.Hint = "the tenancy's limit is used up: see Governance > Limits, Quotas and Usage in the console"
		}
	}
}

func (a advice) notFound(e *fault.Error) string {
	what := "that --api-model-name is offered in this region"
	if a.dedicated {
		what = "that the endpoint's OCID is right and the endpoint is active"
	}
	if a.region != "" {
		what = strings.Replace(what, "this region", a.region, 1)
	}
	if e.ProviderCode == "" {
		return "check --api-base, and " + what
	}
	return "OCI says the same of what is not there and of what is not allowed: check " + what +
		", that the compartment's OCID is right, and that a policy lets you use generative-ai-family there"
}

func (a advice) auth(header http.Header) string {
	if at, err := http.ParseTime(header.Get("Date")); err == nil {
		if skew := time.Since(at); skew.Abs() > skewMax {
			way := "ahead of"
			if skew < 0 {
				way = "behind"
			}
			return fmt.Sprintf("this machine's clock is %v %s the server's, which refuses signatures that are more than %v off: set it",
				skew.Abs().Round(time.Second), way, skewMax)
		}
	}
	if !a.signs {
		return "check the Authorization header that you gave"
	}
	switch a.mode {
	case auth.SecurityToken:
		return fmt.Sprintf("the session may have ended: run `oci session refresh --profile %[1]s` or `oci session authenticate --profile-name %[1]s`", a.profile)
	case auth.InstancePrincipal:
		return "check that a dynamic group with a policy covers this instance"
	case auth.InstanceOBOUser:
		return "check --security-token, which may have ended, and that a dynamic group with a policy covers this instance"
	}
	return fmt.Sprintf("check user, tenancy, fingerprint and key_file of profile [%s], and that the key is among the user's API keys in the console", a.profile)
}

// unreachable is what to do where nobody was reached.
func (a advice) unreachable(e *fault.Error) {
	switch e.Class {
	case fault.DNS:
		e.Hint = "check --api-base"
		if a.region != "" {
			e.Hint = fmt.Sprintf("is there a region %q with Generative AI? check --region and --api-base", a.region)
		}
	case fault.TLS:
		e.Hint = "check --api-base (http or https?), and the certificate authority"
	case fault.Connect, fault.TimeoutConnect:
		e.Hint = "is --api-base right, and does a proxy or firewall stand between?"
	}
}

// failedProbe is the answer of a probe that found something wrong.
func failedProbe(e *fault.Error) backend.Probe { return backend.Probe{Failure: e} }
