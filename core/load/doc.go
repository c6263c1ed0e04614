// Package load decides when requests are sent.
//
// Four engines:
//
//   - Users: N users, spawned at a rate or over a ramp; each sends, waits for
//     the end of its answer, thinks (by default not at all), and sends again.
//   - Closed: exactly N requests in flight; users that all begin at once, or
//     over a ramp.
//   - Open: arrivals on a seeded schedule of absolute times, whatever the
//     server does. It never waits for capacity: what is late is sent at once,
//     and counted as late. The rate may ramp up. A limit of requests in flight
//     may be set; arrivals that have to wait for it are counted, because from
//     then on the loop is no longer open.
//   - Replay: an open loop whose arrivals are recorded times.
//
// Requests may belong to sessions, whose user asks again when an answer has come.
// For Users and Closed, and for Open with Sessions, the sender says with
// Run.DoneAfter that a session goes on, and after what pause; the schedule of an
// open loop is then one of beginnings. A Replay knows its sessions beforehand and
// keeps the requests of each in order.
//
// Schedules are pure functions: Open.Arrivals, Users.SpawnOffset and
// Users.ThinkTime and Delays know nothing of clocks and goroutines. So is which requests
// the client gives up on purpose: Aborts.
//
// A Run drives one engine. It has one goroutine, the caller's; it hands each
// request to a Sender and is told by Done that it ended. Nothing polls: an
// answer, a due arrival, the time limit and a stop are events. A request whose
// time is known ahead (an arrival, a user to come, the end of a thought) is
// handed over a lead before it, with the time at which it is to be sent.
//
// # The end of a run
//
// A run stops when its last request is sent (Limits.MaxRequests: exactly so
// many), at its time limit, or when it is told to (Run.Stop). From then on
// nothing is handed over, and requests in flight have Limits.DrainTimeout to
// end. Then the context that Send was given ends, which cancels the rest. When
// Drive's own context ends, that happens at once.
package load
