package settings

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

const redacted = "[redacted]"

// RedactArgs returns a command line as typed, with every secret replaced: the
// values of secret flags and of headers, and credentials inside addresses.
func RedactArgs(flags *pflag.FlagSet, args []string) []string {
	out := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		arg := args[i]
		name, value, inline := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		f := flags.Lookup(name)
		if !strings.HasPrefix(arg, "--") || f == nil {
			out = append(out, redactURL(arg))
			continue
		}
		switch {
		case inline:
			out = append(out, "--"+name+"="+redactValue(f, value))
		case f.NoOptDefVal != "" || i+1 == len(args):
			out = append(out, arg)
		default:
			i++
			out = append(out, arg, redactValue(f, args[i]))
		}
	}
	return out
}

func redactValue(f *pflag.Flag, value string) string {
	switch f.Value.(type) {
	case secretValue:
		return redacted
	case headerLines:
		name, _, _ := strings.Cut(value, ":")
		return strings.TrimSpace(name) + ": " + redacted
	}
	return redactURL(value)
}

// redactURL hides the password of an address such as http://user:pw@host.
func redactURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.User == nil || u.Host == "" {
		return text
	}
	u.User = url.User(redacted)
	s := u.String()
	return strings.Replace(s, url.PathEscape(redacted), redacted, 1)
}

// Effective is the configuration that a run was made with: every flag's value
// by name, without secrets. Written as JSON it can be given back as --config.
func Effective(flags *pflag.FlagSet) map[string]any {
	out := map[string]any{}
	flags.VisitAll(func(f *pflag.Flag) {
		if GroupOf(f) == "" || f.Hidden || f.Name == "config" {
			return
		}
		switch v := f.Value.(type) {
		case secretValue, headerLines:
			return
		case *positiveInts:
			out[f.Name] = *v.values
		case rates:
			if len(*v.values) > 0 {
				out[f.Name] = *v.values
			}
		case factors:
			if len(*v.values) > 0 {
				out[f.Name] = *v.values
			}
		case jsonObject:
			if len(*v.raw) > 0 {
				out[f.Name] = *v.raw
			}
		case *listValue:
			if len(v.values) > 0 {
				out[f.Name] = v.values
			}
		case *mapValue:
			if len(v.values) > 0 {
				out[f.Name] = v.values
			}
		case pflag.SliceValue:
			if list := v.GetSlice(); len(list) > 0 {
				out[f.Name] = list
			}
		default:
			text := v.String()
			switch {
			case text == "":
			case v.Type() == "bool":
				out[f.Name] = text == "true"
			case v.Type() == "int":
				// Beyond 2^53 JSON readers round; the text keeps every digit.
				if n, err := strconv.ParseInt(text, 10, 64); err == nil && n < 1<<53 && n > -1<<53 {
					out[f.Name] = n
				} else {
					out[f.Name] = text
				}
			default:
				out[f.Name] = redactURL(text)
			}
		}
	})
	return out
}
