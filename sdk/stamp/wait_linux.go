package stamp

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// wakeLead is how much before its moment an alarm rings: about what a wake-up
// through the poller takes on an idle machine. What is left is spun away.
const wakeLead = 30 * time.Microsecond

// alarm is a timerfd on Go's poller: as precise as the kernel's high-resolution
// timers, without a thread that sleeps.
type alarm struct {
	file *os.File
	fd   int
	buf  [8]byte
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	return &alarm{file: os.NewFile(uintptr(fd), "timerfd"), fd: fd}, nil
}

// wait returns shortly before the moment, or at once where it is too near.
func (a *alarm) wait(at Nanos) {
	at = at.Add(-wakeLead)
	if at <= Now() {
		return
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(at))}
	if err := unix.TimerfdSettime(a.fd, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		time.Sleep(at.Sub(Now()))
		return
	}
	if _, err := a.file.Read(a.buf[:]); err != nil {
		time.Sleep(at.Sub(Now()))
	}
}

func (a *alarm) close() { a.file.Close() }
