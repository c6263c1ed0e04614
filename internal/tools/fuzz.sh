#!/usr/bin/env bash
# Runs every fuzz target of every module for the time given.
set -euo pipefail
time=$1
for dir in $(go list -m -f '{{.Dir}}'); do
	grep -rlE '^func Fuzz' --include='*_test.go' "$dir" | while read -r file; do
		case "$file" in "$dir"/sdk/* | "$dir"/plugins/*) continue ;; esac
		pkg=$(dirname "$file")
		grep -ohE '^func Fuzz[A-Za-z0-9_]+' "$file" | sed 's/^func //' | while read -r target; do
			echo "fuzz: ${pkg#"$PWD"/} $target"
			(cd "$pkg" && go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" . >/dev/null)
		done
	done
done
