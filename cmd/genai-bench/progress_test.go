package main

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgressLine(t *testing.T) {
	for name, c := range map[string]struct {
		terminal bool
		took     time.Duration
		want     string
	}{
		"soon done":      {false, 900 * time.Millisecond, ""},
		"a while":        {false, 2500 * time.Millisecond, "step 0\n"},
		"long":           {false, 22 * time.Second, "step 0\nstep 10\nstep 20\n"},
		"on a terminal":  {true, 2700 * time.Millisecond, "\r\x1b[Kstep 0\r\x1b[Kstep 1\r\x1b[Kstep 2\n"},
		"at once, there": {true, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				line := newProgressLine(&out, c.terminal, "step 0")
				begin := time.Now()
				for step := 1; time.Since(begin)+time.Second+100*time.Millisecond <= c.took; step++ {
					time.Sleep(time.Second)
					if step == 1 {
						time.Sleep(100 * time.Millisecond) // what is shown is never what changes in that moment
					}
					line.show(func() string { return fmt.Sprint("step ", step) })
				}
				time.Sleep(c.took - time.Since(begin))
				line.end()
				if got := out.String(); got != c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
			})
		})
	}
}
