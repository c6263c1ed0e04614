#!/usr/bin/env bash
# go mod tidy ignores go.work, and the sdk is not tagged as yet: tidy a
# throw-away go.mod that points at the sdk of this tree, and copy it back
# without that line.
set -euo pipefail
sdk=$1
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$root/sdk" && GOWORK=off go mod tidy) # first: the others follow its versions
for dir in $(go list -m -f '{{.Dir}}'); do
	if [ "$dir" = "$root/sdk" ]; then continue; fi
	cp "$dir/go.mod" "$work/x.mod"
	if [ -f "$dir/go.sum" ]; then cp "$dir/go.sum" "$work/x.sum"; else : >"$work/x.sum"; fi
	GOWORK=off go mod edit -replace "$sdk=$root/sdk" "$work/x.mod"
	(cd "$dir" && GOWORK=off go mod tidy -modfile="$work/x.mod")
	GOWORK=off go mod edit -dropreplace "$sdk" "$work/x.mod"
	cp "$work/x.mod" "$dir/go.mod"
	cp "$work/x.sum" "$dir/go.sum"
done
