package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/genai-bench/genai-bench/sdk"
	"github.com/genai-bench/genai-bench/sdk/internal/convert"
	pluginv1 "github.com/genai-bench/genai-bench/sdk/internal/genproto/genaibench/plugin/v1"
	"github.com/genai-bench/genai-bench/sdk/internal/handshake"
	"github.com/genai-bench/genai-bench/sdk/internal/limits"
)

// Describe asks the plugin file what it is, by `PATH describe`: without
// handshake, network or configuration, within 5 s. A failure is a *StartError.
func Describe(ctx context.Context, path string) (sdk.Description, error) {
	return describe(ctx, path, environment(nil, nil), limits.Describe)
}

func describe(ctx context.Context, path string, environ []string, within time.Duration) (sdk.Description, error) {
	var d sdk.Description
	path, err := executable(path)
	if err != nil {
		return d, err
	}
	failed := func(format string, args ...any) (sdk.Description, error) {
		return sdk.Description{}, &StartError{
			Path: path, Kind: ErrDescription, Detail: fmt.Sprintf(format, args...),
			Hint: "is this a genai-bench plugin?",
		}
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()

	stdout := &boundedBuffer{limit: limits.DescriptionBytes}
	stderr := &boundedBuffer{limit: limits.LogLineBytes}
	cmd := exec.CommandContext(ctx, path, handshake.DescribeArgument)
	cmd.Env = environ
	cmd.Stdout, cmd.Stderr = stdout, stderr
	ownGroup(cmd, false)
	cmd.Cancel = func() error { return killGroup(cmd.Process) }
	cmd.WaitDelay = limits.PipeDrain // a grandchild may hold the pipes
	err = cmd.Run()
	if cmd.Process != nil {
		_ = killGroup(cmd.Process) // what it left behind; nothing, as a rule
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return failed("`describe` gave no answer within %s", within)
	case ctx.Err() != nil:
		return d, ctx.Err()
	case stdout.cut:
		return failed("`describe` printed more than %d MiB", limits.DescriptionBytes>>20)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return failed("`describe` failed: %v; its last line: %s", err, lastLine(stderr.kept))
	}
	if err := json.Unmarshal(stdout.kept, &d); err != nil {
		return failed("`describe` printed no description: %v", err)
	}
	if d.Plugin.Name == "" {
		return failed("`describe` printed JSON without the plugin's name")
	}
	return d, nil
}

// executable returns the absolute path of a file that can be executed.
func executable(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path, &StartError{Path: path, Kind: ErrNotExecutable, Detail: err.Error()}
	}
	// LookPath applies the system's own rules (mode bits; file types on
	// Windows). With a separator in the name it searches no PATH.
	if info, statErr := os.Stat(absolute); statErr != nil {
		return path, &StartError{Path: path, Kind: ErrNotExecutable, Detail: reason(statErr)}
	} else if !info.Mode().IsRegular() {
		return path, &StartError{Path: path, Kind: ErrNotExecutable, Detail: "it is a " + kindOf(info.Mode())}
	}
	if _, err := exec.LookPath(absolute); err != nil {
		return path, &StartError{Path: path, Kind: ErrNotExecutable, Detail: reason(err), Hint: "chmod +x it"}
	}
	return absolute, nil
}

func kindOf(mode os.FileMode) string {
	if mode.IsDir() {
		return "folder"
	}
	return "special file"
}

// reason is the cause alone: the path stands in the error around it.
func reason(err error) string {
	var path *os.PathError
	var execution *exec.Error
	switch {
	case errors.As(err, &path):
		return path.Err.Error()
	case errors.As(err, &execution):
		return execution.Err.Error()
	}
	return err.Error()
}

// boundedBuffer keeps the first bytes and forgets the rest. (It must not embed
// bytes.Buffer, whose ReadFrom knows no bound.)
type boundedBuffer struct {
	kept  []byte
	limit int
	cut   bool
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	keep := min(len(p), b.limit-len(b.kept))
	b.kept = append(b.kept, p[:keep]...)
	b.cut = b.cut || keep < len(p)
	return len(p), nil
}

func lastLine(text []byte) string {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return oneLine(printable(string(lines[len(lines)-1])))
}

func descriptionFromProto(p *pluginv1.DescribeResponse) sdk.Description {
	info := p.GetPlugin()
	d := sdk.Description{Plugin: sdk.PluginInfo{
		Name: info.GetName(), Version: info.GetVersion(), Vendor: info.GetVendor(), License: info.GetLicense(),
		Homepage: info.GetHomepage(), SDKVersion: info.GetSdkVersion(), ProtocolMinor: int(info.GetProtocolMinor()),
		EnvPassthrough: info.GetEnvPassthrough(),
	}}
	for _, c := range p.GetComponents() {
		switch kind := c.GetKind().(type) {
		case *pluginv1.Component_Backend:
			b := convert.BackendDescriptionFromProto(kind.Backend)
			d.Components = append(d.Components, sdk.Component{Kind: sdk.BackendComponent, Backend: &b})
		case *pluginv1.Component_Sink:
			d.Components = append(d.Components, sdk.Component{Kind: sdk.SinkComponent})
		}
	}
	return d
}
