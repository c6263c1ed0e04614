package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// simulatorStart bounds how long the simulator may take to listen.
const simulatorStart = 20 * time.Second

// simulatorProcess is this program's simulator in a process of its own, so that
// the two share neither a scheduler nor a count of CPU time.
type simulatorProcess struct {
	address string // http://HOST:PORT
	pid     int
	stop    func() // ends it; to be called once
}

// startSimulator starts it and waits until it listens. It ends with this process
// at the latest, and an interrupt from the terminal is not for it: answers under
// way are waited for.
func (a *app) startSimulator(ctx context.Context, args ...string) (simulatorProcess, error) {
	ctx, cancel := context.WithCancel(ctx)
	args = append([]string{"simulator", "--listen", "127.0.0.1:0", "--model", "simulator", "--quiet", "--end-with-stdin"}, args...)
	cmd := exec.CommandContext(ctx, a.executable, args...)
	ownGroup(cmd)
	fail := func(err error) (simulatorProcess, error) {
		cancel()
		return simulatorProcess{}, fmt.Errorf("starting the simulator: %w", err)
	}
	lease, err := cmd.StdinPipe()
	if err != nil {
		return fail(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fail(err)
	}
	cmd.Stderr = a.stderr
	if err := cmd.Start(); err != nil {
		return fail(err)
	}
	stop := func() {
		_ = lease.Close() // the process is killed next
		cancel()
		// Killed on purpose: its exit status says nothing.
		_ = cmd.Wait()
	}
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(out).ReadString('\n')
		line <- text
		_, _ = io.Copy(io.Discard, out)
	}()
	select {
	case text := <-line:
		if at := strings.Index(text, "http://"); at >= 0 {
			return simulatorProcess{address: strings.TrimSpace(text[at:]), pid: cmd.Process.Pid, stop: stop}, nil
		}
		stop()
		return simulatorProcess{}, fmt.Errorf("the simulator ended before it listened: %q", strings.TrimSpace(text))
	case <-time.After(simulatorStart):
		stop()
		return simulatorProcess{}, fmt.Errorf("the simulator did not listen within %s", simulatorStart)
	}
}
