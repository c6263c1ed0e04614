package auth

import (
	"bufio"
	"bytes"
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/oracle/oci-go-sdk/v65/common"
)

// defaultProfile is the profile from which all others inherit.
const defaultProfile = "DEFAULT"

// Keys of a profile.
const (
	keyUser         = "user"
	keyTenancy      = "tenancy"
	keyFingerprint  = "fingerprint"
	keyKeyFile      = "key_file"
	keyPassPhrase   = "pass_phrase"
	keyRegion       = "region"
	keySessionToken = "security_token_file"
)

// Profile is one profile of a configuration file.
type Profile struct {
	file   string
	name   string
	values map[string]string
}

// Region is the profile's region; "" where it has none.
func (p *Profile) Region() string { return p.values[keyRegion] }

// ReadProfile reads a profile of a configuration file. The errors are one line
// and say what to do.
func ReadProfile(path, name string) (*Profile, *Problem) {
	path = expand(path)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &Problem{
			Option: OptionConfigFile, Message: fmt.Sprintf("%s cannot be read: %v", path, reason(err)),
			Hint: "run `oci setup config`, which makes it, or give the file's path with --" + OptionConfigFile + " or OCI_CONFIG_FILE",
		}
	}
	sections, err := parseSections(text)
	if err != nil {
		return nil, &Problem{
			Option: OptionConfigFile, Message: fmt.Sprintf("%s: %v", path, err),
			Hint: "see \"SDK and CLI Configuration File\" in Oracle's documentation",
		}
	}
	own, ok := sections[name]
	if !ok && name != defaultProfile {
		return nil, &Problem{
			Option: OptionProfile, Message: fmt.Sprintf("%s has no profile [%s]", path, name), Hint: "it has " + names(sections),
		}
	}
	values := map[string]string{}
	for key, value := range sections[defaultProfile] {
		values[key] = value
	}
	for key, value := range own {
		values[key] = value
	}
	return &Profile{file: path, name: name, values: values}, nil
}

func names(sections map[string]map[string]string) string {
	var all []string
	for name := range sections {
		all = append(all, "["+name+"]")
	}
	if len(all) == 0 {
		return "no profile at all"
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// parseSections reads the INI form of Python's configparser as far as Oracle's
// tools use it: [section], key = value or key: value, comments in lines of their
// own. Keys are in lower case.
func parseSections(text []byte) (map[string]map[string]string, error) {
	sections := map[string]map[string]string{}
	var section map[string]string
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	scanner := bufio.NewScanner(bytes.NewReader(text))
	scanner.Buffer(nil, 1<<20)
	for number := 1; scanner.Scan(); number++ {
		line := strings.TrimSpace(scanner.Text())
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			name, _, closed := strings.Cut(line[1:], "]")
			if !closed {
				return nil, fmt.Errorf("line %d begins a profile but has no ]", number)
			}
			if section = sections[name]; section == nil {
				section = map[string]string{}
				sections[name] = section
			}
		case section == nil:
			return nil, fmt.Errorf("line %d stands before the first profile, such as [DEFAULT]", number)
		default:
			at := strings.IndexAny(line, "=:")
			if at < 0 {
				continue // a value without a key, as configparser's continued lines
			}
			section[strings.ToLower(strings.TrimSpace(line[:at]))] = strings.TrimSpace(line[at+1:])
		}
	}
	return sections, scanner.Err()
}

// require names the keys that are missing.
func (p *Profile) require(keys ...string) []Problem {
	var problems []Problem
	for _, key := range keys {
		if p.values[key] == "" {
			problems = append(problems, Problem{
				Option: OptionConfigFile, Message: fmt.Sprintf("profile [%s] of %s has no %q", p.name, p.file, key), Hint: wherefrom[key],
			})
		}
	}
	return problems
}

// wherefrom says where a value is to be found.
var wherefrom = map[string]string{
	keyUser:         "the user's OCID, from the console: Profile > User settings",
	keyTenancy:      "the tenancy's OCID, from the console: Profile > Tenancy",
	keyFingerprint:  "the key's fingerprint, from the console: Profile > User settings > API keys",
	keyKeyFile:      "the path of the private key in PEM form; `oci setup config` makes one",
	keySessionToken: "run `oci session authenticate`, which writes it",
}

// privateKey loads the profile's key.
func (p *Profile) privateKey() (*rsa.PrivateKey, *Problem) {
	path := p.path(keyKeyFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &Problem{
			Option: OptionConfigFile, Message: fmt.Sprintf("key_file %s of profile [%s] cannot be read: %v", path, p.name, reason(err)),
			Hint: "check key_file in " + p.file,
		}
	}
	phrase := p.values[keyPassPhrase]
	if phrase == "" {
		phrase = p.values["passphrase"]
	}
	key, err := common.PrivateKeyFromBytesWithPassword(text, []byte(phrase))
	if err == nil {
		return key, nil
	}
	problem := &Problem{
		Option: OptionConfigFile, Message: fmt.Sprintf("key_file %s is no RSA key in PEM form", path),
		Hint: "give the private key that belongs to the fingerprint",
	}
	if encrypted(text) {
		problem.Message = fmt.Sprintf("key_file %s is encrypted, and pass_phrase of profile [%s] does not open it", path, p.name)
		problem.Hint = "check pass_phrase in " + p.file
		if phrase == "" {
			problem.Message = fmt.Sprintf("key_file %s is encrypted, and profile [%s] has no pass_phrase", path, p.name)
			problem.Hint = "add pass_phrase to " + p.file
		}
	}
	return nil, problem
}

func encrypted(pem []byte) bool {
	return bytes.Contains(pem, []byte("ENCRYPTED"))
}

// path is a path in the profile; ~ is the home folder, and relative ones are
// relative to the working folder, as with Oracle's tools.
func (p *Profile) path(key string) string { return expand(p.values[key]) }

func expand(path string) string {
	if path == "~" || strings.HasPrefix(path, "~/") || strings.HasPrefix(path, `~\`) {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, path[1:])
		}
	}
	return path
}

// reason is what the system says of a file, without the path.
func reason(err error) error {
	if e := (*os.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
