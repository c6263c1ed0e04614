package workers

import "github.com/genai-bench/genai-bench/sdk/host"

// share is what all requests of a run may refer to.
type share struct {
	texts  []string
	images map[*byte][]byte // by where they lie
}

// giveTo sends all of it to a session.
func (s *share) giveTo(session *host.Session) {
	for _, text := range s.texts {
		session.ShareText(text)
	}
	for _, image := range s.images {
		session.ShareImage(image)
	}
}

// ShareText sends a text to every worker once, and to their successors: message
// parts of later requests that are this very string (the same memory) are sent
// as a reference. It saves copying; a part that is not known as shared is sent
// whole.
func (p *Pool) ShareText(text string) {
	if text == "" {
		return
	}
	p.shareMu.Lock()
	p.shared.texts = append(p.shared.texts, text)
	p.shareMu.Unlock()
	p.eachSession(func(s *host.Session) { s.ShareText(text) })
}

// ShareImage is ShareText for the bytes of an image. Sharing one again costs
// nothing.
func (p *Pool) ShareImage(image []byte) {
	if len(image) == 0 {
		return
	}
	p.shareMu.Lock()
	_, known := p.shared.images[&image[0]]
	if p.shared.images == nil {
		p.shared.images = make(map[*byte][]byte)
	}
	p.shared.images[&image[0]] = image
	p.shareMu.Unlock()
	if !known {
		p.eachSession(func(s *host.Session) { s.ShareImage(image) })
	}
}

// Unshare forgets what was shared, here and in the workers. Requests that were
// started before keep what they refer to.
func (p *Pool) Unshare() {
	p.shareMu.Lock()
	p.shared = share{}
	p.shareMu.Unlock()
	p.eachSession((*host.Session).Unshare)
}

func (p *Pool) eachSession(do func(*host.Session)) {
	for _, w := range p.workers {
		w.mu.Lock()
		session := w.session
		w.mu.Unlock()
		if session != nil {
			do(session)
		}
	}
}

// shareWith gives a successor what its predecessor had.
func (p *Pool) shareWith(session *host.Session) {
	p.shareMu.Lock()
	defer p.shareMu.Unlock()
	p.shared.giveTo(session)
}
