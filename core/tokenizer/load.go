package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Load reads a tokenizer from a file, or from the first of these that a folder holds:
// tokenizer.json, vocab.txt, vocab.json with merges.txt, tokenizer.model, *.tiktoken.
func Load(path string) (*Tokenizer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("load tokenizer: %w", err)
	}
	file := path
	if info.IsDir() {
		if file, err = choose(path); err != nil {
			return nil, err
		}
	}
	t, err := loadFile(file)
	if err != nil {
		return nil, fmt.Errorf("load tokenizer: %s: %w", file, err)
	}
	return t, nil
}

// Parse reads the contents of a tokenizer.json.
func Parse(data []byte) (*Tokenizer, error) { return parseJSON(data) }

// choose returns the file of a folder that Load reads.
func choose(folder string) (string, error) {
	for _, name := range []string{"tokenizer.json"} {
		file := filepath.Join(folder, name)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("load tokenizer: %w", err)
		}
	}
	return "", fmt.Errorf("load tokenizer: %s holds none of tokenizer.json", folder)
}

func loadFile(file string) (*Tokenizer, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	switch name := filepath.Base(file); {
	case strings.HasSuffix(name, ".json"):
		return parseJSON(data)
	}
	return nil, errors.New("not a tokenizer file by its name")
}

// finish derives what encoding needs from the components.
func (t *Tokenizer) finish() {
	t.added.build()
	t.cache = &wordCache{}
	t.special = justText
	for _, step := range t.post {
		if step.template != nil {
			t.special = t.special.within(step.template)
		}
	}
	t.spelled = t.model
	t.fast = plan{stages: t.stages}
	b, isBPE := t.model.(*bpe)
	for i, s := range t.stages {
		switch s := s.(type) {
		case byteLevelStage:
			if isBPE && i == len(t.stages)-1 {
				raw := *b
				raw.byteMode = true
				t.model = &raw
				t.fast.stages = t.stages[:i]
			} else {
				t.fast.aligned = true
			}
		case *metaspaceStage:
			// Whether a piece begins the input is known without origins only if nothing
			// before it can have been removed.
			if s.scheme == prependFirst && !keepsStart(t.normalizers, t.stages[:i]) {
				t.fast.aligned = true
			}
		}
	}
	if t.fast.aligned {
		return
	}
	if isBPE {
		t.fast.neighbours = t.model.(*bpe).findNeighbours()
	}
}

// keepsStart tells whether the first character that comes out of the normalizers and stages is
// sure to begin the text exactly if the first that went in did.
func keepsStart(normalizers []normalizer, stages []stage) bool {
	for _, n := range normalizers {
		switch n.(type) {
		case *formNormalizer, *lowercaser, *prepender, byteLevelNormalizer, *precompiled:
		default:
			return false
		}
	}
	for _, s := range stages {
		switch s := s.(type) {
		case tiler, *digitGroups, *runeRuns, prefixSpace, *metaspaceStage, *fixedLength:
		case *runeSplit:
			// Pieces that are left out are never the first.
		default:
			_ = s
			return false
		}
	}
	return true
}

// findNeighbours returns where words may be cut, or nil where that could change tokens.
func (m *bpe) findNeighbours() *neighbourSet {
	if m.byteMode || m.ignoreMerges || m.prefix != "" || m.suffix != "" {
		return nil
	}
	special := map[uint32]bool{}
	for _, id := range m.fallback {
		if id != noID {
			special[id] = true
		}
	}
	if m.unk != noID {
		// Unknown characters are fused across cuts unless bytes stand in for all of them.
		if m.fuseUnk && !(m.byteFallback && len(special) == 256) {
			return nil
		}
		special[m.unk] = true
	}
	n := newNeighbourSet()
	for i := range m.merges.slots {
		s := &m.merges.slots[i]
		if s.rank == noRank {
			continue
		}
		if special[s.left] || special[s.right] {
			return nil
		}
		left, _ := m.vocab.token(s.left)
		right, _ := m.vocab.token(s.right)
		if left == "" || right == "" {
			return nil
		}
		n.add(lastRune(left), firstRune(right))
	}
	return n
}
