package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/genai-bench/genai-bench/sdk"
	"github.com/genai-bench/genai-bench/sdk/internal/limits"
)

// child is one plugin process. It stands between go-plugin and the process:
// go-plugin sees a checked first line of stdout and an empty stderr, so that
// nothing that the plugin or what it started prints, or keeps open, can hold
// go-plugin up.
type child struct {
	path string
	cmd  *exec.Cmd // set before Start
	log  *pluginLog

	socketDir string // where it must listen

	lease          *os.File // the write end of its stdin; never written to
	stdout, stderr *os.File // our read ends
	handshake      *io.PipeWriter
	handshakeRead  *io.PipeReader

	exited chan struct{} // closed when the process is gone and its output is read

	mu      sync.Mutex
	started bool
	killed  bool // perhaps before it was started
	reaped  bool
	exit    error // how it ended; valid after exited
	failure *StartError
}

var _ runner.Runner = (*child)(nil)

func newChild(path, socketDir string, logger hclog.Logger) *child {
	r, w := io.Pipe()
	return &child{
		path: path, socketDir: socketDir, log: newPluginLog(logger),
		handshake: w, handshakeRead: r, exited: make(chan struct{}),
	}
}

// Start implements runner.Runner.
func (c *child) Start(context.Context) error {
	theirs, err := c.openPipes()
	if err != nil {
		close(c.exited)
		return c.fail(&StartError{Path: c.path, Kind: ErrNotExecutable, Detail: "making pipes: " + err.Error()})
	}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = theirs[0], theirs[1], theirs[2]
	ownGroup(c.cmd, true)
	started := make(chan error)
	go c.live(started, theirs)
	if err := <-started; err != nil {
		return c.fail(&StartError{Path: c.path, Kind: ErrNotExecutable, Detail: reason(err)})
	}
	return nil
}

// openPipes makes the three pipes and returns the child's ends.
func (c *child) openPipes() (theirs [3]*os.File, err error) {
	var ours [3]*os.File
	for i := range theirs {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(theirs[:i]...)
			closeAll(ours[:i]...)
			return theirs, err
		}
		theirs[i], ours[i] = w, r
		if i == 0 {
			theirs[i], ours[i] = r, w
		}
	}
	c.lease, c.stdout, c.stderr = ours[0], ours[1], ours[2]
	return theirs, nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// live starts the process, and ends when it is gone and all is cleaned up. It
// keeps its thread: Linux sends the signal of Pdeathsig when the thread that
// forked ends, and Go ends idle threads as it likes.
func (c *child) live(started chan<- error, theirs [3]*os.File) {
	runtime.LockOSThread() // never unlocked: the thread has given something up, and ends
	defer close(c.exited)
	giveUpCapture()
	err := c.cmd.Start()
	closeAll(theirs[:]...)
	if err != nil {
		closeAll(c.lease, c.stdout, c.stderr)
		_ = c.handshake.Close()
		started <- err
		return
	}
	c.mu.Lock()
	c.started = true
	if c.killed {
		_ = killGroup(c.cmd.Process)
	}
	c.mu.Unlock()

	var readers sync.WaitGroup
	readers.Go(func() { c.log.read(c.stderr) })
	readers.Go(c.readStdout)
	started <- nil

	c.reap()

	// What was printed is in the pipes; what holds them open is not ours.
	until := time.Now().Add(limits.PipeDrain)
	_ = c.stdout.SetReadDeadline(until)
	_ = c.stderr.SetReadDeadline(until)
	readers.Wait()
	closeAll(c.lease, c.stdout, c.stderr)
	c.noteEarlyExit()
	_ = c.handshake.Close()
}

// readStdout checks the first line and hands it to go-plugin. Whatever comes
// after is dropped, with a word in the log.
func (c *child) readStdout() {
	lines := bufio.NewReaderSize(c.stdout, limits.HandshakeLineBytes)
	line, err := lines.ReadSlice('\n')
	text := strings.TrimSpace(string(line))
	switch failure := c.checkHandshake(text); {
	case text == "" && err != nil:
		return // noteEarlyExit says why
	case failure != nil:
		_ = c.fail(failure)
		c.kill()
	default:
		_, _ = io.WriteString(c.handshake, text+"\n")
		if rest, _ := lines.ReadSlice('\n'); len(rest) > 0 {
			c.log.logger.Warn("the plugin wrote to stdout, which it must not; this is dropped",
				"first_line", oneLine(c.log.clean(string(rest))))
		}
	}
	_, _ = io.Copy(io.Discard, lines)
}

// checkHandshake finds out what is wrong with the first line on stdout.
func (c *child) checkHandshake(line string) *StartError {
	fields := strings.Split(line, "|")
	core, err := strconv.Atoi(fields[0])
	if err != nil || len(fields) < 5 || core != 1 || fields[4] != "grpc" {
		return &StartError{
			Path: c.path, Kind: ErrStdout, Detail: strconv.Quote(oneLine(c.log.clean(line))),
			Hint: "a plugin must print nothing; let it log instead",
		}
	}
	version, err := strconv.Atoi(fields[1])
	if err == nil && version == sdk.ProtocolVersion {
		return c.checkAddress(fields[2], fields[3])
	}
	hint := "upgrade the plugin"
	if version > sdk.ProtocolVersion {
		hint = "upgrade genai-bench"
	}
	return &StartError{
		Path: c.path, Kind: ErrProtocolVersion, Hint: hint,
		Detail: fmt.Sprintf("the plugin speaks version %s, this host version %d", oneLine(fields[1]), sdk.ProtocolVersion),
	}
}

// checkAddress makes sure that what is about to be told secrets listens where
// only this user can.
func (c *child) checkAddress(network, address string) *StartError {
	if runtime.GOOS == "windows" {
		return nil // loopback TCP, with certificates
	}
	if network == "unix" && strings.HasPrefix(filepath.Clean(address), c.socketDir+string(filepath.Separator)) {
		return nil
	}
	return &StartError{
		Path: c.path, Kind: ErrSocketFolder,
		Detail: fmt.Sprintf("it listens on %s %s", oneLine(c.log.clean(network)), oneLine(c.log.clean(address))),
		Hint:   "a plugin must listen on a Unix socket in the folder that PLUGIN_UNIX_SOCKET_DIR names",
	}
}

// fail records why the start failed; the first reason counts.
func (c *child) fail(e *StartError) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure == nil {
		c.failure = e
	}
	return c.failure
}

// noteEarlyExit makes the end of the process the reason, should the start have
// failed by it.
func (c *child) noteEarlyExit() {
	_ = c.fail(&StartError{Path: c.path, Kind: ErrExitedEarly, Detail: c.ending()})
}

// ending says in words how the process ended. Only after it was reaped.
func (c *child) ending() string {
	how := "the plugin's process ended by itself"
	c.mu.Lock()
	var exit *exec.ExitError
	if errors.As(c.exit, &exit) {
		how = "the plugin's process ended: " + exit.ProcessState.String()
	}
	c.mu.Unlock()
	if words := c.log.lastWords(); words != "" {
		how += "; its last words: " + words
	}
	return how
}

// kill ends the whole process group at once. It may be called at any time.
func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killed = true
	if c.started && !c.reaped {
		_ = killGroup(c.cmd.Process)
	}
}

// Kill implements runner.Runner.
func (c *child) Kill(context.Context) error { c.kill(); return nil }

// Wait implements runner.Runner.
func (c *child) Wait(ctx context.Context) error {
	select {
	case <-c.exited:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stdout implements runner.Runner: the handshake, and the end when the process
// has ended.
func (c *child) Stdout() io.ReadCloser { return c.handshakeRead }

// Stderr implements runner.Runner: nothing, because we read it ourselves.
func (c *child) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name implements runner.Runner.
func (c *child) Name() string { return c.path }

// ID implements runner.Runner.
func (c *child) ID() string {
	if pid := c.pid(); pid != 0 {
		return strconv.Itoa(pid)
	}
	return "" // go-plugin: there is nothing to kill
}

func (c *child) pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.started {
		return 0
	}
	return c.cmd.Process.Pid
}

// Diagnose implements runner.Runner.
func (c *child) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.Runner: both are on one machine.
func (c *child) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin implements runner.Runner.
func (c *child) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
