package plot

import (
	"strings"
	"testing"
)

// TestLegendsStayInside: a scenario's name may be as long as it likes.
func TestLegendsStayInside(t *testing.T) {
	c, err := newCanvas(800, 100)
	if err != nil {
		t.Fatal(err)
	}
	const width = 700
	keys := []Key{{Label: strings.Repeat("long-name-", 50)}, {Label: strings.Repeat("日本語", 60)}, {Label: "a\x1b\nb"}}
	rows := c.legendRows(keys, width)
	if len(rows) < 2 {
		t.Errorf("%d rows", len(rows))
	}
	for _, row := range rows {
		used := -keyGap
		for _, k := range row {
			used += keyMark + 8 + c.width(k.Label, tickSize, false) + keyGap
			if strings.ContainsAny(k.Label, "\x1b\n") {
				t.Errorf("%q is not for eyes", k.Label)
			}
		}
		if used > width {
			t.Errorf("%d pixels of %d: %+v", used, width, row)
		}
	}
}
