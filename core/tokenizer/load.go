package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// An Option changes how Load reads a file.
type Option func(*loadOptions)

type loadOptions struct {
	pattern string
	cache   string // folder of parsed vocabularies; empty for none
}

// SplitPattern names the regular expression, in Oniguruma's syntax, that cuts words for a
// .tiktoken file whose name and size do not tell its encoding.
func SplitPattern(regex string) Option { return func(o *loadOptions) { o.pattern = regex } }

// Load reads a tokenizer from a file, or from the first of these that a folder holds:
// tokenizer.json, tokenizer.model, vocab.txt, vocab.json with merges.txt, *.tiktoken.
// For all but the first, tokenizer_config.json, special_tokens_map.json and added_tokens.json
// beside it are heeded.
func Load(path string, options ...Option) (*Tokenizer, error) {
	o := loadOptions{cache: defaultCache()}
	for _, option := range options {
		option(&o)
	}
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
	t, err := loadFile(file, o)
	if err != nil {
		return nil, fmt.Errorf("load tokenizer: %s: %w", file, err)
	}
	return t, nil
}

// Parse reads the contents of a tokenizer.json.
func Parse(data []byte) (*Tokenizer, error) { return parseJSON(data) }

// choose returns the file of a folder that Load reads.
func choose(folder string) (string, error) {
	names := []string{"tokenizer.json", "tokenizer.model", "vocab.txt", "vocab.json"}
	for _, name := range names {
		file := filepath.Join(folder, name)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("load tokenizer: %w", err)
		}
	}
	ranks, err := filepath.Glob(filepath.Join(globEscape(folder), "*.tiktoken"))
	if err != nil {
		return "", fmt.Errorf("load tokenizer: %w", err)
	}
	switch len(ranks) {
	case 1:
		return ranks[0], nil
	case 0:
		return "", fmt.Errorf("load tokenizer: %s holds no tokenizer (none of %s, *.tiktoken)", folder, strings.Join(names, ", "))
	}
	return "", fmt.Errorf("load tokenizer: %s holds several .tiktoken files (name one of them)", folder)
}

// globEscape quotes what filepath.Glob takes for a pattern.
func globEscape(path string) string {
	return strings.NewReplacer("*", `[*]`, "?", `[?]`, "[", `[[]`).Replace(path)
}

func loadFile(file string, o loadOptions) (*Tokenizer, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	name := filepath.Base(file)
	if strings.HasSuffix(name, ".tiktoken") || !strings.HasSuffix(name, ".json") && looksLikeRanks(data) {
		return parseTiktoken(data, name, o.pattern)
	}
	if strings.HasSuffix(name, ".json") && name != "vocab.json" {
		return cachedJSON(data, o.cache)
	}
	side, err := readSideFiles(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	switch {
	case name == "vocab.json":
		merges, err := os.ReadFile(filepath.Join(filepath.Dir(file), "merges.txt"))
		if err != nil {
			return nil, fmt.Errorf("merges.txt should stand beside it: %w", err)
		}
		return parseVocabJSON(data, merges, side)
	case strings.HasSuffix(name, ".txt"):
		return parseVocabTxt(data, side)
	case strings.HasSuffix(name, ".model"):
		return parseSentencePiece(data, side)
	}
	return nil, errors.New("its name is none of tokenizer.json, vocab.json, *.txt, *.model, *.tiktoken")
}

// looksLikeRanks tells a file of ranks by its first line. Several models call theirs
// tokenizer.model.
func looksLikeRanks(data []byte) bool {
	line, _, _ := strings.Cut(view(data[:min(len(data), 256)]), "\n")
	token, rank, ok := strings.Cut(line, " ")
	if !ok || token == "" {
		return false
	}
	for i := range len(token) {
		c := token[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/' || c == '=') {
			return false
		}
	}
	_, err := strconv.ParseUint(strings.TrimSuffix(rank, "\r"), 10, 32)
	return err == nil
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
	t.fast.stages = t.stages
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
		t.fast.neighbours = nil
		return
	}
	if isBPE && t.fast.neighbours == nil {
		t.fast.neighbours = t.model.(*bpe).findNeighbours()
	}
	if t.fast.neighbours != nil {
		t.fast.single = t.model.(*bpe).singleChars()
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
		switch s.(type) {
		case tiler, *digitGroups, *runeRuns, prefixSpace, *metaspaceStage, *fixedLength:
		case *runeSplit: // pieces that are left out are never the first
		default:
			return false
		}
	}
	return true
}

// singleChars returns the tokens of the characters of the Basic Multilingual Plane.
func (m *bpe) singleChars() []uint32 {
	single := make([]uint32, 1<<16)
	for r := range single {
		single[r] = noID
	}
	for i, e := range m.vocab.entries {
		if e.size == 0 || e.size > 3 {
			continue
		}
		s := m.vocab.text(uint32(i))
		if runeLen(s[0]) == len(s) {
			single[firstRune(s)] = e.id
		}
	}
	return single
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
	// Unknown characters are fused, or vanish and make neighbours of others, unless bytes stand
	// in for all of them.
	if (m.unk == noID || m.fuseUnk) && !(m.byteFallback && len(special) == 256) {
		return nil
	}
	if m.unk != noID {
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
