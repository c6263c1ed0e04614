#!/bin/sh
# Runs the commands of docs/tasks.md against the built-in simulator and puts
# their tables into it: the blocks that begin with ```text and a task's name.
# Run it on a quiet machine, after make build, from the top of the repository.
set -eu
work=$(mktemp -d)
bin/genai-bench simulator --listen 127.0.0.1:8000 --quiet >"$work/simulator.log" 2>&1 &
simulator=$!
trap 'kill "$simulator" 2>/dev/null || true; rm -rf "$work"' EXIT INT TERM
until grep -q listening "$work/simulator.log"; do sleep 0.1; done

awk '/^```sh / { name = $2; next } /^```/ { name = ""; next } name != "" { print > ("'"$work"'/" name ".sh") }' docs/tasks.md
for command in "$work"/*.sh; do
	name=$(basename "$command" .sh)
	echo "$name" >&2
	# The table, its caption and whose tokens they are: what tells of this
	# machine is left out, and said here.
	PATH="$PWD/bin:$PATH" GENAI_BENCH_EXPERIMENT_BASE_DIR="$work" sh -e "$command" 2>"$work/$name.log" |
		awk -v name="$name" '
			/^The client was the bottleneck/ { limited = 1; print name ": the client was the bottleneck; is this machine quiet?" >"/dev/stderr" }
			limited { if (NF == 0) limited = 0; next }
			/^(The client:|Timed by|Warnings|Chart)/ { over = 1 }
			over { next }
			NF == 0 { blank++; next }
			{ if (printed) while (blank-- > 0) print ""; blank = 0; printed = 1; print }' >"$work/$name.txt"
	awk -v name="$name" -v file="$work/$name.txt" '
		$0 == "```text " name { print; while ((getline line < file) > 0) print line; inside = 1; next }
		inside && /^```/ { inside = 0 }
		!inside { print }' docs/tasks.md >"$work/tasks.md"
	cp "$work/tasks.md" docs/tasks.md
done
