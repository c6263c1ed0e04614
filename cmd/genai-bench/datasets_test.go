package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/genai-bench/genai-bench/core/hub/hubtest"
)

// promptRow is a row of the Parquet files of the scripts.
type promptRow struct {
	ID       int64       `parquet:"id"`
	Question string      `parquet:"question"`
	Image    *pictureRow `parquet:"image,optional"`
}

// pictureRow is how the datasets library keeps a picture.
type pictureRow struct {
	Bytes []byte `parquet:"bytes,optional"`
	Path  string `parquet:"path,optional"`
}

func parquetOf(ts *testscript.TestScript, texts ...string) []byte {
	var rows []promptRow
	for i, text := range texts {
		rows = append(rows, promptRow{int64(i), text, &pictureRow{pictureOf(ts, 8+i, 6), "x.png"}})
	}
	var b bytes.Buffer
	ts.Check(parquet.Write(&b, rows))
	return b.Bytes()
}

func pictureOf(ts *testscript.TestScript, width, height int) []byte {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for x := range width {
		img.Set(x, 0, color.RGBA{uint8(x * 255 / width), 10, 20, 255})
	}
	var b bytes.Buffer
	ts.Check(png.Encode(&b, img))
	return b.Bytes()
}

// writeParquet is the command "parquet": parquet FILE QUESTION... writes a file
// with columns id, question and image.
func writeParquet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: parquet FILE QUESTION...")
	}
	write(ts, args[0], parquetOf(ts, args[1:]...))
}

// writePicture is the command "picture": picture FILE WIDTH HEIGHT [BYTES] writes
// a PNG file, or its first bytes.
func writePicture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: picture FILE WIDTH HEIGHT [BYTES]")
	}
	width, err := strconv.Atoi(args[1])
	ts.Check(err)
	height, err := strconv.Atoi(args[2])
	ts.Check(err)
	data := pictureOf(ts, width, height)
	if len(args) == 4 {
		n, err := strconv.Atoi(args[3])
		ts.Check(err)
		data = data[:n]
	}
	write(ts, args[0], data)
}

func write(ts *testscript.TestScript, name string, data []byte) {
	path := ts.MkAbs(name)
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o777))
	ts.Check(os.WriteFile(path, data, 0o666))
}

// startDatasetHub is the command "datasethub": datasethub VAR starts a hub with
// the datasets squad, lmms-lab/llava-bench-in-the-wild, org/script, which has a
// script and the Parquet that the hub made, org/slow, which takes more than a
// second, and org/stuck, which never ends and leaves a file stuck/here/asked; and
// sets VAR to its address.
func startDatasetHub(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: datasethub VAR")
	}
	h := hubtest.Start()
	ts.Defer(h.Close)
	commit, converted := strings.Repeat("0123456789", 4), strings.Repeat("abcdef0123", 4)
	readme := hubtest.File{Data: []byte("---\nconfigs:\n- config_name: plain_text\n  data_files:\n  - split: train\n    path: plain_text/train-*\n  - split: validation\n    path: plain_text/validation-*\n---\n")}
	file := func(texts ...string) hubtest.File { return hubtest.File{Data: parquetOf(ts, texts...), Large: true} }
	h.Put("datasets/squad", hubtest.Repo{Commit: commit, Files: map[string]hubtest.File{
		"README.md": readme,
		"plain_text/train-00000-of-00001.parquet":      file("squad train one", "squad train two"),
		"plain_text/validation-00000-of-00001.parquet": file("squad validation"),
	}})
	h.Put("datasets/lmms-lab/llava-bench-in-the-wild", hubtest.Repo{Commit: commit, Files: map[string]hubtest.File{"data/train-00000-of-00001.parquet": file("llava question")}})
	h.Put("datasets/org/script", hubtest.Repo{Commit: commit, Files: map[string]hubtest.File{"script.py": {Data: []byte("import os")}},
		Branches: map[string]hubtest.Branch{"refs/convert/parquet": {Commit: converted, Files: map[string]hubtest.File{"en/train/0000.parquet": file("english row"), "fr/train/0000.parquet": file("ligne")}}}})
	h.Put("datasets/org/slow", hubtest.Repo{Commit: commit, Files: map[string]hubtest.File{"train.parquet": file("slow row")}})
	h.Put("datasets/org/stuck", hubtest.Repo{Commit: commit, Files: map[string]hubtest.File{"train.parquet": file("stuck row")}})
	asked := ts.MkAbs("stuck/here/asked")
	h.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/org/stuck/-/") {
			_ = os.MkdirAll(filepath.Dir(asked), 0o777) // the script fails without it
			_ = os.WriteFile(asked, []byte("asked\n"), 0o666)
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}
		if strings.Contains(r.URL.Path, "/org/slow/-/") {
			time.Sleep(1100 * time.Millisecond)
		}
		return false
	})
	ts.Setenv(args[0], h.URL())
}
