// Package tokenizer turns text into the token ids of large language models and back, exactly as
// Hugging Face's Rust library does, in pure Go and an order of magnitude faster.
//
//	t, err := tokenizer.Load("path/to/model")   // a folder or a file
//	n := t.Count("Hello, world")                // allocates nothing once warm
//	ids := t.AppendEncode(nil, "Hello, world")
//	text := t.Decode(ids, false)
//
// # Files
//
// Load reads tokenizer.json with the models BPE, WordPiece, Unigram and WordLevel and every
// normalizer, pre-tokenizer, post-processor and decoder that such files name; and where that
// file is missing: vocab.txt (BERT), vocab.json with merges.txt (GPT-2), tokenizer.model
// (SentencePiece) and *.tiktoken (OpenAI). OpenAI returns OpenAI's own encodings, offline.
// truncation and padding are ignored: a benchmark counts whole texts.
//
// # How it works
//
// A text passes four stations: added tokens such as <|eot|> are cut out (added.go), the rest is
// normalized (normalize.go), cut into words (pretokenize*.go) and every word is looked up in a
// cache or given to the model (model_*.go). Offsets take a second, slower way through the same
// stations (aligned.go) which drags along where each byte came from; both ways share the
// cutters and the models.
//
// # What is refused
//
// Load refuses, with the place in the file: a BPE model with dropout; components and models
// that the format does not have; merges of tokens that the vocabulary lacks; templates for a
// single text that name a second one; token ids of 2^24 and more; split patterns with
// back-references, subroutine calls, conditionals, absence operators, \K, \X or \G, or with a
// look-behind of no fixed length; SentencePiece models of the types word and char, and those that
// do not escape whitespace or put it after words; .tiktoken files whose encoding neither name nor
// size tells (see SplitPattern).
//
// Three things that Hugging Face reports while encoding do not fail here: a character without
// token where the model has no unknown token vanishes; added tokens match although a field of
// theirs is missing; a split pattern whose matching costs more than some millions of steps
// matches nothing from there on.
//
// # Cache
//
// A tokenizer.json of 4 MiB and more is kept parsed in os.UserCacheDir()/genai-bench/tokenizers,
// by the SHA-256 of its content, so that a changed file is never mistaken for the old one. Entries
// carry a checksum; damaged ones are made anew, and the oldest beyond twelve are removed.
// CacheDir("") does without.
//
// Text that is not UTF-8 is read with each maximal invalid part replaced by U+FFFD, as Rust and
// the WHATWG decoders do.
package tokenizer
