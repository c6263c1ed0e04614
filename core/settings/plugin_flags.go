package settings

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// PluginFlags are the flags that a backend's options became.
type PluginFlags struct {
	flags   *pflag.FlagSet
	options []option.Option
	read    map[string]func() any
	home    string
}

// AddPluginFlags declares a backend's options as flags of fs. Names of core's
// own flags are reserved: an option that takes one is an error of the plugin.
// home is the user's home folder, for paths that begin with ~.
func AddPluginFlags(fs *pflag.FlagSet, d backend.Description, home string) (*PluginFlags, error) {
	p := &PluginFlags{flags: fs, options: d.Options, read: map[string]func() any{}, home: home}
	if key := fs.Lookup("api-key"); key != nil {
		key.Annotations[envAnnotation] = d.APIKeyEnv
	}
	for _, o := range d.Options {
		for _, name := range append([]string{o.Name}, o.Aliases...) {
			if fs.Lookup(name) != nil {
				return nil, fmt.Errorf("backend %s declares an option --%s, a name that is taken (its plugin must rename it)", d.Name, name)
			}
		}
		value, read, err := p.value(o)
		if err != nil {
			return nil, fmt.Errorf("backend %s, option --%s: %w", d.Name, o.Name, err)
		}
		p.read[o.Name] = read
		group := "Backend " + d.Name
		if o.Group != "" {
			group += ": " + o.Group
		}
		f := fs.VarPF(value, o.Name, "", usageOf(o))
		f.Annotations = map[string][]string{groupAnnotation: {group}, envAnnotation: o.Env}
		if o.Type == option.Bool {
			f.NoOptDefVal = "true"
		}
		if o.Deprecated != "" {
			f.Deprecated = o.Deprecated
		}
		for _, alias := range o.Aliases {
			a := fs.VarPF(value, alias, "", "same as --"+o.Name)
			a.Hidden = true
			a.NoOptDefVal = f.NoOptDefVal
			a.Annotations = f.Annotations
		}
	}
	return p, nil
}

// usageOf adds to an option's help what a user must know to set it.
func usageOf(o option.Option) string {
	usage := o.Help
	if o.Example != "" {
		usage += ", as " + o.Example
	}
	if len(o.Env) > 0 {
		usage += " [" + strings.Join(o.Env, ", ") + "]"
	}
	return usage
}

// Missing lists the required options that have no value.
func (p *PluginFlags) Missing() []option.Option {
	var missing []option.Option
	for _, o := range p.options {
		if o.Required && o.Default == "" && !p.given(o) {
			missing = append(missing, o)
		}
	}
	return missing
}

func (p *PluginFlags) given(o option.Option) bool {
	for _, name := range append([]string{o.Name}, o.Aliases...) {
		if p.flags.Changed(name) {
			return true
		}
	}
	return false
}

// Values returns what was given or has a default.
func (p *PluginFlags) Values() option.Values {
	values := option.Values{}
	for _, o := range p.options {
		if p.given(o) || o.Default != "" {
			values[o.Name] = p.read[o.Name]()
		}
	}
	return values
}

// value makes the flag value of an option, holding its default, and a reader
// of the typed result.
func (p *PluginFlags) value(o option.Option) (pflag.Value, func() any, error) {
	var value pflag.Value
	var read func() any
	switch o.Type {
	case option.String:
		v := new(string)
		value, read = parsed[string]{v, "string", identity}, func() any { return *v }
	case option.File:
		v := new(string)
		value, read = parsed[string]{v, "file", identity}, func() any { return expandHome(*v, p.home) }
	case option.Int:
		v := new(int64)
		value, read = parsed[int64]{v, "int", parseInt}, func() any { return *v }
	case option.Float:
		v := new(float64)
		value, read = parsed[float64]{v, "float", parseFloat}, func() any { return *v }
	case option.Bool:
		v := new(bool)
		value, read = parsed[bool]{v, "bool", parseBool}, func() any { return *v }
	case option.Duration:
		v := new(time.Duration)
		value, read = parsed[time.Duration]{v, "duration", ParseDuration}, func() any { return *v }
	case option.Bytes:
		v := new(int64)
		value, read = parsed[int64]{v, "bytes", ParseBytes}, func() any { return *v }
	case option.Enum:
		v := new(string)
		var allowed []string
		for _, a := range o.Allowed {
			allowed = append(allowed, a.Value)
		}
		value, read = enumValue{v, allowed}, func() any { return *v }
	case option.List:
		v := &listValue{}
		value, read = v, func() any { return v.values }
	case option.Map:
		v := &mapValue{}
		value, read = v, func() any { return v.values }
	case option.JSON:
		v := new([]byte)
		value = parsed[[]byte]{v, "JSON", func(text string) ([]byte, error) {
			raw, err := compactJSON(text)
			return raw, err
		}}
		read = func() any { return *v }
	case option.Secret:
		v := new(secret.Secret)
		value, read = secretValue{v}, func() any { return *v }
	default:
		return nil, nil, fmt.Errorf("type %q is not known to this version (upgrade genai-bench)", o.Type)
	}
	if o.Default != "" && o.Type != option.Secret {
		if err := value.Set(o.Default); err != nil {
			return nil, nil, fmt.Errorf("default %q: %w", o.Default, err)
		}
		switch v := value.(type) { // the first value that is given replaces the default
		case *listValue:
			v.replace = true
		case *mapValue:
			v.replace = true
		}
	}
	return value, read, nil
}

// parsed is a flag value of a Go type with its parser.
type parsed[T any] struct {
	value *T
	name  string
	parse func(string) (T, error)
}

func (v parsed[T]) String() string {
	if v.value == nil {
		return ""
	}
	switch x := any(*v.value).(type) {
	case []byte:
		return string(x)
	case int64:
		if x == 0 {
			return ""
		}
	}
	return fmt.Sprint(*v.value)
}

func (v parsed[T]) Type() string { return v.name }

func (v parsed[T]) Set(text string) error {
	x, err := v.parse(text)
	if err != nil {
		return err
	}
	*v.value = x
	return nil
}

func identity(text string) (string, error) { return text, nil }

func parseInt(text string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number", text)
	}
	return n, nil
}

func parseFloat(text string) (float64, error) {
	x, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, fmt.Errorf("%q is not a number", text)
	}
	return x, nil
}

func parseBool(text string) (bool, error) {
	b, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", text)
	}
	return b, nil
}

// ParseBytes reads "512", "10kB" (1000) or "64MiB" (1024²).
func ParseBytes(text string) (int64, error) {
	t := strings.TrimSpace(text)
	units := []struct {
		suffix string
		factor int64
	}{
		{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
		{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
	}
	factor := int64(1)
	for _, u := range units {
		if strings.HasSuffix(t, u.suffix) {
			t, factor = strings.TrimSpace(strings.TrimSuffix(t, u.suffix)), u.factor
			break
		}
	}
	x, err := strconv.ParseFloat(t, 64)
	if err != nil || !(x >= 0) || x*float64(factor) > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q is not a size such as 512, 10kB or 64MiB", text)
	}
	return int64(x * float64(factor)), nil
}

type listValue struct {
	values  []string
	replace bool
}

func (v *listValue) String() string { return strings.Join(v.values, ",") }
func (v *listValue) Type() string   { return "list" }
func (v *listValue) Set(text string) error {
	if v.replace {
		v.values, v.replace = nil, false
	}
	v.values = append(v.values, text)
	return nil
}

type mapValue struct {
	values  map[string]string
	replace bool
}

func (v *mapValue) String() string {
	var parts []string
	for _, k := range sortedKeys(v.values) {
		parts = append(parts, k+"="+v.values[k])
	}
	return strings.Join(parts, ",")
}
func (v *mapValue) Type() string { return "key=value" }
func (v *mapValue) Set(text string) error {
	key, value, ok := strings.Cut(text, "=")
	if !ok || key == "" {
		return errors.New("must be written KEY=VALUE")
	}
	if v.replace || v.values == nil {
		v.values, v.replace = map[string]string{}, false
	}
	v.values[key] = value
	return nil
}

func expandHome(path, home string) string {
	if home != "" && (path == "~" || strings.HasPrefix(path, "~"+string(os.PathSeparator))) {
		return filepath.Join(home, path[1:])
	}
	return path
}
