package main

import (
	"crypto/sha1" //nolint:gosec // names the cache file as AWS's tools do
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// roles are the services from which credentials of a role come: STS, IAM Identity
// Center and the instance metadata service, as far as the SDK asks them.
type roles struct{ URL string }

const (
	plantedSSO      = "planted-sso-access-token"
	plantedMetadata = "planted-metadata-session"
)

// serveRoles starts them. Sources: AssumeRole in the API reference of AWS STS,
// GetRoleCredentials in that of the IAM Identity Center portal, "Retrieve
// security credentials from instance metadata" in the EC2 user guide.
func serveRoles(t *testing.T, g *gate) roles {
	t.Helper()
	answer := func(w http.ResponseWriter, value any) {
		if err := json.NewEncoder(w).Encode(value); err != nil {
			t.Error(err)
		}
	}
	end := time.Now().Add(time.Hour).UTC()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sts/", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("Action") != "AssumeRole" || !strings.Contains(r.Header.Get("Authorization"), "Credential=AKIADEFAULT/") {
			http.Error(w, "who are you?", http.StatusForbidden)
			return
		}
		v := g.temporary(5)
		fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
			<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>
			</Credentials></AssumeRoleResult></AssumeRoleResponse>`, v.keyID, v.secret, v.token, end.Format(time.RFC3339))
	})
	mux.HandleFunc("GET /sso/federation/credentials", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Sso_bearer_token") != plantedSSO || r.FormValue("role_name") != "r" || r.FormValue("account_id") != "1" {
			http.Error(w, "{}", http.StatusUnauthorized)
			return
		}
		v := g.temporary(6)
		answer(w, map[string]any{"roleCredentials": map[string]any{
			"accessKeyId": v.keyID, "secretAccessKey": v.secret, "sessionToken": v.token, "expiration": end.UnixMilli(),
		}})
	})
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
		fmt.Fprint(w, plantedMetadata)
	})
	mux.HandleFunc("GET /latest/meta-data/iam/security-credentials/{role...}", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("X-Aws-Ec2-Metadata-Token") != plantedMetadata:
			http.Error(w, "no token", http.StatusUnauthorized)
		case r.PathValue("role") == "":
			fmt.Fprint(w, "my-role")
		default:
			v := g.temporary(8)
			answer(w, map[string]any{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": v.keyID, "SecretAccessKey": v.secret, "Token": v.token, "Expiration": end.Format(time.RFC3339)})
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return roles{s.URL}
}

// home is a folder with a session of `aws sso login` in it.
func home(t *testing.T, session string) string {
	t.Helper()
	folder := t.TempDir()
	cache := filepath.Join(folder, ".aws", "sso", "cache")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	name := sha1.Sum([]byte(session)) //nolint:gosec // see above
	text := fmt.Sprintf(`{"accessToken":%q,"expiresAt":%q,"region":"eu-west-1","startUrl":"https://h"}`, plantedSSO, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	if err := os.WriteFile(filepath.Join(cache, hex.EncodeToString(name[:])+".json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestRoles: a role to be assumed, a session of IAM Identity Center, an
// instance's role.
func TestRoles(t *testing.T) {
	g := new(gate)
	services := serveRoles(t, g)
	configuration := writeFile(t, "config", "[profile role]\nregion = eu-west-1\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = default\n"+
		"[profile sso]\nregion = eu-west-1\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://h\n")
	keys := writeFile(t, "credentials", "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = planted-default-secret\n")
	files := []string{"AWS_CONFIG_FILE", configuration, "AWS_SHARED_CREDENTIALS_FILE", keys}
	for name, w := range map[string]way{
		"a role of a profile": {append(files, "AWS_ENDPOINT_URL_STS", services.URL+"/sts/", "AWS_PROFILE", "role"), func(*backend.Config) {}, "ASIATEMPORARY5", "aws_default"},
		"single sign-on":      {append(files, "AWS_ENDPOINT_URL_SSO", services.URL+"/sso", "AWS_PROFILE", "sso", "HOME", home(t, "s")), func(*backend.Config) {}, "ASIATEMPORARY6", "aws_default"},
		"an instance's role": {[]string{"AWS_EC2_METADATA_DISABLED", "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT", services.URL},
			func(*backend.Config) {}, "ASIATEMPORARY8", "aws_default"},
	} {
		t.Run(name, func(t *testing.T) { g.opens(t, w, apiConverse) })
	}
}
