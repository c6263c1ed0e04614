#!/usr/bin/env bash
# Builds and vets each module outside the workspace. The sdk is not tagged as
# yet, so a throw-away go.mod points at the one of this tree. A plugin that
# leans on core or on another plugin fails here, and so does one that only
# builds because the workspace raised the version of a dependency.
set -euo pipefail
sdk=$1
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for dir in $(go list -m -f '{{.Dir}}'); do
	name=${dir#"$root"}
	name=${name#/}
	mod="$work/${name//\//-}.mod"
	cp "$dir/go.mod" "$mod"
	if [ -f "$dir/go.sum" ]; then cp "$dir/go.sum" "${mod%.mod}.sum"; fi
	if [ "$dir" != "$root/sdk" ]; then
		GOWORK=off go mod edit -replace "$sdk=$root/sdk" "$mod"
	fi
	echo "isolated: ${name:-root}"
	(cd "$dir" && GOWORK=off go build -mod=mod -modfile="$mod" -o /dev/null ./... && GOWORK=off go vet -mod=mod -modfile="$mod" ./...)
	if ! diff -qB <(grep -v "^replace $sdk" "$mod") "$dir/go.mod" >/dev/null; then
		echo "isolated: ${name:-root}: go.mod lacks what its code imports; run make tidy" >&2
		exit 1
	fi
	if GOWORK=off go list -mod=mod -modfile="$mod" -C "$dir" -m all 2>/dev/null | grep -E '^(github.com/(aws|Azure|oracle)/|cloud.google.com/)' | grep -v 'cloud.google.com/go/compute/metadata'; then
		case "$name" in '' | sdk) echo "isolated: ${name:-root}: a cloud SDK is in the module graph" >&2; exit 1 ;; esac
	fi
done

# A vendor's way: the folder copied elsewhere, and one replace.
for dir in "$root"/plugins/*/; do
	name=$(basename "$dir")
	cp -r "$dir" "$work/vendor-$name"
	echo "isolated: a copy of plugins/$name elsewhere"
	(cd "$work/vendor-$name" && export GOWORK=off && go mod edit -replace "$sdk=$root/sdk" && go build -mod=mod -o /dev/null .)
done
