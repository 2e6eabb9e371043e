# Rewrites rendered manifests so that linters see all pods: they know Deployments and Jobs, and no Rollouts or ScaledJobs.
import sys

import yaml


def as_known(document):
    kind = document["kind"]
    if kind == "Rollout":
        spec = {key: document["spec"][key] for key in ("selector", "template")}
        return document | {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}
    if kind == "ScaledJob":
        return document | {"apiVersion": "batch/v1", "kind": "Job", "spec": document["spec"]["jobTargetRef"]}
    return document


yaml.safe_dump_all((as_known(document) for document in yaml.safe_load_all(sys.stdin)), sys.stdout)
