//! What containers leave behind when the programs that run them are gone: their processes, mounts and namespaces.

use std::{fs, process::Command, thread, time::Duration};

use crate::layout::Layout;

const PAUSE: Duration = Duration::from_millis(50);

/// Kills all containers, for which containerd still has to run.
pub(crate) fn kill_all(layout: &Layout) {
    let ctr = |arguments: &[&str]| {
        let mut command = Command::new("ctr");
        command.args(["--address", &layout.containerd_socket(), "--namespace", "k8s.io"]).args(arguments);
        command.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    };
    for task in ctr(&["tasks", "ls", "--quiet"]).split_whitespace() {
        ctr(&["tasks", "rm", "--force", task]);
    }
}

/// Takes away what no program holds any more.
pub(crate) fn clean(layout: &Layout) {
    for pid in shims(layout) {
        Command::new("kill").args(["-KILL", &pid]).output().ok();
    }
    while !shims(layout).is_empty() {
        thread::sleep(PAUSE);
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut ours: Vec<&str> =
        mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(|path| layout.holds(path)).collect();
    // Those that lie in others first.
    ours.sort_unstable_by_key(|path| std::cmp::Reverse(path.len()));
    for path in ours {
        Command::new("umount").args(["--lazy", path]).output().ok();
    }
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        if let Some(name) = entry.file_name().to_str().filter(|name| name.starts_with("cni-")) {
            Command::new("ip").args(["netns", "delete", name]).output().ok();
        }
    }
}

/// The processes between containerd and its containers, which outlive it.
fn shims(layout: &Layout) -> Vec<String> {
    let socket = layout.containerd_socket();
    let pids =
        fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    pids.filter(|pid| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.contains("containerd-shim") && line.contains(&socket)
    })
    .collect()
}
