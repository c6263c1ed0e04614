package catalog_test

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// clouds are names that core learns from descriptions of plugins alone.
func clouds() []string {
	return []string{"aws", "amazon", "bedrock", "azure", "vertex", "gcp", "google", "oci", "oracle", "cohere"}
}

// wordBorder is where one word of an identifier ends and the next begins:
// awsRegion, AWSRegion.
var wordBorder = regexp.MustCompile(`([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])`)

// cloudsIn are the clouds that a line names, as words of their own: "laws" and
// "draws" name none.
func cloudsIn(line string) []string {
	var found []string
	words := strings.FieldsFunc(wordBorder.ReplaceAllString(line, "$1$3 $2$4"), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	for _, w := range words {
		if w = strings.ToLower(w); slices.Contains(clouds(), w) {
			found = append(found, w)
		}
	}
	return found
}

func TestCloudsAreFoundInWords(t *testing.T) {
	for line, want := range map[string]string{
		"laws of draws, a social vertexes": "", "--aws-region": "aws", "AWSRegion": "aws", "isAzure(x)": "azure", "gcp_project": "gcp",
		"// Cohere's word": "cohere", "google/vertex": "google vertex", `"OCI_CONFIG"`: "oci", "ociConfig2Azure": "oci azure",
	} {
		if got := strings.Join(cloudsIn(line), " "); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// TestNoCloudIsKnownByName: engines, tasks, statistics and commands are the same
// for every provider, and so name none, not in tests and comments either. What
// the Python tool has recorded (testdata/*.json) is its own.
func TestNoCloudIsKnownByName(t *testing.T) {
	imported := regexp.MustCompile(`^\s*(\w+ )?"github\.com/google/[\w/.-]+"$`)
	files := 0
	for _, room := range []string{"../load", "../bench", "../workers", "../metrics", "../experiment", "../../cmd"} {
		err := filepath.WalkDir(room, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !slices.Contains([]string{".go", ".txtar", ".md"}, filepath.Ext(path)) {
				return err
			}
			files++
			if named := cloudsIn(filepath.Base(path)); len(named) > 0 {
				t.Errorf("%s is named after %s", path, named)
			}
			file, err := os.Open(path)
			if err != nil {
				return err
			}
			defer func() { _ = file.Close() }() // only read
			lines := bufio.NewScanner(file)
			lines.Buffer(nil, 1<<20)
			for n := 1; lines.Scan(); n++ {
				if named := cloudsIn(lines.Text()); len(named) > 0 && !imported.MatchString(lines.Text()) {
					t.Errorf("%s:%d names %s: it belongs in a plugin, and core learns of it from the plugin's description", path, n, strings.Join(named, ", "))
				}
			}
			return lines.Err()
		})
		if err != nil {
			t.Error(err)
		}
	}
	if files < 50 {
		t.Errorf("only %d files were read", files)
	}
}
