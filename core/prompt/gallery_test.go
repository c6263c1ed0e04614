package prompt_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/picture"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// records is a dataset of pictures in memory.
type records struct {
	list []dataset.Record
	mu   sync.Mutex
	bad  map[int]bool
}

func (r *records) Name() string { return "records" }
func (r *records) Len() int     { return len(r.list) }

func (r *records) Record(i int) (dataset.Record, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range r.list {
		if !r.bad[i] {
			return r.list[i], nil
		}
		i = (i + 1) % len(r.list)
	}
	return dataset.Record{}, errors.New("records: no row has a picture")
}

func (r *records) Reject(row int, _ error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bad == nil {
		r.bad = map[int]bool{}
	}
	r.bad[row] = true
	if len(r.bad) == len(r.list) {
		return errors.New("records: no row has a picture")
	}
	return nil
}

func recordsOf(t testing.TB, list ...dataset.Record) *records {
	t.Helper()
	for i := range list {
		list[i].Row = i
		for k := range list[i].Pictures {
			if p := &list[i].Pictures[k]; p.Data != nil {
				var err error
				if p.Format, p.Width, p.Height, err = picture.Check(p.Data, true); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return &records{list: list}
}

func record(text string, pictures ...dataset.Picture) dataset.Record {
	return dataset.Record{Text: text, Pictures: pictures}
}

func pngOf(t testing.TB, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t testing.TB, w, h int) []byte {
	t.Helper()
	data, err := picture.JPEG(image.NewGray(image.Rect(0, 0, w, h)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// shown are the text and the pictures of a request.
func shown(t testing.TB, item prompt.Item) (text string, images []backend.Image) {
	t.Helper()
	if e := item.Request.Embed; e != nil {
		return "", e.Images
	}
	for _, p := range item.Request.Chat.Messages[0].Parts {
		if p.Image != nil {
			images = append(images, *p.Image)
		} else {
			text += p.Text
		}
	}
	return text, images
}

func TestSyntheticPicturesHaveTheSizeAndAreUnlike(t *testing.T) {
	for _, task := range []backend.Task{backend.ImageTextToText, backend.ImageToEmbedding} {
		t.Run(string(task), func(t *testing.T) {
			config := prompt.Config{Task: task, Scenario: mustScenario(t, "I(64,32,2)"), Seed: 1, Stream: true}
			source := mustSource(t, mustCorpus(t, nil, dataset.BuiltIn()), config)
			seen := map[string]bool{}
			for i := range uint64(10) {
				item := mustRequest(t, source, i)
				text, images := shown(t, item)
				if len(images) != 2 || task == backend.ImageTextToText && text == "" {
					t.Fatalf("request %d: %d pictures, text %q", i, len(images), text)
				}
				for _, image := range images {
					format, w, h, err := picture.Check(image.Bytes, false)
					if err != nil || format != "jpeg" || image.MIME != "image/jpeg" || w != 64 || h != 32 {
						t.Errorf("%s %s %d×%d, %v", format, image.MIME, w, h, err)
					}
					if seen[string(image.Bytes)] {
						t.Error("a picture is shown twice")
					}
					seen[string(image.Bytes)] = true
				}
				if again := mustRequest(t, mustSource(t, mustCorpus(t, nil, dataset.BuiltIn()), config), i); again.Digest != item.Digest {
					t.Error("the same seed shows other pictures")
				}
			}
			config.Run = "another"
			if _, images := shown(t, mustRequest(t, mustSource(t, mustCorpus(t, nil, dataset.BuiltIn()), config), 0)); seen[string(images[0].Bytes)] {
				t.Error("another run shows the same pictures, which a server may have cached")
			}
		})
	}
}

func TestPicturesOfADatasetAreFitted(t *testing.T) {
	gallery := prompt.NewGallery(recordsOf(t,
		record("one", dataset.Picture{Data: pngOf(t, 300, 20)}),
		record("two", dataset.Picture{Data: jpegOf(t, 10, 200)}),
		record("three", dataset.Picture{URL: "https://img.example/a.jpg"}),
	), false)
	config := prompt.Config{Task: backend.ImageTextToText, Scenario: mustScenario(t, "I(64,48,3)"), Gallery: gallery, Seed: 3}
	source := mustSource(t, mustCorpus(t, nil, dataset.BuiltIn()), config)
	bodies := map[string]bool{}
	for i := range uint64(4) {
		text, images := shown(t, mustRequest(t, source, i))
		for _, word := range []string{"one", "two", "three"} { // a request of three takes each row once
			if !strings.Contains(text, word) {
				t.Errorf("request %d: the text %q lacks %q", i, text, word)
			}
		}
		for _, image := range images {
			if image.URL != "" {
				if image.URL != "https://img.example/a.jpg" || image.Bytes != nil {
					t.Errorf("an address was changed: %+v", image)
				}
				continue
			}
			if _, w, h, err := picture.Check(image.Bytes, false); err != nil || w != 64 || h != 48 {
				t.Errorf("%d×%d, %v", w, h, err)
			}
			if bodies[string(image.Bytes)] {
				t.Error("the same bytes twice: a server's cache would answer")
			}
			bodies[string(image.Bytes)] = true
		}
	}
	gallery.Forget()
	if again := mustRequest(t, source, 0); again.Digest != mustRequest(t, source, 0).Digest {
		t.Error("forgetting changes pictures")
	}
}

func TestRowsOfPicturesAreSentAsTheyAre(t *testing.T) {
	photo := jpegOf(t, 30, 20)
	gallery := prompt.NewGallery(recordsOf(t, record("", dataset.Picture{Data: photo}, dataset.Picture{Data: pngOf(t, 7, 9)})), false)
	item := mustRequest(t, mustSource(t, mustCorpus(t, nil, dataset.BuiltIn()),
		prompt.Config{Task: backend.ImageTextToText, Scenario: mustScenario(t, "dataset"), Gallery: gallery}), 0)
	text, images := shown(t, item)
	if len(images) != 2 || !bytes.Equal(images[0].Bytes, photo) || text == "" {
		t.Fatalf("%d pictures, text %q", len(images), text)
	}
	if format, w, h, err := picture.Check(images[1].Bytes, false); err != nil || format != "jpeg" || w != 7 || h != 9 {
		t.Errorf("what was a PNG is %s of %d×%d, %v", format, w, h, err)
	}
}

// TestPicturesThatComeAgainAreTheSameMemory: whoever sends them may send them
// once.
func TestPicturesThatComeAgainAreTheSameMemory(t *testing.T) {
	gallery := prompt.NewGallery(recordsOf(t, record("a", dataset.Picture{Data: pngOf(t, 7, 9)}), record("b", dataset.Picture{Data: pngOf(t, 8, 9)})), false)
	source := mustSource(t, mustCorpus(t, nil, dataset.BuiltIn()),
		prompt.Config{Task: backend.ImageTextToText, Scenario: mustScenario(t, "dataset"), Gallery: gallery})
	seen := map[*byte]bool{}
	for i := range uint64(6) {
		item := mustRequest(t, source, i)
		_, images := shown(t, item)
		if again := len(item.Again) == 1; again != (i >= 2) || again != seen[&images[0].Bytes[0]] {
			t.Errorf("request %d: comes again: %t, seen before: %t", i, again, seen[&images[0].Bytes[0]])
		}
		if i >= 2 && item.Bytes > 100 {
			t.Errorf("request %d is said to take %d bytes of its own", i, item.Bytes)
		}
		seen[&images[0].Bytes[0]] = true
	}
	if len(seen) != 2 {
		t.Errorf("%d pictures were made of two", len(seen))
	}
}

func TestPicturesThatBreakOffAreRejected(t *testing.T) {
	cut := pngOf(t, 50, 50)
	cut = cut[:len(cut)-20]
	for _, scenario := range []string{"I(16,16)", "dataset"} {
		t.Run(scenario, func(t *testing.T) {
			all := recordsOf(t, record("cut", dataset.Picture{Data: cut}), record("good", dataset.Picture{Data: jpegOf(t, 5, 5)}),
				record("cut too", dataset.Picture{Data: cut}))
			source := mustSource(t, mustCorpus(t, nil, dataset.BuiltIn()),
				prompt.Config{Task: backend.ImageTextToText, Scenario: mustScenario(t, scenario), Gallery: prompt.NewGallery(all, false)})
			var wg sync.WaitGroup
			for i := range uint64(10) {
				wg.Go(func() {
					item, err := source.Request(i)
					if err != nil {
						t.Error(err)
						return
					}
					if text, _ := shown(t, item); text != "good" {
						t.Errorf("request %d shows %q", i, text)
					}
				})
			}
			wg.Wait()
			if len(all.bad) != 2 {
				t.Errorf("rows %v rejected, want two", all.bad)
			}
			only := recordsOf(t, record("cut", dataset.Picture{Data: cut}))
			source = mustSource(t, mustCorpus(t, nil, dataset.BuiltIn()),
				prompt.Config{Task: backend.ImageTextToText, Scenario: mustScenario(t, scenario), Gallery: prompt.NewGallery(only, false)})
			if _, err := source.Request(0); err == nil || !strings.Contains(err.Error(), "no row has a picture") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestPicturesAreMadeBeforeTheyAreSent: taking twenty costs a small part of what
// making them does, in the same run.
func TestPicturesAreMadeBeforeTheyAreSent(t *testing.T) {
	const requests = 20
	config := prompt.Config{Task: backend.ImageTextToText, Scenario: mustScenario(t, "I(512,512)"), Seed: 3}
	corpus := mustCorpus(t, nil, dataset.BuiltIn())
	begun := time.Now()
	source := mustSource(t, corpus, config)
	for i := range uint64(requests) {
		mustRequest(t, source, i)
	}
	making := time.Since(begun)
	ahead := prompt.NewAhead(mustSource(t, corpus, config), prompt.AheadOptions{Count: requests})
	defer ahead.Close()
	if err := ahead.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	begun = time.Now()
	for range requests {
		if _, err := ahead.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if taking := time.Since(begun); taking > making/4 || ahead.Stats().Waited > 0 {
		t.Errorf("taking %d requests took %s, of which %d were waited for; making them takes %s", requests, taking, ahead.Stats().Waited, making)
	}
}

func TestThereAreNoRowsOfNoDataset(t *testing.T) {
	source := mustSource(t, mustCorpus(t, nil, dataset.BuiltIn()), prompt.Config{Task: backend.ImageToEmbedding, Scenario: mustScenario(t, "dataset")})
	if _, err := source.Request(0); err == nil || !strings.Contains(err.Error(), "--dataset-path") {
		t.Errorf("error %v", err)
	}
}

func BenchmarkPictures(b *testing.B) {
	for _, side := range []int{512, 1024} {
		b.Run(fmt.Sprint(side), func(b *testing.B) {
			source := mustSource(b, mustCorpus(b, nil, dataset.BuiltIn()), prompt.Config{Task: backend.ImageTextToText, Scenario: mustScenario(b, fmt.Sprintf("I(%d,%d)", side, side))})
			b.ReportAllocs()
			i := uint64(0)
			for b.Loop() {
				mustRequest(b, source, i%64)
				i++
			}
		})
	}
}
