package picture_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"github.com/genai-bench/genai-bench/core/picture"
)

func chessboard(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{200, 30, 30, 255}
			if (x/8+y/8)%2 == 0 {
				c = color.RGBA{20, 20, 220, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

func TestPicturesOfEveryFormatAreRead(t *testing.T) {
	img := chessboard(40, 24)
	encoders := map[string]func(b *bytes.Buffer) error{
		"png":  func(b *bytes.Buffer) error { return png.Encode(b, img) },
		"jpeg": func(b *bytes.Buffer) error { return jpeg.Encode(b, img, nil) },
		"gif":  func(b *bytes.Buffer) error { return gif.Encode(b, img, nil) },
		"bmp":  func(b *bytes.Buffer) error { return bmp.Encode(b, img) },
		"tiff": func(b *bytes.Buffer) error { return tiff.Encode(b, img, nil) },
	}
	for want, encode := range encoders {
		t.Run(want, func(t *testing.T) {
			var b bytes.Buffer
			if err := encode(&b); err != nil {
				t.Fatal(err)
			}
			format, w, h, err := picture.Check(b.Bytes(), false)
			if err != nil || format != want || w != 40 || h != 24 {
				t.Errorf("Check: %s %d×%d, %v", format, w, h, err)
			}
			decoded, err := picture.Decode(b.Bytes(), false)
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := picture.JPEG(picture.Fit(decoded, 64, 48))
			if err != nil {
				t.Fatal(err)
			}
			if format, w, h, err = picture.Check(encoded, false); err != nil || format != "jpeg" || w != 64 || h != 48 {
				t.Errorf("fitted: %s %d×%d, %v", format, w, h, err)
			}
		})
	}
}

func TestWhatIsNoPictureIsRefused(t *testing.T) {
	var whole bytes.Buffer
	if err := png.Encode(&whole, chessboard(64, 64)); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"nothing": nil, "text": []byte("this is no picture"), "half a PNG": whole.Bytes()[:whole.Len()/2],
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := picture.Decode(data, false); err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line", err)
			}
		})
	}
}

// bomb is a PNG header that promises so many pixels: small in bytes, gigabytes
// when decoded.
func bomb(w, h uint32) []byte {
	chunk := []byte("IHDR\x00\x00\x00\x00\x00\x00\x00\x00\x08\x06\x00\x00\x00")
	for i := range 4 {
		chunk[4+i], chunk[8+i] = byte(w>>(24-8*i)), byte(h>>(24-8*i))
	}
	b := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), chunk...)
	sum := crc32.ChecksumIEEE(chunk)
	return append(b, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
}

func TestADecompressionBombIsRefusedBeforeItIsDecoded(t *testing.T) {
	for _, size := range [][2]uint32{{10_000, 10_000}, {1 << 20, 1 << 20}, {1<<31 - 1, 1<<31 - 1}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			_, err := picture.Decode(bomb(size[0], size[1]), false)
			if err == nil {
				t.Fatal("it was decoded")
			}
			if size[0] < 1<<31-1 && !errors.Is(err, picture.ErrTooLarge) {
				t.Errorf("error %v, want ErrTooLarge", err)
			}
		})
	}
	if _, w, _, err := picture.Check(bomb(10_000, 10_000), true); err != nil || w != 10_000 {
		t.Errorf("allowed: width %d, %v", w, err)
	}
}

func TestSyntheticPictures(t *testing.T) {
	draw := func(seed uint64, w, h int) []byte {
		t.Helper()
		data, err := picture.JPEG(picture.Synthetic(rand.New(rand.NewPCG(seed, 1)), w, h))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if !bytes.Equal(draw(1, 128, 96), draw(1, 128, 96)) {
		t.Error("the same seed draws different pictures")
	}
	if bytes.Equal(draw(1, 128, 96), draw(2, 128, 96)) {
		t.Error("different seeds draw the same picture")
	}
	for _, side := range []int{1, 7, 512} {
		data := draw(3, side, side)
		if _, w, h, err := picture.Check(data, false); err != nil || w != side || h != side {
			t.Errorf("a picture of %d: %d×%d, %v", side, w, h, err)
		}
	}
	// Photographs take 0.15 to 0.4 bytes a pixel at this quality.
	if size := float64(len(draw(4, 512, 512))) / (512 * 512); size < 0.1 || size > 0.5 {
		t.Errorf("%.3f bytes a pixel, unlike a photograph", size)
	}
}

func TestAMarkMakesPixelsDifferent(t *testing.T) {
	seen := map[string]uint64{}
	corner := func(number uint64) string {
		img := chessboard(64, 64)
		picture.Mark(img, number)
		data, err := picture.JPEG(img)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := picture.Decode(data, false)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for y := range 16 {
			for x := range 16 {
				fmt.Fprint(&b, decoded.At(x, y))
			}
		}
		return b.String()
	}
	for i := range uint64(200) {
		number := i * 0x9e3779b97f4a7c15
		c := corner(number)
		if before, ok := seen[c]; ok {
			t.Fatalf("%#x and %#x look the same after JPEG", before, number)
		}
		seen[c] = number
	}
	picture.Mark(chessboard(3, 3), 1) // smaller than a mark
}

func BenchmarkSynthetic(b *testing.B) {
	for _, side := range []int{512, 2048} {
		b.Run(fmt.Sprint(side), func(b *testing.B) {
			b.ReportAllocs()
			r := rand.New(rand.NewPCG(1, 2))
			for b.Loop() {
				if _, err := picture.JPEG(picture.Synthetic(r, side, side)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFit(b *testing.B) {
	img := chessboard(2048, 1536)
	b.ReportAllocs()
	for b.Loop() {
		picture.Fit(img, 512, 512)
	}
}
