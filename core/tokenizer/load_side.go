package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// sideFiles are the files beside a vocabulary that say more about it.
type sideFiles struct {
	doc     *document
	config  config // tokenizer_config.json
	special config // special_tokens_map.json
	added   config // added_tokens.json
}

func readSideFiles(folder string) (sideFiles, error) {
	s := sideFiles{doc: &document{}}
	for _, f := range []struct {
		name string
		into *config
	}{
		{"tokenizer_config.json", &s.config}, {"special_tokens_map.json", &s.special}, {"added_tokens.json", &s.added},
	} {
		*f.into = config{doc: s.doc, path: f.name}
		data, err := os.ReadFile(filepath.Join(folder, f.name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return s, err
		}
		r := &jsonReader{data: data}
		if f.into.value, err = r.value(0); err == nil {
			err = r.end()
		}
		if err != nil {
			return s, fmt.Errorf("%s beside it: %w", f.name, err)
		}
	}
	return s, nil
}

// flag reads a truth value of tokenizer_config.json.
func (s sideFiles) flag(key string, absent bool) bool {
	if b, ok := s.config.get(key).value.(bool); ok {
		return b
	}
	return absent
}

// class is the name of the class that the model's authors use.
func (s sideFiles) class() string {
	name, _ := s.config.get("tokenizer_class").value.(string)
	return name
}

// token reads a special token such as cls_token: a string or an object with its content.
func (s sideFiles) token(key, absent string) string {
	for _, c := range []config{s.config.get(key), s.special.get(key)} {
		switch v := c.value.(type) {
		case string:
			return v
		case map[string]any:
			if content, ok := v["content"].(string); ok {
				return content
			}
		}
	}
	return absent
}

// addSideTokens adds the tokens that the side files name.
func (t *Tokenizer) addSideTokens(s sideFiles) error {
	decoder := s.config.get("added_tokens_decoder")
	if !decoder.isNull() {
		for _, key := range decoder.keys() {
			id, err := strconv.ParseUint(key, 10, 32)
			if err != nil {
				decoder.fail("%q is not a token id", key)
				break
			}
			c := decoder.get(key)
			t.addTokenAs(AddedToken{
				ID: uint32(id), Content: c.get("content").str(), Special: c.get("special").boolOr(false),
				SingleWord: c.get("single_word").boolOr(false), LStrip: c.get("lstrip").boolOr(false),
				RStrip: c.get("rstrip").boolOr(false), Normalized: c.get("normalized").boolOr(false),
			})
		}
	} else if !s.added.isNull() {
		for _, content := range s.added.keys() {
			t.addTokenAs(AddedToken{ID: uint32(s.added.get(content).intOr(0)), Content: content, Special: true})
		}
	}
	return s.doc.err
}

// addTokenAs adds a token under its own id, unless the vocabulary knows it by another.
func (t *Tokenizer) addTokenAs(tok AddedToken) {
	if tok.Content == "" {
		return
	}
	if id, ok := t.TokenToID(tok.Content); ok {
		tok.ID = id
	} else {
		t.added.beyond++
	}
	if tok.Normalized {
		var work normalWork
		if s := normalize(t.normalizers, &work, tok.Content); s != tok.Content {
			t.added.spelled[tok.ID] = string([]byte(s))
		}
	}
	t.added.add(tok)
}

// addKnown adds tokens that the vocabulary has as special ones.
func (t *Tokenizer) addKnown(tokens ...string) {
	for _, content := range tokens {
		if id, ok := t.vocab.id(content); ok && content != "" {
			if _, already := t.added.ids[content]; !already {
				t.added.add(AddedToken{ID: id, Content: content, Special: true})
			}
		}
	}
}
