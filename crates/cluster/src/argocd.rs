//! Argo CD beside the cluster: what renders a Git repository, and what makes the cluster equal to it.
//!
//! # Source
//! <https://argo-cd.readthedocs.io/en/stable/operator-manual/architecture/>

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::{
    component::{Component, Ready},
    layout::{Layout, OPEN_PORTS},
};

const REDIS: &str = "127.0.0.1:6390";
const REPOSITORIES: &str = "127.0.0.1:8481";

/// What is started, in the order of the start.
pub(crate) fn argocd(layout: &Layout) -> Result<Vec<Component>> {
    for folder in ["redis", "keys", "tls", "ssh", "temporary", "bin"] {
        let path = layout.path("argocd").join(folder);
        fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
    }
    Ok(vec![redis(layout), repositories(layout)?, controller(layout)?])
}

fn redis(layout: &Layout) -> Component {
    let (host, port) = REDIS.split_once(':').unwrap_or_default();
    let folder = layout.text("argocd/redis");
    // Nothing is kept, and its process goes on to be known by its folder.
    let options = ["--bind", host, "--port", port, "--dir", &folder, "--save", "", "--set-proc-title", "no"];
    let arguments = ["redis-server"].into_iter().chain(options).map(str::to_owned);
    Component { name: "argocd-redis", arguments: arguments.collect(), ready: Ready::Listens(REDIS) }
}

fn repositories(layout: &Layout) -> Result<Component> {
    let (host, port) = REPOSITORIES.split_once(':').unwrap_or_default();
    let options = [
        ("address", host.to_owned()),
        ("port", port.to_owned()),
        ("metrics-address", host.to_owned()),
        ("metrics-port", "8484".to_owned()),
        ("redis", REDIS.to_owned()),
        ("disable-tls", "true".to_owned()),
        ("loglevel", "warn".to_owned()),
    ];
    component(layout, "argocd-repo-server", &options, Ready::Listens(REPOSITORIES))
}

fn controller(layout: &Layout) -> Result<Component> {
    let options = [
        ("kubeconfig", layout.kubeconfig().display().to_string()),
        ("namespace", "argocd".to_owned()),
        ("repo-server", REPOSITORIES.to_owned()),
        ("repo-server-plaintext", "true".to_owned()),
        ("redis", REDIS.to_owned()),
        ("metrics-port", OPEN_PORTS[3].to_string()),
        ("loglevel", "warn".to_owned()),
    ];
    component(layout, "argocd-application-controller", &options, Ready::Runs)
}

/// One of the programs that Argo CD's only binary is: it goes by the name that it is started by.
fn component(layout: &Layout, name: &'static str, options: &[(&str, String)], ready: Ready) -> Result<Component> {
    let program = layout.path("argocd/bin").join(name);
    if fs::read_link(&program).is_err() {
        symlink(layout.program("argocd/cmd"), &program).with_context(|| format!("link {}", program.display()))?;
    }
    let folder = |name: &str| layout.text(&format!("argocd/{name}"));
    let kustomize = PathBuf::from(layout.program("kustomize/kustomize"));
    let path = std::env::var("PATH").unwrap_or_default();
    let variables = [
        ("PATH", format!("{}:{path}", kustomize.parent().unwrap_or(Path::new("/")).display())),
        ("TMPDIR", folder("temporary")),
        // The cluster that it is in, as it would be in a pod.
        ("ARGOCD_FAKE_IN_CLUSTER", "true".to_owned()),
        ("KUBECONFIG", layout.kubeconfig().display().to_string()),
        ("ARGOCD_GPG_ENABLED", "false".to_owned()),
        ("ARGOCD_GNUPGHOME", folder("keys")),
        ("ARGOCD_TLS_DATA_PATH", folder("tls")),
        ("ARGOCD_SSH_DATA_PATH", folder("ssh")),
    ];
    let variables = variables.map(|(name, value)| format!("{name}={value}"));
    let options = options.iter().map(|(name, value)| format!("--{name}={value}"));
    let program = program.display().to_string();
    let arguments = ["env".to_owned()].into_iter().chain(variables).chain([program]).chain(options).collect();
    Ok(Component { name, arguments, ready })
}
