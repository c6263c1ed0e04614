// Package picture makes the pictures of requests: those of a dataset brought to
// a size, and synthetic ones, as JPEG.
//
// Everything is a pure function of its arguments: the same seed makes the same
// bytes. Nothing here is for the send path; making a picture of 512×512 takes
// milliseconds, one of 2048×2048 a tenth of a second.
package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"

	// Decoders for image.Decode.
	_ "image/gif"
	_ "image/png"

	_ "golang.org/x/image/bmp"
	"golang.org/x/image/draw"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// MIME is the type of what JPEG makes.
const MIME = "image/jpeg"

// Quality of the JPEG files: that of the Python tool, the default of its
// image library.
const Quality = 75

// PixelsMax is the most pixels that a picture may have before it is decoded,
// unless large ones are allowed: the limit of Python's image library, a quarter
// of a gigabyte at three bytes a pixel.
const PixelsMax = 1 << 30 / 4 / 3

// ErrTooLarge is the refusal of a picture with more than PixelsMax pixels.
var ErrTooLarge = errors.New("too large")

// Check reads a picture's header and tells its format ("jpeg", "png", …) and
// size. Unless large is set, one of more than PixelsMax pixels is ErrTooLarge.
func Check(data []byte, large bool) (format string, width, height int, err error) {
	config, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return "", 0, 0, fmt.Errorf("no picture that can be read: %w", err)
	}
	if config.Width <= 0 || config.Height <= 0 {
		return "", 0, 0, fmt.Errorf("a picture of %d×%d pixels", config.Width, config.Height)
	}
	if !large && config.Width > PixelsMax/config.Height {
		return "", 0, 0, fmt.Errorf("a picture of %d×%d pixels is %w (at most %d million, unless unsafe_allow_large_images is set)",
			config.Width, config.Height, ErrTooLarge, PixelsMax/1_000_000)
	}
	return format, config.Width, config.Height, nil
}

// Decode checks a picture as Check does and decodes it.
func Decode(data []byte, large bool) (image.Image, error) {
	if _, _, _, err := Check(data, large); err != nil {
		return nil, err
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("no picture that can be read: %w", err)
	}
	return img, nil
}

// Fit scales a picture to exactly width × height, whatever its shape was, on
// white where it is transparent.
func Fit(img image.Image, width, height int) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	draw.CatmullRom.Scale(out, out.Bounds(), img, img.Bounds(), draw.Over, nil)
	return out
}

// JPEG encodes a picture, on white where it is transparent.
func JPEG(img image.Image) ([]byte, error) {
	if rgba, ok := img.(*image.RGBA); !ok || !rgba.Opaque() {
		flat := image.NewRGBA(img.Bounds())
		draw.Draw(flat, flat.Bounds(), image.White, image.Point{}, draw.Src)
		draw.Draw(flat, flat.Bounds(), img, img.Bounds().Min, draw.Over)
		img = flat
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: Quality}); err != nil {
		return nil, fmt.Errorf("encoding a picture as JPEG: %w", err)
	}
	return b.Bytes(), nil
}

// Cells of the grids that a synthetic picture is made of: broad shapes and
// finer ones.
const (
	broadCells = 6
	fineCells  = 48
)

// Synthetic draws a picture that nobody has seen before: clouds of colour in two
// sizes, which JPEG compresses about as well as a photograph.
func Synthetic(r *rand.Rand, width, height int) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.ApproxBiLinear.Scale(out, out.Bounds(), cells(r, broadCells, 255), image.Rect(0, 0, broadCells, broadCells), draw.Src, nil)
	draw.ApproxBiLinear.Scale(out, out.Bounds(), cells(r, fineCells, 90), image.Rect(0, 0, fineCells, fineCells), draw.Over, nil)
	// A grain of two bits, as a sensor's noise: without it the file would be a
	// tenth of a photograph's.
	for i := 0; i < len(out.Pix); {
		bits := r.Uint64()
		for range 8 {
			if i >= len(out.Pix) {
				break
			}
			grain := int(bits&7) - 4
			bits >>= 8
			for c := range 3 {
				out.Pix[i+c] = uint8(max(0, min(255, int(out.Pix[i+c])+grain)))
			}
			i += 4
		}
	}
	return out
}

// cells is a small grid of random colours.
func cells(r *rand.Rand, n int, alpha uint8) *image.NRGBA {
	grid := image.NewNRGBA(image.Rect(0, 0, n, n))
	for i := 0; i < len(grid.Pix); i += 4 {
		bits := r.Uint32()
		grid.Pix[i], grid.Pix[i+1], grid.Pix[i+2], grid.Pix[i+3] = uint8(bits), uint8(bits>>8), uint8(bits>>16), alpha
	}
	return grid
}

// markSide is the side of a mark: a block of JPEG, which survives encoding.
const markSide = 8

// Mark writes a number into the top left corner, as four by two fields of a
// grey each, so that the pixels differ from those of every other number and a
// server's cache of pictures finds nothing. What is smaller than the mark is
// left as it is where the mark ends.
func Mark(img *image.RGBA, number uint64) {
	bounds := img.Bounds()
	for i := range 8 {
		grey := uint8(number >> (8 * i))
		for y := range markSide / 2 {
			for x := range markSide / 4 {
				px, py := bounds.Min.X+i%4*markSide/4+x, bounds.Min.Y+i/4*markSide/2+y
				if !(image.Point{X: px, Y: py}).In(bounds) {
					continue
				}
				at := img.PixOffset(px, py)
				img.Pix[at], img.Pix[at+1], img.Pix[at+2] = grey, grey, grey
			}
		}
	}
}
