package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	koanfjson "github.com/knadh/koanf/parsers/json"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"github.com/genai-bench/genai-bench/core/nearest"
)

// EnvPrefix begins the environment variable of every flag: --api-base is read
// from GENAI_BENCH_API_BASE.
const EnvPrefix = "GENAI_BENCH_"

// EnvName is the environment variable that stands for a flag.
func EnvName(flag string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// envAnnotation lists further environment variables of a flag, in order.
const envAnnotation = "genai-bench-env"

// fileExcluded are flags that make no sense inside the file that they name.
var fileExcluded = [...]string{"config", "help"}

// ReadFile reads a configuration file, YAML or JSON by its suffix. Keys are
// the names of flags; the values are as in YAML or JSON.
func ReadFile(path string) (map[string]any, error) {
	k := koanf.New(".")
	var parser koanf.Parser
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml":
		parser = yaml.Parser()
	case ".json":
		parser = koanfjson.Parser()
	default:
		return nil, fmt.Errorf("%s: the suffix must be .yaml, .yml or .json", path)
	}
	if err := k.Load(file.Provider(path), parser); err != nil {
		var missing *fs.PathError
		if errors.As(err, &missing) {
			return nil, fmt.Errorf("%s: %w", path, missing.Err)
		}
		return nil, fmt.Errorf("%s: %s", path, strings.Join(strings.Fields(err.Error()), " "))
	}
	return k.Raw(), nil
}

// readEnviron picks the flags' values out of an environment ("NAME=value").
// The first name of a flag that is set and not empty wins.
func readEnviron(flags *pflag.FlagSet, environ []string) (values map[string]string, origins map[string]string, err error) {
	type place struct {
		flag string
		rank int
	}
	names := map[string]place{}
	flags.VisitAll(func(f *pflag.Flag) {
		for rank, name := range append([]string{EnvName(f.Name)}, f.Annotations[envAnnotation]...) {
			if _, taken := names[name]; !taken {
				names[name] = place{f.Name, rank}
			}
		}
	})
	values, origins = map[string]string{}, map[string]string{}
	ranks := map[string]int{}
	k := koanf.New("\x00")
	err = k.Load(env.Provider("\x00", env.Opt{
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			p, known := names[name]
			if !known || value == "" {
				return "", nil
			}
			if rank, have := ranks[p.flag]; have && rank <= p.rank {
				return "", nil
			}
			ranks[p.flag] = p.rank
			origins[p.flag] = "from " + name
			return p.flag, value
		},
	}), nil)
	if err != nil {
		return nil, nil, fmt.Errorf("environment: %w", err)
	}
	for key, value := range k.Raw() {
		values[key] = fmt.Sprint(value)
	}
	return values, origins, nil
}

// Layer fills the flags that the command line did not give, from the
// environment first and from the file's keys second. It returns where each
// value came from. Every wrong value and every unknown key is a problem.
func Layer(flags *pflag.FlagSet, environ []string, filePath string, fileKeys map[string]any) (origins map[string]string, problems Problems) {
	origins = map[string]string{}
	typed := map[string]bool{}
	flags.Visit(func(f *pflag.Flag) { typed[f.Name] = true })

	set := func(name, origin string, values []string) {
		for _, value := range values {
			if err := flags.Set(name, value); err != nil {
				problems = append(problems, Problem{Flag: name, Origin: origin, Message: plainSetError(err)})
				return
			}
		}
		origins[name] = origin
	}

	values, from, err := readEnviron(flags, environ)
	if err != nil {
		problems = append(problems, Problem{Message: err.Error()})
	}
	for _, name := range sortedKeys(values) {
		if typed[name] {
			continue
		}
		parts := []string{values[name]}
		if takesMany(flags.Lookup(name)) {
			parts = splitList(values[name])
		}
		set(name, from[name], parts)
		typed[name] = true
	}

	origin := "in " + filePath
	var names []string
	flags.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	for _, key := range sortedKeys(fileKeys) {
		name := strings.ReplaceAll(key, "_", "-")
		if flags.Lookup(name) == nil || slices.Contains(fileExcluded[:], name) {
			p := Problem{Origin: origin, Message: fmt.Sprintf("unknown key %q", key)}
			if near := nearest.Words(name, names); len(near) > 0 {
				p.Hint = "did you mean " + strings.Join(near, ", ") + "?"
			}
			problems = append(problems, p)
			continue
		}
		if typed[name] || fileKeys[key] == nil {
			continue
		}
		parts, err := texts(fileKeys[key], takesMany(flags.Lookup(name)))
		if err != nil {
			problems = append(problems, Problem{Flag: name, Origin: origin, Message: err.Error()})
			continue
		}
		set(name, origin, parts)
	}
	return origins, problems
}

// takesMany tells whether a flag is repeatable and takes its values whole.
func takesMany(f *pflag.Flag) bool {
	switch f.Value.(type) {
	case *headerLines, headerLines, *listValue, *mapValue:
		return true
	}
	return f.Value.Type() == "stringArray"
}

// splitList cuts an environment variable's list at semicolons: scenarios hold
// commas and headers hold spaces.
func splitList(text string) []string {
	var parts []string
	for part := range strings.SplitSeq(text, ";") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// texts turns a file's value into what would have been typed.
func texts(value any, many bool) ([]string, error) {
	switch v := value.(type) {
	case []any:
		var all []string
		for _, item := range v {
			parts, err := texts(item, false)
			if err != nil {
				return nil, err
			}
			all = append(all, parts...)
		}
		return all, nil
	case map[string]any:
		if many {
			var all []string
			for _, key := range sortedKeys(v) {
				all = append(all, fmt.Sprintf("%s=%v", key, v[key]))
			}
			return all, nil
		}
		data, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		return []string{string(data)}, nil
	case string:
		return []string{v}, nil
	case float64:
		// Whole numbers in JSON arrive as floats and must not become 1e+06.
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}, nil
	default:
		return []string{fmt.Sprint(v)}, nil
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
