package emulator

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Keyring holds the public keys of callers by their keyId. It is safe for
// concurrent use.
type Keyring struct {
	mu   sync.Mutex
	keys map[string]*rsa.PublicKey
	used map[string]int
	// delegations are the tokens of users that instances may act for; a request
	// that carries another one is refused.
	delegations map[string]bool
}

// NewKeyring makes an empty keyring.
func NewKeyring() *Keyring {
	return &Keyring{keys: map[string]*rsa.PublicKey{}, used: map[string]int{}, delegations: map[string]bool{}}
}

// Add makes a caller known.
func (k *Keyring) Add(keyID string, key *rsa.PublicKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[keyID] = key
}

// Remove makes a caller unknown.
func (k *Keyring) Remove(keyID string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, keyID)
}

// Delegate makes a user's token known.
func (k *Keyring) Delegate(token string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.delegations[token] = true
}

// Used returns how many requests each caller has signed that were verified.
func (k *Keyring) Used() map[string]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	used := map[string]int{}
	for id, n := range k.used {
		used[id] = n
	}
	return used
}

var field = regexp.MustCompile(`([a-zA-Z]+)="([^"]*)"`)

// Parts of what a signature must cover.
var (
	always   = []string{"date", "(request-target)", "host"}
	withBody = []string{"content-length", "content-type", "x-content-sha256"}
)

const skewMax = 5 * time.Minute

// Verify holds a request's signature against the keys. It returns the keyId, or
// what is wrong.
func (k *Keyring) Verify(r *http.Request, body []byte) (string, error) {
	return k.verify(r, body, always)
}

// verify asks that required be signed besides what belongs to a body. The
// federation endpoint alone does not ask for the host.
func (k *Keyring) verify(r *http.Request, body []byte, required []string) (string, error) {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if scheme != "Signature" {
		return "", fmt.Errorf("there is no signature")
	}
	given := map[string]string{}
	for _, m := range field.FindAllStringSubmatch(rest, -1) {
		given[m[1]] = m[2]
	}
	keyID := given["keyId"]
	k.mu.Lock()
	key := k.keys[keyID]
	k.mu.Unlock()
	switch {
	case given["version"] != "1" || given["algorithm"] != "rsa-sha256":
		return keyID, fmt.Errorf("version %q and algorithm %q", given["version"], given["algorithm"])
	case key == nil:
		return keyID, fmt.Errorf("the keyId is not known")
	}
	date, err := http.ParseTime(r.Header.Get("Date"))
	if err != nil {
		return keyID, fmt.Errorf("the date %q is none", r.Header.Get("Date"))
	}
	if skew := time.Since(date).Abs(); skew > skewMax {
		return keyID, fmt.Errorf("the date is %v off", skew.Round(time.Second))
	}
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		required = append(append([]string{}, required...), withBody...)
		hash := sha256.Sum256(body)
		if got := r.Header.Get("X-Content-Sha256"); got != base64.StdEncoding.EncodeToString(hash[:]) {
			return keyID, fmt.Errorf("x-content-sha256 is not the body's")
		}
		if r.ContentLength != int64(len(body)) {
			return keyID, fmt.Errorf("content-length %d, the body has %d", r.ContentLength, len(body))
		}
	}
	if r.Header.Get("Opc-Obo-Token") != "" {
		required = append(append([]string{}, required...), "opc-obo-token")
		k.mu.Lock()
		known := k.delegations[r.Header.Get("Opc-Obo-Token")]
		k.mu.Unlock()
		if !known {
			return keyID, fmt.Errorf("the delegation token is not known")
		}
	}
	covered := strings.Fields(given["headers"])
	for _, name := range required {
		if !contains(covered, name) {
			return keyID, fmt.Errorf("%q is not signed", name)
		}
	}
	var lines []string
	for _, name := range covered {
		value := r.Header.Get(name)
		switch name {
		case "(request-target)":
			value = strings.ToLower(r.Method) + " " + r.RequestURI
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		lines = append(lines, name+": "+value)
	}
	signature, err := base64.StdEncoding.DecodeString(given["signature"])
	if err != nil {
		return keyID, fmt.Errorf("the signature is no base64")
	}
	digest := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature); err != nil {
		return keyID, fmt.Errorf("the signature is not that of the request")
	}
	k.mu.Lock()
	k.used[keyID]++
	k.mu.Unlock()
	return keyID, nil
}

func contains(list []string, name string) bool {
	for _, one := range list {
		if one == name {
			return true
		}
	}
	return false
}
