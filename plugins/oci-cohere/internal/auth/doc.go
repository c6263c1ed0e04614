// Package auth finds the credentials of OCI and signs requests with them.
//
// The SDK of Oracle (github.com/oracle/oci-go-sdk/v65) reads keys, makes
// signatures and trades an instance's certificates for tokens. What it would do
// on the path of a request is done here instead: its configuration providers
// parse the file again for each signature, and that of instances holds a lock
// while it talks to the network. Here a signature is made with a snapshot of the
// credential; snapshots are replaced beside the requests, and a request waits
// only where there is no valid one. How long it waited is told.
//
// The configuration file is read here as well, because Oracle's file format (see
// "SDK and CLI Configuration File" in its documentation) has what the SDK's
// reader lacks: profiles inherit from DEFAULT, values may hold a "=", and a
// session's profile needs neither user nor fingerprint.
package auth
