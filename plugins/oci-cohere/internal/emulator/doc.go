// Package emulator stands in for Oracle Cloud Infrastructure in tests: the
// Generative AI inference API as a protocol of sdk/simulator, the instance
// metadata service and the federation endpoint of the auth service.
//
// It verifies what it receives. A signature is computed again from the request
// as it came and held against the public key that belongs to its keyId, as
// "Request Signatures" in Oracle's documentation describes: the list of signed
// headers, the date within five minutes, the digest of the body. Paths and
// bodies are those of the API reference, version 20231130.
//
// From memory, because no document at hand says it: the order in which OCI
// checks a request (signature, then model and compartment, then the body), and
// the wording of most error messages.
package emulator
