//go:build unix

// Command badplugin is a plugin that misbehaves in the way that the
// environment variable BADPLUGIN names; without it, it behaves. The tests of
// the host run it.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/genai-bench/genai-bench/sdk"
	"github.com/genai-bench/genai-bench/sdk/backend"
	pluginv1 "github.com/genai-bench/genai-bench/sdk/internal/genproto/genaibench/plugin/v1"
	"github.com/genai-bench/genai-bench/sdk/internal/handshake"
	"github.com/genai-bench/genai-bench/sdk/internal/serve"
)

func main() {
	os.Exit(run(os.Getenv("BADPLUGIN")))
}

func run(mode string) int {
	if len(os.Args) > 1 && os.Args[1] == "sleeper" {
		time.Sleep(5 * time.Minute)
		return 0
	}
	if code, done := beforeHandshake(mode); done {
		return code
	}
	plugin := sdk.Plugin{
		Name: "bad", Version: "1.2.3", Vendor: "tests", EnvPassthrough: []string{"BADPLUGIN*"},
		Backends: []backend.Backend{&misbehaving{mode: mode}},
	}
	switch mode {
	case "never-answers", "answers-twice", "answers-unknown", "odd-status", "hostile-events", "ends-early":
		serveRaw(&rawServer{mode: mode})
		return 0
	}
	code := sdk.Serve(plugin)
	switch mode {
	case "ignores-shutdown":
		select {}
	case "slow-exit":
		time.Sleep(time.Second)
	}
	return code
}

// beforeHandshake misbehaves where the host waits for the first line. It tells
// whether the process is done.
func beforeHandshake(mode string) (code int, done bool) {
	describing := len(os.Args) > 1 && os.Args[1] == handshake.DescribeArgument
	if rest, ok := strings.CutPrefix(mode, "describe-"); ok && describing {
		switch rest {
		case "hangs":
			startSleeper(false)
			select {}
		case "garbage":
			fmt.Println("Usage: bad [options]")
		case "nameless":
			fmt.Println(`{"components": []}`)
		case "fails":
			fmt.Fprintln(os.Stderr, "first line\nlibfoo.so: cannot open")
			return 3, true
		case "floods":
			for range 100_000 {
				fmt.Println(strings.Repeat("x", 1<<10))
			}
		}
		return 0, true
	}
	switch mode {
	case "stdout":
		fmt.Println("loading config\x00\x1b[31m from somewhere")
	case "stdout-endless-line":
		for range 1 << 10 {
			fmt.Print(strings.Repeat("x", 1<<10))
		}
		select {}
	case "exits-at-once":
		fmt.Fprintln(os.Stderr, "cannot find libfoo.so")
		return 3, true
	case "panics-at-once":
		panic("no such thing")
	case "silent-exit":
		return 0, true
	case "hangs-at-start":
		startSleeper(false)
		select {}
	case "listens-elsewhere":
		fmt.Println("1|1|tcp|127.0.0.1:9|grpc|")
		select {}
	case "escapes-the-folder":
		fmt.Println("1|1|unix|" + os.Getenv("PLUGIN_UNIX_SOCKET_DIR") + "/../../../elsewhere|grpc|")
		select {}
	case "newer-version":
		goplugin.Serve(&goplugin.ServeConfig{
			HandshakeConfig:  goplugin.HandshakeConfig{MagicCookieKey: handshake.CookieKey, MagicCookieValue: handshake.CookieValue},
			VersionedPlugins: map[int]goplugin.PluginSet{2: {handshake.PluginName: &rawPlugin{}}},
			GRPCServer:       func(o []grpc.ServerOption) *grpc.Server { return grpc.NewServer(o...) },
			Logger:           hclog.NewNullLogger(),
		})
		return 0, true
	}
	return 0, false
}

// startSleeper leaves a process behind that keeps stdout and stderr open, and
// logs its number.
func startSleeper(ownSession bool) {
	cmd := exec.Command(os.Args[0], "sleeper")
	cmd.Stdout, cmd.Stderr = os.NewFile(1, "stdout"), os.NewFile(2, "stderr")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: ownSession}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	hclog.Default().Info("sleeper", "pid", cmd.Process.Pid)
}

// serveRaw serves without sdk.Serve's care for the stream.
func serveRaw(s *rawServer) {
	logger := hclog.New(&hclog.LoggerOptions{Output: os.Stderr, JSONFormat: true})
	s.plugin = serve.New(&pluginv1.PluginInfo{Name: "bad"}, []backend.Backend{&misbehaving{}}, logger)
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  goplugin.HandshakeConfig{MagicCookieKey: handshake.CookieKey, MagicCookieValue: handshake.CookieValue},
		VersionedPlugins: map[int]goplugin.PluginSet{1: {handshake.PluginName: &rawPlugin{server: s}}},
		GRPCServer:       func(o []grpc.ServerOption) *grpc.Server { return grpc.NewServer(o...) },
		Logger:           logger,
	})
}
