package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/genai-bench/genai-bench/core/tokenizer/demo"
)

// pluginFolder is where TestMain put the real plugin binaries; it travels to
// the scripts in the environment.
const pluginFolder = "TEST_PLUGIN_FOLDER"

func TestMain(m *testing.M) {
	// testscript runs the program by starting this test binary under its name;
	// only the first process builds the plugins.
	if os.Getenv(pluginFolder) == "" {
		dir, err := os.MkdirTemp("", "genai-bench-plugins-*")
		if err == nil {
			err = buildPlugins(dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "building the plugins for the tests:", err)
			os.Exit(1)
		}
		os.Setenv(pluginFolder, dir)
		// testscript.Main exits, so that a deferred removal would not run; the
		// folder is removed by the exit function of the outer process.
		defer os.RemoveAll(dir)
	}
	testscript.Main(removing{m}, map[string]func(){
		"genai-bench": func() { os.Exit(run(thisSystem())) },
	})
}

// removing removes the plugins' folder when the tests are over.
type removing struct{ m *testing.M }

func (r removing) Run() int {
	defer os.RemoveAll(os.Getenv(pluginFolder))
	// Scripts wait for servers far more than they compute.
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := flag.Set(parallel.Name, "6"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return r.m.Run()
}

// raced are the scripts whose program is this test binary, which has the race
// detector where the tests have it. The others run the program as users have it:
// under the detector every chart takes a second.
func raced(script string) bool {
	return slices.Contains([]string{"benchmark", "killed"}, script)
}

// programFolder is where the program is, below the plugins' folder.
const programFolder = "program"

func buildPlugins(dir string) error {
	root, err := exec.Command("go", "env", "GOWORK").Output()
	if err != nil {
		return err
	}
	top := filepath.Dir(strings.TrimSpace(string(root)))
	for file, from := range map[string]string{
		"genai-bench-plugin-openai": "./plugins/openai", filepath.Join(programFolder, "genai-bench"): "./cmd/genai-bench",
	} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, file), from)
		cmd.Dir = top
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	return nil
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			tokenizer := filepath.Join(e.WorkDir, "tokenizer")
			if err := demo.WriteTo(tokenizer); err != nil {
				return err
			}
			if !raced(strings.TrimPrefix(filepath.Base(e.WorkDir), "script-")) {
				program := filepath.Join(os.Getenv(pluginFolder), programFolder)
				e.Setenv("PATH", program+string(os.PathListSeparator)+e.Getenv("PATH"))
			}
			e.Setenv("GENAI_BENCH_PLUGIN_PATH", os.Getenv(pluginFolder))
			e.Setenv(pluginFolder, os.Getenv(pluginFolder))
			e.Setenv("TOKENIZER", tokenizer)
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, "cache"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"await":      await,
			"status":     status,
			"folder":     folder,
			"runfile":    runfile,
			"absent":     absent,
			"hub":        startHub,
			"received":   received,
			"shares":     shares,
			"grows":      grows,
			"firsts":     firsts,
			"settings":   settingsOf,
			"awaitfile":  awaitfile,
			"gone":       gone,
			"slay":       slay,
			"bodies":     bodies,
			"common":     common,
			"workload":   workload,
			"datasethub": startDatasetHub,
			"parquet":    writeParquet,
			"picture":    writePicture,
		},
	})
}

// await FILE VAR waits until FILE names the address of a simulator and sets
// VAR to it.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE VAR")
	}
	address := regexp.MustCompile(`http://[0-9.:]+`)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil {
			if found := address.FindString(string(data)); found != "" && strings.Contains(string(data), "\n") {
				ts.Setenv(args[1], found)
				return
			}
		}
	}
	ts.Fatalf("no address appeared in %s", args[0])
}

// status CODE PROGRAM ARGS... runs a program that must end with that exit code.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit := (*exec.ExitError)(nil); err != nil {
		if !asExit(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func asExit(err error, exit **exec.ExitError) bool {
	return errors.As(err, exit)
}

// folder PARENT VAR sets VAR to the only folder in PARENT.
func folder(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: folder PARENT VAR")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(entries) != 1 {
		ts.Fatalf("%s has %d entries, want one", args[0], len(entries))
	}
	ts.Setenv(args[1], filepath.Join(ts.MkAbs(args[0]), entries[0].Name()))
}

// runfile PARENT LEVEL VAR sets VAR to the file of the run at a level in the
// only folder in PARENT, however long the run took.
func runfile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: runfile PARENT LEVEL VAR")
	}
	pattern := filepath.Join(ts.MkAbs(args[0]), "*", "*_num_concurrency_"+args[1]+"_time_*s.json")
	found, err := filepath.Glob(pattern)
	ts.Check(err)
	if len(found) != 1 {
		ts.Fatalf("%d files match %s, want one", len(found), pattern)
	}
	ts.Setenv(args[2], found[0])
}

// awaitfile PARENT NAME LINES waits until the file NAME in the only folder in
// PARENT has so many lines.
func awaitfile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: awaitfile PARENT NAME LINES")
	}
	want, err := strconv.Atoi(args[2])
	ts.Check(err)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		found, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*", args[1]))
		ts.Check(err)
		if len(found) == 1 {
			if data, err := os.ReadFile(found[0]); err == nil && strings.Count(string(data), "\n") >= want {
				return
			}
		}
	}
	ts.Fatalf("no %s of %d lines appeared in %s", args[1], want, args[0])
}

// processesOf lists the processes that run an executable.
func processesOf(ts *testscript.TestScript, path string) (pids []int) {
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	ts.Check(err)
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == path {
			pid, err := strconv.Atoi(strings.Split(link, "/")[2])
			ts.Check(err)
			pids = append(pids, pid)
		}
	}
	return pids
}

// slay EXECUTABLE waits until a process runs EXECUTABLE and kills it with
// SIGKILL.
func slay(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: slay EXECUTABLE")
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if pids := processesOf(ts, ts.MkAbs(args[0])); len(pids) > 0 {
			ts.Check(syscall.Kill(pids[0], syscall.SIGKILL))
			return
		}
	}
	ts.Fatalf("%s does not run", args[0])
}

// gone EXECUTABLE fails where a process still runs EXECUTABLE after 2 s.
func gone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: gone EXECUTABLE")
	}
	var left []int
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if left = processesOf(ts, ts.MkAbs(args[0])); len(left) == 0 {
			return
		}
	}
	ts.Fatalf("%s still runs: %v", args[0], left)
}

// absent TEXT DIR fails where any file below DIR, or the last command's
// output, has the text: for secrets that must not be anywhere.
func absent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: absent TEXT DIR")
	}
	ts.Check(filepath.WalkDir(ts.MkAbs(args[1]), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(data), args[0]) {
			return fmt.Errorf("%s contains %q", path, args[0])
		}
		return err
	}))
	for _, name := range []string{"stdout", "stderr"} {
		if strings.Contains(ts.ReadFile(name), args[0]) {
			ts.Fatalf("%s contains %q", name, args[0])
		}
	}
}
