package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/emulator"
)

// Identifiers of the recorded traffic.
const (
	wireTenancy     = "ocid1.tenancy.oc1..wire"
	wireUser        = "ocid1.user.oc1..wire"
	wireFingerprint = "aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99"
	wireCompartment = "ocid1.compartment.oc1..wire"
	wireKeyID       = wireTenancy + "/" + wireUser + "/" + wireFingerprint
)

// plantedPhrase is a pass phrase; it has what a careless reader would cut off.
const plantedPhrase = "PLANTED=pass phrase=#1"

// newKey makes a key once for all tests: it takes long.
var newKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// account is a user with a configuration file.
type account struct {
	folder string
	key    *rsa.PrivateKey
	keys   *emulator.Keyring
}

// newAccount writes a configuration file with the profile DEFAULT of a user,
// whose key is encrypted, and a profile SESSION.
func newAccount(t testing.TB) *account {
	t.Helper()
	a := &account{folder: t.TempDir(), key: newKey(), keys: emulator.NewKeyring()}
	a.keys.Add(wireKeyID, &a.key.PublicKey)
	der := x509.MarshalPKCS1PrivateKey(a.key)
	//nolint:staticcheck // what OpenSSL and Oracle's console make
	encrypted, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", der, []byte(plantedPhrase), x509.PEMCipherAES256)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, "key.pem", string(pem.EncodeToMemory(encrypted)))
	a.write(t, "session.pem", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der})))
	a.write(t, "config", strings.Join([]string{
		"# of a test",
		"[DEFAULT]",
		"user=" + wireUser,
		"tenancy = " + wireTenancy,
		"fingerprint=" + wireFingerprint,
		"key_file=" + a.path("key.pem"),
		"pass_phrase=" + plantedPhrase,
		"region=us-chicago-1",
		"",
		"[SESSION]",
		"key_file=" + a.path("session.pem"),
		"security_token_file=" + a.path("token"),
		"",
	}, "\n"))
	return a
}

func (a *account) path(name string) string { return filepath.Join(a.folder, name) }

func (a *account) write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(a.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// session writes a session token that lives so long and makes it known.
func (a *account) session(t testing.TB, life time.Duration) string {
	t.Helper()
	token := emulator.Token(time.Now().Add(life), wireUser)
	a.write(t, "token", token+"\n")
	a.keys.Add("ST$"+token, &a.key.PublicKey)
	return token
}

// writeTo writes the configuration of another key: one that nobody knows.
func (a *account) stranger(t testing.TB) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, "stranger.pem", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	a.write(t, "stranger", fmt.Sprintf("[DEFAULT]\nuser=%s\ntenancy=%s\nfingerprint=%s\nkey_file=%s\nregion=us-chicago-1\n",
		wireUser, wireTenancy, wireFingerprint, a.path("stranger.pem")))
	return a.path("stranger")
}
