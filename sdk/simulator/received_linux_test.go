package simulator

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// A request that comes while the server is busy with the one before it is read
// late; when the kernel received it is known all the same.
func TestRequestsAreStampedByTheKernel(t *testing.T) {
	s := start(t, Config{StepTime: 5 * ms})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	send := func(id string) (before, after stamp.Nanos) {
		text := fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\nContent-Length: %d\r\n\r\n%s", id, len(streamBody), streamBody)
		before = stamp.Now()
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		return before, stamp.Now()
	}
	const tie = 20 * time.Microsecond // how well the kernel's clock and this one are tied
	answers := bufio.NewReader(conn)
	before, after := send("first")
	var later stamp.Nanos
	for i, id := range []string{"first", "second"} {
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			later, _ = send("second") // its answer has begun, and not ended
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		r := truth(t, s, id)
		if r.RequestReceived == 0 {
			t.Fatalf("%s: the kernel did not stamp it", id)
		}
		if i == 0 && (r.RequestReceived < before.Add(-tie) || r.RequestReceived > max(after, r.RequestStart)) {
			t.Errorf("first: received %v after its write began and read %v after", r.RequestReceived.Sub(before), r.RequestStart.Sub(before))
		}
		if last := truth(t, s, "first").Ended; i == 1 && (r.RequestReceived < later.Add(-tie) || r.RequestReceived > last || r.RequestStart < last) {
			t.Errorf("second: written at %d, received at %d, while the answer to the first ended at %d, and read at %d", later, r.RequestReceived, last, r.RequestStart)
		}
	}
}

func TestAStepOfTheWallClockMakesStampsUnknown(t *testing.T) {
	c := newReceiveClock()
	now := time.Now()
	if at := c.monotonic(now.UnixNano(), now); at > stamp.Of(now) || at < stamp.Of(now).Add(-ms) {
		t.Errorf("%v away from now", stamp.Of(now).Sub(at))
	}
	c.offset.Add(int64(time.Hour))
	if at := c.monotonic(now.UnixNano(), now); at != 0 {
		t.Errorf("after a step the stamp is %d, want unknown", at)
	}
	if at := c.monotonic(now.UnixNano(), now); at == 0 {
		t.Error("the stamps after the step are unknown too")
	}
}
