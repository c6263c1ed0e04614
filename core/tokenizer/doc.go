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
// Text that is not UTF-8 is read with each maximal invalid part replaced by U+FFFD, as Rust and
// the WHATWG decoders do.
package tokenizer
