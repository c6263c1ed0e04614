package hostile

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	portName        = "hostile1"
	bridgeName      = "hostilebr"
	linkHeaderBytes = 14
)

var bridgeNear4, bridgeFar4 = netip.MustParseAddr("10.78.0.1"), netip.MustParseAddr("10.78.0.2")

// link is the far end of an Ethernet link.
type link struct {
	header []byte // of a frame to the kernel with an IPv4 packet
}

func (l *link) size() int {
	if l == nil {
		return 0
	}
	return linkHeaderBytes
}

// openBridge makes a TAP device and a bridge over it that has the address.
func openBridge() (*os.File, *link, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
	}
	l, err := setUpBridge(fd)
	if err != nil {
		_ = unix.Close(fd)
		return nil, nil, err
	}
	return os.NewFile(uintptr(fd), "/dev/net/tun"), l, nil
}

func setUpBridge(tap int) (*link, error) {
	device, err := unix.NewIfreq(portName)
	if err != nil {
		return nil, err
	}
	device.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(tap, unix.TUNSETIFF, device); err != nil {
		return nil, fmt.Errorf("make the device (needs CAP_NET_ADMIN): %w", err)
	}
	v4, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer func() { _ = unix.Close(v4) }()
	name := append([]byte(bridgeName), 0)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(v4), unix.SIOCBRADDBR, uintptr(unsafe.Pointer(&name[0])))
	if errno != 0 && errno != unix.EEXIST { // of a test before
		return nil, os.NewSyscallError("ioctl SIOCBRADDBR", errno)
	}
	if err := unix.IoctlIfreq(v4, unix.SIOCGIFINDEX, device); err != nil {
		return nil, os.NewSyscallError("ioctl SIOCGIFINDEX", err)
	}
	port := device.Uint32()
	err = errors.Join(
		set(v4, portName, unix.SIOCSIFMTU, uint32(mtuBytes)),
		set(v4, bridgeName, unix.SIOCBRADDIF, port),
		set(v4, portName, unix.SIOCSIFFLAGS, uint16(unix.IFF_UP)),
		set(v4, bridgeName, unix.SIOCSIFADDR, bridgeNear4),
		set(v4, bridgeName, unix.SIOCSIFNETMASK, netip.MustParseAddr("255.255.255.0")),
		set(v4, bridgeName, unix.SIOCSIFFLAGS, uint16(unix.IFF_UP)),
	)
	if err != nil {
		return nil, err
	}
	far := [6]byte{2, 0, 0, 0, 0, 2}
	if err := setNeighbour(v4, bridgeFar4, far); err != nil {
		return nil, err
	}
	near, err := hardwareAddress(v4, bridgeName)
	if err != nil {
		return nil, err
	}
	header := append(append(near[:], far[:]...), unix.ETH_P_IP>>8, unix.ETH_P_IP&0xff)
	return &link{header: header}, nil
}

func hardwareAddress(socket int, name string) (address [6]byte, err error) {
	var request struct { // struct ifreq
		name [unix.IFNAMSIZ]byte
		addr unix.RawSockaddr
		_    [8]byte
	}
	copy(request.name[:], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), unix.SIOCGIFHWADDR, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return address, os.NewSyscallError("ioctl SIOCGIFHWADDR", errno)
	}
	for i := range address {
		address[i] = byte(request.addr.Data[i])
	}
	return address, nil
}

// setNeighbour tells the kernel who has an address.
func setNeighbour(socket int, ip netip.Addr, hardware [6]byte) error {
	var request struct { // struct arpreq
		ip, hardware unix.RawSockaddr
		flags        int32
		mask         unix.RawSockaddr
		device       [unix.IFNAMSIZ]byte
	}
	const known = 2 | 4 // ATF_COM | ATF_PERM
	request.ip.Family, request.flags = unix.AF_INET, known
	for i, b := range ip.As4() {
		request.ip.Data[2+i] = int8(b)
	}
	request.hardware.Family = unix.ARPHRD_ETHER
	for i, b := range hardware {
		request.hardware.Data[i] = int8(b)
	}
	copy(request.device[:], bridgeName)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), unix.SIOCSARP, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return os.NewSyscallError("ioctl SIOCSARP", errno)
	}
	return nil
}
