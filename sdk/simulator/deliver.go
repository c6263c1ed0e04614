package simulator

import "unicode/utf8"

// deliverer cuts events into writes and chunks, as the fault says; without one
// each event is a chunk and a write of its own.
type deliverer struct {
	x      *exchange
	fault  *Fault
	offset int64 // of the next event in the body
	held   []byte
	count  int // events held
	random uint64
	parts  [][]byte
	dry    bool // only adds up offset
}

// joinedEvents is how many events share a chunk with borders=joined.
const joinedEvents = 3

// deliver sends an event. Events whose last byte went out are noted with the
// write that carried it.
func (d *deliverer) deliver(e Event, p []byte) error {
	e.Offset, e.Write = d.offset, -1
	d.offset += int64(len(p))
	if d.dry {
		return nil
	}
	r := d.x.record
	r.Events = append(r.Events, e)
	switch d.fault.Borders {
	case "joined":
		d.held = append(d.held, p...)
		if d.count++; d.count < joinedEvents {
			return nil
		}
		return d.flush()
	case "straddle":
		return d.straddle(p)
	case "trickled":
		return d.settle(d.x.wire.trickle(d.cut(p, len(p)/4, len(p)/2, len(p)-1), d.pause))
	case "next-head":
		if w, ok := d.x.wire.(*h1Wire); ok {
			return d.withNextHead(w, p)
		}
	case "bytes":
		for i := 1; i < len(p); i++ {
			if _, err := d.x.wire.piece(p[i-1 : i]); err != nil {
				return err
			}
			d.pause()
		}
		p = p[len(p)-1:]
	case "mid-rune":
		return d.pieces(d.cut(p, insideRune(p)))
	case "mid-line":
		return d.pieces(d.cut(p, len(p)/2))
	case "mid-newline":
		return d.pieces(d.cut(p, len(p)-3, len(p)-1))
	case "random":
		return d.pieces(d.cutAnywhere(p))
	}
	return d.settle(d.x.wire.piece(p))
}

// settle notes that all events so far are out, the last with a write.
func (d *deliverer) settle(write int, err error) error {
	if err != nil {
		return err
	}
	d.complete(len(d.x.record.Events), write)
	return nil
}

// complete notes that the events up to an index are out, none later than with a
// write.
func (d *deliverer) complete(events, write int) {
	r := d.x.record
	for ; d.x.settled < events; d.x.settled++ {
		e := &r.Events[d.x.settled]
		last := e.Offset + int64(e.Bytes) - 1
		if d.fault.newline() == "\r\n" {
			last-- // nothing that could follow the carriage return changes the event
		}
		e.Write = write
		for r.Writes[e.Write].Offset > last {
			e.Write--
		}
	}
}

// flush sends what is held back.
func (d *deliverer) flush() error {
	if len(d.held) == 0 {
		return nil
	}
	write, err := d.x.wire.piece(d.held)
	d.held, d.count = d.held[:0], 0
	return d.settle(write, err)
}

// unfinished sends the start of an event that will have no end.
func (d *deliverer) unfinished(p []byte) error {
	_, err := d.x.wire.piece(p)
	return err
}

// straddle sends the rest of the event before with the first half of this one.
func (d *deliverer) straddle(p []byte) error {
	whole := len(d.held) > 0 // the event before ends with this write
	d.held = append(d.held, p[:len(p)/2]...)
	write, err := d.x.wire.piece(d.held)
	d.held = append(d.held[:0], p[len(p)/2:]...)
	if err != nil || !whole {
		return err
	}
	d.complete(len(d.x.record.Events)-1, write)
	return nil
}

// withNextHead sends the event before with the head of this one's chunk. An event
// goes out only when there is a next one, since not every protocol marks its end.
func (d *deliverer) withNextHead(w *h1Wire, p []byte) error {
	if len(d.held) > 0 {
		write, err := w.pieceAndNextHead(d.held)
		if err != nil {
			return err
		}
		d.complete(len(d.x.record.Events)-1, write)
	}
	d.held = append(d.held[:0], p...)
	return nil
}

func (d *deliverer) pieces(parts [][]byte) error {
	for i, p := range parts {
		if i > 0 {
			d.pause()
		}
		write, err := d.x.wire.piece(p)
		if err != nil {
			return err
		}
		if i == len(parts)-1 {
			return d.settle(write, nil)
		}
	}
	return nil
}

// pause waits between two pieces; a client that goes away shows at the next
// write.
func (d *deliverer) pause() {
	if d.fault.PieceDelay > 0 {
		d.x.pause(d.fault.PieceDelay)
	}
}

// cut cuts p at the given places; those outside p and empty parts are left out.
func (d *deliverer) cut(p []byte, places ...int) [][]byte {
	d.parts = d.parts[:0]
	start := 0
	for _, place := range places {
		if place > start && place < len(p) {
			d.parts = append(d.parts, p[start:place])
			start = place
		}
	}
	d.parts = append(d.parts, p[start:])
	return d.parts
}

func (d *deliverer) cutAnywhere(p []byte) [][]byte {
	var places []int
	for at := 0; at < len(p); {
		d.random = mix(d.random)
		at += 1 + int(d.random%uint64(len(p)))
		places = append(places, at)
	}
	return d.cut(p, places...)
}

// insideRune is a place inside the first rune of several bytes, else the middle.
func insideRune(p []byte) int {
	for i, b := range p {
		if b >= utf8.RuneSelf {
			return i + 1
		}
	}
	return len(p) / 2
}
