package openaiwire

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"
)

// mp3Of are silent frames of 128 kbit/s at 44.1 kHz, as the simulator speaks.
func mp3Of(frames int) []byte {
	return bytes.Repeat(append([]byte{0xff, 0xfb, 0x90, 0x00}, make([]byte, 413)...), frames)
}

// waveOf is a WAVE file that claims a size of its samples.
func waveOf(rate, samples int, claimed uint32, more ...byte) []byte {
	h := binary.LittleEndian.AppendUint32([]byte("RIFF"), claimed+36)
	h = append(h, "WAVEfmt "...)
	h = binary.LittleEndian.AppendUint32(h, 16)
	h = binary.LittleEndian.AppendUint16(h, 1)
	h = binary.LittleEndian.AppendUint16(h, 1)
	h = binary.LittleEndian.AppendUint32(h, uint32(rate))
	h = binary.LittleEndian.AppendUint32(h, uint32(rate*2))
	h = append(h, 2, 0, 16, 0)
	h = append(h, more...)
	h = binary.LittleEndian.AppendUint32(append(h, "data"...), claimed)
	return append(h, make([]byte, 2*samples)...)
}

var soundCases = map[string]struct {
	contentType string
	data        []byte
	want        time.Duration
}{
	"MP3":                             {"audio/mpeg", mp3Of(100), 100 * 26122448 * time.Nanosecond},
	"MP3 behind a tag":                {"audio/mpeg", append([]byte("ID3\x04\x00\x00\x00\x00\x01\x00"), append(make([]byte, 128), mp3Of(10)...)...), 10 * 26122448 * time.Nanosecond},
	"MP3 before a tag":                {"audio/mpeg", append(mp3Of(10), append([]byte("TAG"), make([]byte, 125)...)...), 10 * 26122448 * time.Nanosecond},
	"MPEG 2 at 24 kHz, 64 kbit/s":     {"audio/mpeg; charset=x", bytes.Repeat(append([]byte{0xff, 0xf3, 0x84, 0xc4}, make([]byte, 188)...), 50), 50 * 24 * time.Millisecond},
	"MP3 that is something else":      {"audio/mpeg", []byte("OggS of course, and more"), 0},
	"WAVE":                            {"audio/wav", waveOf(16_000, 8_000, 16_000), 500 * time.Millisecond},
	"WAVE that does not know its end": {"audio/x-wav", waveOf(24_000, 12_000, 0xffffffff), 500 * time.Millisecond},
	"WAVE with a list":                {"audio/wav", waveOf(24_000, 24_000, 48_000, []byte("LIST\x04\x00\x00\x00abcd")...), time.Second},
	"WAVE that is something else":     {"audio/wav", []byte("RIFF\x00\x00\x00\x00AVI and more"), 0},
	"bare samples":                    {"audio/pcm", make([]byte, 48_000), time.Second},
	"bare samples of a rate":          {"audio/L16;rate=16000", make([]byte, 16_000), 500 * time.Millisecond},
	"a format that is not known":      {"audio/opus", make([]byte, 1000), 0},
	"no format":                       {"", make([]byte, 1000), 0},
	"nothing":                         {"audio/mpeg", nil, 0},
	"half a header":                   {"audio/wav", []byte("RIF"), 0},
}

func TestSpeechIsMeasured(t *testing.T) {
	for name, c := range soundCases {
		t.Run(name, func(t *testing.T) {
			for _, piece := range []int{1, 3, 7, 1024, 1 << 20} { // however it arrives
				s := newSound(c.contentType)
				for part := range slices.Chunk(c.data, piece) {
					s.add(part)
				}
				if got := s.lasts(); (got - c.want).Abs() > time.Microsecond {
					t.Errorf("in pieces of %d: %s, want %s", piece, got, c.want)
				}
			}
		})
	}
}

func FuzzSound(f *testing.F) {
	for _, c := range soundCases {
		f.Add(c.contentType, c.data[:min(len(c.data), 2000)], 5)
	}
	f.Fuzz(func(t *testing.T, contentType string, data []byte, piece int) {
		whole, pieces := newSound(contentType), newSound(contentType)
		whole.add(data)
		for part := range slices.Chunk(data, max(1, min(piece, 1<<10))) {
			pieces.add(part)
		}
		if a, b := whole.lasts(), pieces.lasts(); a != b || a < 0 {
			t.Errorf("whole %s, in pieces %s", a, b)
		}
		if len(pieces.head) > 32 || len(pieces.samples) > 9 {
			t.Errorf("%d bytes and %d rates are kept", len(pieces.head), len(pieces.samples))
		}
	})
}
