package timeslice

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestShorten(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Skipf("no sched_getattr here: %v", err)
	}
	if err := Shorten(); err != nil {
		t.Skipf("not allowed here: %v", err)
	}
	after, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var system unix.Utsname
	_ = unix.Uname(&system)
	t.Logf("kernel %s, uid %d: slice %d ns before, %d after", unix.ByteSliceToString(system.Release[:]), os.Getuid(), before.Runtime, after.Runtime)
	if after.Policy != before.Policy || after.Nice != before.Nice {
		t.Errorf("policy %d, nice %d became %d, %d", before.Policy, before.Nice, after.Policy, after.Nice)
	}
	if after.Runtime != sliceNanoseconds && after.Runtime != before.Runtime { // kernels before 6.12 keep theirs
		t.Errorf("slice %d", after.Runtime)
	}
}
