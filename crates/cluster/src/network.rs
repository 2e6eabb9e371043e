//! The bridge between the host and its pods, made and taken away.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::layout::{BRIDGE, HOST, NETWORK, SERVICES};

const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";

/// Makes the bridge, unless it is there.
///
/// The blackhole keeps what has no pod from leaving the machine; the route of the Services brings the host's own packets
/// to where addresses are translated.
pub(crate) fn up() -> Result<()> {
    if !is_up() {
        let address = format!("{HOST}/24");
        ip(&["link", "add", BRIDGE, "type", "bridge"])?;
        ip(&["addr", "add", &address, "dev", BRIDGE])?;
        ip(&["link", "set", BRIDGE, "up"])?;
        ip(&["route", "replace", "blackhole", NETWORK])?;
        ip(&["route", "replace", SERVICES, "dev", BRIDGE])?;
    }
    fs::write(FORWARDING, "1").context("let packets be forwarded between pods")
}

/// Takes the bridge, its routes and the proxy's tables away.
pub(crate) fn down() {
    // What is not there any more needs no taking away.
    ip(&["link", "del", BRIDGE]).ok();
    ip(&["route", "del", "blackhole", NETWORK]).ok();
    for family in ["ip", "ip6"] {
        Command::new("nft").args(["delete", "table", family, "kube-proxy"]).output().ok();
    }
}

pub(crate) fn is_up() -> bool {
    Command::new("ip").args(["link", "show", BRIDGE]).output().is_ok_and(|output| output.status.success())
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output().context("start ip")?;
    if !output.status.success() {
        bail!("ip {} failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
