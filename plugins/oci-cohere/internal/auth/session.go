package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/genai-bench/genai-bench/sdk/fault"
)

// lookEvery is how often the files of a session are looked at: often enough for
// a token that was refreshed before the old one's end, and no work per request.
const lookEvery = time.Second

// session is the source of --auth security_token: a key and a token in files
// that `oci session refresh` and `oci session authenticate` write anew.
type session struct {
	profile *Profile
	current atomic.Pointer[loaded]
	next    atomic.Int64 // unix nanoseconds; whoever moves it on looks at the files
}

// loaded is a session as its files had it.
type loaded struct {
	identity *identity
	files    [2]stat
}

// stat tells whether a file was written again.
type stat struct {
	modified time.Time
	size     int64
}

func openSession(p *Profile) (source, []Problem) {
	if problems := p.require(keyKeyFile, keySessionToken); len(problems) > 0 {
		return nil, problems
	}
	s := &session{profile: p}
	l, problem := s.load()
	if problem != nil {
		return nil, []Problem{*problem}
	}
	s.current.Store(l)
	s.next.Store(time.Now().Add(lookEvery).UnixNano())
	return s, nil
}

// load reads both files.
func (s *session) load() (*loaded, *Problem) {
	files := s.stat() // before they are read: what is written meanwhile is seen the next time
	key, problem := s.profile.privateKey()
	if problem != nil {
		return nil, problem
	}
	path := s.profile.path(keySessionToken)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &Problem{
			Option: OptionConfigFile, Message: fmt.Sprintf("security_token_file %s cannot be read: %v", path, reason(err)), Hint: wherefrom[keySessionToken],
		}
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }) {
		return nil, &Problem{
			Option: OptionConfigFile, Message: fmt.Sprintf("security_token_file %s holds no token", path), Hint: wherefrom[keySessionToken],
		}
	}
	return &loaded{files: files, identity: &identity{keyID: "ST$" + token, key: key, token: token, expires: expiryOf(token)}}, nil
}

func (s *session) stat() (files [2]stat) {
	for i, key := range []string{keyKeyFile, keySessionToken} {
		if info, err := os.Stat(s.profile.path(key)); err == nil {
			files[i] = stat{info.ModTime(), info.Size()}
		}
	}
	return files
}

func (s *session) get(context.Context) (*identity, time.Duration, *fault.Error) {
	now := time.Now()
	due := s.next.Load()
	if now.UnixNano() < due || !s.next.CompareAndSwap(due, now.Add(lookEvery).UnixNano()) {
		return s.current.Load().identity, 0, nil
	}
	l := s.current.Load()
	if s.stat() != l.files {
		// A file that is being written may be half there; the old session goes on
		// until the new one can be read.
		if fresh, problem := s.load(); problem == nil {
			s.current.Store(fresh)
			l = fresh
		}
	}
	// Whether an expired token still counts is the server's to say.
	return l.identity, 0, nil
}

func (s *session) check(ctx context.Context) *fault.Error {
	id, _, _ := s.get(ctx)
	if !id.expired(time.Now()) {
		return nil
	}
	e := fault.New(fault.Auth, "the session token in %s expired at %s", s.profile.path(keySessionToken), id.expires.UTC().Format(time.RFC3339))
	e.Hint = s.remedy()
	return e
}

// remedy is how to get a new token.
func (s *session) remedy() string {
	return fmt.Sprintf("run `oci session refresh --profile %s`, or `oci session authenticate` where that is too late", s.profile.name)
}

func (s *session) close() {}

// expiryOf reads when a JSON Web Token ends (RFC 7519, § 4.1.4); zero where it
// does not say.
func expiryOf(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Expires float64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Expires <= 0 || claims.Expires > 1e12 {
		return time.Time{}
	}
	return time.Unix(int64(claims.Expires), 0)
}
