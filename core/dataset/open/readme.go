package open

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// readmeBytesMax bounds the README of a repository, and its head.
const readmeBytesMax = 8 << 20

// declaredConfig is an entry of configs in the head of a README.md.
type declaredConfig struct {
	name      string
	preferred bool
	dir       string
	files     []SplitFile // nil: by the names below dir
	field     string
	comma     rune
}

// readmeConfigs reads the configs that a README declares in its YAML head, as
// described in the hub's documentation, "Manual Configuration".
func readmeConfigs(readme []byte) ([]declaredConfig, error) {
	head, ok := yamlHead(readme)
	if !ok {
		return nil, nil
	}
	var wire struct {
		Configs []struct {
			Name      string `yaml:"config_name"`
			DataFiles any    `yaml:"data_files"`
			DataDir   string `yaml:"data_dir"`
			Default   bool   `yaml:"default"`
			Sep       string `yaml:"sep"`
			Delimiter string `yaml:"delimiter"`
			Field     string `yaml:"field"`
		} `yaml:"configs"`
	}
	if err := yaml.Unmarshal(head, &wire); err != nil {
		return nil, fmt.Errorf("README.md: its YAML head cannot be read: %s", clip(strings.Join(strings.Fields(err.Error()), " ")))
	}
	var configs []declaredConfig
	for _, c := range wire.Configs {
		d := declaredConfig{name: c.Name, preferred: c.Default, dir: c.DataDir, field: c.Field}
		if d.name == "" {
			d.name = defaultConfig
		}
		for _, text := range []string{c.Sep, c.Delimiter} {
			if utf8.RuneCountInString(text) == 1 && !strings.ContainsAny(text, "\"\r\n\uFFFD") {
				d.comma, _ = utf8.DecodeRuneInString(text)
			}
		}
		if c.DataFiles != nil {
			raw, err := json.Marshal(c.DataFiles)
			if err == nil {
				d.files, err = splitFiles(raw)
			}
			if err != nil {
				return nil, fmt.Errorf("README.md: config %s: data_files %w", clip(d.name), err)
			}
		}
		configs = append(configs, d)
	}
	return configs, nil
}

// yamlHead is what stands between two lines of dashes at the start.
func yamlHead(readme []byte) ([]byte, bool) {
	readme = bytes.ReplaceAll(bytes.TrimPrefix(readme, []byte("\xef\xbb\xbf")), []byte("\r\n"), []byte("\n"))
	rest, ok := bytes.CutPrefix(readme, []byte("---\n"))
	if !ok {
		return nil, false
	}
	head, _, ok := bytes.Cut(rest, []byte("\n---"))
	return head, ok
}
