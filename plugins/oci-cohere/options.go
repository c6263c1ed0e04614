package main

import (
	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/auth"
	"github.com/genai-bench/genai-bench/sdk/option"
)

// Names of options, core's own among them.
const (
	optionAPIBase = "api-base"
	optionModel   = "api-model-name"
	optionTask    = "task"
	optionParams  = "additional-request-params"
	optionHeader  = "header"
	optionBatch   = "batch-size"

	optionCompartment = "compartment-id"
	optionServingType = "serving-type"
	optionEndpoint    = "endpoint-id"

	servingOnDemand  = "ON_DEMAND"
	servingDedicated = "DEDICATED"
)

// authOptions are the options of every backend.
func authOptions() []option.Option {
	const group = "OCI authentication"
	return []option.Option{
		{
			Name: auth.OptionAuth, Type: option.Enum, Default: string(auth.UserPrincipal), Group: group,
			Help: "how to authenticate with OCI",
			Allowed: []option.Allowed{
				{Value: string(auth.UserPrincipal), Help: "a user's API signing key, from the configuration file"},
				{Value: string(auth.SecurityToken), Help: "a session of `oci session authenticate`, from the configuration file; read again as it is refreshed"},
				{Value: string(auth.InstancePrincipal), Help: "the compute instance that this runs on"},
				{Value: string(auth.InstanceOBOUser), Help: "the instance, on behalf of the user of --security-token"},
			},
		},
		{
			Name: auth.OptionConfigFile, Type: option.File, Default: "~/.oci/config", Env: []string{"OCI_CONFIG_FILE", "OCI_CLI_CONFIG_FILE"}, Group: group,
			Help: "OCI configuration file",
		},
		{
			Name: auth.OptionProfile, Type: option.String, Default: "DEFAULT", Env: []string{"OCI_CLI_PROFILE"}, Group: group,
			Help: "profile in the configuration file",
		},
		{
			Name: auth.OptionSecurityToken, Type: option.Secret, Group: group,
			Help: "delegation token of the user, with --auth instance_obo_user",
		},
		{
			Name: auth.OptionRegion, Type: option.String, Env: []string{"OCI_REGION", "OCI_CLI_REGION"}, Group: group, Example: "us-chicago-1",
			Help: "region whose service is called, where --api-base is not given; the profile's without it",
		},
		{
			Name: optionCompartment, Type: option.String, Env: []string{"OCI_COMPARTMENT_ID"}, Group: "OCI Generative AI", Example: "ocid1.compartment.oc1..aaaa",
			Help: "compartment that is billed; same as compartmentId in --additional-request-params, which wins",
		},
	}
}

// servingOptions are the options of OCI's own API.
func servingOptions() []option.Option {
	const group = "OCI Generative AI"
	return []option.Option{
		{
			Name: optionServingType, Type: option.Enum, Group: group,
			Help: "where the model runs; same as servingType in --additional-request-params, which wins",
			Allowed: []option.Allowed{
				{Value: servingOnDemand, Help: "on shared hardware, by its name; the default without --" + optionEndpoint},
				{Value: servingDedicated, Help: "on a dedicated cluster, by --" + optionEndpoint},
			},
		},
		{
			Name: optionEndpoint, Type: option.String, Group: group, Example: "ocid1.generativeaiendpoint.oc1.us-chicago-1.aaaa",
			Help: "endpoint of a dedicated cluster; same as endpointId in --additional-request-params, which wins",
		},
	}
}
