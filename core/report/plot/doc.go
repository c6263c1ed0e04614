// Package plot draws the charts of experiments as PNG files. It reads loaded
// experiments and nothing else.
//
// A Config says which figure over which makes which subplot, in the form of the
// Python tool's plot configurations; Presets has its five and an overview of
// our own. Compose turns a configuration and the runs of experiments into a
// Figure, which is data: subplots, series, points. Figure.PNG draws it.
// go-chart draws lines, text and shapes; axes, ticks and legends are laid out
// here, because go-chart has neither true logarithmic axes nor subplots.
package plot
