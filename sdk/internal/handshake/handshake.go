// Package handshake holds the words by which host and plugin find each other.
package handshake

const (
	// CookieKey and CookieValue are go-plugin's magic cookie. They tell a
	// plugin that a host started it; they protect nothing.
	CookieKey   = "GENAI_BENCH_PLUGIN"
	CookieValue = "b7f0c2a5d1e94a6f"

	// LogLevelKey names the environment variable with the level from which on
	// the plugin should log; hclog's names of levels.
	LogLevelKey = "GENAI_BENCH_PLUGIN_LOG_LEVEL"

	// PluginName is the name under which go-plugin keeps the one set of
	// services that a process offers.
	PluginName = "genaibench"

	// DescribeArgument makes the binary print its description and exit.
	DescribeArgument = "describe"
)
