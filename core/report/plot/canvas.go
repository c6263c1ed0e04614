package plot

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"sort"
	"strings"
	"unicode"

	"github.com/golang/freetype/truetype"
	chart "github.com/wcharczuk/go-chart/v2"
	"github.com/wcharczuk/go-chart/v2/drawing"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
)

// Sizes of text in points.
const (
	tickSize   = 10.0
	labelSize  = 11.0
	titleSize  = 12.5
	figureSize = 17.0
	pointSize  = 9.0
)

var (
	ink       = rgb(0x222222)
	faintInk  = rgb(0x666666)
	gridColor = rgb(0xe4e4e4)
	axisColor = rgb(0x888888)
	white     = rgb(0xffffff)
)

// canvas draws lines, shapes and text by go-chart's renderer.
type canvas struct {
	r             chart.Renderer
	regular, bold *truetype.Font
}

func newCanvas(width, height int) (*canvas, error) {
	const mostPixels = 100_000_000
	if width < 1 || height < 1 || width > mostPixels/height {
		return nil, fmt.Errorf("a figure of %d × %d pixels cannot be drawn", width, height)
	}
	r, err := chart.PNG(width, height)
	if err != nil {
		return nil, err
	}
	r.SetDPI(pixelsPerInch)
	c := &canvas{r: r}
	if c.regular, err = truetype.Parse(goregular.TTF); err != nil {
		return nil, err
	}
	if c.bold, err = truetype.Parse(gobold.TTF); err != nil {
		return nil, err
	}
	c.fill(image.Rect(0, 0, width, height), white)
	return c, nil
}

func paint(c color.RGBA) drawing.Color { return drawing.Color{R: c.R, G: c.G, B: c.B, A: c.A} }

func (c *canvas) fill(box image.Rectangle, with color.RGBA) {
	c.r.ResetStyle()
	c.r.SetFillColor(paint(with))
	c.r.MoveTo(box.Min.X, box.Min.Y)
	c.r.LineTo(box.Max.X, box.Min.Y)
	c.r.LineTo(box.Max.X, box.Max.Y)
	c.r.LineTo(box.Min.X, box.Max.Y)
	c.r.Close()
	c.r.Fill()
}

func (c *canvas) line(with color.RGBA, width float64, dash []float64, points ...image.Point) {
	if len(points) < 2 {
		return
	}
	c.r.ResetStyle()
	c.r.SetStrokeColor(paint(with))
	c.r.SetStrokeWidth(width)
	c.r.SetStrokeDashArray(dash)
	c.r.MoveTo(points[0].X, points[0].Y)
	for _, p := range points[1:] {
		c.r.LineTo(p.X, p.Y)
	}
	c.r.Stroke()
}

// marker is a dot; a hollow one has a white heart.
func (c *canvas) marker(at image.Point, with color.RGBA, hollow bool) {
	c.r.ResetStyle()
	c.r.SetFillColor(paint(with))
	c.disc(4.6, at)
	if hollow {
		c.r.SetFillColor(paint(white))
		c.disc(2.7, at)
	}
}

// disc fills a circle; the renderer's own Circle is a squircle.
func (c *canvas) disc(radius float64, at image.Point) {
	c.r.MoveTo(at.X+int(math.Round(radius)), at.Y)
	c.r.ArcTo(at.X, at.Y, radius, radius, 0, 2*math.Pi)
	c.r.Close()
	c.r.Fill()
}

type align int

const (
	left align = iota
	center
	right
)

func (c *canvas) font(size float64, bold bool) {
	c.r.ResetStyle()
	c.r.SetFont(c.regular)
	if bold {
		c.r.SetFont(c.bold)
	}
	c.r.SetFontSize(size)
}

func (c *canvas) width(text string, size float64, bold bool) int {
	if text == "" {
		return 0
	}
	c.font(size, bold)
	return c.r.MeasureText(text).Width()
}

// rise is the height of capitals and figures in pixels.
func rise(size float64) int { return int(math.Round(size * pixelsPerInch / 72 * 0.72)) }

// text writes with its baseline at y.
func (c *canvas) text(body string, x, y int, size float64, bold bool, how align, with color.RGBA) {
	if body == "" {
		return
	}
	if how != left {
		w := c.width(body, size, bold)
		if how == center {
			w /= 2
		}
		x -= w
	}
	c.font(size, bold)
	c.r.SetFontColor(paint(with))
	c.r.Text(body, x, y)
}

// textUp writes upwards, centred around y, with its baseline at x.
func (c *canvas) textUp(body string, x, y int, size float64, with color.RGBA) {
	w := c.width(body, size, false)
	c.font(size, false)
	c.r.SetFontColor(paint(with))
	c.r.SetTextRotation(-math.Pi / 2)
	c.r.Text(body, x, y+w/2)
	c.r.ClearTextRotation()
}

// wrap breaks text at spaces into lines no wider than width, where it can.
func (c *canvas) wrap(text string, width int, size float64, bold bool) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		longer := strings.TrimSpace(line + " " + word)
		if line != "" && c.width(longer, size, bold) > width {
			lines = append(lines, line)
			longer = word
		}
		line = longer
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// clip shortens text to a width, without characters that cannot be seen.
func (c *canvas) clip(text string, width int, size float64) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return -1
	}, text)
	if c.width(text, size, false) <= width {
		return text
	}
	runes := []rune(text)
	fits := sort.Search(len(runes), func(n int) bool { return c.width(string(runes[:n+1])+"…", size, false) > width })
	return string(runes[:fits]) + "…"
}

const (
	keyMark   = 34 // of a legend's sample of line
	keyGap    = 26 // between entries
	keyHeight = 22
)

// legendRows puts keys into rows that fit.
func (c *canvas) legendRows(keys []Key, width int) [][]Key {
	var rows [][]Key
	used := width + 1
	for _, k := range keys {
		k.Label = c.clip(k.Label, width-keyMark-8, tickSize)
		w := keyMark + 8 + c.width(k.Label, tickSize, false) + keyGap
		if used+w-keyGap > width {
			rows, used = append(rows, nil), 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], k)
		used += w
	}
	return rows
}

// legend draws rows of keys, each centred around x.
func (c *canvas) legend(rows [][]Key, x, top int) {
	for i, row := range rows {
		w := -keyGap
		for _, k := range row {
			w += keyMark + 8 + c.width(k.Label, tickSize, false) + keyGap
		}
		at, y := x-w/2, top+i*keyHeight+keyHeight/2
		for _, k := range row {
			if k.Bar {
				c.fill(image.Rect(at+keyMark-13, y-6, at+keyMark, y+7), k.Color)
			} else {
				c.line(k.Color, 2, k.Dash, image.Pt(at, y), image.Pt(at+keyMark, y))
				c.marker(image.Pt(at+keyMark/2, y), k.Color, k.Hollow)
			}
			c.text(k.Label, at+keyMark+8, y+rise(tickSize)/2, tickSize, false, left, ink)
			at += keyMark + 8 + c.width(k.Label, tickSize, false) + keyGap
		}
	}
}
