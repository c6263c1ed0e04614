package prompt

import (
	"errors"
	"strings"
	"sync"

	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/picture"
	"github.com/genai-bench/genai-bench/core/seeded"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// Gallery is where the pictures of requests come from: a dataset, or, without
// one, the imagination. It keeps what it made within bounds of memory. It is
// made once for all runs and safe for concurrent use.
type Gallery struct {
	records dataset.Records // nil: pictures are synthetic
	large   bool

	mu     sync.Mutex
	made   map[pictureKey]*madePicture
	bytes  int
	budget int
}

// galleryBytes is the memory that a run's pictures may take.
const galleryBytes = 256 << 20

// pictureKey is what a picture is made of.
type pictureKey struct {
	stream        seeded.Stream // of the run; zero for pictures as they are
	number        uint64        // in the run, or the row
	index         int           // in the row
	width, height int           // 0: as it is
}

type madePicture struct {
	once  sync.Once
	image backend.Image
	err   error
}

// NewGallery returns the pictures of records, or synthetic ones where records is
// nil. Large ones, of more than picture.PixelsMax pixels, are refused unless
// allowed.
func NewGallery(records dataset.Records, allowLarge bool) *Gallery {
	return &Gallery{records: records, large: allowLarge, made: make(map[pictureKey]*madePicture), budget: galleryBytes}
}

// Forget drops what was made, as at the end of a run.
func (g *Gallery) Forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.made)
	g.bytes = 0
}

// pictureOf is a picture as requests have it.
type pictureOf struct {
	backend.Image
	again bool // it was made before, and this is the same memory
}

// keep makes a picture once, or every time where there is no room for more.
func (g *Gallery) keep(key pictureKey, make func() (backend.Image, error)) (pictureOf, error) {
	g.mu.Lock()
	m, ok := g.made[key]
	if !ok {
		m = &madePicture{}
		if g.bytes < g.budget {
			g.made[key] = m
		}
	}
	g.mu.Unlock()
	m.once.Do(func() {
		m.image, m.err = make()
		g.mu.Lock()
		g.bytes += len(m.image.Bytes)
		g.mu.Unlock()
	})
	return pictureOf{m.image, ok}, m.err
}

// sized brings a picture of the dataset to a size and marks it with a number of
// the run's, so that no server has seen it before. An address is passed on.
func (g *Gallery) sized(key pictureKey, p dataset.Picture) (pictureOf, error) {
	if p.URL != "" {
		return pictureOf{Image: backend.Image{URL: p.URL}}, nil
	}
	return g.keep(key, func() (backend.Image, error) {
		img, err := picture.Decode(p.Data, g.large)
		if err != nil {
			return backend.Image{}, err
		}
		fitted := picture.Fit(img, key.width, key.height)
		picture.Mark(fitted, key.stream.Uint64(key.number*2+1))
		data, err := picture.JPEG(fitted)
		return backend.Image{Bytes: data, MIME: picture.MIME}, err
	})
}

// synthetic makes a picture out of nothing.
func (g *Gallery) synthetic(key pictureKey) (pictureOf, error) {
	return g.keep(key, func() (backend.Image, error) {
		data, err := picture.JPEG(picture.Synthetic(key.stream.Rand(key.number), key.width, key.height))
		return backend.Image{Bytes: data, MIME: picture.MIME}, err
	})
}

// asItIs passes a picture of the dataset on; what is no JPEG becomes one, which
// every provider takes.
func (g *Gallery) asItIs(key pictureKey, p dataset.Picture) (pictureOf, error) {
	if p.URL != "" {
		return pictureOf{Image: backend.Image{URL: p.URL}}, nil
	}
	if p.Format == "jpeg" {
		return pictureOf{Image: backend.Image{Bytes: p.Data, MIME: picture.MIME}}, nil
	}
	return g.keep(key, func() (backend.Image, error) {
		img, err := picture.Decode(p.Data, g.large)
		if err != nil {
			return backend.Image{}, err
		}
		data, err := picture.JPEG(img)
		return backend.Image{Bytes: data, MIME: picture.MIME}, err
	})
}

// distinct is how many different pictures of a size a run uses: as many as fit
// into memory at a quarter of a byte a pixel.
func distinct(width, height int) uint64 {
	return uint64(max(16, min(1<<16, galleryBytes/max(1, width*height/4))))
}

// pictures takes or makes the pictures of request i and the text beside them.
func (s *Source) pictures(item *Item) (text string, images []pictureOf, err error) {
	g, size := s.config.Gallery, item.Size
	if size.Row {
		return s.rowPictures(item.Index)
	}
	var texts []string
	all := distinct(size.Width, size.Height)
	for k := range uint64(max(size.Images, 1)) {
		number := (item.Index*uint64(max(size.Images, 1)) + k) % all
		key := pictureKey{stream: s.looks, number: number, width: size.Width, height: size.Height}
		var image pictureOf
		if g.records == nil {
			image, err = g.synthetic(key)
		} else {
			var text string
			text, image, err = s.sizedPicture(key)
			if text != "" {
				texts = append(texts, text)
			}
		}
		if err != nil {
			return "", nil, err
		}
		images = append(images, image)
	}
	if len(texts) == 0 {
		texts = []string{instruction(s.looks, item.Index)}
	}
	return strings.Join(texts, " "), images, nil
}

// sizedPicture takes the first picture of the record whose turn it is. One whose
// picture breaks off gives way to the next.
func (s *Source) sizedPicture(key pictureKey) (text string, image pictureOf, err error) {
	g := s.config.Gallery
	for {
		record, err := g.records.Record(s.place(key.number))
		if err != nil {
			return "", pictureOf{}, err
		}
		if image, err = g.sized(key, record.Pictures[0]); err == nil {
			return record.Text, image, nil
		}
		g.forget(key)
		if err := g.records.Reject(record.Row, err); err != nil {
			return "", pictureOf{}, err
		}
	}
}

// forget drops a picture that could not be made.
func (g *Gallery) forget(key pictureKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.made, key)
}

// rowPictures takes a record as it is.
func (s *Source) rowPictures(i uint64) (text string, images []pictureOf, err error) {
	g := s.config.Gallery
	if g.records == nil {
		return "", nil, errors.New("traffic scenario dataset needs a dataset of pictures (--dataset-path or --dataset-config)")
	}
	for {
		record, err := g.records.Record(s.place(i))
		if err != nil {
			return "", nil, err
		}
		if text = record.Text; text == "" {
			text = instruction(s.looks, i)
		}
		if images, err = g.allOf(record); err == nil {
			return text, images, nil
		}
		if err := g.records.Reject(record.Row, err); err != nil {
			return "", nil, err
		}
	}
}

// allOf are the pictures of a record as they are.
func (g *Gallery) allOf(record dataset.Record) (images []pictureOf, err error) {
	for k, p := range record.Pictures {
		key := pictureKey{number: uint64(record.Row), index: k}
		image, err := g.asItIs(key, p)
		if err != nil {
			g.forget(key)
			return nil, err
		}
		images = append(images, image)
	}
	return images, nil
}

// place is which record has the n-th turn of a run: all of them in an order of
// the run's own, then all again in another.
func (s *Source) place(n uint64) int {
	all := uint64(s.config.Gallery.records.Len())
	order := seeded.New(s.texts.Uint64(n/all), "rows")
	return int(order.Permute(n%all, all))
}

// instruction is what is asked of a picture that has no text of its own.
func instruction(s seeded.Stream, i uint64) string {
	list := []string{
		"Describe this picture.", "What is to be seen here?", "Which colours are there, and where?",
		"Describe the picture for someone who cannot see it.", "What stands out, and why?", "Give the picture a title and a caption.",
		"Describe the picture from left to right.", "What mood does the picture have?",
	}
	return list[s.Uint64(i*2)%uint64(len(list))]
}

func (s *Source) imageChat(item *Item) error {
	text, images, err := s.pictures(item)
	if err != nil {
		return err
	}
	parts := []backend.Part{{Text: text}}
	item.Bytes = len(text)
	for i := range images {
		parts = append(parts, backend.Part{Image: &images[i].Image})
		item.hold(images[i])
	}
	messages := make([]backend.Message, 0, len(s.config.Before)+1)
	messages = append(messages, s.config.Before...)
	messages = append(messages, backend.Message{Role: "user", Parts: parts})
	item.Request.Chat = &backend.Chat{Messages: messages, Stream: s.config.Stream}
	return nil
}

func (s *Source) imageEmbeddings(item *Item) error {
	_, images, err := s.pictures(item)
	item.Request.Embed = &backend.Embed{}
	for _, image := range images {
		item.Request.Embed.Images = append(item.Request.Embed.Images, image.Image)
		item.hold(image)
	}
	return err
}

// hold counts the memory of a picture, which the gallery keeps where it is not
// the first to have it.
func (item *Item) hold(p pictureOf) {
	if p.again {
		item.Again = append(item.Again, p.Bytes)
		return
	}
	item.Bytes += len(p.Bytes)
}
