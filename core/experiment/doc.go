// Package experiment is the folder on disk that a benchmark leaves behind, in
// the names and keys of the Python tool, so that each tool reads the other's:
//
//	experiment_metadata.json
//	<scenario>_<task>_<iteration type>_<level>_time_<seconds>s.json   one per run
//	journal.jsonl          every request as it ended, with its events
//	genai_bench.log        core's log and the plugins'
//	overview.png, traffic_scenario_….png   charts (core/report/plot)
//
// The folder is flat: the Python tool's loader sees nothing in one that has
// subfolders. What is new is an added key. Nothing in it is secret.
package experiment
