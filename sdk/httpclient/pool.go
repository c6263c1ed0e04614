package httpclient

import (
	"sync"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// idleMax is how long an unused connection is kept. Servers and what stands
// before them close them sooner or later; uvicorn after 5 s.
const idleMax = 90 * time.Second

// poolKey says which requests may share a connection.
type poolKey struct{ scheme, address, proxy, key string }

// pool keeps connections between requests. The one used last is taken first:
// it is the least likely to have been closed by the server, and surplus ones
// grow old. Safe for concurrent use.
type pool struct {
	mu     sync.Mutex
	idle   map[poolKey][]*conn
	max    int // per key; 0: any number
	swept  stamp.Nanos
	closed bool
}

func (p *pool) init(maxIdle int) {
	p.idle = make(map[poolKey][]*conn)
	p.max = maxIdle
	p.swept = stamp.Now()
}

// get takes a connection that is still good, or nil. A connection is asked at
// this moment, without waiting, whether the server has closed it or has sent
// anything meanwhile.
func (p *pool) get(key poolKey) *conn {
	for {
		p.mu.Lock()
		conns := p.idle[key]
		if len(conns) == 0 {
			p.mu.Unlock()
			return nil
		}
		c := conns[len(conns)-1]
		conns[len(conns)-1] = nil
		p.idle[key] = conns[:len(conns)-1]
		p.mu.Unlock()
		if c.raw.Quiet() == nil {
			return c
		}
		c.close()
	}
}

// put keeps a connection or closes it.
func (p *pool) put(c *conn) {
	now := stamp.Now()
	c.idleSince, c.used = now, true
	p.mu.Lock()
	keep := !p.closed && (p.max <= 0 || len(p.idle[c.key]) < p.max)
	if keep {
		p.idle[c.key] = append(p.idle[c.key], c)
	}
	var old []*conn
	if now.Sub(p.swept) > idleMax/3 {
		p.swept = now
		old = p.expired(now)
	}
	p.mu.Unlock()
	if !keep {
		c.close()
	}
	closeAll(old)
}

// expired takes out what has been idle for too long; p.mu is held.
func (p *pool) expired(now stamp.Nanos) (old []*conn) {
	for key, conns := range p.idle {
		n := 0
		for n < len(conns) && now.Sub(conns[n].idleSince) > idleMax {
			n++
		}
		old = append(old, conns[:n]...)
		if n == len(conns) {
			delete(p.idle, key)
		} else {
			p.idle[key] = append([]*conn(nil), conns[n:]...)
		}
	}
	return old
}

// drop closes the idle connections of a key.
func (p *pool) drop(key poolKey) {
	p.mu.Lock()
	conns := p.idle[key]
	delete(p.idle, key)
	p.mu.Unlock()
	closeAll(conns)
}

func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, conns := range idle {
		closeAll(conns)
	}
}

func closeAll(conns []*conn) {
	for _, c := range conns {
		c.close()
	}
}
