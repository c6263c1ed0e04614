package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// verifier recomputes signatures as "AWS Signature Version 4 for API requests"
// in the IAM user guide describes it ("Create a signed AWS API request"), from
// what came over the wire and without AWS's own code.
type verifier struct {
	keyID, secret, token string
	region, service      string
	now                  func() time.Time // nil: time.Now
}

// skewMax is how far a request's time may be from the server's.
const skewMax = 5 * time.Minute

// refusal is an error as AWS's front door spells it.
type refusal struct{ code, message string }

func (r *refusal) Error() string { return r.code + ": " + r.message }

// verify checks a request. target is its path and query as they stand in the
// request line, host the Host header.
func (v verifier) verify(method, target, host string, header http.Header, body []byte) *refusal {
	scheme, rest, _ := strings.Cut(header.Get("Authorization"), " ")
	if scheme != "AWS4-HMAC-SHA256" {
		return &refusal{"MissingAuthenticationTokenException", "Missing Authentication Token"}
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	stamp := header.Get("X-Amz-Date")
	at, err := time.Parse("20060102T150405Z", stamp)
	if err != nil {
		return &refusal{"IncompleteSignatureException", "Date must be in ISO-8601 'basic format'"}
	}
	scope := stamp[:8] + "/" + v.region + "/" + v.service + "/aws4_request"
	if keyID, given, _ := strings.Cut(fields["Credential"], "/"); keyID != v.keyID {
		return &refusal{"UnrecognizedClientException", "The security token included in the request is invalid."}
	} else if given != scope {
		return &refusal{"InvalidSignatureException", "Credential should be scoped to " + scope + ", not " + given}
	}
	if v.token != header.Get("X-Amz-Security-Token") {
		return &refusal{"UnrecognizedClientException", "The security token included in the request is invalid."}
	}
	now := time.Now
	if v.now != nil {
		now = v.now
	}
	switch skew := now().Sub(at); {
	case skew > skewMax:
		return &refusal{"InvalidSignatureException", fmt.Sprintf("Signature expired: %s is now earlier than %s (5 min.)", stamp, now().UTC().Format(time.RFC3339))}
	case skew < -skewMax:
		return &refusal{"InvalidSignatureException", fmt.Sprintf("Signature not yet current: %s is still later than %s (5 min.)", stamp, now().UTC().Format(time.RFC3339))}
	}
	names := strings.Split(fields["SignedHeaders"], ";")
	must := []string{"host", "content-type", "x-amz-date"}
	if v.token != "" {
		must = append(must, "x-amz-security-token")
	}
	for name := range header { // whatever begins so has to be signed
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") {
			must = append(must, lower)
		}
	}
	for _, name := range must {
		if !slices.Contains(names, name) {
			return &refusal{"InvalidSignatureException", "the header " + name + " must be signed"}
		}
	}
	if !slices.IsSorted(names) {
		return &refusal{"InvalidSignatureException", "the signed headers are not sorted"}
	}
	if want := v.signature(stamp, scope, method, target, host, names, header, body); want != fields["Signature"] {
		return &refusal{"InvalidSignatureException", "The request signature we calculated does not match the signature you provided."}
	}
	return nil
}

func (v verifier) signature(stamp, scope, method, target, host string, names []string, header http.Header, body []byte) string {
	path, query, _ := strings.Cut(target, "?")
	canonical := []string{method, escapeAgain(path), query}
	for _, name := range names {
		value := strings.Join(header.Values(name), ",")
		if name == "host" {
			value = host
		}
		if name == "content-length" {
			value = fmt.Sprint(len(body))
		}
		canonical = append(canonical, name+":"+strings.TrimSpace(value))
	}
	canonical = append(canonical, "", strings.Join(names, ";"), hexHash(body))
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", stamp, scope, hexHash([]byte(strings.Join(canonical, "\n")))}, "\n")
	key := []byte("AWS4" + v.secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, toSign))
}

// escapeAgain escapes a path that is escaped already, segment by segment: every
// service but S3 wants it twice.
func escapeAgain(path string) string {
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		if c == '/' || c == '-' || c == '.' || c == '_' || c == '~' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

func hexHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
