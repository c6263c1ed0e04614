// Package load decides when requests are sent.
//
// Three engines:
//
//   - Users: N users, spawned at a rate; each sends, waits for the end of its
//     answer, and sends again at once.
//   - Closed: exactly N requests in flight; users that all begin at once.
//   - Open: arrivals on a seeded schedule of absolute times, whatever the
//     server does. It never waits for capacity: what is late is sent at once,
//     and counted as late.
//
// Schedules are pure functions: Open.Arrivals and Users.SpawnOffset know
// nothing of clocks and goroutines.
//
// A Run drives one engine. It has one goroutine, the caller's; it hands each
// request to a Sender and is told by Done that it ended. Nothing polls: an
// answer, a due arrival, the time limit and a stop are events.
//
// # The end of a run
//
// A run stops when its last request is sent (Limits.MaxRequests: exactly so
// many), at its time limit, or when it is told to (Run.Stop). From then on
// nothing is sent, and requests in flight have Limits.DrainTimeout to end.
// Then the context that Send was given ends, which cancels the rest. When
// Drive's own context ends, that happens at once.
package load
