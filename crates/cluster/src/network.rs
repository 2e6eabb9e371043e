//! The bridge between the host and its pods, made and taken away.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::layout::{BRIDGE, HOST, NETWORK, OPEN_PORTS, SERVICES};

const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";

/// Makes the bridge, unless it is there.
///
/// The blackhole keeps what has no pod from leaving the machine; the route of the Services brings the host's own packets
/// to where addresses are translated.
pub(crate) fn up() -> Result<()> {
    if !is_up() {
        close()?;
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
    for (family, table) in [("ip", "kube-proxy"), ("ip6", "kube-proxy"), ("inet", BRIDGE)] {
        Command::new("nft").args(["delete", "table", family, table]).output().ok();
    }
}

/// Keeps other machines from the ports of controllers that cannot be told an address.
fn close() -> Result<()> {
    let ports = OPEN_PORTS.map(|port| port.to_string()).join(", ");
    let rule = format!("iifname != {{ \"lo\", \"{BRIDGE}\" }} tcp dport {{ {ports} }} drop");
    let chain = format!("chain input {{\ntype filter hook input priority 0\n{rule}\n}}");
    let table = format!("table inet {BRIDGE} {{\n{chain}\n}}");
    let output = Command::new("nft").arg(table).output().context("start nft")?;
    if !output.status.success() {
        bail!("nft failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
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
