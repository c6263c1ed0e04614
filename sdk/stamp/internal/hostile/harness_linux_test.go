package hostile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"io"
	"math"
	"math/big"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/sse"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Cases mostly sleep. What a busy machine does to them is part of the truth.
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	os.Exit(Main(m))
}

// tolerance is how far an arrival that claims to be exact may lie outside the
// interval in which the peer put its segment into the kernel.
const tolerance = time.Millisecond

// inexact are the flags of an arrival that claims no exact moment. A byte that
// waited for others is exact all the same under the packet clock, which knows
// when the others came.
func inexact(clock stamp.Clock, flags stamp.Flags) stamp.Flags {
	if clock == stamp.ClockPacket {
		flags &^= stamp.Waited | stamp.Coalesced
	}
	return flags
}

// way is how a client gets to the peer.
type way struct {
	name      string
	ipv6      bool
	selective bool   // acknowledgements
	tls       uint16 // 0: none
}

var (
	plain  = way{name: "IPv4"}
	plain6 = way{name: "IPv6", ipv6: true}
	sack   = way{name: "IPv4 with SACK", selective: true}
	sack6  = way{name: "IPv6 with SACK", ipv6: true, selective: true}
	tls12  = way{name: "TLS 1.2", tls: tls.VersionTLS12}
	tls13  = way{name: "TLS 1.3", tls: tls.VersionTLS13, ipv6: true, selective: true}
	bare   = []way{plain, plain6, sack, sack6}
	all    = append([]way{tls12, tls13}, bare...)
)

var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

func (w way) config() *tls.Config {
	if w.tls == 0 {
		return nil
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate()}, MinVersion: w.tls, MaxVersion: w.tls}
}

// eachClock runs a test under each clock that claims to be exact.
func eachClock(t *testing.T, test func(t *testing.T, clock backend.ClockChoice)) {
	for _, clock := range []backend.ClockChoice{backend.ClockSocket, backend.ClockPacket} {
		t.Run(string(clock), func(t *testing.T) {
			if _, err := stamp.Select(string(clock)); err != nil {
				missing(t, err.Error())
			}
			test(t, clock)
		})
	}
}

// client is the real path: sdk/httpclient over sdk/stamp.
func client(t testing.TB, clock backend.ClockChoice) *httpclient.Client {
	t.Helper()
	return clientOf(t, httpclient.Options{Clock: clock})
}

func clientOf(t testing.TB, o httpclient.Options) *httpclient.Client {
	t.Helper()
	o.TLS.Insecure = true
	o.Limits = backend.Limits{Connect: 5 * time.Second, Total: 15 * time.Second}
	c, err := httpclient.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// answer is one answer as the client has it.
type answer struct {
	events []stamp.Arrival
	x      stamp.Exchange
}

// asking is one request and how its answer is read.
type asking struct {
	way    way
	v4, v6 netip.AddrPort
	body   []byte
	fresh  bool // on a connection of its own
	// late is how long the reader sleeps before event i; that after the last
	// event is the end.
	late map[int]time.Duration
}

// fetch sends a request and reads its events; nil: it has failed, and so has
// the test.
func fetch(t testing.TB, c *httpclient.Client, ask asking) *answer {
	t.Helper()
	to, scheme := ask.v4, "http"
	if ask.way.ipv6 {
		to = ask.v6
	}
	if ask.way.tls != 0 {
		scheme = "https"
	}
	call := &httpclient.Call{
		Method: http.MethodPost, URL: scheme + "://" + to.String() + "/v1/chat/completions",
		Body: ask.body, FreshConnection: ask.fresh,
	}
	a := &answer{}
	got, fail := c.Do(t.Context(), call, &a.x)
	if fail != nil {
		t.Error(fail)
		return nil
	}
	defer got.Body.Close()
	events := sse.NewReader(got.Body, 0)
	for i := 0; ; i++ {
		time.Sleep(ask.late[i])
		event, err := events.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("the stream ended after %d events: %v", i, err)
				return nil
			}
			return a
		}
		a.events = append(a.events, event.Arrival)
	}
}

// truth is what the peer knows of one answer.
type truth struct {
	stream     *Stream
	requestEnd int64 // length of the client's stream up to the request's last byte
	// requestStart is the length of the client's stream before the request.
	requestStart int64
	completed    []int64 // the byte that completes each event
	head, last   int64   // the last byte of the answer's head and of its body
}

// timedBy fails a test whose answer was not timed by the clock that was asked
// for. Where some of its bytes escape the capture the clock is the next best.
func timedBy(t *testing.T, got *answer, clock backend.ClockChoice, escapes bool) {
	t.Helper()
	want := string(clock)
	if escapes && clock == backend.ClockPacket {
		want = string(backend.ClockSocket)
	}
	if got.x.Clock.String() != want {
		t.Errorf("timed by the clock %v, want %v", got.x.Clock, want)
	}
	if got.x.TxClock.String() != string(clock) {
		t.Errorf("leaving timed by the clock %v, want %v", got.x.TxClock, clock)
	}
}

// known is the truth about the answer that a stream has just given.
func known(s *Stream) truth {
	return truth{stream: s, requestEnd: s.RequestEnd, requestStart: s.requestStart, completed: s.Completed(), head: s.head, last: s.last}
}

// judgeLeft holds the moment at which the request left against the truth.
func judgeLeft(t *testing.T, is truth, got *answer) {
	t.Helper()
	when, ok := is.stream.Left(is.requestEnd - 1)
	if !ok {
		t.Error("the request was not seen to leave")
		return
	}
	if got.x.SendStart > got.x.Handed || got.x.Handed > got.x.Left {
		t.Errorf("the first byte left at %d, the last was handed over at %d and left at %d", got.x.SendStart, got.x.Handed, got.x.Left)
	}
	if first, ok := is.stream.Left(is.requestStart); !is.stream.Secure() && (!ok || got.x.SendStart > first.To.Add(tolerance)) {
		t.Errorf("the first byte left %v after it was seen (%v)", got.x.SendStart.Sub(first.To), ok)
	}
	if early := got.x.Left.Sub(got.x.SendStart); !is.stream.Secure() && is.requestEnd-is.requestStart <= mssBytes && early > time.Millisecond/100 {
		t.Errorf("the first byte is said to have left %v before the last, of one segment", early)
	}
	when.From = max(when.From, got.x.Handed)
	if miss := when.Miss(got.x.Left); miss < -tolerance || miss > tolerance {
		t.Errorf("the request left %v outside of the truth, by the clock %v", miss, got.x.TxClock)
	}
	if got.x.TxClock != stamp.ClockPacket {
		return
	}
	when, ok = is.stream.Acked(is.requestEnd - 1)
	if !ok {
		t.Error("the request was not acknowledged")
		return
	}
	if miss := when.Miss(got.x.Acked); miss < -tolerance || miss > tolerance {
		t.Errorf("the request was acknowledged %v outside of the truth", miss)
	}
}

// lateReader tells whether the read that had event i was late of its own accord,
// so that several segments waited for it, or came while the kernel was asked
// how many had.
func lateReader(s *Stream, got *answer, i int) bool {
	before, after := readAround(got, i)
	return s.Sends(before, got.events[i].Read) > 1 || s.Sends(before, after) > 2
}

// readAround are the reads before and after the one that had event i.
func readAround(got *answer, i int) (before, after stamp.Nanos) {
	before, after = got.x.Handed, stamp.Nanos(math.MaxInt64)
	for _, e := range got.events {
		if e.Read < got.events[i].Read {
			before = e.Read
		}
		if e.Read > got.events[i].Read {
			after = min(after, e.Read)
		}
	}
	return before, after
}

// judge holds an answer against the truth. want has a letter for each event:
//
//	.  exact and not flagged; under the clock socket, and without selective acknowledgements, unless the reader was late of its own accord
//	l  exact and not flagged, unless the reader was late of its own accord: which of two copies was taken is told by the stamp of the read
//	b  must be bundled, where several segments came since the read before
//	w  must have waited, or be flagged otherwise where the reader was late of its own accord
//	c  must be coalesced, and exact
//	?  exact or flagged
//
// Whatever it says, what is not flagged must be exact, and no flag excuses an
// arrival before the truth.
func judge(t *testing.T, is truth, got *answer, want string) {
	t.Helper()
	if len(got.events) != len(is.completed) || len(want) != len(is.completed) {
		t.Errorf("%d events came, %d were sent, %d are judged", len(got.events), len(is.completed), len(want))
		return
	}
	clock := got.x.Clock
	before := stamp.Arrival{At: got.x.Handed, Read: got.x.Handed}
	since := before // the last arrival that was another moment
	for i, at := range got.events {
		when, ok := is.stream.Deliverable(is.completed[i])
		if !ok {
			t.Errorf("event %d was never sent", i)
			return
		}
		if at.At != before.At {
			since = before
		}
		flags := inexact(clock, at.Flags)
		miss := when.Miss(at.At)
		told := func(what string) {
			t.Helper()
			t.Errorf("event %d %s: %v outside of the truth (an interval of %v), read %v after it, flags %b, previous stamp %v before",
				i, what, miss, when.To.Sub(when.From), at.Read.Sub(when.To), at.Flags, when.From.Sub(since.At))
		}
		switch {
		case flags == 0 && (miss > tolerance || miss < -tolerance):
			told("is silently wrong")
		case miss < -tolerance && flags&stamp.AroundStep == 0:
			told("is earlier than it was")
		case flags&stamp.Bundled != 0 && flags&(stamp.FellBack|stamp.Ambiguous) == 0 && since.At > when.To.Add(tolerance):
			told("is bundled and came before the stamp before it")
		case at.Read < at.At || at.Read < when.From:
			told("was read before it came")
		}
		switch want[i] {
		case '.':
			// What came twice is ambiguous where neither the kernel's stamp of the
			// read nor TCP's word tells which copy counted.
			excused := clock != stamp.ClockPacket || flags == stamp.Ambiguous && !is.stream.selective
			if flags != 0 && !(excused && lateReader(is.stream, got, i)) {
				told("is flagged without need")
			}
		case 'l':
			if flags != 0 && !lateReader(is.stream, got, i) {
				told("is flagged without need")
			}
		case 'b':
			// A script that was late itself may have come after the reader.
			from, _ := readAround(got, i)
			from = max(from, got.x.Headers.Add(tolerance)) // the head was read by itself
			if at.Flags&stamp.Bundled == 0 && is.stream.Sends(from, at.Read) > 1 {
				told("is not flagged as bundled")
			}
		case 'c':
			if at.Flags&stamp.Coalesced == 0 || flags != 0 {
				told("is not flagged as coalesced, or not only so")
			}
		case 'w':
			if at.Flags&stamp.Waited == 0 && !(flags != 0 && lateReader(is.stream, got, i)) {
				told("is not flagged as waited")
			}
		}
		before = at
	}
	for what, x := range map[string]struct {
		number int64
		at     stamp.Nanos
		flags  stamp.Flags
	}{
		"head":      {is.head, got.x.Headers, got.x.HeadersFlags},
		"last byte": {is.last, got.x.LastByte, got.x.LastByteFlags},
	} {
		when, ok := is.stream.Deliverable(x.number)
		if !ok {
			t.Errorf("the %s of the answer was never sent", what)
		}
		miss := when.Miss(x.at)
		if miss < -tolerance || miss > tolerance && inexact(clock, x.flags) == 0 {
			t.Errorf("the %s is %v outside of the truth, flags %b", what, miss, x.flags)
		}
	}
}
