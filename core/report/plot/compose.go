package plot

import (
	"cmp"
	"encoding/json"
	"fmt"
	"image/color"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/metrics"
)

// Group is runs that are drawn as one series.
type Group struct {
	Label string
	Runs  []experiment.Run
}

// ByScenario makes a group of each scenario of each experiment, its latencies
// in the unit given.
func ByScenario(unit metrics.Unit, experiments ...*experiment.Loaded) []Group {
	var groups []Group
	for _, e := range experiments {
		in := e.In(unit)
		for _, s := range in.Scenarios() {
			g := Group{Label: "Scenario: " + s}
			if len(experiments) > 1 {
				g.Label += " (" + filepath.Base(e.Path) + ")"
			}
			for _, r := range in.Runs {
				if r.Figures.Scenario == s {
					g.Runs = append(g.Runs, r)
				}
			}
			groups = append(groups, g)
		}
	}
	return groups
}

// Compose makes a figure of runs, whose latencies are in unit. What could not
// be drawn is said in missing, a sentence each. The error means that the
// configuration is wrong, in all the ways that it names.
func Compose(config Config, groups []Group, unit metrics.Unit) (fig Figure, missing []string, err error) {
	if problems := config.Check(); len(problems) > 0 {
		return Figure{}, nil, fmt.Errorf("plot configuration: %s", strings.Join(problems, "; "))
	}
	c := composer{unit: unit, groups: make([][]fields, len(groups)), labels: groups}
	for i, g := range groups {
		for _, r := range g.Runs {
			f, err := fieldsOf(r)
			if err != nil {
				return Figure{}, nil, err
			}
			c.groups[i] = append(c.groups[i], f)
		}
		slices.SortStableFunc(c.groups[i], func(a, b fields) int { return cmp.Compare(a.run.Level, b.run.Level) })
	}
	if problems := c.unknownFields(config); len(problems) > 0 {
		return Figure{}, nil, fmt.Errorf("plot configuration: %s", strings.Join(problems, "; "))
	}
	fig = Figure{Rows: config.Layout.Rows, Cols: config.Layout.Cols}
	fig.Width, fig.Height = config.Layout.size()
	for _, p := range config.Plots {
		fig.Subplots = append(fig.Subplots, c.subplot(p))
	}
	for i, g := range groups {
		fig.Legend = append(fig.Legend, Key{Label: g.Label, Color: c.color(i)})
	}
	return fig, c.missing, nil
}

type composer struct {
	unit    metrics.Unit
	groups  [][]fields // of each group, by level
	labels  []Group
	missing []string
}

func (c *composer) color(group int) color.RGBA { return palette[group%len(palette)] }

// subplot turns a configured plot into lines or bars.
func (c *composer) subplot(p Plot) Subplot {
	on := p.fields()
	s := Subplot{Row: p.Position[0], Col: p.Position[1], Title: p.Title}
	s.X.Label, s.Y.Label = p.XLabel, p.YLabel
	if s.X.Label == "" {
		s.X.Label = label(p.XField)
	}
	if s.Y.Label == "" {
		if s.Y.Label = "Value"; len(on) == 1 {
			s.Y.Label = label(on[0].Field)
		}
	}
	s.Title = relabel(s.Title, c.unit)
	s.X.Label, s.Y.Label = relabel(s.X.Label, c.unit), relabel(s.Y.Label, c.unit)
	levels := isLevel(p.XField)
	if levels {
		s.X.Scale, s.X.Ticks = Log2, c.levels(p.XField)
	}
	if p.YScale == "log" || p.YScale == "" && slices.ContainsFunc(on, func(f YField) bool { return strings.Contains(f.Field, ".ttft.") }) {
		s.Y.Scale = Log10
	}
	if p.Type == "bar" {
		s.X.Scale, s.X.Ticks = Even, c.levels(p.XField)
		if len(on) == 1 && on[0].Field == errorRate {
			c.errorBars(&s, p)
		} else {
			c.bars(&s, p, on)
		}
		return s
	}
	c.lines(&s, p, on, levels)
	return s
}

// lines draws every field of every group. Colours tell the groups apart and
// dashes the fields; where there is one group, colours tell the fields.
func (c *composer) lines(s *Subplot, p Plot, on []YField, levels bool) {
	for i, f := range on {
		dash := dashes[cmp.Or(f.LineStyle, dashCycle[i%len(dashCycle)])]
		for g, runs := range c.groups {
			line := Line{Color: c.color(g), Dash: dash, Hollow: i > 0, Apart: p.Type == "scatter"}
			if len(c.groups) == 1 && len(on) > 1 {
				line.Color = palette[i%len(palette)]
				if given, ok := colorOf(f.Color); ok {
					line.Color = given
				}
			}
			for _, r := range runs {
				x, okX := r.number(p.XField)
				y, okY := r.number(f.Field)
				if !okX || !okY || s.Y.Scale == Log10 && y <= 0 || s.X.Scale == Log2 && x <= 0 {
					continue
				}
				at := Point{X: x, Y: y}
				switch {
				case levels && len(on) == 1:
					at.Text = short(y)
				case !levels:
					at.Text = strconv.Itoa(r.run.Level)
				}
				line.Points = append(line.Points, at)
			}
			if len(line.Points) == 0 {
				c.missing = append(c.missing, fmt.Sprintf("%s: nothing of %s to draw (%s over %s)", p.Title, c.labels[g].Label, f.Field, p.XField))
				continue
			}
			s.Lines = append(s.Lines, line)
		}
		if len(on) > 1 {
			key := Key{Label: relabel(cmp.Or(f.Label, label(f.Field)), c.unit), Color: rgb(0x555555), Dash: dash, Hollow: i > 0}
			if len(c.groups) == 1 {
				key.Color = palette[i%len(palette)]
				if given, ok := colorOf(f.Color); ok {
					key.Color = given
				}
			}
			s.Legend = append(s.Legend, key)
		}
	}
	if len(s.Lines) == 0 {
		s.Note = "no data"
	}
}

// bars draws a bar per field and group.
func (c *composer) bars(s *Subplot, p Plot, on []YField) {
	slots := len(on) * len(c.groups)
	for i, f := range on {
		for g, runs := range c.groups {
			paint := c.color(g)
			if len(c.groups) == 1 {
				paint = palette[i%len(palette)]
			}
			for _, r := range runs {
				x, okX := r.number(p.XField)
				y, okY := r.number(f.Field)
				if okX && okY {
					s.Stacks = append(s.Stacks, Stack{X: x, Slot: i*len(c.groups) + g, Slots: slots, Layers: []Layer{{y, paint}}, Edge: paint, Text: short(y)})
				}
			}
		}
		if len(on) > 1 {
			s.Legend = append(s.Legend, Key{Label: relabel(cmp.Or(f.Label, label(f.Field)), c.unit), Color: palette[i%len(palette)], Bar: true})
		}
	}
	if len(s.Stacks) == 0 {
		s.Note = "no data"
	}
}

// errorBars stacks the shares of each error code, a bar per group and level.
func (c *composer) errorBars(s *Subplot, p Plot) {
	var codes []int
	for _, runs := range c.groups {
		for _, r := range runs {
			for code := range r.run.Figures.ErrorCodesFrequency {
				if n, err := strconv.Atoi(code); err == nil && !slices.Contains(codes, n) {
					codes = append(codes, n)
				}
			}
		}
	}
	if len(codes) == 0 {
		s.Note = "no failed requests"
		return
	}
	slices.Sort(codes)
	// The groups' colours would be mistaken for codes: they are the edges.
	paint := func(i int) color.RGBA { return palette[(i+3)%len(palette)] }
	for i, code := range codes {
		name := strconv.Itoa(code)
		if reason := http.StatusText(code); reason != "" {
			name += " " + reason
		}
		s.Legend = append(s.Legend, Key{Label: name, Color: paint(i), Bar: true})
	}
	for g, runs := range c.groups {
		for _, r := range runs {
			x, ok := r.number(p.XField)
			all := r.run.Figures.NumRequests
			if !ok || all == 0 {
				continue
			}
			stack := Stack{X: x, Slot: g, Slots: len(c.groups), Edge: c.color(g)}
			if failed := r.run.Figures.NumErrorRequests; failed > 0 {
				stack.Text = short(100*float64(failed)/float64(all)) + "%"
			}
			for i, code := range codes {
				if n := r.run.Figures.ErrorCodesFrequency[strconv.Itoa(code)]; n > 0 {
					stack.Layers = append(stack.Layers, Layer{float64(n) / float64(all), paint(i)})
				}
			}
			s.Stacks = append(s.Stacks, stack)
		}
	}
}

// levels are all the values of a field, ascending: one set of ticks for all
// groups.
func (c *composer) levels(field string) []float64 {
	var all []float64
	for _, runs := range c.groups {
		for _, r := range runs {
			if x, ok := r.number(field); ok && !slices.Contains(all, x) {
				all = append(all, x)
			}
		}
	}
	slices.Sort(all)
	return all
}

func isLevel(field string) bool {
	return field == concurrency || field == "batch_size" || field == "request_rate"
}

// relabel names the unit of latencies in a label.
func relabel(text string, unit metrics.Unit) string {
	if unit == metrics.InMilliseconds {
		return strings.NewReplacer("(s)", "(ms)", "(seconds)", "(ms)").Replace(text)
	}
	return strings.NewReplacer("(ms)", "(s)", "(milliseconds)", "(s)").Replace(text)
}

// short is a value in three significant digits.
func short(v float64) string {
	if v >= 100 || v <= -100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// fields are the figures of a run by their path in the run file.
type fields struct {
	run  experiment.Run
	tree map[string]any
}

func fieldsOf(r experiment.Run) (fields, error) {
	data, err := json.Marshal(r.Figures)
	if err != nil {
		return fields{}, fmt.Errorf("%s: %w", r.File, err)
	}
	f := fields{run: r}
	if err := json.Unmarshal(data, &f.tree); err != nil {
		return fields{}, fmt.Errorf("%s: %w", r.File, err)
	}
	return f, nil
}

// number is the value at a dotted path, and whether there is one.
func (f fields) number(path string) (float64, bool) {
	v, _ := f.at(path)
	n, ok := v.(float64)
	return n, ok
}

// at is what lies at a dotted path; known is false where no figure is called so.
func (f fields) at(path string) (v any, known bool) {
	v = f.tree
	for key := range strings.SplitSeq(path, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, known = object[key]; !known {
			return nil, false
		}
	}
	return v, true
}

// unknownFields finds the fields that are no figure of any run. A figure that
// is null everywhere is known: its plot is empty.
func (c *composer) unknownFields(config Config) []string {
	var problems []string
	for i := range config.Plots {
		p := &config.Plots[i]
		names := []string{p.XField}
		for _, f := range p.fields() {
			names = append(names, f.Field)
		}
		for _, name := range names {
			if why := c.unknown(name); why != "" {
				problems = append(problems, fmt.Sprintf("plot %d (%s): %s", i+1, p.Title, why))
			}
		}
	}
	return problems
}

func (c *composer) unknown(field string) string {
	if field == "request_rate" { // absent where the run is no open loop
		return ""
	}
	for _, runs := range c.groups {
		for _, r := range runs {
			switch v, known := r.at(field); {
			case !known:
				return fmt.Sprintf("there is no figure %q (they are named as in a run's file: requests_per_second, stats.ttft.p99, …)", field)
			case v == nil:
				continue
			default:
				if _, number := v.(float64); !number {
					return fmt.Sprintf("%q is no number (they are named as in a run's file: requests_per_second, stats.ttft.p99, …)", field)
				}
			}
		}
	}
	return ""
}
