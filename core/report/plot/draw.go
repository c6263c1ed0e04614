package plot

import (
	"fmt"
	"image"
	"io"
)

// PNG draws the figure. The same figure gives the same bytes.
func (f *Figure) PNG(w io.Writer) error {
	c, err := newCanvas(f.Width, f.Height)
	if err != nil {
		return fmt.Errorf("figure: %w", err)
	}
	top, bottom := 12, f.Height-12
	if f.Title != "" {
		top += rise(figureSize) + 8
		c.text(f.Title, f.Width/2, top-2, figureSize, true, center, ink)
	}
	if f.Subtitle != "" {
		top += rise(labelSize) + 10
		c.text(f.Subtitle, f.Width/2, top-2, labelSize, false, center, faintInk)
	}
	if len(f.Legend) > 1 || len(f.Legend) == 1 && f.Legend[0].Label != "" {
		rows := c.legendRows(f.Legend, f.Width-80)
		bottom -= keyHeight * len(rows)
		c.legend(rows, f.Width/2, bottom)
		bottom -= 6
	}
	for i := range f.Subplots {
		s := &f.Subplots[i]
		width, height := f.Width/f.Cols, (bottom-top)/f.Rows
		c.subplot(s, image.Rect(s.Col*width, top+s.Row*height, (s.Col+1)*width, top+(s.Row+1)*height))
	}
	if err := c.r.Save(w); err != nil {
		return fmt.Errorf("figure: %w", err)
	}
	return nil
}

// subplot draws one pair of axes with all around it into a box.
func (c *canvas) subplot(s *Subplot, box image.Rectangle) {
	inner := image.Rect(box.Min.X+24, box.Min.Y+12, box.Max.X-22, box.Max.Y-14)
	title := c.wrap(s.Title, inner.Dx()-40, titleSize, true)
	keys := c.legendRows(s.Legend, inner.Dx()-60)

	area := inner
	area.Min.Y += len(title)*(rise(titleSize)+8) + len(keys)*keyHeight + 6
	area.Max.Y -= 2*rise(tickSize) + rise(labelSize) + 16

	xs, ys := s.values()
	y, yTicks := layOut(s.Y, ys, area.Max.Y, area.Min.Y)
	widest := 0
	for _, t := range yTicks {
		widest = max(widest, c.width(t.text, tickSize, false))
	}
	area.Min.X += rise(labelSize) + 12 + widest + 10
	x, xTicks := layOut(s.X, xs, area.Min.X, area.Max.X)

	middle := (area.Min.X + area.Max.X) / 2
	at := inner.Min.Y
	for _, line := range title {
		at += rise(titleSize) + 8
		c.text(line, middle, at-6, titleSize, true, center, ink)
	}
	c.legend(keys, middle, at)

	c.axes(s, area, x, y, xTicks, yTicks)
	c.textUp(s.Y.Label, inner.Min.X+rise(labelSize), (area.Min.Y+area.Max.Y)/2, labelSize, ink)
	c.text(s.X.Label, middle, inner.Max.Y, labelSize, false, center, ink)
	if s.Note != "" {
		c.text(s.Note, middle, (area.Min.Y+area.Max.Y)/2, labelSize, false, center, faintInk)
	}
	c.stacks(s, area, x, y)
	c.lines(s, area, x, y)
}

// values are all that the axes must show.
func (s *Subplot) values() (xs, ys []float64) {
	for _, l := range s.Lines {
		for _, p := range l.Points {
			xs, ys = append(xs, p.X), append(ys, p.Y)
		}
	}
	for _, stack := range s.Stacks {
		sum := 0.0
		for _, l := range stack.Layers {
			sum += l.Height
		}
		xs, ys = append(xs, stack.X), append(ys, sum)
	}
	return xs, ys
}

// axes draws grid, frame and ticks. A tick whose text would touch the one
// before has none.
func (c *canvas) axes(s *Subplot, area image.Rectangle, x, y span, xTicks, yTicks []tick) {
	end := area.Min.X - 100
	for _, t := range xTicks {
		at := x.pixel(t.at)
		if s.X.Scale != Even {
			c.line(gridColor, 1, nil, image.Pt(at, area.Min.Y), image.Pt(at, area.Max.Y))
		}
		c.line(axisColor, 1, nil, image.Pt(at, area.Max.Y), image.Pt(at, area.Max.Y+5))
		if half := c.width(t.text, tickSize, false) / 2; at-half > end+6 {
			c.text(t.text, at, area.Max.Y+9+rise(tickSize), tickSize, false, center, ink)
			end = at + half
		}
	}
	below := area.Max.Y + 100
	for _, t := range yTicks {
		at := y.pixel(t.at)
		c.line(gridColor, 1, nil, image.Pt(area.Min.X, at), image.Pt(area.Max.X, at))
		c.line(axisColor, 1, nil, image.Pt(area.Min.X-5, at), image.Pt(area.Min.X, at))
		if half := rise(tickSize) / 2; at+half < below-4 {
			c.text(t.text, area.Min.X-9, at+half, tickSize, false, right, ink)
			below = at - half
		}
	}
	c.line(axisColor, 1, nil, area.Min, image.Pt(area.Min.X, area.Max.Y), area.Max)
}

// lines draws all lines, then their markers, then what texts find room.
func (c *canvas) lines(s *Subplot, area image.Rectangle, x, y span) {
	place := func(p Point) image.Point { return image.Pt(x.pixel(p.X), y.pixel(p.Y)) }
	var o obstacles
	for _, l := range s.Lines {
		var points []image.Point
		for _, p := range l.Points {
			points = append(points, place(p))
		}
		if !l.Apart {
			c.line(l.Color, 2, l.Dash, points...)
			o.lines = append(o.lines, points)
		}
	}
	for _, l := range s.Lines {
		for _, p := range l.Points {
			at := place(p)
			c.marker(at, l.Color, l.Hollow)
			o.boxes = append(o.boxes, image.Rect(at.X-4, at.Y-4, at.X+4, at.Y+4))
		}
	}
	for _, l := range s.Lines {
		for _, p := range l.Points {
			c.beside(p.Text, place(p), area, &o)
		}
	}
}

// beside writes a point's text at the first of six places where nothing is
// yet; where none is free it is left out.
func (c *canvas) beside(text string, at image.Point, area image.Rectangle, o *obstacles) {
	if text == "" {
		return
	}
	w, h := c.width(text, pointSize, false), rise(pointSize)
	for _, corner := range []image.Point{
		{at.X + 6, at.Y - 6 - h}, {at.X - 6 - w, at.Y - 6 - h}, {at.X - w/2, at.Y - 9 - h},
		{at.X + 6, at.Y + 6}, {at.X - 6 - w, at.Y + 6}, {at.X - w/2, at.Y + 9},
	} {
		box := image.Rectangle{corner, corner.Add(image.Pt(w, h))}
		if box.In(area.Inset(-10)) && o.free(box) {
			c.text(text, box.Min.X, box.Max.Y, pointSize, false, left, faintInk)
			o.boxes = append(o.boxes, box)
			return
		}
	}
}

// obstacles are what texts keep clear of.
type obstacles struct {
	boxes []image.Rectangle
	lines [][]image.Point
}

func (o *obstacles) free(box image.Rectangle) bool {
	for _, b := range o.boxes {
		if box.Overlaps(b) {
			return false
		}
	}
	grown := box.Inset(-1)
	for _, line := range o.lines {
		for i := 1; i < len(line); i++ {
			if crosses(line[i-1], line[i], grown) {
				return false
			}
		}
	}
	return true
}

// crosses tells whether a line touches a box, going along it in steps of
// three pixels.
func crosses(a, b image.Point, box image.Rectangle) bool {
	d := b.Sub(a)
	steps := max(d.X, -d.X, d.Y, -d.Y)/3 + 1
	for i := range steps + 1 {
		if a.Add(d.Mul(i).Div(steps)).In(box) {
			return true
		}
	}
	return false
}

// stacks draws bars, each in its slot of the tick.
func (c *canvas) stacks(s *Subplot, area image.Rectangle, x, y span) {
	if len(s.Stacks) == 0 || len(x.even) == 0 {
		return
	}
	each := float64(area.Dx()) / float64(len(x.even)) * 0.7
	each = min(each, 260)
	for _, stack := range s.Stacks {
		width := each / float64(stack.Slots)
		from := float64(x.pixel(stack.X)) - each/2 + width*float64(stack.Slot)
		sum := 0.0
		base := y.pixel(0)
		whole := image.Rect(int(from)+1, base, int(from+width)-1, base)
		for _, l := range stack.Layers {
			bottom := y.pixel(sum)
			sum += l.Height
			whole.Min.Y = y.pixel(sum)
			c.fill(image.Rect(whole.Min.X, whole.Min.Y, whole.Max.X, bottom), l.Color)
		}
		if stack.Slots > 1 && whole.Dy() > 0 {
			// Whose bar it is: a foot in the group's colour.
			c.fill(image.Rect(whole.Min.X, base+1, whole.Max.X, base+5), stack.Edge)
		}
		if c.width(stack.Text, pointSize, false) <= int(width) {
			c.text(stack.Text, (whole.Min.X+whole.Max.X)/2, whole.Min.Y-5, pointSize, false, center, faintInk)
		}
	}
}
