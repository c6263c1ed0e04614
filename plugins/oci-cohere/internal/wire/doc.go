// Package wire writes the requests of OCI's Generative AI inference API and
// reads its answers: chat in its three formats (COHERE, COHEREV2, GENERIC),
// embeddings and rerank.
//
// The source is Oracle's API reference, version 20231130, as it stands in the
// data types of github.com/oracle/oci-go-sdk/v65/generativeaiinference
// (v65.129.0), and the recorded traffic of the reference tool. What neither
// describes is named where it is used.
//
// A body is {"compartmentId", "servingMode", …}. Chat has its fields in
// "chatRequest", embeddings and rerank have them beside. A stream is a sequence
// of events of JSON objects; the last one has a "finishReason", a report of
// "usage" may come with it or after it, and the stream just ends.
package wire
