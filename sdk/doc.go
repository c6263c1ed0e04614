// Package sdk is what the author of a genai-bench plugin links against.
//
// A plugin is a program of its own, named genai-bench-plugin-NAME. Its main
// function is one call of Serve with the backends it holds; start with
// sdk/backend, which says what a backend must do and when it is called.
// sdk/openaiwire makes a provider that speaks OpenAI's protocol a matter of
// some sixty lines.
//
// The contract itself is in sdk/proto, for authors in other languages.
package sdk
