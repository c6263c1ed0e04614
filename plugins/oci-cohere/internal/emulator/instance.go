package emulator

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Instance is a compute instance as its services see it: an http.Handler for
// the metadata service (below /opc/v2) and for the federation endpoint of the
// auth service (/v1/x509). It issues tokens for session keys and adds them to
// the keyring.
type Instance struct {
	Region  string
	Tenancy string
	// Life is how long tokens live; 0 is an hour.
	Life time.Duration

	keys *Keyring
	leaf certificate
	ca   certificate
	own  *Keyring // of the federation endpoint: the leaf's key

	mu       sync.Mutex
	issued   []string // keyIds
	failures []string // requests that were refused, and why
	refuse   string   // message of a refusal of all; "" refuses none
	hold     chan struct{}
}

type certificate struct {
	key *rsa.PrivateKey
	der []byte
}

func (c certificate) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.der})
}

// NewInstance makes an instance with certificates of its own.
func NewInstance(keys *Keyring) (*Instance, error) {
	i := &Instance{Region: "us-chicago-1", Tenancy: "ocid1.tenancy.oc1..emulated", Life: time.Hour, keys: keys, own: NewKeyring()}
	var err error
	if i.ca, err = issue("emulated intermediate", nil, certificate{}); err != nil {
		return nil, err
	}
	// The tenancy stands in a unit of the leaf's subject.
	if i.leaf, err = issue("ocid1.instance.oc1..emulated", []string{"opc-certtype:instance", "opc-tenant:" + i.Tenancy}, i.ca); err != nil {
		return nil, err
	}
	hash := sha256.Sum256(i.leaf.der)
	fingerprint := strings.ReplaceAll(fmt.Sprintf("% x", hash), " ", ":")
	i.own.Add(i.Tenancy+"/fed-x509-sha256/"+fingerprint, &i.leaf.key.PublicKey)
	return i, nil
}

func issue(name string, units []string, by certificate) (certificate, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, OrganizationalUnit: units},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: by.key == nil, BasicConstraintsValid: true,
	}
	parent, signer := template, key
	if by.key != nil {
		if parent, err = x509.ParseCertificate(by.der); err != nil {
			return certificate{}, err
		}
		signer = by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	return certificate{key, der}, err
}

// Issued returns the keyIds of the tokens that were issued.
func (i *Instance) Issued() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string{}, i.issued...)
}

// Failures tells which requests were refused because they were wrong.
func (i *Instance) Failures() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string{}, i.failures...)
}

// Refuse makes the federation endpoint answer 401 with a message; "" ends that.
func (i *Instance) Refuse(message string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.refuse = message
}

// Hold makes the federation endpoint wait until the channel is closed; nil ends
// that.
func (i *Instance) Hold(until chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.hold = until
}

// ServeHTTP implements http.Handler.
func (i *Instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if path, ok := strings.CutPrefix(r.URL.Path, "/opc/v2"); ok {
		i.metadata(w, r, path)
		return
	}
	if r.Method == http.MethodPost && r.URL.Path == "/v1/x509" {
		i.federate(w, r)
		return
	}
	http.NotFound(w, r)
}

func (i *Instance) metadata(w http.ResponseWriter, r *http.Request, path string) {
	if r.Header.Get("Authorization") != "Bearer Oracle" {
		i.fail(w, http.StatusUnauthorized, "NotAuthenticated", "metadata without the header Authorization: Bearer Oracle")
		return
	}
	parts := map[string][]byte{
		"/instance/region":           []byte(i.Region),
		"/identity/cert.pem":         i.leaf.pem(),
		"/identity/key.pem":          pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(i.leaf.key)}),
		"/identity/intermediate.pem": i.ca.pem(),
	}
	part, ok := parts[path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(part) // a client that went away
}

// federate trades a certificate and a public key for a token (X509FederationDetails).
func (i *Instance) federate(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	i.mu.Lock()
	refuse, hold, life := i.refuse, i.hold, i.Life
	i.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return
		}
	}
	if refuse != "" {
		w.Header().Set("Opc-Request-Id", "emulated-federation")
		i.answer(w, http.StatusUnauthorized, map[string]string{"code": "NotAuthenticated", "message": refuse})
		return
	}
	if _, err := i.own.verify(r, body, []string{"date", "(request-target)"}); err != nil {
		i.fail(w, http.StatusUnauthorized, "NotAuthenticated", "federation: "+err.Error())
		return
	}
	key, err := i.read(body)
	if err != nil {
		i.fail(w, http.StatusBadRequest, "InvalidParameter", "federation: "+err.Error())
		return
	}
	token := Token(time.Now().Add(life), i.Tenancy)
	i.keys.Add("ST$"+token, key)
	i.mu.Lock()
	i.issued = append(i.issued, "ST$"+token)
	i.mu.Unlock()
	i.answer(w, http.StatusOK, map[string]string{"token": token})
}

// read checks the certificates of a request and returns the session's key.
func (i *Instance) read(body []byte) (*rsa.PublicKey, error) {
	var details struct {
		Certificate              string   `json:"certificate"`
		PublicKey                string   `json:"publicKey"`
		IntermediateCertificates []string `json:"intermediateCertificates"`
	}
	if err := json.Unmarshal(body, &details); err != nil {
		return nil, err
	}
	leaf, err := parseCertificate(details.Certificate)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	own, err := x509.ParseCertificate(i.ca.der)
	if err != nil {
		return nil, err
	}
	roots.AddCert(own)
	if len(details.IntermediateCertificates) != 1 {
		return nil, errors.New("there is not one intermediate certificate")
	}
	if given, err := parseCertificate(details.IntermediateCertificates[0]); err != nil || !given.Equal(own) {
		return nil, errors.New("the intermediate certificate is another one")
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return nil, err
	}
	der, err := base64.StdEncoding.DecodeString(details.PublicKey)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	session, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("the public key is no RSA key")
	}
	return session, nil
}

func parseCertificate(text string) (*x509.Certificate, error) {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func (i *Instance) fail(w http.ResponseWriter, status int, code, message string) {
	i.mu.Lock()
	i.failures = append(i.failures, message)
	i.mu.Unlock()
	i.answer(w, status, map[string]string{"code": code, "message": message})
}

func (i *Instance) answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // a client that went away
}

// Token makes a JSON Web Token that ends at a time. Its signature is none:
// nobody here reads it.
func Token(expires time.Time, subject string) string {
	part := func(value any) string {
		text, err := json.Marshal(value)
		if err != nil {
			return ""
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	nonce := make([]byte, 9)
	if _, err := rand.Read(nonce); err != nil {
		panic(err) // it never fails
	}
	return part(map[string]string{"alg": "RS256"}) + "." +
		part(map[string]any{"exp": expires.Unix(), "sub": subject, "jti": base64.RawURLEncoding.EncodeToString(nonce)}) + ".c2lnbmF0dXJl"
}
