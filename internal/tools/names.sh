#!/usr/bin/env bash
# The rooms that measure, and the commands, know no cloud by name: whatever
# differs between providers is a plugin's. The two engines are the guide's values
# of --server-engine.
set -euo pipefail
cd "$(dirname "$0")/../.."
found=$(grep -rniE '\b(aws|amazon|bedrock|azure|gcp|vertex|oci|oracle|cohere)\b' --include='*.go' --exclude='*_test.go' \
	core/load core/bench core/workers core/metrics core/experiment cmd | grep -vE '"cohere-(TensorRT|vLLM)"' || true)
if [ -n "$found" ]; then
	printf 'a cloud is named where none may be known:\n%s\n' "$found"
	exit 1
fi
