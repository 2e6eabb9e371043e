//! The cluster as a whole: started, looked at, given images, stopped.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpStream,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use streamforge_servers::{Lifetime, Process, cache};

use crate::{
    Image, Kubectl, argocd, certificates,
    component::{self, Component, Ready},
    container,
    layout::{HOST, Layout, NODE},
    missing, network, prometheus,
};

/// Longer than the start of any part takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(3);
/// How long what is stopped may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

const DNS: &str = include_str!("../manifests/dns.yaml");
const METRICS: &str = include_str!("../manifests/metrics.yaml");
const PROMETHEUS: &str = include_str!("../manifests/prometheus.yaml");
const ARGOCD: &str = include_str!("../manifests/argocd.yaml");

/// A cluster that runs, or did.
#[derive(Clone, Debug)]
pub struct Cluster {
    layout: Layout,
}

/// Which processes of a cluster run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Process ids by name.
    pub running: BTreeMap<String, u32>,
    /// Names of those that have ended.
    pub ended: Vec<String>,
}

impl Cluster {
    /// The cluster of a folder, without touching it; programs are kept where other servers of tests are.
    ///
    /// # Errors
    /// If there is no home folder.
    pub fn at(data: &Path) -> Result<Self> {
        Ok(Self { layout: Layout { built: cache()?.join("cluster"), data: std::path::absolute(data)? } })
    }

    /// The cluster of this user, in the folder where servers of tests are.
    ///
    /// # Errors
    /// If there is no home folder.
    pub fn own() -> Result<Self> {
        Self::at(&cache()?.join("cluster-up"))
    }

    /// Builds what is missing and starts what does not run; harmless where all runs.
    ///
    /// # Errors
    /// What the machine lacks, in words that say what to do, or which part did not start and what it said.
    pub fn up(&self) -> Result<()> {
        let missing = missing();
        if !missing.is_empty() {
            bail!("{}", missing.join("\n"));
        }
        self.build()?;
        let layout = &self.layout;
        for folder in ["log", "etcd", "kubelet", "containerd"] {
            fs::create_dir_all(layout.path(folder)).with_context(|| format!("make {}", layout.text(folder)))?;
        }
        // etcd refuses a folder that others may read.
        certificates::write(&layout.path("pki"))?;
        component::write(layout, "admin.conf", &component::credentials(layout).to_string())?;
        network::up()?;
        for part in component::kubernetes(layout)? {
            self.start(&part)?;
            if part.name == "containerd" {
                let pause = layout.program("pause");
                self.load(&Image::of_program("localhost/pause:1", Path::new(&pause)))?;
            }
        }
        self.kubectl().apply(DNS, &[])?;
        self.extend()
    }

    /// Installs KEDA, Prometheus and Argo Rollouts.
    fn extend(&self) -> Result<()> {
        let layout = &self.layout;
        for (file, name) in [("tls.crt", "keda.crt"), ("tls.key", "keda.key"), ("ca.crt", "ca.crt")] {
            let certificate = fs::read_to_string(layout.certificate(name))?;
            component::write(layout, &format!("keda/{file}"), &certificate)?;
        }
        for name in ["keda", "argo-rollouts"] {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            self.kubectl().apply(&namespace.to_string(), &[])?;
        }
        for name in ["keda", "rollouts"] {
            self.kubectl().apply(&self.definitions(name)?, &[])?;
        }
        self.kubectl().apply(METRICS, &[])?;
        self.kubectl().apply(PROMETHEUS, &[])?;
        component::extensions(layout)?.iter().try_for_each(|part| self.start(part))
    }

    /// Starts Argo CD on a cluster that is up, where it does not run.
    ///
    /// # Errors
    /// Which part did not start and what it said.
    pub fn argocd(&self) -> Result<()> {
        self.kubectl().apply(&self.definitions("argocd")?, &[])?;
        let applied = Instant::now();
        // Kinds are served a moment after they were taken.
        while let Err(error) = self.kubectl().apply(ARGOCD, &[]) {
            if applied.elapsed() > PATIENCE {
                return Err(error);
            }
            thread::sleep(PAUSE);
        }
        argocd::argocd(&self.layout)?.iter().try_for_each(|part| self.start(part))
    }

    /// The kinds that a part of the cluster brings, as its module has them.
    fn definitions(&self, name: &str) -> Result<String> {
        let folder = self.layout.manifests(name);
        let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
            .with_context(|| format!("list {}", folder.display()))?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        paths.retain(|path| path.file_name().is_some_and(|name| name != "kustomization.yaml"));
        paths.sort();
        let texts = paths.iter().map(fs::read_to_string).collect::<Result<Vec<String>, _>>()?;
        Ok(texts.join("\n---\n"))
    }

    /// Stops all of it and takes away what it wrote; answers how many processes there were.
    ///
    /// # Errors
    /// If its folder cannot be removed.
    pub fn down(&self) -> Result<usize> {
        let running = self.state().running;
        // The kubelet would start containers anew.
        self.stop("kubelet");
        container::kill_all(&self.layout);
        for name in running.keys() {
            self.stop(name);
        }
        container::clean(&self.layout);
        network::down();
        if self.layout.data.exists() {
            fs::remove_dir_all(&self.layout.data).with_context(|| format!("remove {}", self.layout.data.display()))?;
        }
        Ok(running.len())
    }

    /// Ends one of its processes as a crash would; [`Cluster::up`] starts it again.
    pub fn kill(&self, name: &str) {
        if let Some(pid) = self.state().running.get(name) {
            signal("-KILL", *pid);
        }
        while self.state().running.contains_key(name) {
            thread::sleep(PAUSE);
        }
    }

    /// Which of its processes run.
    #[must_use]
    pub fn state(&self) -> State {
        let (running, ended): (Vec<_>, Vec<_>) = self.noted().into_iter().partition(|(_, pid)| self.is_ours(*pid));
        State { running: running.into_iter().collect(), ended: ended.into_iter().map(|(name, _)| name).collect() }
    }

    /// Gives the node an image.
    ///
    /// # Errors
    /// If it cannot be made, or containerd refuses it.
    pub fn load(&self, image: &Image) -> Result<()> {
        let archive = self.layout.path("image.tar");
        image.write(&archive)?;
        let mut command = Command::new("ctr");
        command.args(["--address", &self.layout.containerd_socket(), "--namespace", "k8s.io", "images", "import"]);
        let output = command.arg(&archive).output().context("start ctr")?;
        fs::remove_file(&archive).ok();
        if !output.status.success() {
            bail!("containerd refuses the image: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// A program that was built for it, such as `argocd/cmd`.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        PathBuf::from(self.layout.program(name))
    }

    /// Its command line.
    #[must_use]
    pub fn kubectl(&self) -> Kubectl {
        Kubectl { program: self.layout.program("kubernetes/kubectl"), kubeconfig: self.layout.kubeconfig() }
    }

    /// URL of its Prometheus.
    #[must_use]
    pub fn prometheus(&self) -> String {
        format!("http://{}", prometheus::ADDRESS)
    }

    /// What `cargo xtask cluster up --json` prints.
    #[must_use]
    pub fn describe(&self) -> Value {
        let State { running, ended } = self.state();
        json!({
            "url": format!("https://{HOST}:6443"),
            "kubeconfig": self.layout.kubeconfig(),
            "kubectl": self.layout.program("kubernetes/kubectl"),
            "host": HOST,
            "prometheus": self.prometheus(),
            "pids": running.values().collect::<Vec<_>>(),
            "running": running,
            "ended": ended,
            "folder": self.layout.data,
        })
    }

    fn build(&self) -> Result<()> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.sh");
        // What it says while it builds is for who waits.
        let status = Command::new(&script).arg(&self.layout.built).status();
        if !status.with_context(|| format!("start {}", script.display()))?.success() {
            bail!("the cluster's programs could not be built; logs lie in {}", self.layout.built.display());
        }
        Ok(())
    }

    /// Starts a process unless it runs, and waits until it serves.
    fn start(&self, part: &Component) -> Result<()> {
        if self.state().running.contains_key(part.name) {
            return Ok(());
        }
        let log = self.layout.log(part.name);
        let process = Process::start(&part.arguments, &log, Lifetime::Own)?;
        let mut noted = self.noted();
        noted.insert(part.name.to_owned(), process.pid());
        fs::write(self.layout.state(), json!({"pids": noted}).to_string()).context("note a process")?;
        let started = Instant::now();
        while !self.is_ready(part.ready) {
            let said = || {
                let text = fs::read_to_string(&log).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                lines[lines.len().saturating_sub(15)..].join("\n")
            };
            if process.has_ended() {
                bail!("{} ended before it served:\n{}", part.name, said());
            }
            if started.elapsed() > PATIENCE {
                bail!("{} did not serve within {PATIENCE:?}:\n{}", part.name, said());
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn is_ready(&self, ready: Ready) -> bool {
        match ready {
            Ready::Runs => true,
            Ready::Socket(name) => UnixStream::connect(self.layout.path(name)).is_ok(),
            Ready::Listens(address) => TcpStream::connect(address).is_ok(),
            Ready::Answers(path) => self.kubectl().run(&["get", "--raw", path]).is_ok(),
            Ready::Node => {
                let condition = "-o=jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
                self.kubectl().run(&["get", "node", NODE, condition]).is_ok_and(|status| status == "True")
            }
        }
    }

    /// Asks a process to end, and kills it if it does not.
    fn stop(&self, name: &str) {
        let Some(pid) = self.noted().get(name).copied().filter(|pid| self.is_ours(*pid)) else { return };
        for (signal, patience) in [("-TERM", GRACE), ("-KILL", PATIENCE)] {
            self::signal(signal, pid);
            let sent = Instant::now();
            while self.is_ours(pid) && sent.elapsed() < patience {
                thread::sleep(PAUSE);
            }
        }
    }

    /// Every process that was started, by name.
    fn noted(&self) -> BTreeMap<String, u32> {
        let text = fs::read_to_string(self.layout.state()).unwrap_or_default();
        let state: Value = serde_json::from_str(&text).unwrap_or_default();
        let pids = state["pids"].as_object().into_iter().flatten();
        pids.filter_map(|(name, pid)| Some((name.clone(), u32::try_from(pid.as_u64()?).ok()?))).collect()
    }

    /// Whether a process runs and is one of this cluster: ids are given again.
    fn is_ours(&self, pid: u32) -> bool {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.contains(&self.layout.data.display().to_string())
    }
}

fn signal(name: &str, pid: u32) {
    Command::new("kill").args([name, &pid.to_string()]).output().ok();
}
