package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/auth"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// TestEndpoint: where requests go, by address, region and profile.
func TestEndpoint(t *testing.T) {
	a := newAccount(t)
	const chicago = "https://inference.generativeai.us-chicago-1.oci.oraclecloud.com"
	for name, tc := range map[string]struct {
		backend string
		base    string
		region  string
		task    backend.Task
		want    string
		warning string // option of a warning; "" has none
	}{
		"the profile's region":        {"oci-cohere", "", "", backend.TextToText, chicago + "/20231130/actions/chat", ""},
		"a region":                    {"oci-genai", "", "us-ashburn-1", backend.TextToText, "https://inference.generativeai.us-ashburn-1.oci.oraclecloud.com/20231130/actions/chat", ""},
		"a region's short name":       {"oci-cohere", "", "ord", backend.TextToEmbeddings, chicago + "/20231130/actions/embedText", ""},
		"another realm":               {"oci-cohere", "", "us-gov-ashburn-1", backend.TextToRerank, "https://inference.generativeai.us-gov-ashburn-1.oci.oraclegovcloud.com/20231130/actions/rerankText", ""},
		"a region nobody knows":       {"oci-cohere", "", "xx-nowhere-1", backend.TextToText, "https://inference.generativeai.xx-nowhere-1.oci.oraclecloud.com/20231130/actions/chat", auth.OptionRegion},
		"an address":                  {"oci-cohere", "http://h:1/pre/", "us-ashburn-1", backend.TextToText, "http://h:1/pre/20231130/actions/chat", ""},
		"an address with the version": {"oci-cohere-v2", "http://h:1/20231130", "", backend.ImageTextToText, "http://h:1/20231130/actions/chat", ""},
		"an address with the action":  {"oci-cohere", "http://h:1/20231130/actions/rerankText", "", backend.TextToRerank, "http://h:1/20231130/actions/rerankText", ""},
		"compatible, by region":       {"oci-openai", "", "", backend.TextToImage, chicago + "/openai/v1/images/generations", ""},
		"compatible, as documented":   {"oci-openai", chicago + "/openai/v1", "", backend.TextToSpeech, chicago + "/openai/v1/audio/speech", ""},
		"compatible, without a path":  {"oci-openai", chicago, "", backend.TextToText, chicago + "/openai/v1/chat/completions", ""},
		"compatible, a gateway":       {"oci-openai", "http://h:1", "", backend.TextToText, "http://h:1/v1/chat/completions", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := find(t, tc.backend)
			opened, err := b.Open(t.Context(), config(b, tc.base, a, func(c *backend.Config) {
				c.Task = tc.task
				c.Options[auth.OptionRegion] = tc.region
			}))
			if err != nil || opened.Failed() || opened.Endpoint != tc.want {
				t.Fatalf("%q, want %q (%v %+v)", opened.Endpoint, tc.want, err, opened.Problems)
			}
			defer b.Close(t.Context())
			warned := ""
			for _, p := range opened.Problems {
				warned += p.Option
			}
			if warned != tc.warning {
				t.Errorf("problems %+v, want one of %q", opened.Problems, tc.warning)
			}
		})
	}
}

// TestOpenRefuses: each problem names its option, or warns of it.
func TestOpenRefuses(t *testing.T) {
	a := newAccount(t)
	for name, tc := range map[string]struct {
		edit     func(*backend.Config)
		option   string
		severity option.Severity
		text     string
	}{
		"a foreign task": {func(c *backend.Config) { c.Task = backend.TextToImage }, optionTask, option.Error, `oci-cohere cannot do "text-to-image"`},
		"no address and no region": {func(c *backend.Config) {
			c.APIBase = ""
			c.Options[auth.OptionAuth] = string(auth.InstancePrincipal)
		}, auth.OptionRegion, option.Error, "is missing"},
		"no address and no profile": {func(c *backend.Config) {
			c.APIBase, c.Options[auth.OptionConfigFile] = "", "/none"
		}, auth.OptionConfigFile, option.Error, "/none cannot be read"},
		"a password in the address": {func(c *backend.Config) { c.APIBase = "http://u:PLANTED@h" }, optionAPIBase, option.Error, "password"},
		"a query in the address":    {func(c *backend.Config) { c.APIBase = "http://h?x=1" }, optionAPIBase, option.Error, "after ? or #"},
		"ftp":                       {func(c *backend.Config) { c.APIBase = "ftp://h" }, optionAPIBase, option.Error, "http://"},
		"an unknown serving type": {func(c *backend.Config) {
			c.RequestParams = json.RawMessage(`{"compartmentId":"c","servingType":"CLUSTER"}`)
		}, optionServingType, option.Error, `"CLUSTER"`},
		"an endpoint that is not used": {func(c *backend.Config) {
			c.RequestParams = json.RawMessage(`{"compartmentId":"c","servingType":"ON_DEMAND","endpointId":"e"}`)
		}, optionEndpoint, option.Warning, "is ignored"},
		"ignore_eos": {func(c *backend.Config) {
			c.RequestParams = json.RawMessage(`{"compartmentId":"c","ignore_eos":true}`)
		}, optionParams, option.Warning, "ignore_eos"},
		"pictures to embed": {func(c *backend.Config) { c.Task = backend.ImageToEmbedding }, optionBatch, option.Warning, "one picture a request"},
		"a token that is not used": {func(c *backend.Config) {
			c.Options[auth.OptionSecurityToken] = secret.New("PLANTED")
		}, auth.OptionSecurityToken, option.Warning, "is ignored with --auth user_principal"},
		"a header of the signature": {func(c *backend.Config) {
			c.HTTP.Header = []backend.HeaderField{{Name: "content-type", Value: "x"}}
		}, optionHeader, option.Error, "OCI's signature"},
	} {
		t.Run(name, func(t *testing.T) {
			b := find(t, "oci-cohere")
			opened, err := b.Open(t.Context(), config(b, "http://h", a, tc.edit))
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close(t.Context())
			if len(opened.Problems) != 1 {
				t.Fatalf("problems %+v, want one", opened.Problems)
			}
			p := opened.Problems[0]
			if p.Option != tc.option || p.Severity != tc.severity || !strings.Contains(p.Message, tc.text) || p.Hint == "" && tc.option != optionAPIBase {
				t.Errorf("%+v, want %v of %q with %q", p, tc.severity, tc.option, tc.text)
			}
			if strings.Contains(p.Message+p.Hint, "PLANTED") {
				t.Errorf("a secret in %+v", p)
			}
		})
	}
}

// A dedicated endpoint by options, without parameters.
func TestServingByOptions(t *testing.T) {
	a := newAccount(t)
	server := startServer(t, a.keys, func(received) []byte { return []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") })
	b := open(t, "oci-cohere", server.URL(), a, func(c *backend.Config) {
		c.RequestParams = nil
		c.Options[optionCompartment], c.Options[optionEndpoint] = "c", "e"
	})
	do(b, &backend.Request{Chat: &backend.Chat{Messages: []backend.Message{backend.UserText("x")}}})
	var body struct {
		CompartmentID string `json:"compartmentId"`
		ServingMode   map[string]string
	}
	decodeJSON(t, server.last().Body, &body)
	if body.CompartmentID != "c" || body.ServingMode["servingType"] != servingDedicated || body.ServingMode["endpointId"] != "e" {
		t.Errorf("%s", server.last().Body)
	}
}

// A gateway's own key goes out in place of a signature, and stays secret.
func TestOwnAuthorization(t *testing.T) {
	const key = "Bearer PLANTED-gateway-key"
	body := `{"code":"NotAuthenticated","message":"` + strings.TrimPrefix(key, "Bearer ") + `"}`
	answer := fmt.Sprintf("HTTP/1.1 401 No\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	for _, name := range []string{"oci-genai", "oci-openai"} {
		server := startServer(t, nil, func(received) []byte { return []byte(answer) })
		b := open(t, name, server.URL(), nil, func(c *backend.Config) {
			c.Options[auth.OptionConfigFile] = "/none"
			c.HTTP.Header = []backend.HeaderField{{Name: "Authorization", Value: key}}
		})
		out := do(b, &backend.Request{Chat: &backend.Chat{Messages: []backend.Message{backend.UserText("x")}}})
		if got := server.last().Header; got.Get("Authorization") != key || got.Get("X-Content-Sha256") != "" {
			t.Errorf("%s: %v", name, got)
		}
		if out.Error == nil || strings.Contains(out.Error.Error(), "PLANTED") || !strings.Contains(out.Error.Hint, "Authorization header") {
			t.Errorf("%s: %v", name, out.Error)
		}
	}
}
