package settings

import "time"

// transport declares the flags that say how it is sent and timed.
func (b *Benchmark) transport(d declarer) {
	b.RequestTimeout = 10 * time.Minute
	d.value(durationValue{&b.RequestTimeout}, "request-timeout", "limit of one request, first byte sent to last byte received; 0 is none")
	b.ConnectTimeout = 10 * time.Second
	d.value(durationValue{&b.ConnectTimeout}, "connect-timeout", "limit of name look-up, connection and TLS together; 0 is none")
	d.value(durationValue{&b.HeaderTimeout}, "header-timeout", "limit from the request sent to the head of the answer; 0 is none")
	d.value(durationValue{&b.IdleTimeout}, "idle-timeout", "limit between two pieces of an answer; 0 is none")
	d.text(&b.CAFile, "ca-file", "PEM file of certificate authorities to trust besides the system's")
	d.text(&b.ClientCert, "client-cert", "PEM file of the certificate to show to the server")
	d.text(&b.ClientKey, "client-key", "PEM file of its key")
	d.flag(&b.Insecure, "insecure", "do not verify the server's certificate")
	d.value(headerLines{&b.Headers}, "header", `header sent with every request, repeatable, as "X-Team: perf"; values are not stored`)
	d.text(&b.Proxy, "proxy", "URL of a proxy; none ignores the environment's")
	b.Clock = "auto"
	d.value(enumValue{&b.Clock, []string{"auto", "packet", "socket", "user"}}, "clock", "how arrivals are timed; auto is the best that works here")
}
