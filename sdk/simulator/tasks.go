package simulator

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// forward lets the engine work on prompts that make no tokens, one sequence for
// each, or on a picture of so many steps.
func (x *exchange) forward(prompts []int, steps int) (bool, error) {
	box := newMailbox()
	sequences := make([]*sequence, len(prompts))
	for i, n := range prompts {
		sequences[i] = &sequence{prompt: n, output: steps, choice: i, sink: box, quiet: true}
		x.record.PromptTokens += n
	}
	if ok, err := x.enqueue(sequences); !ok {
		return false, err
	}
	defer x.settle(sequences)
	err := x.await(box, len(sequences))
	return err == nil, err
}

type promptUsage struct {
	PromptTokens int `json:"prompt_tokens"`
	TotalTokens  int `json:"total_tokens"`
}

func (x *exchange) embeddings() error {
	var body struct {
		Model          string  `json:"model"`
		Input          prompts `json:"input"`
		EncodingFormat string  `json:"encoding_format"`
		Dimensions     *int    `json:"dimensions"`
	}
	if ok, err := x.decode(&body); !ok {
		return err
	}
	if ok, err := x.knows(body.Model); !ok {
		return err
	}
	dimensions := x.server.config.EmbeddingDimensions
	if body.Dimensions != nil {
		dimensions = *body.Dimensions
	}
	counts := slices.Clone(body.Input.tokens)
	for _, text := range body.Input.texts {
		counts = append(counts, x.countPrompt(Prompt{Text: text}))
	}
	switch {
	case len(counts) == 0:
		return x.fail(400, "", "BadRequestError", "input", "input must have at least one item.")
	case dimensions < 1 || dimensions > 1<<16:
		return x.fail(400, "", "BadRequestError", "dimensions", fmt.Sprintf("dimensions must be between 1 and 65536, got %d.", dimensions))
	case !slices.Contains([]string{"", "float", "base64"}, body.EncodingFormat):
		return x.fail(400, "", "BadRequestError", "encoding_format", "encoding_format must be float or base64.")
	}
	if ok, err := x.forward(counts, 0); !ok {
		return err
	}
	type item struct {
		Index     int    `json:"index"`
		Object    string `json:"object"`
		Embedding any    `json:"embedding"`
	}
	items := make([]item, len(counts))
	for i := range items {
		var vector any = x.vector(i, dimensions)
		if body.EncodingFormat == "base64" {
			var raw bytes.Buffer
			if err := binary.Write(&raw, binary.LittleEndian, vector); err != nil {
				return fmt.Errorf("simulator: vector: %w", err)
			}
			vector = base64.StdEncoding.EncodeToString(raw.Bytes())
		}
		items[i] = item{i, "embedding", vector}
	}
	return x.sendJSON(200, map[string]any{
		"id": "embd-" + strconv.FormatUint(x.record.Arrival, 16), "object": "list", "created": time.Now().Unix(),
		"model": x.record.Model, "data": items, "usage": x.promptUsage(),
	})
}

func (x *exchange) promptUsage() *promptUsage {
	if x.fault.Usage == "none" {
		return nil
	}
	x.record.UsageSent = true
	return &promptUsage{x.record.PromptTokens, x.record.PromptTokens}
}

// vector is a unit vector in a seeded direction.
func (x *exchange) vector(index, dimensions int) []float32 {
	vector, norm := make([]float32, dimensions), 0.0
	for i := range vector {
		v := draw(x.server.config.Seed, x.record.Arrival, uint64(index), uint64(i)) - 0.5
		vector[i] = float32(v)
		norm += v * v
	}
	for i := range vector {
		vector[i] /= float32(math.Sqrt(norm))
	}
	return vector
}

func (x *exchange) rerank() error {
	var body struct {
		Model     string            `json:"model"`
		Query     string            `json:"query"`
		Documents []json.RawMessage `json:"documents"`
		TopN      *int              `json:"top_n"`
	}
	if ok, err := x.decode(&body); !ok {
		return err
	}
	if ok, err := x.knows(body.Model); !ok {
		return err
	}
	if len(body.Documents) == 0 {
		return x.fail(400, "", "BadRequestError", "documents", "documents must have at least one item.")
	}
	type document struct {
		Text string `json:"text"`
	}
	type result struct {
		Index    int      `json:"index"`
		Document document `json:"document"`
		Score    float64  `json:"relevance_score"`
	}
	documents := make([]document, len(body.Documents))
	prompts := make([]Prompt, len(body.Documents))
	for i, raw := range body.Documents {
		d := &documents[i]
		if json.Unmarshal(raw, &d.Text) != nil && json.Unmarshal(raw, d) != nil {
			return x.fail(400, "", "BadRequestError", "documents", fmt.Sprintf("document %d is neither a text nor an object with a text.", i))
		}
		prompts[i].Text = d.Text
	}
	top := 0
	if body.TopN != nil {
		top = *body.TopN
	}
	ranks, ok, err := x.rank(body.Query, prompts, top)
	if !ok {
		return err
	}
	results := make([]result, len(ranks))
	for i, r := range ranks {
		results[i] = result{r.Index, documents[r.Index], r.Score}
	}
	answer := map[string]any{
		"id": "score-" + strconv.FormatUint(x.record.Arrival, 16), "model": x.record.Model, "results": results,
	}
	if usage := x.promptUsage(); usage != nil {
		answer["usage"] = usage
	}
	return x.sendJSON(200, answer)
}

// rank lets the engine read query and documents, and draws their order; top 0 is
// all. Where ok is false there is nothing to answer any more.
func (x *exchange) rank(query string, documents []Prompt, top int) (ranks []Rank, ok bool, err error) {
	counts := make([]int, len(documents))
	ranks = make([]Rank, len(documents))
	for i, d := range documents {
		ranks[i] = Rank{i, draw(x.server.config.Seed, x.record.Arrival, uint64(i))}
		counts[i] = x.server.config.CountTokens(query) + x.countPrompt(d)
	}
	if ok, err := x.forward(counts, 0); !ok {
		return nil, false, err
	}
	slices.SortFunc(ranks, func(a, b Rank) int { return cmp.Compare(b.Score, a.Score) })
	if top > 0 && top < len(ranks) {
		ranks = ranks[:top]
	}
	return ranks, true, nil
}

func (x *exchange) images() error {
	var body struct {
		Model          string `json:"model"`
		Prompt         string `json:"prompt"`
		N              *int   `json:"n"`
		Size           string `json:"size"`
		ResponseFormat string `json:"response_format"`
	}
	if ok, err := x.decode(&body); !ok {
		return err
	}
	if ok, err := x.knows(body.Model); !ok {
		return err
	}
	n := 1
	if body.N != nil {
		n = *body.N
	}
	width, height := 1024, 1024
	if body.Size != "" && body.Size != "auto" {
		w, h, _ := strings.Cut(body.Size, "x")
		width, _ = strconv.Atoi(w)
		height, _ = strconv.Atoi(h)
	}
	switch {
	case body.Prompt == "":
		return x.fail(400, "", "BadRequestError", "prompt", "prompt must not be empty.")
	case n < 1 || n > 10:
		return x.fail(400, "", "BadRequestError", "n", fmt.Sprintf("n must be between 1 and 10, got %d.", n))
	case width < 1 || height < 1 || width > 4096 || height > 4096:
		return x.fail(400, "", "BadRequestError", "size", fmt.Sprintf("size %q is not WIDTHxHEIGHT of at most 4096 pixels.", body.Size))
	}
	counts := make([]int, n)
	for i := range counts {
		counts[i] = x.server.config.CountTokens(body.Prompt)
	}
	if ok, err := x.forward(counts, x.server.config.ImageSteps); !ok {
		return err
	}
	type picture struct {
		URL           string `json:"url,omitempty"`
		B64           string `json:"b64_json,omitempty"`
		RevisedPrompt string `json:"revised_prompt,omitempty"`
	}
	pictures := make([]picture, n)
	for i := range pictures {
		encoded, err := x.picture(i, width, height)
		if err != nil {
			return err
		}
		pictures[i] = picture{B64: encoded, RevisedPrompt: body.Prompt}
		if body.ResponseFormat == "url" {
			pictures[i].URL, pictures[i].B64 = "data:image/png;base64,"+encoded, ""
		}
	}
	return x.sendJSON(200, map[string]any{"created": time.Now().Unix(), "data": pictures})
}

// picture is a PNG of one seeded colour, in base64.
func (x *exchange) picture(index, width, height int) (string, error) {
	h := mix(x.server.config.Seed ^ mix(x.record.Arrival<<8|uint64(index)))
	palette := color.Palette{color.RGBA{uint8(h), uint8(h >> 8), uint8(h >> 16), 255}}
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewPaletted(image.Rect(0, 0, width, height), palette)); err != nil {
		return "", fmt.Errorf("simulator: picture: %w", err)
	}
	return base64.StdEncoding.EncodeToString(out.Bytes()), nil
}

// Speech is silence: of a real server's answer only size and time matter.
const (
	speechSampleRate = 24_000                   // of wav and pcm, 16 bits, mono
	speechTokenTime  = 80 * time.Millisecond    // of sound in each token
	charsPerSecond   = 15                       // of speech
	mp3FrameTime     = 26122 * time.Microsecond // 1152 samples at 44.1 kHz
)

func (x *exchange) speech() error {
	var body struct {
		Model  string `json:"model"`
		Input  string `json:"input"`
		Voice  string `json:"voice"`
		Format string `json:"response_format"`
	}
	if ok, err := x.decode(&body); !ok {
		return err
	}
	if ok, err := x.knows(body.Model); !ok {
		return err
	}
	format := orString(body.Format, "mp3")
	types := map[string]string{"mp3": "audio/mpeg", "wav": "audio/wav", "pcm": "audio/pcm"}
	switch {
	case body.Input == "":
		return x.fail(400, "", "BadRequestError", "input", "input must not be empty.")
	case types[format] == "":
		return x.fail(400, "", "BadRequestError", "response_format", fmt.Sprintf("response_format %q is not one of mp3, wav, pcm.", format))
	}
	length := time.Duration(len([]rune(body.Input))) * time.Second / charsPerSecond
	tokens := max(1, int((length+speechTokenTime-1)/speechTokenTime))
	box := newMailbox()
	sequences := []*sequence{{prompt: x.server.config.CountTokens(body.Input), output: tokens, sink: box}}
	x.record.PromptTokens = sequences[0].prompt
	if ok, err := x.enqueue(sequences); !ok {
		return err
	}
	defer x.settle(sequences)
	x.record.Stream = true
	if err := x.wire.begin(200, x.header(types[format]), x.fault.Framing, x.soundLength(format, tokens)); err != nil {
		return err
	}
	x.event(Head, 0, 0, x.lastWrite())
	if err := x.sound(box, format, tokens); err != nil {
		return err
	}
	if err := x.wire.end(); err != nil {
		return err
	}
	x.event(LastByte, x.record.ResponseBytes, 0, x.lastWrite())
	return nil
}

// soundLength is the length of the body where the framing must tell it, else -1.
func (x *exchange) soundLength(format string, tokens int) int64 {
	if x.fault.Framing != "length" {
		return -1
	}
	total := int64(0)
	for k := 1; k <= tokens; k++ {
		total += int64(len(soundOf(format, k, tokens)))
	}
	return total
}

// sound sends the sound of each token as the engine makes it.
func (x *exchange) sound(box *mailbox, format string, tokens int) error {
	d := &deliverer{x: x, fault: &x.fault}
	var batch []emission
	disturbed := false
	for sent := 0; sent < tokens; {
		select {
		case <-box.ready:
		case <-x.gone:
			return errGone
		case <-x.server.closed:
			x.wire.cut(false)
			return errCut
		}
		batch = box.take(batch)
		for _, m := range batch {
			if !disturbed && (sent >= x.fault.After || m.last) {
				disturbed = true
				switch {
				case x.fault.Disconnect == "mid-body":
					x.wire.cut(x.fault.Reset)
					return errCut
				case x.fault.Stall == "mid-body" && !x.pause(x.fault.StallFor):
					return errGone
				}
			}
			sent++
			p := soundOf(format, m.token, tokens)
			if len(p) == 0 {
				continue
			}
			if err := d.deliver(Event{Kinds: Audio, Tokens: 1, Bytes: len(p)}, p); err != nil {
				return err
			}
		}
	}
	return d.flush()
}

// soundOf is the sound of the k-th token.
func soundOf(format string, k, tokens int) []byte {
	if format == "mp3" {
		// Whole frames, as many as have begun in the token's time. Each is MPEG 1
		// layer III, 128 kbit/s, 44.1 kHz: 417 bytes, silent.
		frames := int(time.Duration(k)*speechTokenTime/mp3FrameTime) - int(time.Duration(k-1)*speechTokenTime/mp3FrameTime)
		frame := append([]byte{0xff, 0xfb, 0x90, 0x00}, make([]byte, 413)...)
		return bytes.Repeat(frame, frames)
	}
	perToken := int(speechSampleRate*speechTokenTime/time.Second) * 2
	sound := make([]byte, perToken)
	if format == "pcm" || k > 1 {
		return sound
	}
	// The canonical header of a WAVE file: RIFF, fmt, data.
	size := uint32(perToken * tokens)
	h := append([]byte(nil), "RIFF"...)
	h = binary.LittleEndian.AppendUint32(h, 36+size)
	h = append(h, "WAVEfmt "...)
	h = binary.LittleEndian.AppendUint32(h, 16)
	h = binary.LittleEndian.AppendUint16(h, 1) // PCM
	h = binary.LittleEndian.AppendUint16(h, 1) // mono
	h = binary.LittleEndian.AppendUint32(h, speechSampleRate)
	h = binary.LittleEndian.AppendUint32(h, speechSampleRate*2)
	h = binary.LittleEndian.AppendUint16(h, 2)
	h = binary.LittleEndian.AppendUint16(h, 16)
	h = append(h, "data"...)
	return append(binary.LittleEndian.AppendUint32(h, size), sound...)
}
