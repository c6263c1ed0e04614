package main

import (
	"strings"
	"testing"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// TestWhereRequestsGo: --api-base is honoured; without it AWS's own variables
// say where, or the region does, which may be the model's or the address's.
func TestWhereRequestsGo(t *testing.T) {
	const model, path = "amazon.nova-lite-v1:0", "/model/amazon.nova-lite-v1%3A0/converse-stream"
	const arn = "arn:aws:bedrock:eu-west-3:1:application-inference-profile/abc"
	for name, tc := range map[string]struct {
		environment         []string
		base, region, model string
		edit                func(*backend.Config)
		want                string
		scope               string // region of the signature
		warning             string // option of a warning; "" has none
	}{
		"an address":                {base: "http://h:1", region: "us-west-2", want: "http://h:1" + path, scope: "us-west-2"},
		"an address with a path":    {base: "https://h/a%2Fb/", region: "us-west-2", want: "https://h/a%2Fb" + path, scope: "us-west-2"},
		"the scheme's own port":     {base: "https://H.example:443", region: "us-west-2", want: "https://h.example" + path, scope: "us-west-2"},
		"a region":                  {region: "eu-central-1", want: "https://bedrock-runtime.eu-central-1.amazonaws.com" + path, scope: "eu-central-1"},
		"a region of China":         {region: "cn-north-1", want: "https://bedrock-runtime.cn-north-1.amazonaws.com.cn" + path, scope: "cn-north-1"},
		"nothing":                   {want: "https://bedrock-runtime.us-east-1.amazonaws.com" + path, scope: "us-east-1", warning: optionRegion},
		"the profile's region":      {environment: []string{"AWS_CONFIG_FILE", writeFile(t, "config", "[default]\nregion = sa-east-1\n")}, want: "https://bedrock-runtime.sa-east-1.amazonaws.com" + path, scope: "sa-east-1"},
		"the address's region":      {base: "https://vpce-1-ab.bedrock-runtime.ap-south-1.vpce.amazonaws.com", want: "https://vpce-1-ab.bedrock-runtime.ap-south-1.vpce.amazonaws.com" + path, scope: "ap-south-1"},
		"the model's region":        {model: arn, want: "https://bedrock-runtime.eu-west-3.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aeu-west-3%3A1%3Aapplication-inference-profile%2Fabc/converse-stream", scope: "eu-west-3"},
		"another than the model's":  {model: arn, base: "http://h:1", region: "us-east-1", want: "http://h:1/model/arn%3Aaws%3Abedrock%3Aeu-west-3%3A1%3Aapplication-inference-profile%2Fabc/converse-stream", scope: "us-east-1", warning: optionRegion},
		"AWS_ENDPOINT_URL_BEDROCK…": {environment: []string{"AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://h:2/"}, region: "us-east-1", want: "http://h:2" + path, scope: "us-east-1"},
		"AWS_ENDPOINT_URL":          {environment: []string{"AWS_ENDPOINT_URL", "http://h:3"}, region: "us-east-1", want: "http://h:3" + path, scope: "us-east-1"},
		"an address beats both":     {environment: []string{"AWS_ENDPOINT_URL", "http://h:3", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://h:2"}, base: "http://h:1", region: "us-east-1", want: "http://h:1" + path, scope: "us-east-1"},
		"neither is to be heeded": {environment: []string{"AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://h:2", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"}, region: "us-east-1",
			want: "https://bedrock-runtime.us-east-1.amazonaws.com" + path, scope: "us-east-1"},
		"FIPS":          {environment: []string{"AWS_USE_FIPS_ENDPOINT", "true"}, region: "us-east-1", want: "https://bedrock-runtime-fips.us-east-1.amazonaws.com" + path, scope: "us-east-1"},
		"invoke":        {base: "http://h:1", region: "us-east-1", edit: func(c *backend.Config) { c.Options[optionAPI] = apiInvoke }, want: "http://h:1/model/amazon.nova-lite-v1%3A0/invoke-with-response-stream", scope: "us-east-1"},
		"embeddings":    {base: "http://h:1", region: "us-east-1", model: "cohere.embed-v4:0", edit: func(c *backend.Config) { c.Task = backend.TextToEmbeddings }, want: "http://h:1/model/cohere.embed-v4%3A0/invoke", scope: "us-east-1"},
		"with pictures": {base: "http://h:1", region: "us-east-1", edit: func(c *backend.Config) { c.Task = backend.ImageTextToText }, want: "http://h:1" + path, scope: "us-east-1"},
	} {
		t.Run(name, func(t *testing.T) {
			awsEnvironment(t, tc.environment...)
			b := new(bedrock)
			opened, err := b.Open(t.Context(), config(tc.base, func(c *backend.Config) {
				c.Options[optionRegion], c.Model = tc.region, model
				if tc.model != "" {
					c.Model = tc.model
				}
				if tc.edit != nil {
					tc.edit(c)
				}
			}))
			if err != nil || opened.Failed() {
				t.Fatal(err, opened.Problems)
			}
			defer b.Close(t.Context())
			if opened.Endpoint != tc.want || b.client.source.Region() != tc.scope {
				t.Errorf("%s, signed for %s; want %s for %s", opened.Endpoint, b.client.source.Region(), tc.want, tc.scope)
			}
			var warned []string
			for _, p := range opened.Problems {
				warned = append(warned, p.Option)
			}
			if strings.Join(warned, " ") != tc.warning {
				t.Errorf("problems %+v, want one of %q", opened.Problems, tc.warning)
			}
		})
	}
}

// TestOpenTells: each problem names its option and says what to do.
func TestOpenTells(t *testing.T) {
	for name, tc := range map[string]struct {
		environment []string
		edit        func(*backend.Config)
		option      string
		severity    option.Severity
		text        string
	}{
		"a foreign task":     {nil, func(c *backend.Config) { c.Task = backend.TextToSpeech }, optionTask, option.Error, `cannot do "text-to-speech"`},
		"no model":           {nil, func(c *backend.Config) { c.Model = " " }, optionModel, option.Error, "is missing"},
		"a region in words":  {nil, func(c *backend.Config) { c.Options[optionRegion] = "Frankfurt" }, optionRegion, option.Error, `"Frankfurt" is no region`},
		"no scheme":          {nil, func(c *backend.Config) { c.APIBase = "bedrock-runtime.us-east-1.amazonaws.com" }, optionAPIBase, option.Error, "http:// or https://"},
		"another scheme":     {nil, func(c *backend.Config) { c.APIBase = "ftp://h" }, optionAPIBase, option.Error, `"ftp:"`},
		"a password":         {nil, func(c *backend.Config) { c.APIBase = "https://u:PLANTED@h" }, optionAPIBase, option.Error, "user name or password"},
		"a query":            {nil, func(c *backend.Config) { c.APIBase = "https://h?a" }, optionAPIBase, option.Error, "after # or ?"},
		"a bad variable":     {[]string{envEndpoint, "h"}, func(c *backend.Config) { c.APIBase = "" }, optionAPIBase, option.Error, "is taken from AWS_ENDPOINT_URL_BEDROCK_RUNTIME"},
		"half of the keys":   {nil, func(c *backend.Config) { delete(c.Options, optionSecretKey) }, optionSecretKey, option.Error, "is missing"},
		"the other half":     {nil, func(c *backend.Config) { delete(c.Options, optionAccessKey) }, optionAccessKey, option.Error, "is missing"},
		"a broken key":       {nil, func(c *backend.Config) { c.Options[optionSecretKey] = secret.New("PLANTED\nsecond") }, optionSecretKey, option.Error, "holds characters"},
		"a broken API key":   {nil, func(c *backend.Config) { dropKeys(c); c.APIKey = secret.New("“PLANTED”") }, optionAPIKey, option.Error, "holds characters"},
		"an unknown profile": {nil, func(c *backend.Config) { dropKeys(c); c.Options[optionProfile] = "nobody" }, optionProfile, option.Error, `no profile "nobody"`},
		"keys and API key":   {nil, func(c *backend.Config) { c.APIKey = secret.New("PLANTED") }, optionAPIKey, option.Warning, "is not used: there are access keys"},
		"no JSON":            {nil, func(c *backend.Config) { c.RequestParams = []byte(`["PLANTED"]`) }, optionParams, option.Error, "is no JSON object: it is a list"},
		"ignore_eos":         {nil, func(c *backend.Config) { c.RequestParams = []byte(`{"ignore_eos":true}`) }, optionParams, option.Warning, "is left out"},
		"own messages":       {nil, func(c *backend.Config) { c.RequestParams = []byte(`{"messages":[]}`) }, optionParams, option.Warning, "replaces the prompts"},
		"Titan's embeddings": {nil, func(c *backend.Config) {
			c.Task, c.Model = backend.TextToEmbeddings, "amazon.titan-embed-text-v2:0"
		}, optionBatch, option.Warning, "one text a request"},
		"embeddings by converse": {nil, func(c *backend.Config) {
			c.Task, c.Options[optionAPI], c.Model = backend.TextToEmbeddings, apiConverse, "cohere.embed-english-v3"
		}, optionAPI, option.Error, "Converse has no embeddings"},
		"embeddings of whom": {nil, func(c *backend.Config) { c.Task = backend.TextToEmbeddings }, optionFamily, option.Error, "does not tell whose embeddings"},
	} {
		t.Run(name, func(t *testing.T) {
			awsEnvironment(t, tc.environment...)
			b := new(bedrock)
			opened, err := b.Open(t.Context(), config("http://h", tc.edit))
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close(t.Context())
			if len(opened.Problems) != 1 {
				t.Fatalf("problems %+v, want one", opened.Problems)
			}
			p := opened.Problems[0]
			if p.Option != tc.option || p.Severity != tc.severity || !strings.Contains(p.Message, tc.text) || p.Hint == "" {
				t.Errorf("%+v, want %v of %q with %q and a hint", p, tc.severity, tc.option, tc.text)
			}
			if strings.Contains(p.Message+p.Hint, "PLANTED") {
				t.Errorf("a secret in %+v", p)
			}
		})
	}
}

func dropKeys(c *backend.Config) {
	delete(c.Options, optionAccessKey)
	delete(c.Options, optionSecretKey)
}
