package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/genai-bench/genai-bench/sdk/secret"
)

func TestASecretNeverPrintsItsValue(t *testing.T) {
	const planted = "sk-planted-0xC0FFEE"
	type holder struct {
		Key secret.Secret
		Ptr *secret.Secret
	}
	s := secret.New(planted)
	h := holder{Key: s, Ptr: &s}

	printers := map[string]func() string{
		"String": s.String,
		"json": func() string {
			b, err := json.Marshal(h)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		},
		"slog": func() string {
			var b bytes.Buffer
			slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "key", s, "holder", h)
			return b.String()
		},
		"error": func() string { return fmt.Errorf("call: %w", fmt.Errorf("key %v", s)).Error() },
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v"} {
		printers["fmt "+verb] = func() string {
			if strings.Contains(verb, "%T") {
				return fmt.Sprintf(verb, s, s)
			}
			return fmt.Sprintf(verb, s) + fmt.Sprintf(verb, h)
		}
	}
	for name, print := range printers {
		t.Run(name, func(t *testing.T) {
			if got := print(); strings.Contains(got, planted) || strings.Contains(got, fmt.Sprintf("%x", planted)) {
				t.Errorf("printed the value: %s", got)
			}
		})
	}
	if s.Reveal() != planted {
		t.Errorf("Reveal() = %q, want the value", s.Reveal())
	}
	if got := (secret.Secret{}).String(); got != "" {
		t.Errorf("an unset secret prints %q, want nothing", got)
	}
}
