package openaiwire

import (
	"bytes"
	"encoding/binary"
	"mime"
	"strconv"
	"time"
)

// sound measures how long speech lasts while it comes in, by its format: MP3,
// WAVE, or bare samples. It keeps a few bytes and never more.
type sound struct {
	format   soundFormat
	rate     int    // samples a second of bare PCM
	head     []byte // bytes that do not make a header yet
	skip     int64  // bytes until the next header
	samples  map[int]int64
	bytes    int64 // of WAVE's or bare samples
	perTime  int64 // bytes a second of WAVE
	inData   bool  // of WAVE
	mistaken bool  // it is not what it seemed to be
}

type soundFormat uint8

const (
	soundUnknown soundFormat = iota
	soundMP3
	soundWAVE
	soundPCM
)

// pcmRate is that of OpenAI's "pcm": 24 kHz, 16 bits, mono
// (https://platform.openai.com/docs/guides/text-to-speech).
const pcmRate = 24_000

// newSound takes the answer's media type; its beginning may know better.
func newSound(contentType string) *sound {
	s := &sound{samples: map[int]int64{}}
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return s
	}
	switch kind {
	case "audio/mpeg", "audio/mp3":
		s.format = soundMP3
	case "audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave":
		s.format = soundWAVE
	case "audio/pcm", "audio/l16":
		s.format, s.rate = soundPCM, pcmRate
		if rate, err := strconv.Atoi(params["rate"]); err == nil && rate > 0 {
			s.rate = rate
		}
	}
	return s
}

// add takes the next bytes.
func (s *sound) add(data []byte) {
	if s.format == soundPCM {
		s.bytes += int64(len(data))
		return
	}
	for len(data) > 0 && s.format != soundUnknown && !s.mistaken {
		if s.skip > 0 {
			n := min(s.skip, int64(len(data)))
			if s.inData {
				s.bytes += n
			}
			s.skip -= n
			data = data[n:]
			continue
		}
		if s.inData {
			s.bytes += int64(len(data))
			return
		}
		need := s.headerBytes()
		take := min(need-len(s.head), len(data))
		s.head, data = append(s.head, data[:take]...), data[take:]
		if len(s.head) == s.headerBytes() {
			s.header(s.head)
		}
	}
}

// headerBytes is how long the header is of which head is the beginning.
func (s *sound) headerBytes() int {
	switch {
	case s.format == soundMP3 && len(s.head) >= 3 && string(s.head[:3]) == "ID3":
		return 10
	case s.format == soundMP3:
		return 4
	case len(s.head) >= 4 && string(s.head[:4]) == "RIFF":
		return 12
	case len(s.head) >= 8 && string(s.head[:4]) == "fmt ":
		return 8 + 16
	}
	return 8
}

func (s *sound) header(h []byte) {
	if s.format == soundMP3 {
		s.mp3Header(h)
	} else {
		s.waveHeader(h)
	}
	s.head = s.head[:0]
}

// mp3Header reads the header of a frame, or of the tag before the first
// (ISO 11172-3, 2.4.1.3; https://id3.org/id3v2.4.0-structure).
func (s *sound) mp3Header(h []byte) {
	if bytes.HasPrefix(h, []byte("ID3")) {
		size := int64(h[6]&0x7f)<<21 | int64(h[7]&0x7f)<<14 | int64(h[8]&0x7f)<<7 | int64(h[9]&0x7f)
		s.skip = size
		return
	}
	if bytes.HasPrefix(h, []byte("TAG")) { // at the end, 128 bytes
		s.skip = 124
		return
	}
	const layer3 = 1
	version, layer := h[1]>>3&3, h[1]>>1&3
	bitrate, rate := int64(h[2]>>4), h[2]>>2&3
	if h[0] != 0xff || h[1]&0xe0 != 0xe0 || version == 1 || layer != layer3 || bitrate == 0 || bitrate == 15 || rate == 3 {
		s.mistaken = true
		return
	}
	hertz := [3]int64{44_100, 48_000, 32_000}[rate]
	kilobits := [15]int64{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}[bitrate]
	samples := int64(1152)
	if version != 3 { // MPEG 2, or 2.5
		kilobits = [15]int64{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}[bitrate]
		hertz, samples = hertz/2, 576
		if version == 0 {
			hertz /= 2
		}
	}
	s.samples[int(hertz)] += samples
	s.skip = samples/8*kilobits*1000/hertz + int64(h[2]>>1&1) - 4
}

// waveHeader reads the head of a WAVE file, and of its chunks up to the samples.
// A server that does not know the length yet writes 0 or the largest number as
// the size of these, so that it is not asked.
func (s *sound) waveHeader(h []byte) {
	size := int64(binary.LittleEndian.Uint32(h[4:]))
	switch string(h[:4]) {
	case "RIFF":
		s.mistaken = string(h[8:12]) != "WAVE"
	case "fmt ":
		s.perTime = int64(binary.LittleEndian.Uint32(h[16:]))
		s.skip = max(0, size-16)
	case "data":
		s.inData = true
	default:
		s.skip = size
	}
}

// lasts is the time that all lasts which was added; 0 where that cannot be told.
func (s *sound) lasts() time.Duration {
	switch {
	case s.mistaken:
		return 0
	case s.format == soundPCM:
		return perSecond(s.bytes, int64(2*s.rate))
	case s.format == soundWAVE && s.perTime > 0:
		return perSecond(s.bytes, s.perTime)
	}
	var d time.Duration
	for hertz, n := range s.samples {
		d += perSecond(n, int64(hertz))
	}
	return d
}

func perSecond(n, rate int64) time.Duration {
	return time.Duration(float64(n) / float64(rate) * float64(time.Second))
}
