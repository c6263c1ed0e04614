package plot

import (
	"image/color"
	"strconv"
)

const pixelsPerInch = 100

// Figure is a picture as data: what Compose makes and PNG draws.
type Figure struct {
	Title         string
	Subtitle      string
	Rows, Cols    int
	Width, Height int // pixels
	Subplots      []Subplot
	Legend        []Key // below all subplots: the groups
}

// Subplot is one pair of axes.
type Subplot struct {
	Row, Col int
	Title    string
	X, Y     Axis
	Lines    []Line
	Stacks   []Stack
	Legend   []Key  // above the axes: fields or error codes
	Note     string // where there is nothing to draw
}

// Axis is how values of one direction are placed.
type Axis struct {
	Label string
	Scale Scale
	// Ticks are values that get a tick, ascending; nil: round numbers.
	Ticks []float64
}

// Scale is how distances on an axis go with values.
type Scale uint8

// The scales. A logarithmic one shows positive values only; Even puts its
// ticks at equal distances.
const (
	Linear Scale = iota
	Log10
	Log2
	Even
)

// Line is points that belong together.
type Line struct {
	Color  color.RGBA
	Dash   []float64 // pixels on and off; nil: solid
	Hollow bool      // markers
	Apart  bool      // scatter: not joined
	Points []Point
}

// Point is a value at a place, with a text beside its marker.
type Point struct {
	X, Y float64
	Text string
}

// Stack is a bar of layers at the X of a tick. Slot of Slots are the places
// side by side at one tick.
type Stack struct {
	X           float64
	Slot, Slots int
	Layers      []Layer
	Edge        color.RGBA // of the group, where several share a tick
	Text        string     // above the bar
}

// Layer is a part of a Stack.
type Layer struct {
	Height float64
	Color  color.RGBA
}

// Key is an entry of a legend.
type Key struct {
	Label  string
	Color  color.RGBA
	Dash   []float64
	Hollow bool
	Bar    bool // a square instead of a line
}

// palette is the ten colours by which series are told apart, matplotlib's
// tab10.
var palette = [...]color.RGBA{
	rgb(0x1f77b4), rgb(0xff7f0e), rgb(0x2ca02c), rgb(0xd62728), rgb(0x9467bd),
	rgb(0x8c564b), rgb(0xe377c2), rgb(0x7f7f7f), rgb(0xbcbd22), rgb(0x17becf),
}

func rgb(v uint32) color.RGBA { return color.RGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 0xff} }

// colorNames are the CSS names that configurations use.
var colorNames = map[string]uint32{
	"black": 0x000000, "gray": 0x808080, "grey": 0x808080, "blue": 0x0000ff, "orange": 0xffa500, "red": 0xff0000, "green": 0x008000,
	"purple": 0x800080, "skyblue": 0x87ceeb, "lightcoral": 0xf08080, "lightgreen": 0x90ee90, "navy": 0x000080, "darkred": 0x8b0000,
	"darkgreen": 0x006400, "brown": 0xa52a2a, "pink": 0xffc0cb, "olive": 0x808000, "cyan": 0x00ffff, "magenta": 0xff00ff, "teal": 0x008080,
	"gold": 0xffd700, "darkblue": 0x00008b, "darkorange": 0xff8c00, "steelblue": 0x4682b4, "tomato": 0xff6347, "crimson": 0xdc143c,
}

// colorOf reads "#rrggbb" or a name.
func colorOf(text string) (color.RGBA, bool) {
	if v, ok := colorNames[text]; ok {
		return rgb(v), true
	}
	if len(text) != 7 || text[0] != '#' {
		return color.RGBA{}, false
	}
	v, err := strconv.ParseUint(text[1:], 16, 32)
	return rgb(uint32(v)), err == nil
}

// dashes are the line styles of configurations.
var dashes = map[string][]float64{"-": nil, "--": {9, 5}, "-.": {10, 4, 2, 4}, ":": {2, 4}}

// dashCycle is the order in which they are given to several fields.
var dashCycle = [...]string{"-", "--", "-.", ":"}
