package hostile

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	deviceName = "hostile0"
	mtuBytes   = 9000 // room for large segments

	// vnetHeaderBytes is the size of struct virtio_net_hdr, which lies before
	// each packet and tells of what a network card would have done with it.
	vnetHeaderBytes = 10
)

// The two ends of the device. The kernel has the first of each pair.
var (
	near4, far4 = netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("10.77.0.2")
	near6, far6 = netip.MustParseAddr("fd77::1"), netip.MustParseAddr("fd77::2")
)

// openTUN makes the device with its addresses, and brings it and the loopback
// up. It must only be called in a network namespace of its own.
func openTUN() (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
	}
	if err := setUp(fd); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "/dev/net/tun"), nil // non-blocking: on Go's poller
}

func setUp(tun int) error {
	device, err := unix.NewIfreq(deviceName)
	if err != nil {
		return err
	}
	device.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(tun, unix.TUNSETIFF, device); err != nil {
		return fmt.Errorf("make the device (needs CAP_NET_ADMIN): %w", err)
	}
	v4, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer func() { _ = unix.Close(v4) }()
	return errors.Join(
		set(v4, "lo", unix.SIOCSIFFLAGS, uint16(unix.IFF_UP)),
		set(v4, deviceName, unix.SIOCSIFMTU, uint32(mtuBytes)),
		set(v4, deviceName, unix.SIOCSIFADDR, near4),
		set(v4, deviceName, unix.SIOCSIFNETMASK, netip.MustParseAddr("255.255.255.0")),
		// Without NOARP the kernel would look for others with its IPv6 address,
		// and not use it until it had found none.
		set(v4, deviceName, unix.SIOCSIFFLAGS, uint16(unix.IFF_UP|unix.IFF_NOARP|unix.IFF_POINTOPOINT)),
		addIPv6(v4, near6),
	)
}

// set sets one property of a device, or what is asked of a bridge.
func set(socket int, name string, request uint, value any) error {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	switch v := value.(type) {
	case uint16:
		r.SetUint16(v)
	case uint32:
		r.SetUint32(v)
	case netip.Addr:
		if err := r.SetInet4Addr(v.AsSlice()); err != nil {
			return err
		}
	}
	if err := unix.IoctlIfreq(socket, request, r); err != nil {
		return fmt.Errorf("set up %s (request %#x): %w", name, request, err)
	}
	return nil
}

// addIPv6 gives the device an IPv6 address.
func addIPv6(v4 int, address netip.Addr) error {
	r, err := unix.NewIfreq(deviceName)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(v4, unix.SIOCGIFINDEX, r); err != nil {
		return os.NewSyscallError("ioctl SIOCGIFINDEX", err)
	}
	v6, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer func() { _ = unix.Close(v6) }()
	request := struct { // struct in6_ifreq of linux/ipv6.h
		address [16]byte
		prefix  uint32
		index   int32
	}{address.As16(), 64, int32(r.Uint32())}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(v6), unix.SIOCSIFADDR, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return os.NewSyscallError("ioctl SIOCSIFADDR for IPv6", errno)
	}
	for range 2000 {
		if ready, err := usable(address); ready || err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("the address %v did not become usable", address)
}

// usable tells whether the kernel sends from an IPv6 address. It takes a moment
// to do so, and ::1 would be the source until then.
func usable(address netip.Addr) (bool, error) {
	table, err := os.ReadFile("/proc/net/if_inet6") // address, index, prefix, scope, flags, name
	if err != nil {
		return false, err
	}
	wanted := fmt.Sprintf("%x", address.As16())
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) == 6 && f[0] == wanted {
			flags, err := strconv.ParseUint(f[4], 16, 32)
			return flags&unix.IFA_F_TENTATIVE == 0, err
		}
	}
	return false, nil
}
