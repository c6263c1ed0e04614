package main

import (
	"testing"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// suite is what both APIs have in common.
func suite(keys *verifier) backendtest.Suite {
	s := backendtest.Suite{
		New:      func() backend.Backend { return backends()[0] },
		Upstream: simulator.Config{Protocols: []simulator.Protocol{&emulator{keys: keys}}},
		Params: backendtest.Params{
			OfAll:     `{"temperature": 0.25, "top_p": 0.5}`,
			OfRequest: `{"top_p": 0.75, "top_k": 7}`,
		},
		Bad: map[string]backendtest.BadConfig{
			"region": {Change: func(c *backend.Config) { c.Options[optionRegion] = "the moon" }, Options: []string{optionRegion}},
			"profile": {Change: func(c *backend.Config) {
				delete(c.Options, optionAccessKey)
				delete(c.Options, optionSecretKey)
				c.Options[optionProfile] = "nobody"
			}, Options: []string{optionProfile}},
			"half of the keys": {Change: func(c *backend.Config) {
				c.Options[optionAccessKey] = secret.New(testKeyID)
				delete(c.Options, optionSecretKey)
			}, Options: []string{optionSecretKey}},
			"embeddings of what?": {Change: func(c *backend.Config) {
				c.Task = backend.TextToEmbeddings
				delete(c.Options, optionFamily)
			}, Options: []string{optionFamily}},
		},
	}
	if keys != nil {
		s.Secrets = []string{keys.secret, keys.token}
		s.KeepOptions = []string{optionAccessKey, optionSecretKey, optionToken}
		s.WrongKey = func(_ testing.TB, c *backend.Config) { c.Options[optionSecretKey] = secret.New("wrong" + keys.secret) }
	}
	return s
}

// TestConformanceConverse: by Converse, with an Amazon Bedrock API key.
func TestConformanceConverse(t *testing.T) {
	awsEnvironment(t)
	s := suite(nil)
	s.Binary = backendtest.Build(".")
	s.Configure = func(_ testing.TB, c *backend.Config) {
		c.Options[optionRegion] = "us-east-1"
		c.Options[optionFamily] = string(cohereEmbed) // of embeddings; text goes by Converse
	}
	s.Paths = map[backend.Kind]string{backend.KindChat: "", backend.KindEmbed: "/invoke"}
	s.Params.Want = `{"inferenceConfig": {"temperature": 0.25, "topP": 0.75}, "additionalModelRequestFields": {"top_k": 7}}`
	backendtest.Run(t, s)
}

// TestConformanceInvoke: by InvokeModel in Anthropic's bodies, signed with
// temporary keys.
func TestConformanceInvoke(t *testing.T) {
	awsEnvironment(t)
	keys := &verifier{keyID: testKeyID, secret: testSecret, token: testToken, region: "eu-central-1", service: "bedrock"}
	s := suite(keys)
	s.Binary = backendtest.Build(".")
	s.Configure = func(_ testing.TB, c *backend.Config) {
		withKeys(c)
		c.Options[optionToken] = secret.New(testToken)
		c.Options[optionRegion] = keys.region
		c.Options[optionAPI], c.Options[optionFamily] = apiInvoke, string(anthropic)
	}
	s.Params.Want = `{"temperature": 0.25, "top_p": 0.75, "top_k": 7}`
	s.Paths = map[backend.Kind]string{}
	s.Skip = map[string]string{"answers/text-to-embeddings by embed": "Anthropic makes no embeddings"}
	backendtest.Run(t, s)
}
