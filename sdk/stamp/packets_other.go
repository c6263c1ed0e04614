//go:build !linux

package stamp

import (
	"errors"
	"os"
	"runtime"
)

// ErrNoCapture says that this process may not capture packets.
var ErrNoCapture = errors.New("capturing packets needs root or the capability CAP_NET_RAW")

func packetsRefused() error {
	return errors.New("packets are captured on Linux only, this is " + runtime.GOOS)
}

// OpenPacketSocket needs Linux.
func OpenPacketSocket(_, _ uint16) (*os.File, error) { return nil, packetsRefused() }

// InheritedPackets needs Linux.
func InheritedPackets() bool { return false }

// LocalPorts needs Linux.
func LocalPorts() (first, last uint16, err error) { return 0, 0, packetsRefused() }

// LocalPortRanges needs Linux.
func LocalPortRanges() error { return packetsRefused() }

type ownedPackets interface {
	PacketClock
	Close() error
}

func openPackets(_, _ uint16) (ownedPackets, error) { return nil, packetsRefused() }
