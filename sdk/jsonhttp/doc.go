// Package jsonhttp is what plugins share whose provider has a JSON API over HTTP
// of its own: bodies whose fields keep their order and into which a user's
// parameters are merged, refusals turned into failures, secrets kept out of
// what is reported, access tokens renewed beside the requests.
//
// A Client sends requests by sdk/httpclient, so that every byte of an answer is
// stamped; reading an answer's events is the plugin's. Providers that speak
// OpenAI's API need none of this: sdk/openaiwire, which is built of the same
// parts, does it all.
package jsonhttp
