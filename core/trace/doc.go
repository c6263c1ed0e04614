// Package trace reads recordings of real traffic: when each request came, how
// long it and its answer were, and which beginnings requests shared.
//
// The formats are told apart by their field names; columns of CSV files are
// found by header, never by position.
//
//	Mooncake   JSONL  timestamp (whole ms), input_length, output_length, hash_ids (512 tokens a block)
//	Bailian    JSONL  chat_id, parent_chat_id, timestamp (s), input_length, output_length, hash_ids (16 tokens a block)
//	BurstGPT   CSV    Timestamp (s), Request tokens, Response tokens; Session ID where there is one
//	Azure      CSV    TIMESTAMP (date and time), ContextTokens, GeneratedTokens
//	own        JSONL  at_s or at_ms, input_tokens, output_tokens; block_ids, block_tokens, session, text
//
// Sources: the trace files of Mooncake (FAST '25), Alibaba Bailian
// (qwen-bailian-usagetraces-anon), BurstGPT (1.x and 2), and Azure
// LLM inference 2023 and 2024.
//
// Times become offsets from the first request; requests are put in their order.
// A block id that two requests share at the same place stands for the same
// tokens: a server with a prefix cache finds them again.
package trace
