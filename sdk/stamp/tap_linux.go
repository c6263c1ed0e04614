package stamp

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	// inheritedFD is where a plugin finds the socket that its host opened for
	// it.
	inheritedFD = 3
	// ownFDMin keeps sockets that this process opens itself away from it.
	ownFDMin = 10
)

// ErrNoCapture says that this process may not capture packets.
var ErrNoCapture = errors.New("capturing packets needs root or the capability CAP_NET_RAW")

// OpenPacketSocket opens a socket for a Packets: it sees the headers of TCP
// segments that this host sends from, or receives at, the local ports from
// first to last, and its filter cannot be changed any more. It needs CAP_NET_RAW;
// where that is permitted but not effective it is raised for the moment. Whoever
// gets the socket needs no privilege to use it. It can also send frames:
// PF_PACKET knows no sockets that only listen.
//
// The error wraps ErrNoCapture where a privilege would mend it.
func OpenPacketSocket(first, last uint16) (*os.File, error) {
	if last < first || first == 0 {
		return nil, fmt.Errorf("local ports %d to %d are no range", first, last)
	}
	fd, err := packetSocket()
	if err != nil {
		return nil, err
	}
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, ownFDMin)
	closeAll(fd)
	if err != nil {
		return nil, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
	}
	if err := restrict(high, first, last); err != nil {
		closeAll(high)
		return nil, err
	}
	return os.NewFile(uintptr(high), "packet socket"), nil
}

// packetSocket opens a socket of no protocol: it receives nothing until it is
// bound, which is after it has its filter.
func packetSocket() (int, error) {
	open := func() (int, error) { return unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0) }
	fd, err := open()
	if errors.Is(err, unix.EPERM) {
		raised := withCapability(unix.CAP_NET_RAW, func() { fd, err = open() })
		if raised != nil {
			err = unix.EPERM
		}
	}
	switch {
	case errors.Is(err, unix.EPERM):
		return 0, ErrNoCapture
	case errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.ESOCKTNOSUPPORT):
		return 0, errors.New("this kernel has no packet sockets (CONFIG_PACKET)")
	case err != nil:
		return 0, os.NewSyscallError("socket AF_PACKET", err)
	}
	return fd, nil
}

// withCapability calls f on a thread with a capability that the process is
// permitted but that is not in effect, and takes it back.
func withCapability(capability uint, f func()) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var before [2]unix.CapUserData
	if err := unix.Capget(&header, &before[0]); err != nil {
		return err
	}
	word, bit := capability/32, uint32(1)<<(capability%32)
	if before[word].Permitted&bit == 0 {
		return unix.EPERM
	}
	raised := before
	raised[word].Effective |= bit
	if err := unix.Capset(&header, &raised[0]); err != nil {
		return err
	}
	f()
	return unix.Capset(&header, &before[0])
}

// restrict attaches the filter and locks it.
func restrict(fd int, first, last uint16) error {
	program, err := bpf.Assemble(portFilter(first, last))
	if err != nil {
		return err
	}
	fprog := unix.SockFprog{
		Len:    uint16(len(program)),
		Filter: (*unix.SockFilter)(unsafe.Pointer(&program[0])), // the same layout
	}
	err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &fprog)
	runtime.KeepAlive(program)
	if err != nil {
		return os.NewSyscallError("setsockopt SO_ATTACH_FILTER", err)
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_LOCK_FILTER, 1)
	return os.NewSyscallError("setsockopt SO_LOCK_FILTER", err)
}

// dropped is the distance of a jump to the end of its part of the filter.
const dropped = 255

// portFilter passes the headers of IP and TCP, and nothing of the payload, of
// segments whose local port lies in the range. What leaves has it as source, what comes as
// destination. Packets begin with the IP header (SOCK_DGRAM).
func portFilter(first, last uint16) []bpf.Instruction {
	const (
		portAt   = 0 // scratch: where the local port lies in the TCP header
		ipHeader = 1 // scratch: the size of the IP header
	)
	check := []bpf.Instruction{ // A is the size of the IP header
		bpf.StoreScratch{Src: bpf.RegA, N: ipHeader},
		bpf.LoadScratch{Dst: bpf.RegX, N: portAt},
		bpf.ALUOpX{Op: bpf.ALUOpAdd},
		bpf.TAX{},
		bpf.LoadIndirect{Off: 0, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: uint32(first), SkipTrue: dropped},
		bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: uint32(last), SkipTrue: dropped},
		bpf.LoadScratch{Dst: bpf.RegX, N: ipHeader},
		bpf.LoadIndirect{Off: 12, Size: 1}, // the TCP header's size in the upper half, in words
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf0},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 2},
		bpf.ALUOpX{Op: bpf.ALUOpAdd},
		bpf.RetA{},
		bpf.RetConstant{Val: 0},
	}
	v4 := toEnd(append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 9, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protocolTCP, SkipTrue: dropped},
		bpf.LoadAbsolute{Off: 6, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: ipv4Fragment, SkipTrue: dropped},
		bpf.LoadMemShift{Off: 0},
		bpf.TXA{},
	}, check...))
	v6 := toEnd(append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 6, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protocolTCP, SkipTrue: 7},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protocolHopByHop, SkipTrue: dropped}, // a jumbogram's
		bpf.LoadAbsolute{Off: ipv6Header, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protocolTCP, SkipTrue: dropped},
		bpf.LoadAbsolute{Off: ipv6Header + 1, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 3},
		bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: ipv6Header + 8},
		bpf.Jump{Skip: 1},
		bpf.LoadConstant{Dst: bpf.RegA, Val: ipv6Header},
	}, check...))
	program := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtProto},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IP, SkipTrue: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IPV6, SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_8021Q, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_8021AD, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.LoadConstant{Dst: bpf.RegX, Val: 2},
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 1},
		bpf.LoadConstant{Dst: bpf.RegX, Val: 0},
		bpf.StoreScratch{Src: bpf.RegX, N: portAt},
		bpf.LoadAbsolute{Off: 0, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 4, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 6, SkipTrue: uint8(1 + len(v4))},
		bpf.RetConstant{Val: 0},
	}
	return append(append(program, v4...), v6...)
}

// toEnd gives the jumps that drop a packet their distance to the last
// instruction.
func toEnd(part []bpf.Instruction) []bpf.Instruction {
	for i, instruction := range part {
		if jump, ok := instruction.(bpf.JumpIf); ok && jump.SkipTrue == dropped {
			jump.SkipTrue = uint8(len(part) - 2 - i)
			part[i] = jump
		}
	}
	return part
}

// InheritedPackets tells whether this process was given a packet socket by the
// host that started it. Processes that this one starts do not get it.
func InheritedPackets() bool {
	domain, err := unix.GetsockoptInt(inheritedFD, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_PACKET {
		return false
	}
	locked, err := unix.GetsockoptInt(inheritedFD, unix.SOL_SOCKET, unix.SO_LOCK_FILTER)
	if err != nil || locked == 0 {
		return false
	}
	unix.CloseOnExec(inheritedFD)
	return true
}

// LocalPorts is the range from which the kernel takes the local ports of
// connections, inclusive.
func LocalPorts() (first, last uint16, err error) {
	const name = "/proc/sys/net/ipv4/ip_local_port_range"
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscan(string(text), &first, &last); err != nil || last < first || first == 0 {
		return 0, 0, fmt.Errorf("%s: %q is no range of ports", name, text)
	}
	return first, last, nil
}

// LocalPortRanges tells whether the kernel keeps a connection's local port in
// a range that it is given; nil: it does.
func LocalPortRanges() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		fd, err = unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	}
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer closeAll(fd)
	if unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_LOCAL_PORT_RANGE, 0) != nil {
		return errors.New("the kernel cannot keep connections in a range of local ports (IP_LOCAL_PORT_RANGE, Linux 6.3)")
	}
	return nil
}

// openPackets is the clock of a process that has a socket or may open one.
func openPackets(first, last uint16) (*Packets, error) {
	if first == 0 {
		var err error
		if first, last, err = LocalPorts(); err != nil {
			return nil, err
		}
	}
	if InheritedPackets() {
		return newPackets(inheritedFD, first, last, ringBlocks)
	}
	socket, err := OpenPacketSocket(first, last)
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	return NewPackets(socket, first, last)
}

// packetsRefused tells why packets cannot be captured; nil: they can.
func packetsRefused() error {
	if InheritedPackets() {
		return nil
	}
	fd, err := packetSocket()
	if err == nil {
		closeAll(fd)
	}
	return err
}
