#!/usr/bin/env bash
# Renders each overlay and looks over its pods with checkov and kube-score, then over the same with a mistake in it,
# which both have to find.
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

# Rules of kube-score that do not hold here, each with the reason.
# Always pull: tags are versions and do not move, and a node without a registry has nothing to pull from.
# Storage of a node: a LimitRange gives it to every container.
# Affinity between pods: spread constraints do it, and replicas that KEDA decides on are not in the manifest.
# Disruption budgets and strategies: the tests of the manifests know who may have none.
exceptions=(
    container-image-pull-policy container-ephemeral-storage-request-and-limit
    deployment-has-host-podantiaffinity deployment-replicas
    deployment-has-poddisruptionbudget deployment-strategy
)
# What it finds, a line each.
score() {
    "$programs/kube-score" score --kubernetes-version v1.32 --output-format ci "${exceptions[@]/#/--ignore-test=}" "$@" |
        grep -e '^\[CRITICAL\]' -e '^\[WARNING\]' || true
}

for overlay in single-node cluster; do
    mkdir -p "$rendered/sound/$overlay" "$rendered/mistaken/$overlay"
    "$programs/kustomize" build "$root/overlays/$overlay" |
        "$programs/checkov/bin/python" "$here/workloads.py" > "$rendered/sound/$overlay/all.yaml"
    sed 's/allowPrivilegeEscalation: false/allowPrivilegeEscalation: true/; s/readOnlyRootFilesystem: true/readOnlyRootFilesystem: false/' \
        "$rendered/sound/$overlay/all.yaml" > "$rendered/mistaken/$overlay/all.yaml"
done
look "$rendered/sound" || { echo "a rule that does not hold here is left out, with the reason, in .checkov.yaml" >&2; exit 1; }
found=$(score "$rendered"/sound/*/all.yaml)
[ -z "$found" ] || { echo "$found" >&2; echo "a rule that does not hold here is left out, with the reason, in $0" >&2; exit 1; }
found=$(score "$rendered"/mistaken/*/all.yaml)
grep -q 'predictor/streamforge .* writable root' <<< "$found" || { echo "kube-score does not see predictor" >&2; exit 1; }
found=$(look "$rendered/mistaken" || true)
# One of each kind that runs pods.
for workload in Deployment.knative-eventing.streamforge-data-plane Deployment.streamforge.predictor Job.streamforge.gnn-trainer; do
    grep -q "FAILED for resource: $workload" <<< "$found" || { echo "checkov does not see $workload" >&2; exit 1; }
done
