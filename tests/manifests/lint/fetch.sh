#!/usr/bin/env bash
# Puts what looks over the manifests into a folder: kustomize and kube-score, which Go builds, and checkov for Python. usage: fetch.sh FOLDER
# Nothing is downloaded when the folder holds what go.mod and requirements.txt name.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
kustomize=$here/../../../crates/cluster/programs/kustomize
folder=${1:?usage: fetch.sh FOLDER}
wanted=$({ cat "$here/fetch.sh" "$here/requirements.txt" "$kustomize/go.mod" "$kustomize/go.sum" "$here/kube-score/go.mod" "$here/kube-score/go.sum"; python3 --version; } | sha256sum)
[ "$(cat "$folder/.fetched" 2>/dev/null || true)" != "$wanted" ] || exit 0

go=$("$here/../../../crates/servers/go.sh")
python3 -c "import venv, ensurepip" || { echo "checkov runs in a Python with venv, Debian's python3-venv" >&2; exit 1; }
echo "fetching kustomize, kube-score and checkov, once" >&2
rm -rf "$folder"
mkdir -p "$folder"
for program in "$kustomize" "$here/kube-score"; do
    (cd "$program" && PATH=$go:$PATH GOTOOLCHAIN=auto CGO_ENABLED=0 GOFLAGS=-trimpath go build -ldflags "-s -w" -o "$folder/" tool)
done
python3 -m venv "$folder/checkov"
"$folder/checkov/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps \
    --only-binary=:all: --requirement "$here/requirements.txt"
"$folder/checkov/bin/checkov" --version >/dev/null
echo "$wanted" > "$folder/.fetched"
