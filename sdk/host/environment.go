package host

import (
	"os"
	"runtime"
	"slices"
	"strings"
)

// inherited are the variables that every plugin sees; a name that ends in "*"
// is a prefix. Option values, secrets above all, travel in Open instead, and
// whatever a cloud's SDK looks for is named in the plugin's env_passthrough.
var inherited = []string{
	"HOME", "PATH", "USER", "LOGNAME", "TMPDIR", "TZ",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR",
	"LANG", "LANGUAGE", "LC_*",
}

// inheritedOnWindows is what programs cannot do without there.
var inheritedOnWindows = []string{
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP",
	"USERPROFILE", "HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "USERNAME",
}

// environment returns what of environ ("NAME=value"; nil: this process's) a
// plugin may see.
func environment(environ, passthrough []string) []string {
	if environ == nil {
		environ = os.Environ()
	}
	allowed := slices.Concat(inherited, passthrough)
	fold := runtime.GOOS == "windows" // names have no case there
	if fold {
		allowed = append(allowed, inheritedOnWindows...)
	}
	var kept []string
	for _, entry := range environ {
		name, _, ok := strings.Cut(entry, "=")
		if ok && slices.ContainsFunc(allowed, func(pattern string) bool { return matches(name, pattern, fold) }) {
			kept = append(kept, entry)
		}
	}
	return kept
}

func matches(name, pattern string, fold bool) bool {
	if fold {
		name, pattern = strings.ToUpper(name), strings.ToUpper(pattern)
	}
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return prefix != "" && strings.HasPrefix(name, prefix)
	}
	return name == pattern
}
