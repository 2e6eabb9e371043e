//! A process under measurement: its start, its CPU time, its memory, its ports and its end.

use std::{
    collections::HashSet,
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};

/// Ends the process however the measurement ends.
pub(super) struct Process(pub(super) Child);

impl Process {
    /// Starts it without any input or output.
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(quiet.spawn().with_context(|| format!("start {}", quiet.get_program().display()))?))
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody listens on now.
pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// User and system time that the process has used.
pub(super) fn cpu_time(process: u32) -> Result<Duration> {
    let (user, system) = (stat(process, 13)?, stat(process, 14)?);
    // Linux tells ticks of USER_HZ, which is 100 on every architecture that it runs on today (time(7)).
    Ok(Duration::from_millis((user + system) * 10))
}

/// Resident memory in MiB.
pub(super) fn resident(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS line")?;
    let kibibytes: u32 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(f64::from(kibibytes) / 1024.0)
}

/// Processes that this one has started and that still run.
pub(super) fn children(process: u32) -> Result<Vec<u32>> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process that ended meanwhile is nobody's child.
        if stat(id, 3).is_ok_and(|parent| parent == u64::from(process)) {
            children.push(id);
        }
    }
    Ok(children)
}

/// Ports on IPv4 that the process listens on.
pub(super) fn listening(process: u32) -> Result<Vec<u16>> {
    let mut sockets = HashSet::new();
    for entry in fs::read_dir(format!("/proc/{process}/fd"))? {
        let target = fs::read_link(entry?.path()).unwrap_or_default();
        let inode = target.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']'));
        sockets.extend(inode.map(str::to_owned));
    }
    // Columns and the state 0A for listening: proc_net_tcp.txt of the kernel's documentation.
    let table = fs::read_to_string("/proc/net/tcp")?;
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let own = rows.filter(|row| row.get(3) == Some(&"0A") && row.get(9).is_some_and(|inode| sockets.contains(*inode)));
    Ok(own.filter_map(|row| u16::from_str_radix(row.get(1)?.split_once(':')?.1, 16).ok()).collect())
}

/// A field of `/proc/PID/stat`, counted from 0; the name in parentheses may hold blanks, so counting starts behind it.
fn stat(process: u32, field: usize) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, rest) = text.rsplit_once(')').context("no name in the process's state")?;
    let value = rest.split_whitespace().nth(field - 2).context("the process's state is short")?;
    Ok(value.parse()?)
}
