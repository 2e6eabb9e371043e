//! Where a cluster keeps its programs and its data, and under which addresses it serves.

use std::path::{Path, PathBuf};

/// Address of the host in the pods' network: of the API server, and of what runs beside the cluster.
pub(crate) const HOST: &str = "10.244.0.1";
/// Pods and Services; a blackhole keeps what has neither from leaving the machine.
pub(crate) const NETWORK: &str = "10.244.0.0/16";
/// Addresses of pods.
pub(crate) const PODS: &str = "10.244.0.0/24";
/// Addresses of Services.
pub(crate) const SERVICES: &str = "10.244.255.0/24";
/// The first address of the Services, which the API server takes.
pub(crate) const KUBERNETES_SERVICE: &str = "10.244.255.1";
/// Where pods look names up.
pub(crate) const DNS_SERVICE: &str = "10.244.255.10";
/// The bridge between the host and its pods.
pub(crate) const BRIDGE: &str = "streamforge0";
/// Ports that KEDA's adapter (metrics), Argo Rollouts (metrics, health) and Argo CD (metrics) open at every address of the
/// host.
pub(crate) const OPEN_PORTS: [u16; 4] = [18082, 18090, 18091, 18092];
/// Name of the only node.
pub(crate) const NODE: &str = "node1";

/// The folders of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// What is built once.
    pub(crate) built: PathBuf,
    /// What one cluster writes.
    pub(crate) data: PathBuf,
}

impl Layout {
    pub(crate) fn program(&self, name: &str) -> String {
        self.built.join("bin").join(name).display().to_string()
    }

    pub(crate) fn manifests(&self, name: &str) -> PathBuf {
        self.built.join("manifests").join(name)
    }

    /// A file or folder of the cluster's data.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub(crate) fn certificate(&self, name: &str) -> String {
        self.text(&format!("pki/{name}"))
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.path("log").join(format!("{name}.log"))
    }

    /// Credentials of the administrator.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.path("admin.conf")
    }

    pub(crate) fn containerd_socket(&self) -> String {
        self.text("containerd/containerd.sock")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path("state.json")
    }

    /// Whether a path lies in the cluster's data.
    pub(crate) fn holds(&self, path: &str) -> bool {
        Path::new(path).starts_with(&self.data)
    }
}
