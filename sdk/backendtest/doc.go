// Package backendtest is the conformance suite for backends: what
// backend.Backend asks for in words, asked by tests.
//
// The suite runs a backend against the simulator three ways: called directly,
// behind the contract's RPC in one process, and as the real plugin binary. A
// plugin's whole test is
//
//	func TestConformance(t *testing.T) {
//		backendtest.Run(t, backendtest.Suite{
//			New:       func() backend.Backend { return newOpenAI() },
//			Component: "openai",
//			Binary:    backendtest.Build("."),
//		})
//	}
//
// What the backend's description declares is tested; what it does not declare is
// skipped with the reason. A test that a backend cannot pass for a good reason is
// named in Suite.Skip, with that reason.
//
// Every outcome is held against what the simulator knows: texts, usage, finish
// reasons and the order and kinds of events must be equal, and no event may have
// arrived before the server's write began. Nothing asserts how soon something
// happened, except for the bound after which a test gives up (Suite.Patience).
package backendtest
