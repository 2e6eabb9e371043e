//! A real Kubernetes of one node: control plane, kubelet, containerd, DNS, KEDA, Prometheus and Argo Rollouts as plain processes.
//!
//! It needs root and some packages of Debian, and builds the rest once; see [`missing`]. There is one on a machine, since
//! its network has a name. Whatever was started by [`Cluster::up`] is stopped by [`Cluster::down`], also after a crash.

mod archive;
mod argocd;
mod certificates;
mod cluster;
mod component;
mod container;
mod containerfile;
mod image;
mod kubectl;
mod layout;
mod network;
mod prometheus;
mod published;
mod requirements;

pub use cluster::{Cluster, State};
pub use containerfile::Containerfile;
pub use image::Image;
pub use kubectl::Kubectl;
pub use published::{Published, arguments, revision};
pub use requirements::{install, missing};
