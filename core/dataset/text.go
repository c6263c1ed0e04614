package dataset

import (
	"bytes"
	"fmt"
	"os"
	"unicode/utf8"
)

// LoadText reads a UTF-8 text file, a line an entry: each line without the
// white space around it, blank lines dropped, a byte order mark at the start
// ignored. Lines end in LF, CR LF or CR. The file is held in memory.
func LoadText(path string) (Texts, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("dataset %s: %w", path, plain(err))
	}
	entries, err := parseText(data)
	if err != nil {
		return nil, fmt.Errorf("dataset %s: %w", path, err)
	}
	return lines{path, entries}, nil
}

func parseText(data []byte) ([]string, error) {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, fmt.Errorf("is UTF-16 (convert it: iconv -f utf-16 -t utf-8)")
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var entries []string
	for number := 1; len(data) > 0; number++ {
		var line []byte
		line, data = cutLine(data)
		if !utf8.Valid(line) {
			return nil, fmt.Errorf("line %d is not UTF-8 (convert the file, or remove the line)", number)
		}
		if bytes.IndexByte(line, 0) >= 0 {
			return nil, fmt.Errorf("line %d holds a NUL byte: this is not a text file", number)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			entries = append(entries, string(line))
		}
	}
	if entries == nil {
		return nil, fmt.Errorf("has no text in it (it needs at least one line that is not blank)")
	}
	return entries, nil
}

// cutLine returns the first line without its end, and what follows.
func cutLine(data []byte) (line, rest []byte) {
	end := bytes.IndexAny(data, "\r\n")
	if end < 0 {
		return data, nil
	}
	after := end + 1
	if data[end] == '\r' && after < len(data) && data[after] == '\n' {
		after++
	}
	return data[:end], data[after:]
}
