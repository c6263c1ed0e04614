//go:build race

package tokenizer

// underRace: the race detector makes sync.Pool forget at random.
const underRace = true
