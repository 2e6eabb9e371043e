//! One node of a cluster: its ports, its properties, its process.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{GUEST, USER};
use crate::{Lifetime, ports, process::Process};

/// What a node writes to its log once it serves.
const READY: &str = "Kafka Server started";

/// Passwords of the two users.
pub(super) struct Secrets {
    pub(super) user: String,
    pub(super) guest: String,
}

impl Secrets {
    /// As the storage tool takes them.
    pub(super) fn users(&self) -> Vec<String> {
        let users = [(USER, &self.user), (GUEST, &self.guest)];
        users.map(|(name, password)| format!("SCRAM-SHA-512=[name={name},password={password}]")).to_vec()
    }
}

#[derive(Debug)]
pub(super) struct Node {
    id: usize,
    pub(super) plain: SocketAddr,
    pub(super) secured: u16,
    controller: u16,
    pub(super) properties: PathBuf,
    data: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

impl Node {
    /// Chooses ports and folders of all nodes; the first one's plain listener may have an address already.
    pub(super) fn plan(count: u16, folder: &Path, first: Option<SocketAddr>) -> Result<Vec<Self>> {
        (1..=usize::from(count.max(1)))
            .map(|id| {
                let [plain, secured, controller] = ports::free()?;
                let file = |name: &str| folder.join(format!("node-{id}{name}"));
                let plain = first.filter(|_| id == 1).unwrap_or(SocketAddr::from(([127, 0, 0, 1], plain)));
                Ok(Self {
                    id,
                    plain,
                    secured,
                    controller,
                    properties: file(".properties"),
                    data: file(""),
                    log: file(".log"),
                    process: None,
                })
            })
            .collect()
    }

    /// Its properties.
    ///
    /// # Source
    /// <https://kafka.apache.org/documentation/#brokerconfigs>
    pub(super) fn describe(&self, nodes: &[Self], secrets: Option<&Secrets>) -> String {
        let voters: Vec<String> =
            nodes.iter().map(|node| format!("{}@127.0.0.1:{}", node.id, node.controller)).collect();
        let replicas = nodes.len().min(3);
        // All but one must have a record before it is acknowledged.
        let in_sync = replicas.saturating_sub(1).max(1);
        let (plain, secured) = (self.plain, self.secured);
        let mut listeners = format!("PLAINTEXT://{plain}");
        if secrets.is_some() {
            write!(listeners, ",SASL_SSL://127.0.0.1:{secured}").ok();
        }
        let (id, controller, voters, data) = (self.id, self.controller, voters.join(","), self.data.display());
        let mut text = format!(
            "process.roles=broker,controller\nnode.id={id}\ncontroller.quorum.voters={voters}\n\
             listeners={listeners},CONTROLLER://127.0.0.1:{controller}\nadvertised.listeners={listeners}\n\
             controller.listener.names=CONTROLLER\ninter.broker.listener.name=PLAINTEXT\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL\n\
             log.dirs={data}\nauto.create.topics.enable=true\ndefault.replication.factor={replicas}\n\
             min.insync.replicas={in_sync}\noffsets.topic.num.partitions=5\n\
             offsets.topic.replication.factor={replicas}\ntransaction.state.log.num.partitions=3\n\
             transaction.state.log.replication.factor={replicas}\ntransaction.state.log.min.isr={in_sync}\n\
             share.coordinator.state.topic.replication.factor={replicas}\n\
             share.coordinator.state.topic.min.isr={in_sync}\ngroup.initial.rebalance.delay.ms=0\n\
             unclean.leader.election.enable=false\n"
        );
        if secrets.is_some() {
            let certificate = self.properties.with_file_name("server.pem");
            let authority = self.properties.with_file_name("ca.pem");
            write!(
                text,
                "sasl.enabled.mechanisms=SCRAM-SHA-512\n\
                 listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
                 org.apache.kafka.common.security.scram.ScramLoginModule required;\n\
                 ssl.keystore.type=PEM\nssl.keystore.location={}\nssl.truststore.type=PEM\n\
                 ssl.truststore.location={}\n\
                 authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
                 super.users=User:{USER};User:ANONYMOUS\n",
                certificate.display(),
                authority.display()
            )
            .ok();
        }
        text
    }

    pub(super) fn start(&mut self, mut arguments: Vec<String>, lifetime: Lifetime) -> Result<()> {
        arguments.push(self.properties.display().to_string());
        // A node that starts again must not be taken for ready by what it said before.
        if self.log.exists() {
            fs::rename(&self.log, self.log.with_extension("log.before")).context("keep the log of the start before")?;
        }
        self.process = Some(Process::start(&arguments, &self.log, lifetime)?);
        Ok(())
    }

    pub(super) fn wait_until_ready(&self, patience: Duration) -> Result<()> {
        let process = self.process.as_ref().context("the node was not started")?;
        process.wait_for(READY, &self.log, patience).with_context(|| format!("start node {}", self.id))
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().filter(|process| !process.has_ended()).map(Process::pid)
    }

    pub(super) fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }
}

/// Writes what the nodes log and how.
pub(super) fn log_settings(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("log4j2.properties");
    let text = "appender.console.type=Console\nappender.console.name=console\n\
                appender.console.layout.type=PatternLayout\n\
                appender.console.layout.pattern=[%d] %p %m (%c)%n\n\
                rootLogger.level=WARN\nrootLogger.appenderRef.console.ref=console\n\
                logger.server.name=kafka.server\nlogger.server.level=INFO\n";
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}
