package auth

import (
	"cmp"
	"context"
	"crypto/rsa"
	"fmt"
	"strings"
	"time"

	"github.com/oracle/oci-go-sdk/v65/common"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// Mode is a way to authenticate: the values of --auth.
type Mode string

// The modes of the reference tool.
const (
	UserPrincipal     Mode = "user_principal"
	InstancePrincipal Mode = "instance_principal"
	SecurityToken     Mode = "security_token"
	InstanceOBOUser   Mode = "instance_obo_user"
)

// Names of options.
const (
	OptionAuth          = "auth"
	OptionConfigFile    = "config-file"
	OptionProfile       = "profile"
	OptionSecurityToken = "security-token"
	OptionRegion        = "region"
)

// Type is the mode's name in the results' metadata, as the reference tool
// writes it.
func (m Mode) Type() string {
	if m == InstanceOBOUser {
		return "oci_obo_token"
	}
	return "oci_" + string(m)
}

// Settings are what the user said about credentials.
type Settings struct {
	Mode          Mode
	ConfigFile    string
	Profile       string
	Region        string        // "" is the profile's
	SecurityToken secret.Secret // of InstanceOBOUser
	// TLS and Proxy are for the calls that fetch tokens.
	TLS   backend.TLS
	Proxy string // as backend.HTTP.Proxy
}

// Problem is what is wrong with an option.
type Problem struct {
	Option  string
	Message string // one line
	Hint    string // one line
}

// identity is a snapshot of a credential. It is immutable.
type identity struct {
	keyID   string
	key     *rsa.PrivateKey
	expires time.Time // zero: not known, or never
	token   string    // secret part of keyID; "" where there is none
}

var _ common.KeyProvider = (*identity)(nil)

// KeyID implements common.KeyProvider.
func (i *identity) KeyID() (string, error) { return i.keyID, nil }

// PrivateRSAKey implements common.KeyProvider.
func (i *identity) PrivateRSAKey() (*rsa.PrivateKey, error) { return i.key, nil }

// expired tells whether the credential is of no use any more.
func (i *identity) expired(now time.Time) bool {
	return !i.expires.IsZero() && !now.Before(i.expires)
}

// source provides identities. It is safe for concurrent use.
type source interface {
	// get returns an identity that may be used now, and how long the caller
	// had to wait for it.
	get(ctx context.Context) (*identity, time.Duration, *fault.Error)
	// check tells what is wrong with the credential, as far as that can be
	// known before a server says so; it may use the network.
	check(ctx context.Context) *fault.Error
	close()
}

// Open checks the settings and makes a signer. It touches no network; files are
// read. region is where to call: what the user said, or the profile's; "" where
// nobody says. The signer is nil where there are problems.
func Open(s Settings) (signer *Signer, region string, problems []Problem) {
	region = s.Region
	var from source
	delegation := strings.TrimSpace(s.SecurityToken.Reveal()) // one read from a file ends in a line break
	secrets := []string{delegation}
	switch s.Mode {
	case UserPrincipal, SecurityToken:
		profile, problem := ReadProfile(s.ConfigFile, cmp.Or(s.Profile, defaultProfile))
		if problem != nil {
			return nil, region, []Problem{*problem}
		}
		region = cmp.Or(region, profile.Region())
		secrets = append(secrets, profile.values[keyPassPhrase], profile.values["passphrase"])
		if s.Mode == UserPrincipal {
			from, problems = openUser(profile)
		} else {
			from, problems = openSession(profile)
		}
	case InstancePrincipal, InstanceOBOUser:
		if s.Mode == InstanceOBOUser && delegation == "" {
			problems = append(problems, Problem{
				Option: OptionSecurityToken, Message: "is missing", Hint: "--auth instance_obo_user wants the delegation token of the user that the instance acts for",
			})
		}
		if s.Mode == InstanceOBOUser && strings.ContainsFunc(delegation, func(r rune) bool { return r <= ' ' || r > '~' }) {
			problems = append(problems, Problem{
				Option: OptionSecurityToken, Message: "holds characters that a header cannot carry", Hint: "check for a line break in it",
			})
		}
		from = openInstance(s)
	default:
		problems = append(problems, Problem{
			Option: OptionAuth, Message: fmt.Sprintf("%q is no way to authenticate", s.Mode),
			Hint: "use user_principal, instance_principal, security_token or instance_obo_user",
		})
	}
	if len(problems) > 0 {
		if from != nil {
			from.close()
		}
		return nil, region, problems
	}
	signer = newSigner(from, secrets)
	if s.Mode == InstanceOBOUser {
		signer.delegation = delegation
	}
	return signer, region, nil
}

// fixed is a source whose identity never changes.
type fixed struct{ identity *identity }

func (f fixed) get(context.Context) (*identity, time.Duration, *fault.Error) {
	return f.identity, 0, nil
}
func (f fixed) check(context.Context) *fault.Error { return nil }
func (f fixed) close()                             {}

func openUser(p *Profile) (source, []Problem) {
	problems := p.require(keyUser, keyTenancy, keyFingerprint, keyKeyFile)
	if len(problems) > 0 {
		return nil, problems
	}
	key, problem := p.privateKey()
	if problem != nil {
		return nil, []Problem{*problem}
	}
	id := strings.Join([]string{p.values[keyTenancy], p.values[keyUser], p.values[keyFingerprint]}, "/")
	return fixed{&identity{keyID: id, key: key}}, nil
}
