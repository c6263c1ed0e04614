package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// When a progress line is shown first, and how often then: on a terminal it keeps
// up, elsewhere each is a line of its own.
const (
	progressFirst    = time.Second
	progressTerminal = 200 * time.Millisecond
	progressElse     = 10 * time.Second
)

// progressLine tells of what takes longer than a second, also where nothing
// moves.
type progressLine struct {
	out      io.Writer
	terminal bool

	mu   sync.Mutex
	text func() string

	over  chan struct{}
	ended sync.WaitGroup
	shown string
}

// newProgressLine begins; end is to be called.
func newProgressLine(out io.Writer, terminal bool, text string) *progressLine {
	l := &progressLine{out: out, terminal: terminal, text: func() string { return text }, over: make(chan struct{})}
	l.ended.Go(l.keep)
	return l
}

// show says what the line is to say from now on.
func (l *progressLine) show(text func() string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = text
}

func (l *progressLine) keep() {
	interval := progressElse
	if l.terminal {
		interval = progressTerminal
	}
	timer := time.NewTimer(progressFirst)
	defer timer.Stop()
	for {
		select {
		case <-l.over:
			return
		case <-timer.C:
		}
		l.mu.Lock()
		text := l.text()
		l.mu.Unlock()
		switch {
		case text == l.shown:
		case l.terminal:
			fmt.Fprintf(l.out, "\r\x1b[K%s", text)
		default:
			fmt.Fprintln(l.out, text)
		}
		l.shown = text
		timer.Reset(interval)
	}
}

// end ends the line, where one was shown.
func (l *progressLine) end() {
	close(l.over)
	l.ended.Wait()
	if l.terminal && l.shown != "" {
		fmt.Fprintln(l.out)
	}
}

func megabytes(done, total int64) string {
	if total >= 0 {
		return fmt.Sprintf("%.1f of %.1f MB", float64(done)/1e6, float64(total)/1e6)
	}
	return fmt.Sprintf("%.1f MB", float64(done)/1e6)
}
