package settings

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/genai-bench/genai-bench/core/nearest"
)

// Sift reads a command line against flags as pflag would, but does not stop at
// the first mistake: it returns the arguments that are right and a problem for
// each that is not. fs is filled by the way and should be thrown away. unknown
// words the problem of a flag that fs does not have.
func Sift(fs *pflag.FlagSet, args []string, unknown func(name string) Problem) (good []string, problems Problems) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(good, args[i:]...), problems
		}
		if arg == "-h" || arg == "--help" || !strings.HasPrefix(arg, "-") || arg == "-" {
			good = append(good, arg)
			continue
		}
		if !strings.HasPrefix(arg, "--") {
			problems = append(problems, Problem{Message: fmt.Sprintf("%q is not a flag", arg), Hint: "flags begin with two dashes; the only short one is -h"})
			continue
		}
		name, value, inline := strings.Cut(arg[2:], "=")
		f := fs.Lookup(name)
		if f == nil {
			problems = append(problems, unknown(name))
			// What follows an unknown flag is most likely its value.
			if !inline && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
				i++
			}
			continue
		}
		used := []string{arg}
		switch {
		case inline:
		case f.NoOptDefVal != "":
			value = f.NoOptDefVal
		case i+1 == len(args):
			problems = append(problems, Problem{Flag: name, Message: "needs a value", Hint: "of type " + f.Value.Type()})
			continue
		default:
			i++
			value = args[i]
			used = append(used, value)
			if strings.HasPrefix(value, "--") && fs.Lookup(strings.SplitN(value[2:], "=", 2)[0]) != nil {
				problems = append(problems, Problem{Flag: name, Message: fmt.Sprintf("needs a value, and %s follows", value), Hint: fmt.Sprintf("for a value that begins with dashes write --%s=VALUE", name)})
				i--
				continue
			}
		}
		if err := fs.Set(name, value); err != nil {
			problems = append(problems, Problem{Flag: name, Message: plainSetError(err)})
			continue
		}
		good = append(good, used...)
	}
	return good, problems
}

// plainSetError strips what pflag puts around a value's own error: it repeats
// the value, which may be a secret, and the flag.
func plainSetError(err error) string {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) && invalid.Unwrap() != nil {
		return strings.TrimPrefix(invalid.Unwrap().Error(), "strconv.ParseBool: ")
	}
	return err.Error()
}

// UnknownFlag words the problem of a flag that does not exist, with the names
// that are near. owners are the backends that have it, where any do.
func UnknownFlag(fs *pflag.FlagSet, name string, owners []string, chosen string) Problem {
	p := Problem{Flag: name, Message: "there is no such flag"}
	if len(owners) > 0 {
		p.Message = fmt.Sprintf("is an option of backend %s", strings.Join(owners, ", "))
		if chosen != "" {
			p.Message += ", not of " + chosen
		} else {
			p.Hint = "give --api-backend"
		}
		return p
	}
	var names []string
	fs.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := nearest.Words(name, names); len(near) > 0 {
		p.Hint = "did you mean --" + strings.Join(near, ", --") + "?"
	}
	return p
}

// Scanned is what a first look at the command line tells, before the flags of
// the chosen plugin are known.
type Scanned struct {
	Words      []string // arguments that are no flags: the command first
	APIBackend string
	Config     string
	PluginDirs []string
}

// Scan looks for the few flags that decide which other flags there are. It
// never fails: mistakes are found by Sift, later.
func Scan(args []string) Scanned {
	var s Scanned
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			break
		}
		name, value, inline := strings.Cut(args[i], "=")
		switch name {
		case "--api-backend", "--config", "--plugin-dir":
			if !inline {
				if i+1 == len(args) {
					return s
				}
				i++
				value = args[i]
			}
			switch name {
			case "--api-backend":
				s.APIBackend = value
			case "--config":
				s.Config = value
			default:
				s.PluginDirs = append(s.PluginDirs, value)
			}
		default:
			if !strings.HasPrefix(name, "-") {
				s.Words = append(s.Words, args[i])
			}
		}
	}
	return s
}
