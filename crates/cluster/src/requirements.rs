//! What a machine must have before a cluster can be built and started, and what to do where it is missing.

use std::{env, fs, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

/// A program, or a file, and the package of Debian that brings it.
const NEEDED: [(&str, &str); 12] = [
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("conntrack", "conntrack"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("mount", "mount"),
    ("redis-server", "redis-server"),
    ("git", "git"),
    ("/etc/ssl/certs/ca-certificates.crt", "ca-certificates"),
    ("cc", "build-essential"),
    ("go", "golang-go"),
];

/// What is missing, each with what to do about it; nothing if a cluster can be built and started.
#[must_use]
pub fn missing() -> Vec<String> {
    let mut found = Vec::new();
    if !is_root() {
        found.push("a cluster makes networks and containers: run this as root".to_owned());
    }
    let packages = packages();
    if !packages.is_empty() {
        found.push(format!("packages are missing: pass --install, or run apt-get install {}", packages.join(" ")));
    }
    found
}

/// Installs the packages that are missing.
///
/// # Errors
/// If `apt-get` fails.
pub fn install() -> Result<()> {
    let packages = packages();
    if packages.is_empty() {
        return Ok(());
    }
    for arguments in
        [vec!["update", "-qq"], [vec!["install", "-y", "-qq", "--no-install-recommends"], packages].concat()]
    {
        let status = Command::new("apt-get").args(&arguments).env("DEBIAN_FRONTEND", "noninteractive").status();
        if !status.context("start apt-get")?.success() {
            bail!("apt-get {} failed", arguments.join(" "));
        }
    }
    Ok(())
}

fn packages() -> Vec<&'static str> {
    NEEDED.iter().filter(|(program, _)| !is_there(program)).map(|(_, package)| *package).collect()
}

fn is_there(program: &str) -> bool {
    if program.starts_with('/') {
        return Path::new(program).exists();
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    // Where the programs of root lie, which not every shell knows.
    env::split_paths(&folders).chain([Path::new("/usr/sbin").to_owned()]).any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    line.and_then(|ids| ids.split_whitespace().nth(1)) == Some("0")
}
