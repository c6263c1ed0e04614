package stamp

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// watchSteps calls stepped each time that the wall clock was set, until stop is
// called. Where the kernel offers no such word nobody is called: each read
// looks for steps too.
func watchSteps(stepped func()) (stop func()) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil
	}
	file := os.NewFile(uintptr(fd), "timerfd")
	never := unix.ItimerSpec{Value: unix.Timespec{Sec: 1 << 40}}
	arm := func() error {
		return unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &never, nil)
	}
	if arm() != nil {
		_ = file.Close()
		return nil
	}
	var over sync.WaitGroup
	over.Go(func() {
		var expired [8]byte
		for {
			_, err := file.Read(expired[:])
			if !errors.Is(err, unix.ECANCELED) {
				return // closed
			}
			stepped()
			if arm() != nil {
				return
			}
		}
	})
	return func() {
		_ = file.Close()
		over.Wait()
	}
}
