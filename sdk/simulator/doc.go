// Package simulator is a server that speaks OpenAI's protocol, behaves like a
// continuous-batching inference engine and knows when each byte left.
//
// It is the one fake of the project: the demo runs against it, the conformance
// suites use it as the provider that misbehaves on demand, and calibration holds
// what a client reports against what it knows to be true.
//
// # The engine
//
// One engine serves all requests in steps, as vLLM does. At the start of a step
// waiting requests are admitted first come, first served, while the batch has a
// place (Config.MaxBatch) and the KV cache has room for prompt and answer
// (Config.KVTokens). Then every sequence that is past its prompt takes one token
// of the step's budget (Config.MaxBatchedTokens) and prompts share the rest, so
// that a long prompt is prefilled in pieces while others decode. The step lasts
//
//	StepTime + StepTimePerSequence × sequences in it
//	         + PrefillTime × prompts begun in it + prompt tokens / PrefillTokensPerSecond
//
// times a jitter, and at its end each decoding sequence has one more token. Step
// ends are absolute: a late wake-up does not shift the steps that follow.
//
// # The truth
//
// Each request leaves a Record: when it was accepted, read, queued, admitted and
// answered, and for every write to the connection the moment before and the
// moment after it on CLOCK_MONOTONIC. A byte cannot have arrived anywhere before
// the moment before its write. Over HTTP/1.1 the server writes to the connection
// itself, so that both moments are exact; over HTTP/2 another goroutine of
// net/http writes the frame, and After is only when it took the bytes
// (Record.Exact tells).
//
// # Misbehaviour
//
// A Fault is asked for by the request, in the header X-Simulate or in the body's
// field "simulate", or drawn by Config.Faults at a rate. All draws, like the
// texts, are functions of Config.Seed and the order of arrival.
package simulator
