package tokenizer

// The way with offsets: the same stations as encode.go, on texts that know the origin of each of
// their bytes. It is written to be evidently right; the fast way is tested against it.

// An aligned text is a piece of the input on its way through the stations.
type aligned struct {
	text    string
	origins []Span // by byte of text, in bytes of the input
	// token is set for an added token.
	token *AddedToken
}

// A placedToken is a token with its spelling and its place in the input.
type placedToken struct {
	id    uint32
	token string
	span  Span
}

func newAligned(input string) aligned {
	a := aligned{origins: make([]Span, 0, len(input))}
	buf := make([]byte, 0, len(input))
	for i := 0; i < len(input); {
		n, ok := validPrefix(input[i:])
		before := len(buf)
		if ok {
			buf = append(buf, input[i:i+n]...)
		} else {
			buf = append(buf, "\uFFFD"...)
		}
		for range len(buf) - before {
			a.origins = append(a.origins, Span{i, i + n})
		}
		i += n
	}
	a.text = string(buf)
	return a
}

func (a aligned) slice(lo, hi int) aligned {
	return aligned{text: a.text[lo:hi], origins: a.origins[lo:hi]}
}

// rewrite applies a normalizer.
func (a aligned) rewrite(n normalizer) aligned {
	w := rewriter{src: a.text, origins: a.origins}
	if n.rewrite(&w) {
		return aligned{text: string(w.out), origins: w.outFrom}
	}
	return a
}

// splitAdded cuts added tokens out.
func (a aligned) splitAdded(dst []aligned, f *finder) []aligned {
	if f == nil {
		return append(dst, a)
	}
	from, search := 0, 0
	for {
		h, ok := f.find(a.text, from, search)
		if !ok {
			break
		}
		if from < h.lo {
			dst = append(dst, a.slice(from, h.lo))
		}
		piece := a.slice(h.lo, h.hi)
		piece.token = h.token
		dst = append(dst, piece)
		from, search = h.hi, h.next
	}
	if from < len(a.text) {
		dst = append(dst, a.slice(from, len(a.text)))
	}
	return dst
}

// encodeAligned encodes text with spans.
func (t *Tokenizer) encodeAligned(text string) []placedToken {
	var pieces []aligned
	for _, raw := range newAligned(text).splitAdded(nil, t.added.raw) {
		if raw.token != nil {
			pieces = append(pieces, raw)
			continue
		}
		for _, n := range t.normalizers {
			raw = raw.rewrite(n)
		}
		pieces = raw.splitAdded(pieces, t.added.normalized)
	}
	for _, s := range t.stages {
		var next []aligned
		for _, p := range pieces {
			if p.token != nil {
				next = append(next, p)
			} else if p.text != "" {
				next = p.stage(next, s)
			}
		}
		pieces = next
	}
	var out []placedToken
	var work wordWork
	for _, p := range pieces {
		switch {
		case p.token != nil:
			span := Span{}
			if len(p.origins) > 0 {
				span = Span{p.origins[0].Start, p.origins[len(p.origins)-1].End}
			}
			out = append(out, placedToken{p.token.ID, p.text, span})
		case p.text != "":
			work.tokens = t.spelled.appendWord(&work, work.tokens[:0], p.text)
			for _, tok := range work.tokens {
				spelling, _ := t.vocab.token(tok.id)
				out = append(out, placedToken{tok.id, spelling, p.span(tok.start, tok.end)})
			}
		}
	}
	return out
}

// span is where text[lo:hi] came from.
func (a aligned) span(lo, hi int) Span {
	if lo >= hi || hi > len(a.origins) {
		if len(a.origins) == 0 {
			return Span{}
		}
		at := a.origins[0].Start
		return Span{at, at}
	}
	return Span{a.origins[lo].Start, a.origins[hi-1].End}
}

// stage takes a piece through a stage of the pre-tokenizer.
func (a aligned) stage(dst []aligned, s stage) []aligned {
	switch s := s.(type) {
	case byteLevelStage:
		return append(dst, a.rewrite(byteLevelNormalizer{}))
	case prefixSpace:
		if a.text[0] != ' ' {
			a = a.rewrite(&prepender{" "})
		}
		return append(dst, a)
	case *metaspaceStage:
		prepend := s.prepends(a.text, a.origins[0].Start == 0)
		a = a.rewrite(&replacer{text: " ", content: s.replacement})
		if prepend {
			a = a.rewrite(&prepender{s.replacement})
		}
		if !s.split {
			return append(dst, a)
		}
		for _, c := range s.cut(nil, a.text) {
			dst = append(dst, a.slice(c.lo, c.hi))
		}
		return dst
	case cutter:
		for _, c := range s.cut(nil, a.text) {
			dst = append(dst, a.slice(c.lo, c.hi))
		}
		return dst
	}
	panic("tokenizer: a pre-tokenizer stage of unknown type")
}
