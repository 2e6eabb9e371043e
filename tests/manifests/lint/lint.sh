#!/usr/bin/env bash
# Renders each overlay and looks over its pods with checkov, then over the same with a mistake in it, which has to be found.
# usage: lint.sh FOLDER, where fetch.sh put the programs
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
programs=${1:?usage: lint.sh FOLDER}
rendered=$(mktemp -d)
trap 'rm -rf "$rendered"' EXIT

# What lies below the folder, by .checkov.yaml.
look() {
    "$programs/checkov/bin/checkov" --directory "$1" --config-file "$root/.checkov.yaml"
}

for overlay in single-node cluster; do
    mkdir -p "$rendered/sound/$overlay" "$rendered/mistaken/$overlay"
    "$programs/kustomize" build "$root/overlays/$overlay" |
        "$programs/checkov/bin/python" "$here/workloads.py" > "$rendered/sound/$overlay/all.yaml"
    sed 's/allowPrivilegeEscalation: false/allowPrivilegeEscalation: true/' \
        "$rendered/sound/$overlay/all.yaml" > "$rendered/mistaken/$overlay/all.yaml"
done
look "$rendered/sound" || { echo "a rule that does not hold here is left out, with the reason, in .checkov.yaml" >&2; exit 1; }
found=$(look "$rendered/mistaken" || true)
# One of each kind that runs pods.
for workload in Deployment.knative-eventing.streamforge-data-plane Deployment.streamforge.predictor Job.streamforge.gnn-trainer; do
    grep -q "FAILED for resource: $workload" <<< "$found" || { echo "checkov does not see $workload" >&2; exit 1; }
done
