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
// # Providers that do not speak OpenAI's protocol
//
// Their emulator is a simulator.Protocol in the plugin's tests, which verifies what
// it receives (signatures, tokens, paths, required fields) and answers in the
// provider's form. The suite runs against it in full:
//
//	backendtest.Run(t, backendtest.Suite{
//		New:      func() backend.Backend { return newCloud() },
//		Binary:   backendtest.Build("."),
//		Upstream: simulator.Config{Protocols: []simulator.Protocol{&emulator{public: key.Public()}}},
//		Configure: func(t testing.TB, c *backend.Config) {
//			c.APIBase += "/20231130" // what of the simulator's address is the base
//			c.Options["key-file"] = keyFile
//		},
//		Secrets:  []string{passPhrase},
//		WrongKey: func(t testing.TB, c *backend.Config) { c.Options["key-file"] = otherKeyFile },
//		Paths:    map[backend.Kind]string{backend.KindChat: "/actions/chat"},
//	})
//
// There is no list of what to expect beside the emulator: which events there are
// and what they mean, whether usage is reported, how finish reasons and error codes
// are spelt is what the emulator's Renderer sent, and the Record has it. What a
// protocol has no form for, the emulator lists in Lacks, each with the reason; the
// suite skips what needs it and says why. The suite's own key (config.APIKey, where
// the backend declares one) is simulator.Config.APIKey, which Read gets to see.
//
// The conditions that remain: a request carries X-Request-Id and the headers of
// the configuration and of the request (X-Simulate is one), signed or not; what
// fetches a token is a Call.Reply and not counted as a request.
//
// # Besides the suite
//
// A plugin's own tests find a server that answers byte for byte (RawServer), the
// recorded traffic of the Python tool (ReadRecorded), a simulator (Serve), and
// core's program beside the plugin's for whole commands (BuildPrograms), whose
// output and files can be searched for planted secrets (FindSecrets), after a
// crash as well (Programs.CrashPlugin).
//
// # What is asked
//
// Every outcome is held against what the simulator knows: texts, usage, finish
// reasons and the order and kinds of events must be equal, and no event may have
// arrived before the server's write began. Nothing asserts how soon something
// happened, except for the bound after which a test gives up (Suite.Patience), and
// for one test: ten events 50 ms apart must each be stamped while the server's
// write of it goes on, which nobody can who buffers, decompresses or retries.
package backendtest
