#!/usr/bin/env bash
# Builds the programs of a cluster from their Go modules into a folder: about half an hour, once. usage: build.sh FOLDER
# Versions and checksums of all that goes into them stand in programs/; nothing is built that the folder holds already.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?usage: build.sh FOLDER}
mkdir -p "$folder/bin"
folder=$(cd "$folder" && pwd)

# Two clusters of one machine must not build into each other's files.
exec 9> "$folder/.lock"
flock 9
go() {
    local newest
    newest=$("$here/../servers/go.sh") || return
    PATH=$newest:$PATH GOTOOLCHAIN=auto command go "$@"
}
kubernetes=v1.35.4
version=k8s.io/component-base/version
export CGO_ENABLED=0 GOFLAGS=-trimpath
for group in "$here"/programs/*/; do
    name=$(basename "$group")
    wanted=$(cat "$group/go.mod" "$group/go.sum" | sha256sum)
    [ "$(cat "$folder/.built-$name" 2>/dev/null || true)" != "$wanted" ] || continue
    echo "building $name, once" >&2
    mkdir -p "$folder/bin/$name"
    # Kubernetes refuses to run as a version that it does not know.
    # Of what Prometheus can look for, pods are enough.
    (cd "$group" && go build -tags remove_all_sd,enable_kubernetes_sd -ldflags "-s -w -X $version.gitVersion=$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=35" \
        -o "$folder/bin/$name/" tool) 2> "$folder/build-$name.log" || { tail -15 "$folder/build-$name.log" >&2; exit 1; }
    echo "$wanted" > "$folder/.built-$name"
done

# What holds a pod's network while its containers come and go.
cc -static -O2 -o "$folder/bin/pause" "$here/pause.c"
# What is installed into the cluster beside its programs; it lies in their modules.
copy() {
    local kinds=$folder/manifests/$1
    [ ! "$kinds" -nt "$folder/.built-$2" ] || return 0
    mkdir -p "$kinds"
    cp -f "$(cd "$here/programs/$2" && go list -m -f '{{.Dir}}' "$3")/$4"/*.yaml "$kinds/"
    chmod -R u+w "$kinds"
    touch "$kinds"
}
copy keda keda github.com/kedacore/keda/v2 config/crd/bases
copy rollouts rollouts github.com/argoproj/argo-rollouts manifests/crds
copy argocd argocd github.com/argoproj/argo-cd/v3 manifests/crds
