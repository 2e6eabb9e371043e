//! A real Kubernetes of one node: control plane, kubelet, containerd, DNS, KEDA and Argo Rollouts as plain processes.
//!
//! It needs root and some packages of Debian, and builds the rest once; see [`missing`]. There is one on a machine, since
//! its network has a name. Whatever was started by [`Cluster::up`] is stopped by [`Cluster::down`], also after a crash.

mod certificates;
mod cluster;
mod component;
mod container;
mod image;
mod kubectl;
mod layout;
mod network;
mod requirements;

pub use cluster::{Cluster, State};
pub use image::Image;
pub use kubectl::Kubectl;
pub use requirements::{install, missing};
