//! Apache Kafka in `KRaft` mode: one node or several, with or without TLS and users.

mod node;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::{Lifetime, Server, Validity, certificates, folder, secret};
use node::Node;

/// The user that may do everything.
pub const USER: &str = "streamforge";
/// A user without rights.
pub const GUEST: &str = "guest";

/// How often a start is tried: a port may be taken between its choice and its use.
const STARTS: u32 = 3;
/// Longer than a start takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(2);

/// What cluster is wanted.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many nodes; each is broker and controller.
    pub nodes: u16,
    /// Whether there is a second listener with TLS and users beside the plain one; none without.
    pub secured: Option<Validity>,
    /// When it ends.
    pub lifetime: Lifetime,
    /// Where it keeps its data; without it, a folder of this process's own that goes with it.
    pub folder: Option<PathBuf>,
    /// Whether it has to be there soon or to be fast later.
    pub speed: Speed,
    /// Where the first node is reached without TLS; without it, at a free port on loopback.
    pub address: Option<SocketAddr>,
}

/// What the virtual machine's compiler is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// Little is compiled, quickly: a third less work until it serves.
    OfStart,
    /// Much is compiled, well.
    OfWork,
}

impl Default for Settings {
    /// One plain node for a test.
    fn default() -> Self {
        Self {
            nodes: 1,
            secured: None,
            lifetime: Lifetime::WithStarter,
            folder: None,
            speed: Speed::OfStart,
            address: None,
        }
    }
}

/// A running cluster; one that lives with its starter is killed when this is dropped.
#[derive(Debug)]
pub struct Kafka {
    nodes: Vec<Node>,
    libraries: PathBuf,
    folder: PathBuf,
    settings: Settings,
}

impl Kafka {
    /// Fetches Kafka where it is missing and starts a cluster that is ready for clients.
    ///
    /// # Errors
    /// If Java is missing, Kafka cannot be fetched or a node does not start.
    pub fn start(settings: &Settings) -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka/fetch.sh");
        let libraries = folder::fetched(&script, "kafka")?.join("libs");
        let mut last = None;
        for _ in 0..STARTS {
            let folder = match &settings.folder {
                Some(folder) => folder.clone(),
                None => folder::for_this_process("kafka")?,
            };
            match Self::start_once(&libraries, &folder, settings) {
                Ok(kafka) => return Ok(kafka),
                Err(error) => last = Some(error),
            }
            fs::remove_dir_all(&folder).ok();
        }
        Err(last.context("no start was tried")?)
    }

    fn start_once(libraries: &Path, folder: &Path, settings: &Settings) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        if let Some(validity) = settings.secured {
            certificates::write(folder, validity)?;
            for (user, name) in [(USER, "user"), (GUEST, "guest")] {
                fs::write(folder.join(name), user)?;
                fs::write(folder.join(format!("{name}-password")), secret())?;
            }
        }
        let mut kafka = Self {
            nodes: Node::plan(settings.nodes, folder, settings.address)?,
            libraries: libraries.to_owned(),
            folder: folder.to_owned(),
            settings: settings.clone(),
        };
        kafka.format()?;
        for index in 0..kafka.nodes.len() {
            kafka.run(index)?;
        }
        for node in &kafka.nodes {
            node.wait_until_ready(PATIENCE)?;
        }
        Ok(kafka)
    }

    /// Writes the properties of each node and prepares its storage.
    fn format(&self) -> Result<()> {
        // Sixteen bytes in base64, as the storage tool would make them.
        let letters = std::iter::repeat_with(fastrand::alphanumeric).take(21);
        let cluster: String = letters.chain(['A']).collect();
        for node in &self.nodes {
            fs::write(&node.properties, node.describe(&self.nodes, self.secrets()?.as_ref()))?;
            let properties = node.properties.display().to_string();
            let mut arguments =
                vec!["kafka.tools.StorageTool", "format", "--cluster-id", &cluster, "--config", &properties];
            let users = match self.secrets()? {
                Some(secrets) => secrets.users(),
                None => Vec::new(),
            };
            for user in &users {
                arguments.extend(["--add-scram", user]);
            }
            self.output(&arguments)?;
        }
        Ok(())
    }

    fn run(&mut self, index: usize) -> Result<()> {
        let mut arguments = vec!["java".to_owned(), "-Xmx512m".to_owned(), "-XX:+UseSerialGC".to_owned()];
        if self.settings.speed == Speed::OfStart {
            arguments.push("-XX:TieredStopAtLevel=1".to_owned());
        }
        arguments.push(format!("-Dlog4j2.configurationFile={}", node::log_settings(&self.folder)?.display()));
        arguments.extend(["-cp".to_owned(), self.class_path(), "kafka.Kafka".to_owned()]);
        let lifetime = self.settings.lifetime;
        self.nodes[index].start(arguments, lifetime)
    }

    /// The addresses of the plain listener, as clients take them.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let addresses: Vec<String> = self.nodes.iter().map(|node| node.plain.to_string()).collect();
        addresses.join(",")
    }

    /// The addresses of the listener with TLS and users; none if there is no such listener.
    #[must_use]
    pub fn bootstrap_secured(&self) -> Option<String> {
        self.settings.secured?;
        let addresses: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.secured)).collect();
        Some(addresses.join(","))
    }

    /// A file beside the data: `ca.pem`, `user`, `user-password`, `guest`, `guest-password`.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Kills a node as a loss of power would.
    pub fn kill(&mut self, index: usize) {
        self.nodes[index].kill();
    }

    /// Starts a node that was killed, and waits until it serves again.
    ///
    /// # Errors
    /// If it does not start.
    pub fn restart(&mut self, index: usize) -> Result<()> {
        self.run(index)?;
        self.nodes[index].wait_until_ready(PATIENCE)
    }

    /// One of Kafka's own command line tools, such as `org.apache.kafka.tools.ConsoleProducer`.
    #[must_use]
    pub fn tool(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", &self.class_path(), class]);
        command
    }

    /// What `cargo xtask kafka up --json` prints.
    #[must_use]
    pub fn describe(&self) -> Value {
        let mut description = json!({
            "bootstrap": self.bootstrap(),
            "url": self.url(),
            "pids": self.pids(),
            "folder": self.folder,
        });
        if let Some(bootstrap) = self.bootstrap_secured() {
            description["bootstrap_ssl"] = json!(bootstrap);
            for (key, name) in [("ca", "ca.pem"), ("user_file", "user"), ("password_file", "user-password")] {
                description[key] = json!(self.file(name));
            }
        }
        description
    }

    fn class_path(&self) -> String {
        format!("{}/*", self.libraries.display())
    }

    fn output(&self, arguments: &[&str]) -> Result<String> {
        let [class, rest @ ..] = arguments else { bail!("no class is named") };
        let output = self.tool(class).args(rest).output().context("start java")?;
        if !output.status.success() {
            bail!("{class} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn secrets(&self) -> Result<Option<node::Secrets>> {
        let read = |name: &str| fs::read_to_string(self.file(name)).with_context(|| format!("read {name}"));
        self.settings.secured.map_or(Ok(None), |_| {
            Ok(Some(node::Secrets { user: read("user-password")?, guest: read("guest-password")? }))
        })
    }
}

impl Server for Kafka {
    fn url(&self) -> String {
        format!("kafka://{}", self.bootstrap())
    }

    fn pids(&self) -> Vec<u32> {
        self.nodes.iter().filter_map(Node::pid).collect()
    }

    fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        if self.settings.lifetime == Lifetime::Own {
            return;
        }
        for node in &mut self.nodes {
            node.kill();
        }
        if self.settings.folder.is_none() {
            fs::remove_dir_all(&self.folder).ok();
        }
    }
}
