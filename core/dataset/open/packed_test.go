package open

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/dataset"
)

func TestPackedRecords(t *testing.T) {
	for name, r := range map[string]dataset.Record{
		"data":    {Text: "what?", Pictures: []dataset.Picture{{Data: []byte("GIF89a\x00"), Format: "gif", Width: 300, Height: 1}}},
		"address": {Pictures: []dataset.Picture{{URL: "http://h/x.png"}}},
		"several": {Text: "ü", Pictures: []dataset.Picture{{URL: "http://h/x.png"}, {Data: []byte{}, Format: "png", Width: 1, Height: 2}, {Data: []byte("x"), Format: "bmp"}}},
	} {
		t.Run(name, func(t *testing.T) {
			packed := packRecord(r)
			got, err := unpackRecord(packed)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(r, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if _, err := unpackRecord(packed[:len(packed)-1]); err == nil {
				t.Error("what is cut short is accepted")
			}
		})
	}
}

func FuzzUnpackRecord(f *testing.F) {
	f.Add(packRecord(dataset.Record{Text: "a", Pictures: []dataset.Picture{{URL: "u"}, {Data: []byte("d"), Format: "png", Width: 3, Height: 4}}}))
	f.Fuzz(func(t *testing.T, packed string) {
		r, err := unpackRecord(packed)
		if err == nil && len(r.Pictures) == 0 {
			t.Errorf("%q has no pictures", packed)
		}
	})
}
