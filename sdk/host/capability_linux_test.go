package host

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// capabilities are the sets of a process: CapInh, CapPrm, CapEff, CapBnd, CapAmb.
func capabilities(t *testing.T, pid int) map[string]uint64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	sets := map[string]uint64{}
	for _, m := range regexp.MustCompile(`(?m)^(Cap\w+):\s*([0-9a-f]+)$`).FindAllStringSubmatch(string(text), -1) {
		if sets[m[1]], err = strconv.ParseUint(m[2], 16, 64); err != nil {
			t.Fatal(err)
		}
	}
	if len(sets) != 5 {
		t.Fatalf("no capabilities in\n%s", text)
	}
	return sets
}

// TestPluginsCannotCapture: whoever the host is, a plugin sees the packets of the
// socket that it was given and no others.
func TestPluginsCannotCapture(t *testing.T) {
	const netRaw = uint64(1) << unix.CAP_NET_RAW
	if capabilities(t, os.Getpid())["CapPrm"]&netRaw == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("this process has no CAP_NET_RAW that a plugin could inherit")
		}
		t.Skip("NOT TESTED that plugins inherit no CAP_NET_RAW: this process has none")
	}
	p, _ := launch(t, "")
	for name, set := range capabilities(t, p.Pid()) {
		if set&netRaw != 0 {
			t.Errorf("the plugin has CAP_NET_RAW in its set %s", name)
		}
	}
	first, last, err := stamp.LocalPorts()
	if err != nil {
		t.Fatal(err)
	}
	socket, err := stamp.OpenPacketSocket(first, last)
	if err != nil {
		t.Fatalf("the host can capture no more: %v", err)
	}
	defer socket.Close()
	p, err = Launch(t.Context(), Options{Path: badPlugin, Environ: environ(""), EnvPassthrough: []string{"BADPLUGIN*"}, Packets: socket})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	ours, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", socket.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/3", p.Pid())); err != nil || theirs != ours {
		t.Errorf("the plugin's file 3 is %q, want %q: %v", theirs, ours, err)
	}
}
