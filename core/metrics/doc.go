// Package metrics turns the outcomes of requests into metrics, and the metrics
// of a run into statistics.
//
// Definitions (all from stamps on the host's CLOCK_MONOTONIC):
//
//	ttft            first output event − send_start. Output is text, reasoning,
//	                a tool call, a refusal or audio: what the model made. Role
//	                and usage are none. Upload is inside; DNS, connect and TLS
//	                are reported apart.
//	e2e_latency     last byte − send_start
//	output_latency  e2e_latency − ttft
//	tpot            (last output event − first) / (output tokens − 1)
//	itl             time between two output events
//
// Statistics are numpy's: percentiles interpolated linearly, the standard
// deviation that of the population.
package metrics
