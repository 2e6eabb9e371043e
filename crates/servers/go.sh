#!/usr/bin/env bash
# Prints the folder of a Go that builds what go.mod files of today name. usage: go.sh
# A Go of 1.21 or later fetches a newer one by itself; an older one, such as Debian 12's, fetches one here as a module,
# once, and checks it against Go's public checksums.
set -euo pipefail
version=1.26.8
go=$(command -v go) || { echo "Go is not there: run make servers, or apt-get install golang-go" >&2; exit 1; }
minor=$("$go" version | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p')
if [ "${minor:-0}" -ge 21 ]; then
    dirname "$go"
    exit 0
fi
folder=${CACHE:-$HOME/.cache/streamforge}/tools/go
mkdir -p "$folder"
exec 9> "$folder/.lock"
flock 9
found=$folder/golang.org/toolchain@v0.0.1-go$version.linux-amd64
if [ "$(cat "$folder/.fetched" 2>/dev/null || true)" != "$version" ]; then
    echo "fetching Go $version, once" >&2
    (cd "$folder" && GO111MODULE=on GOFLAGS=-modcacherw GOMODCACHE=$folder "$go" mod download "golang.org/toolchain@v0.0.1-go$version.linux-amd64")
    # Files of modules are never programs.
    chmod -R +x "$found/bin" "$found/pkg/tool"
    echo "$version" > "$folder/.fetched"
fi
echo "$found/bin"
