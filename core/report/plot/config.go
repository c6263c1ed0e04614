package plot

import (
	"fmt"
	"slices"
	"strings"
)

// Config says what a figure shows. Its JSON form is that of the Python tool's
// plot configurations.
type Config struct {
	Layout Layout `json:"layout"`
	Plots  []Plot `json:"plots"`
}

// Layout is a grid of subplots.
type Layout struct {
	Rows int `json:"rows"` // 1 to 5
	Cols int `json:"cols"` // 1 to 6
	// FigSize is width and height in inches of 100 pixels; nil: 8 × 6 a subplot.
	FigSize []int `json:"figsize,omitempty"`
}

// Plot is one subplot: one field over another. Exactly one of YField and
// YFields is set.
type Plot struct {
	Title    string   `json:"title"` // also part of a file name
	XField   string   `json:"x_field"`
	YField   string   `json:"y_field,omitempty"`
	YFields  []YField `json:"y_fields,omitempty"`
	XLabel   string   `json:"x_label,omitempty"` // "": made from the field
	YLabel   string   `json:"y_label,omitempty"`
	Type     string   `json:"plot_type,omitempty"` // line (default), scatter, bar
	Position [2]int   `json:"position"`            // row, column, from 0
	YScale   string   `json:"y_scale,omitempty"`   // linear, log; "": log for a TTFT
}

// YField is one of several fields in a subplot.
type YField struct {
	Field     string `json:"field"`
	Label     string `json:"label,omitempty"`
	Color     string `json:"color,omitempty"`     // a name or #rrggbb
	LineStyle string `json:"linestyle,omitempty"` // -, --, -. or :
}

// fields are all the fields on the y axis.
func (p *Plot) fields() []YField {
	if p.YField != "" {
		return []YField{{Field: p.YField}}
	}
	return p.YFields
}

// Check finds what is wrong with a configuration, every mistake at once.
// Fields are checked where they are read, against the runs.
func (c *Config) Check() []string {
	var problems []string
	l := c.Layout
	if l.Rows < 1 || l.Rows > 5 {
		problems = append(problems, fmt.Sprintf("layout.rows is %d (1 to 5 are possible)", l.Rows))
	}
	if l.Cols < 1 || l.Cols > 6 {
		problems = append(problems, fmt.Sprintf("layout.cols is %d (1 to 6 are possible)", l.Cols))
	}
	if n := len(l.FigSize); n != 0 && (n != 2 || slices.Min(l.FigSize) < 1 || slices.Max(l.FigSize) > 100) {
		problems = append(problems, fmt.Sprintf("layout.figsize is %v (width and height in inches, 1 to 100)", l.FigSize))
	}
	taken := map[[2]int]int{}
	for i := range c.Plots {
		p := &c.Plots[i]
		wrong := func(format string, args ...any) {
			problems = append(problems, fmt.Sprintf("plot %d (%s): ", i+1, p.Title)+fmt.Sprintf(format, args...))
		}
		if p.Title == "" {
			wrong("it has no title")
		}
		if p.XField == "" {
			wrong("it has no x_field")
		}
		if (p.YField == "") == (len(p.YFields) == 0) {
			wrong("it needs either y_field or y_fields")
		}
		if row, col := p.Position[0], p.Position[1]; row < 0 || row >= l.Rows || col < 0 || col >= l.Cols {
			wrong("position [%d, %d] lies outside the %d × %d layout (counted from 0)", row, col, l.Rows, l.Cols)
		}
		if before, twice := taken[p.Position]; twice {
			wrong("its position is that of plot %d", before)
		}
		taken[p.Position] = i + 1
		if !slices.Contains([]string{"", "line", "scatter", "bar"}, p.Type) {
			wrong("plot_type %q is none of line, scatter, bar", p.Type)
		}
		if !slices.Contains([]string{"", "linear", "log"}, p.YScale) {
			wrong("y_scale %q is none of linear, log", p.YScale)
		}
		for _, f := range p.YFields {
			if _, ok := dashes[f.LineStyle]; !ok && f.LineStyle != "" {
				wrong("linestyle %q is none of - -- -. :", f.LineStyle)
			}
			if _, ok := colorOf(f.Color); !ok && f.Color != "" {
				wrong("color %q is neither #rrggbb nor a known name", f.Color)
			}
		}
	}
	return problems
}

// size is the figure's size in pixels.
func (l Layout) size() (width, height int) {
	if len(l.FigSize) == 2 {
		return l.FigSize[0] * pixelsPerInch, l.FigSize[1] * pixelsPerInch
	}
	return 8 * l.Cols * pixelsPerInch, 6 * l.Rows * pixelsPerInch
}

// label is a field as a label, where the configuration gives none:
// "stats.e2e_latency.p99" is "E2E Latency (P99)".
func label(field string) string {
	stat := ""
	if rest, ok := strings.CutPrefix(field, "stats."); ok {
		field, stat, _ = strings.Cut(rest, ".")
	}
	words := strings.Split(field, "_")
	for i, w := range words {
		if w == "e2e" {
			words[i] = "E2E"
		} else if w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	text := strings.Join(words, " ")
	if stat != "" {
		text += " (" + strings.ToUpper(stat) + ")"
	}
	return text
}
