package hostile

import (
	"encoding/binary"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// bigBytes is larger than what the length fields of IP can say.
const bigBytes = 180_000

// makeBig lets packets of the loopback be larger than 64 KiB (BIG TCP, Linux 6.3
// for both versions of IP).
func makeBig(t *testing.T) {
	t.Helper()
	const mtu, gsoMax, gsoMaxIPv4 = 4, 41, 63 // IFLA_MTU, IFLA_GSO_MAX_SIZE, IFLA_GSO_IPV4_MAX_SIZE
	body := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(body[4:], 1) // the loopback
	for _, attribute := range []struct {
		kind  uint16
		value uint32
	}{{mtu, 1500}, {gsoMax, bigBytes}, {gsoMaxIPv4, bigBytes}} {
		body = binary.NativeEndian.AppendUint16(body, 8)
		body = binary.NativeEndian.AppendUint16(body, attribute.kind)
		body = binary.NativeEndian.AppendUint32(body, attribute.value)
	}
	message := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	message = binary.NativeEndian.AppendUint16(message, unix.RTM_NEWLINK)
	message = binary.NativeEndian.AppendUint16(message, unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	message = append(append(message, make([]byte, 8)...), body...)
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil || n < unix.SizeofNlMsghdr+4 {
		t.Fatalf("%d bytes of an answer: %v", n, err)
	}
	if code := int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); code != 0 {
		missing(t, "the loopback takes no packets larger than 64 KiB: "+unix.Errno(-code).Error())
	}
}

// TestBIGTCP: a packet whose IP header cannot say how long it is is covered to
// its end.
func TestBIGTCP(t *testing.T) {
	Open(t).device.Close() // for the namespace and its loopback
	makeBig(t)
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			if _, err := stamp.Select("packet"); err != nil {
				missing(t, err.Error())
			}
			largest := watchLargest(t)
			listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			d, err := stamp.NewDialer(stamp.Options{Clock: stamp.ClockPacket})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			c, _, err := d.Dial(t.Context(), listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			server, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			const size = 48 << 20
			go server.Write(make([]byte, size))
			var last stamp.Nanos
			for n := 0; n < size; {
				s, err := c.NextSpan()
				if err != nil {
					t.Fatal(err)
				}
				if s.At < last || s.At > s.Read {
					t.Fatalf("after %d bytes: %v after the bytes before, %v before the read", n, s.At.Sub(last), s.Read.Sub(s.At))
				}
				n, last = n+len(s.Bytes), s.At
			}
			if c.Clock() != stamp.ClockPacket || c.Uncovered() != 0 {
				t.Errorf("clock %v, %d runs not covered", c.Clock(), c.Uncovered())
			}
			if n := largest(); n <= 1<<16 {
				t.Errorf("the largest packet had %d bytes", n)
			}
		})
	}
}

// watchLargest returns a function that tells the size of the largest packet
// since.
func watchLargest(t *testing.T) func() int {
	t.Helper()
	all := uint16(unix.ETH_P_ALL)<<8 | uint16(unix.ETH_P_ALL)>>8
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(all))
	if err != nil {
		missing(t, os.NewSyscallError("socket AF_PACKET", err).Error())
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20); err != nil {
		t.Fatal(os.NewSyscallError("setsockopt SO_RCVBUFFORCE", err))
	}
	return func() int {
		defer unix.Close(fd)
		largest := 0
		for b := make([]byte, 1); ; {
			n, _, err := unix.Recvfrom(fd, b, unix.MSG_TRUNC)
			if err != nil {
				return largest
			}
			largest = max(largest, n)
		}
	}
}
