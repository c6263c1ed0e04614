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
// # Other providers
//
// OpenAI's interface is built in. Another provider's is a Protocol in
// Config.Protocols; it may live in any package, and those of the plugins live in
// the plugins' tests. It does three things:
//
//   - Match and Read recognise a request, verify it (signature, token, path,
//     required fields) and say in a Call what it asks for. A request that is
//     refused, and whatever has nothing to do with the engine (a token, a list of
//     models), is answered by Call.Reply.
//   - a Renderer writes a generated answer: the provider's own events, in its own
//     order and framing. For embeddings and rerank that is the function Render.
//   - Error writes error answers.
//
// Engine, tokens, texts, faults, writes and the Record are the simulator's. The
// Renderer decides what events there are and says with Answer.Send what each
// means to a client; the Record has just these. Where a provider has no form for
// something that a Fault can ask for, Lacks says so with the reason.
//
//	func (c chat) Tokens(a *simulator.Answer, t simulator.Tokens) {
//		b := append(c.buf[:0], `{"type":"content-delta","text":`...)
//		b = append(a.AppendText(b, t.Choice, t.First, t.Last), '}')
//		a.SendSSE(t.Kind, t.Choice, t.Count(), "content-delta", b)
//		…
//	}
//
// A provider that took over OpenAI's bodies at other addresses needs no Renderer:
// Call.OpenAI names the route that answers.
//
// A request needs X-Request-Id for its Record to be found by it, and may carry a
// fault in X-Simulate, neither of them signed.
//
// # Misbehaviour
//
// A Fault is asked for by the request, in the header X-Simulate or in the body's
// field "simulate", or drawn by Config.Faults at a rate. All draws, like the
// texts, are functions of Config.Seed and the order of arrival.
package simulator
