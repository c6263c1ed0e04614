package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/genai-bench/genai-bench/plugins/bedrock/awsauth"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// Names of options, core's own among them.
const (
	optionAPIBase = "api-base"
	optionAPIKey  = "api-key"
	optionModel   = "api-model-name"
	optionTask    = "task"
	optionParams  = "additional-request-params"
	optionBatch   = "batch-size"

	optionAccessKey = "aws-access-key-id"
	optionSecretKey = "aws-secret-access-key"
	optionToken     = "aws-session-token"
	optionProfile   = "aws-profile"
	optionRegion    = "aws-region"
	optionAPI       = "bedrock-api"
	optionFamily    = "bedrock-model-family"
)

// Environment variables of AWS's own tools.
const (
	envAccessKey = "AWS_ACCESS_KEY_ID"
	envSecretKey = "AWS_SECRET_ACCESS_KEY"
	envToken     = "AWS_SESSION_TOKEN"
	envProfile   = "AWS_PROFILE"
	envBearer    = "AWS_BEARER_TOKEN_BEDROCK"
	envEndpoint  = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
	envNoURLs    = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
	envFIPS      = "AWS_USE_FIPS_ENDPOINT"
	envCABundle  = "AWS_CA_BUNDLE"
)

// The values of --bedrock-api.
const (
	apiAuto     = "auto"
	apiConverse = "converse"
	apiInvoke   = "invoke"
)

const familyAuto = "auto"

// defaultRegion is where requests go if nothing names a region, as with the
// Python tool.
const defaultRegion = "us-east-1"

func options() []option.Option {
	const group = "Amazon Bedrock"
	return []option.Option{
		{Name: optionAccessKey, Type: option.Secret, Env: []string{envAccessKey}, Group: group, Help: "access key id; with --" + optionSecretKey},
		{Name: optionSecretKey, Type: option.Secret, Env: []string{envSecretKey}, Group: group, Help: "secret access key"},
		{Name: optionToken, Type: option.Secret, Env: []string{envToken}, Group: group, Help: "session token of temporary keys"},
		{Name: optionProfile, Type: option.String, Env: []string{envProfile}, Group: group, Help: "profile of AWS's shared configuration and credentials files"},
		{
			Name: optionRegion, Type: option.String, Env: []string{"AWS_REGION", "AWS_DEFAULT_REGION"}, Group: group, Example: "eu-central-1",
			Help: "region; else that of the profile, of the model's ARN or of --" + optionAPIBase + ", or " + defaultRegion,
		},
		{
			Name: optionAPI, Type: option.Enum, Default: apiAuto, Group: group, Help: "how text generation is asked for",
			Allowed: []option.Allowed{
				{Value: apiAuto, Help: "Converse where the model has it, else InvokeModel"},
				{Value: apiConverse, Help: "Converse and ConverseStream: one form for all models"},
				{Value: apiInvoke, Help: "InvokeModel and InvokeModelWithResponseStream: the form of the model's family"},
			},
		},
		{
			Name: optionFamily, Type: option.Enum, Default: familyAuto, Group: group, Help: "whose bodies InvokeModel is sent, where the model's name does not tell",
			Allowed: []option.Allowed{
				{Value: familyAuto, Help: "by the model's name"},
				{Value: string(anthropic), Help: "Anthropic's messages"},
				{Value: string(nova), Help: "Amazon Nova"},
				{Value: string(titan), Help: "Amazon Titan Text"},
				{Value: string(llama), Help: "Meta Llama"},
				{Value: string(command), Help: "Cohere Command R"},
				{Value: string(mistral), Help: "a prompt, as Mistral 7B and Mixtral take it"},
				{Value: string(openai), Help: "chat completions with max_completion_tokens"},
				{Value: string(chat), Help: "chat completions with max_tokens, as newer Mistral, Qwen and Jamba models take them"},
				{Value: string(titanEmbed), Help: "Amazon Titan Embeddings"},
				{Value: string(cohereEmbed), Help: "Cohere Embed"},
				{Value: string(generic), Help: "a prompt and max_tokens"},
			},
		},
	}
}

// settings are the configuration, checked.
type settings struct {
	backend.Config
	model  modelID
	family family // "": by the model's name
	api    string
	base   *url.URL // without a slash at its end
	params jsonhttp.Object
	stream *bool // of the parameters: it wins over the request's
}

// checker collects problems.
type checker struct{ problems []option.Problem }

func (c *checker) refuse(name, hint, format string, args ...any) {
	c.problems = append(c.problems, option.Problem{Option: name, Severity: option.Error, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (c *checker) warn(name, hint, format string, args ...any) {
	c.problems = append(c.problems, option.Problem{Option: name, Severity: option.Warning, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (c *checker) failed() bool { return backend.Opened{Problems: c.problems}.Failed() }

// check reads the configuration, credentials apart.
func (c *checker) check(config backend.Config) settings {
	s := settings{Config: config, model: modelID(strings.TrimSpace(config.Model)), api: config.Options.String(optionAPI)}
	if s.api == "" {
		s.api = apiAuto
	}
	if f := config.Options.String(optionFamily); f != familyAuto {
		s.family = family(f)
	}
	description := new(bedrock).Describe()
	if _, ok := description.Support(config.Task); !ok {
		var names []string
		for _, t := range description.Tasks {
			names = append(names, string(t.Task))
		}
		c.refuse(optionTask, "it can do "+strings.Join(names, ", "), "aws-bedrock cannot do %q", config.Task)
	}
	if s.model == "" {
		c.refuse(optionModel, "give --"+optionModel+" the id of a model or an inference profile, or an ARN, for example us.anthropic.claude-sonnet-4-20250514-v1:0", "is missing")
	}
	if config.Task == backend.TextToEmbeddings {
		c.checkEmbedding(&s)
	}
	c.checkParams(&s)
	c.checkBase(&s)
	if s.TLS.CAFile == "" {
		s.TLS.CAFile = os.Getenv(envCABundle)
	}
	return s
}

func (c *checker) checkEmbedding(s *settings) {
	if s.api == apiConverse {
		c.refuse(optionAPI, "leave it out", "Converse has no embeddings")
	}
	if s.model != "" && shapes[s.familyOf(s.model)].embed == nil {
		c.refuse(optionFamily, "give --"+optionFamily+" titan-embed or cohere-embed",
			"the name %q does not tell whose embeddings it makes", s.model)
	}
	if s.familyOf(s.model) == titanEmbed {
		c.warn(optionBatch, "give --"+optionBatch+" 1", "Amazon Titan embeds one text a request: greater batches fail")
	}
}

// familyOf is the family of a model in InvokeModel.
func (s *settings) familyOf(m modelID) family {
	if s.family != "" {
		return s.family
	}
	return m.family()
}

func (c *checker) checkParams(s *settings) {
	params, err := jsonhttp.ParseObject(s.RequestParams)
	if err != nil {
		c.refuse(optionParams, `give a JSON jsonhttp.Object, such as '{"temperature": 0.7}'`, "is no JSON object: %v", err)
		return
	}
	s.params = params
	s.stream = streamOf(params)
	if v := params.Get("ignore_eos"); v != nil && string(v) == "true" {
		c.warn(optionParams, "answers may be shorter than the scenario says", "\"ignore_eos\" is not known to Amazon Bedrock and is left out")
	}
	for _, name := range []string{"messages", "prompt", "inputText", "message", "texts"} {
		if v := params.Get(name); v != nil && !isNull(v) {
			c.warn(optionParams, "remove it to send the prompts of the scenario", "%q replaces the prompts of every request", name)
		}
	}
}

// streamOf is the parameter that chooses between stream and whole answer.
func streamOf(params jsonhttp.Object) *bool {
	switch string(params.Get("stream")) {
	case "true":
		yes := true
		return &yes
	case "false":
		no := false
		return &no
	}
	return nil
}

func (c *checker) checkBase(s *settings) {
	name, text := optionAPIBase, strings.TrimSpace(s.APIBase)
	if text == "" && !strings.EqualFold(os.Getenv(envNoURLs), "true") {
		name, text = envEndpoint, os.Getenv(envEndpoint)
	}
	if text == "" {
		return // the region's own, once the region is known
	}
	base, err := parseBase(text)
	if err != nil {
		c.refuse(optionAPIBase, "for example https://bedrock-runtime.us-east-1.amazonaws.com", "%s%v", prefixOf(name), err)
		return
	}
	s.base = base
}

func prefixOf(name string) string {
	if name == optionAPIBase {
		return ""
	}
	return "is taken from " + name + ", which "
}

// parseBase reads an address. The error is one line and shows no password.
func parseBase(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Opaque != "" || u.Scheme == "":
		return nil, fmt.Errorf("is no address that starts with http:// or https://")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("starts with %q instead of http:// or https://", u.Scheme+":")
	case u.Hostname() == "":
		return nil, fmt.Errorf("names no host")
	case u.User != nil:
		return nil, fmt.Errorf("holds a user name or password, which would be stored with the results")
	case u.Fragment != "" || u.RawQuery != "":
		return nil, fmt.Errorf("has a part after # or ?")
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	u.RawPath = path
	if u.Path, err = url.PathUnescape(path); err != nil {
		return nil, fmt.Errorf("has a malformed path")
	}
	// The signature covers the Host header as it is sent: in lower case, without
	// the scheme's own port.
	u.Host = strings.ToLower(u.Host)
	if port := u.Port(); port == "443" && u.Scheme == "https" || port == "80" && u.Scheme == "http" {
		u.Host = strings.TrimSuffix(u.Host, ":"+port)
	}
	return u, nil
}

var (
	regionForm    = regexp.MustCompile(`^[a-z]{2,3}(-[a-z]+)+-[0-9]+$`)
	regionalHosts = regexp.MustCompile(`^(?:[a-z0-9-]+\.)*bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|vpce\.amazonaws\.com|api\.aws)$`)
)

// authorize opens the source of credentials, with its region.
func (c *checker) authorize(ctx context.Context, s *settings) *awsauth.Source {
	auth := c.authSettings(s)
	if auth.Region != "" && !regionForm.MatchString(auth.Region) {
		c.refuse(optionRegion, "a region is written like us-east-1 or eu-central-1", "%q is no region", auth.Region)
		return nil
	}
	source, err := awsauth.Open(ctx, auth)
	if err != nil {
		c.refuse(optionProfile, "aws configure list-profiles shows the profiles there are", "%s", strings.TrimPrefix(err.Error(), "profile "))
		return nil
	}
	if s.base == nil && source.Endpoint() != "" {
		base, err := parseBase(source.Endpoint())
		if err != nil {
			c.refuse(optionAPIBase, "mend AWS_ENDPOINT_URL or the profile's endpoint_url", "AWS's configuration names an endpoint that %v", err)
			return source
		}
		s.base = base
	}
	c.locate(s, source)
	return source
}

// locate settles the region where nothing has named it, and the address.
func (c *checker) locate(s *settings, source *awsauth.Source) {
	_, ofARN := s.model.resource()
	ofBase := ""
	if s.base != nil {
		if match := regionalHosts.FindStringSubmatch(s.base.Hostname()); match != nil {
			ofBase = match[1]
		}
	}
	region := source.Region()
	if region == "" {
		region = ofARN
	}
	if region == "" {
		region = ofBase
	}
	if region == "" {
		region = defaultRegion
		if source.Mode() != awsauth.Header {
			c.warn(optionRegion, "give --"+optionRegion+" or AWS_REGION", "nothing names a region: %s is taken", region)
		}
	}
	if ofARN != "" && ofARN != region {
		c.warn(optionRegion, "give --"+optionRegion+" "+ofARN, "the model's ARN is of %s, the requests go to %s", ofARN, region)
	}
	source.UseRegion(region)
	if s.base == nil {
		s.base = &url.URL{Scheme: "https", Host: regionalHost(region)}
	}
}

// regionalHost is the runtime's address in a region.
func regionalHost(region string) string {
	service, domain := "bedrock-runtime", "amazonaws.com"
	if strings.EqualFold(os.Getenv(envFIPS), "true") {
		service += "-fips"
	}
	if strings.HasPrefix(region, "cn-") {
		domain += ".cn"
	}
	return service + "." + region + "." + domain
}

// authSettings decides which credentials are meant: keys on the command line,
// then a profile there, then an API key, then what AWS's own tools would take.
// What merely stands in the environment is left to their order.
func (c *checker) authSettings(s *settings) awsauth.Settings {
	o := s.Options
	auth := awsauth.Settings{Mode: awsauth.Chain, Region: strings.TrimSpace(o.String(optionRegion)), Service: "bedrock"}
	id, key, token := trimmed(o.Secret(optionAccessKey)), trimmed(o.Secret(optionSecretKey)), trimmed(o.Secret(optionToken))
	bearer, profile := trimmed(s.APIKey), o.String(optionProfile)
	keys := given(id.Reveal(), envAccessKey) || given(key.Reveal(), envSecretKey)
	for _, held := range []struct {
		name  string
		value secret.Secret
	}{{optionAccessKey, id}, {optionSecretKey, key}, {optionToken, token}, {optionAPIKey, bearer}} {
		if !printable(held.value.Reveal()) {
			c.refuse(held.name, "check for a line break or a quotation mark from a text editor in it", "holds characters that no key has")
		}
	}
	switch {
	case slices.ContainsFunc(s.HTTP.Header, func(h backend.HeaderField) bool { return strings.EqualFold(h.Name, "Authorization") }):
		auth.Mode = awsauth.Header
	case keys:
		auth.Mode, auth.AccessKeyID, auth.SecretAccessKey = awsauth.Keys, id, key
		// A token in the environment belongs to the keys there; only the ids of
		// temporary keys begin so, and those need one.
		if given(token.Reveal(), envToken) || strings.HasPrefix(id.Reveal(), "ASIA") {
			auth.SessionToken = token
		}
		if id.IsZero() {
			c.refuse(optionAccessKey, "give it with --"+optionSecretKey+", or in "+envAccessKey, "is missing, and there is a secret access key")
		}
		if key.IsZero() {
			c.refuse(optionSecretKey, "give it with --"+optionAccessKey+", or in "+envSecretKey, "is missing, and there is an access key id")
		}
		if !bearer.IsZero() {
			c.warn(optionAPIKey, "give one of the two", "is not used: there are access keys")
		}
	case given(profile, envProfile):
		auth.Mode, auth.Profile = awsauth.Profile, profile
	case !bearer.IsZero():
		auth.Mode, auth.Token = awsauth.Bearer, bearer
	}
	return auth
}

// given tells whether a value was given to genai-bench itself and does not
// merely stand in the environment, which this process sees as well.
func given(value, env string) bool { return value != "" && value != strings.TrimSpace(os.Getenv(env)) }

// trimmed: a secret read from a file ends in a line break.
func trimmed(s secret.Secret) secret.Secret { return secret.New(strings.TrimSpace(s.Reveal())) }

// printable tells whether a value can stand in a header.
func printable(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7e })
}

// hostOf is the host's name of an address with or without a port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
