#!/usr/bin/env bash
# Builds versitygw, an S3 server on a folder, into a folder: some minutes, once. usage: fetch.sh FOLDER
# Nothing is downloaded when the folder holds this version. Go checks what it downloads against its public checksums.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=v1.8.0
folder=${1:?usage: fetch.sh FOLDER}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

# Two tests of one machine must not build into each other's files.
exec 9> "$folder/.lock"
flock 9
[ "$(cat "$folder/.fetched" 2>/dev/null || true)" != "$version" ] || exit 0

go=$("$here/../go.sh")
echo "building versitygw, once" >&2
PATH=$go:$PATH GOTOOLCHAIN=auto GOBIN=$folder GOFLAGS=-trimpath go install "github.com/versity/versitygw/cmd/versitygw@$version" 2> "$folder/build.log" ||
    { tail -15 "$folder/build.log" >&2; exit 1; }
echo "$version" > "$folder/.fetched"
