package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/oracle/oci-go-sdk/v65/common"

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/auth"
	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/wire"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/option"
)

// endpointTemplate is where a region's service is, as in the SDK's
// generativeaiinference client.
const endpointTemplate = "https://inference.generativeai.{region}.oci.{secondLevelDomain}"

// checked is a configuration that was understood, as far as it was.
type checked struct {
	config      backend.Config
	mode        auth.Mode
	signer      *auth.Signer // nil: the user brings an Authorization header
	region      string
	base        string // address without a slash at its end
	compartment string
	serving     wire.Serving
	params      map[string]json.RawMessage // in OCI's spelling
	problems    []option.Problem
	unread      bool // the profile could not be read
}

func (c *checked) refuse(name, hint, format string, args ...any) {
	c.problems = append(c.problems, option.Problem{Option: name, Severity: option.Error, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (c *checked) warn(name, hint, format string, args ...any) {
	c.problems = append(c.problems, option.Problem{Option: name, Severity: option.Warning, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (c *checked) failed() bool { return backend.Opened{Problems: c.problems}.Failed() }

// check checks what all backends have in common. All problems are kept.
func check(d backend.Description, config backend.Config) *checked {
	c := &checked{config: config}
	if _, ok := d.Support(config.Task); !ok {
		var can []string
		for _, s := range d.Tasks {
			can = append(can, string(s.Task))
		}
		c.refuse(optionTask, "it can do "+strings.Join(can, ", "), "%s cannot do %q", d.Name, config.Task)
	}
	if config.Model == "" {
		c.refuse(optionModel, "give --"+optionModel+" the name by which OCI knows the model; any name does for a dedicated endpoint", "is missing")
	}
	params, err := wire.ParseParams(config.RequestParams)
	if err != nil {
		c.refuse(optionParams, `give a JSON object, such as '{"compartmentId": "ocid1.compartment.oc1..aaaa"}'`, "%v", err)
	}
	c.params = params
	c.account(err == nil)
	c.credentials()
	c.address()
	return c
}

// account finds out who pays. readable tells whether the parameters could be
// read.
func (c *checked) account(readable bool) {
	c.compartment = c.word("compartmentId", optionCompartment)
	if c.compartment == "" && readable {
		c.refuse(optionCompartment, `give --`+optionCompartment+`, the variable OCI_COMPARTMENT_ID or compartmentId in --`+optionParams+
			`; its OCID is in the console under Identity & Security > Compartments`, "is missing")
	}
}

// served finds out where the model runs, for OCI's own API.
func (c *checked) served() {
	kind := strings.ToUpper(c.word("servingType", optionServingType))
	c.serving.Endpoint = c.word("endpointId", optionEndpoint)
	if _, own := c.params["servingMode"]; own {
		return // given whole
	}
	switch kind {
	case "":
		c.serving.Dedicated = c.serving.Endpoint != "" && c.params["endpointId"] == nil
	case servingDedicated:
		c.serving.Dedicated = true
	case servingOnDemand:
	default:
		c.refuse(optionServingType, "use "+servingOnDemand+" or "+servingDedicated, "%q is no way to serve a model", kind)
	}
	switch {
	case c.serving.Dedicated && c.serving.Endpoint == "":
		c.refuse(optionEndpoint, "give --"+optionEndpoint+" or endpointId in --"+optionParams+
			"; its OCID is in the console under Generative AI > Endpoints", "is missing, and a dedicated cluster has no other name")
	case !c.serving.Dedicated && c.serving.Endpoint != "":
		c.warn(optionEndpoint, "add servingType DEDICATED to use it", "is ignored: the model is served on demand")
	}
}

// word is a text of the parameters, else of an option.
func (c *checked) word(param, name string) string {
	if value, ok := c.params[param]; ok {
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			c.refuse(optionParams, "give it in quotation marks", "%s is no text", param)
		}
		if text != "" {
			return text
		}
	}
	return strings.TrimSpace(c.config.Options.String(name))
}

// credentials reads what signs. A user who brings an Authorization header signs
// nothing: gateways have keys of their own.
func (c *checked) credentials() {
	options := c.config.Options
	c.mode = auth.Mode(options.String(auth.OptionAuth))
	if c.mode == "" {
		c.mode = auth.UserPrincipal
	}
	c.region = strings.ToLower(strings.TrimSpace(options.String(auth.OptionRegion)))
	host := ""
	for _, h := range c.config.HTTP.Header {
		switch {
		case strings.EqualFold(h.Name, "Authorization"):
			return
		case strings.EqualFold(h.Name, "Host"):
			host = h.Value
		case slices.ContainsFunc(auth.SignedHeaders(), func(name string) bool { return strings.EqualFold(name, h.Name) }):
			c.refuse(optionHeader, "remove it", "%s is part of OCI's signature and cannot be replaced", h.Name)
		}
	}
	token := options.Secret(auth.OptionSecurityToken)
	if !token.IsZero() && c.mode != auth.InstanceOBOUser {
		c.warn(auth.OptionSecurityToken, "it is for --auth instance_obo_user", "is ignored with --auth %s", c.mode)
	}
	signer, region, problems := auth.Open(auth.Settings{
		Mode: c.mode, ConfigFile: options.String(auth.OptionConfigFile), Profile: options.String(auth.OptionProfile),
		Region: c.region, SecurityToken: token, TLS: c.config.TLS, Proxy: c.config.HTTP.Proxy,
	})
	for _, p := range problems {
		c.refuse(p.Option, p.Hint, "%s", p.Message)
		c.unread = c.unread || p.Option == auth.OptionConfigFile || p.Option == auth.OptionProfile
	}
	c.signer, c.region = signer, region
	if signer != nil && host != "" {
		signer.SetHost(host)
	}
}

// address finds out where to call.
func (c *checked) address() {
	base := strings.TrimSpace(c.config.APIBase)
	if base == "" {
		if c.region == "" {
			if c.unread {
				return // the profile that cannot be read may have one
			}
			c.refuse(auth.OptionRegion, "give --"+auth.OptionRegion+" (as us-chicago-1), the variable OCI_REGION, a region in the profile, or --"+optionAPIBase, "is missing")
			return
		}
		region := common.StringToRegion(c.region) // knows short names as well: ord
		if _, err := region.RealmID(); err != nil {
			c.warn(auth.OptionRegion, "check its name, for example us-chicago-1; a region that is new may be right", "%q is no region that this version knows", c.region)
		}
		c.region = string(region)
		c.base = region.EndpointForTemplate("generativeaiinference", endpointTemplate)
		return
	}
	u, err := url.Parse(base)
	why := ""
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "":
		why = "is no address that starts with http:// or https://"
	case u.Hostname() == "":
		why = "names no host"
	case u.User != nil:
		why = "holds a user name or password, which would be stored with the results"
	case u.Fragment != "" || u.RawQuery != "":
		why = "has a part after ? or #, to which no path can be added"
	}
	if why != "" {
		c.refuse(optionAPIBase, "for example https://inference.generativeai.us-chicago-1.oci.oraclecloud.com", "%s", why)
		return
	}
	c.base = strings.TrimRight(base, "/")
}

// shortened brings an address of OCI's own API into its shortest form: with the
// version, or even the path of an action, it is the same one.
func shortened(base string) string {
	for _, path := range []string{wire.PathChat, wire.PathEmbed, wire.PathRerank, "/20231130/actions", "/20231130"} {
		if before, ok := strings.CutSuffix(base, path); ok {
			return before
		}
	}
	return base
}

// authType is the name of what authenticates in the metadata.
func (c *checked) authType() string {
	if c.signer == nil {
		return "header"
	}
	return c.mode.Type()
}

// effectiveConfig is what goes into the results' metadata. The key auth_type is
// the reference tool's; of the profile only its name is kept.
func (c *checked) effectiveConfig(endpoint string) json.RawMessage {
	effective := struct {
		AuthType    string `json:"auth_type"`
		Profile     string `json:"profile,omitempty"`
		Region      string `json:"region,omitempty"`
		Endpoint    string `json:"endpoint"`
		ServingType string `json:"serving_type,omitempty"`
	}{AuthType: c.authType(), Region: c.region, Endpoint: endpoint}
	if c.signer != nil && (c.mode == auth.UserPrincipal || c.mode == auth.SecurityToken) {
		effective.Profile = c.config.Options.String(auth.OptionProfile)
	}
	if c.serving.Dedicated {
		effective.ServingType = servingDedicated
	}
	text, err := json.Marshal(effective)
	if err != nil {
		return nil // strings always marshal
	}
	return text
}
