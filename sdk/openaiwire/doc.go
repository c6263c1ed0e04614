// Package openaiwire speaks the HTTP interface that OpenAI defined and that
// most inference servers copied: chat completions, completions, embeddings,
// rerank, images and speech.
//
// It makes an OpenAI-compatible vendor a short plugin: fill in Settings (the
// address, the headers that authenticate, a Dialect that says in what the
// server differs) in the backend's Open, and pass Do, Probe and Close on to the
// Client. plugins/openai is the example.
//
// # Requests
//
// A body is the fields that this package derives from the backend.Request,
// then the user's parameters of Open, then those of the request; later ones
// win. Objects are merged field by field, everything else is replaced. A
// parameter that is null leaves the field out (as in RFC 7396, at the top level
// and wherever it meets a field of ours; a null deeper inside an object that is
// wholly the user's own is sent as it is, because it means something in a JSON
// schema). "messages" and "prompt" are no exception: given as parameters they
// replace the prompts, which New warns of. The order of the fields is the same
// in every request.
//
// # Answers
//
// Streams and whole JSON answers are told apart by what the server sent, not by
// what was asked for. Every event becomes one backend event per choice, with
// all that it carried. A stream that ends with neither a finish reason nor
// [DONE] is truncated; an answer without output is not an error.
//
// Sources of the format: OpenAI's API reference and its openapi.yaml; the
// protocol modules of vLLM 0.32 (entrypoints/openai) and SGLang; recorded
// answers of vLLM in plugins/openai/testdata.
package openaiwire
