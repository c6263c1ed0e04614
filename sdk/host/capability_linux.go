package host

import "golang.org/x/sys/unix"

// giveUpCapture keeps CAP_NET_RAW from what this thread starts, also where the
// host is root or has it as an ambient capability: a plugin could read the
// traffic of the whole machine. It has what the host lets it inherit
// (Options.Packets). A thread that is not allowed to give it up is one that has
// nothing to hand on, or root without CAP_SETPCAP, whose plugins could take
// what they like anyway.
func giveUpCapture() {
	_ = unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_NET_RAW, 0, 0, 0)
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_LOWER, unix.CAP_NET_RAW, 0, 0)
}
