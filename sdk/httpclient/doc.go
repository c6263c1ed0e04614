// Package httpclient is the HTTP transport of the measured path: HTTP/1.1 over
// TCP or TLS, with every byte of an answer stamped with its arrival.
//
// It differs from net/http where measuring needs it:
//
//   - Bytes of a body are handed on as soon as they are deliverable, each run
//     with the arrival of exactly these bytes (stamp.Span). net/http's reader
//     may hold a finished event back until the next chunk begins.
//   - A request is sent once. There are no retries, hidden or other, and no
//     redirects: a 3xx is an answer. A kept-alive connection is checked before
//     it is used, and what breaks afterwards is an error to be recorded.
//   - The request's first byte goes out at the moment that was asked for, with
//     the connection made ready before.
//   - Every failure has its fault class; each time limit has one of its own.
//
// Only HTTP/1.1 is spoken (TLS asks for nothing else by ALPN), answers are
// never decompressed, and Proxy-, CA- and certificate files are read by New.
package httpclient
