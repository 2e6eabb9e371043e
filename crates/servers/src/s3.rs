//! versitygw, an S3 server on a folder, with one bucket.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{Lifetime, Server, Validity, certificates, folder, ports, process::Process};

/// The bucket that is there from the start.
pub const BUCKET: &str = "streamforge";

/// How often a start is tried: a port may be taken between its choice and its use.
const STARTS: u32 = 3;
/// Longer than a start takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running server; one that lives with its starter is killed when this is dropped.
#[derive(Debug)]
pub struct S3 {
    process: Process,
    port: u16,
    folder: PathBuf,
    lifetime: Lifetime,
    secured: Option<Validity>,
}

impl S3 {
    /// Builds the server where it is missing and starts it, with TLS alone if `secured`; without a folder, in one that
    /// goes with this process.
    ///
    /// # Errors
    /// If Go is missing, the server cannot be built or does not start.
    pub fn start(lifetime: Lifetime, folder: Option<&Path>, secured: Option<Validity>) -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("s3/fetch.sh");
        let program = folder::fetched(&script, "s3")?.join("versitygw");
        let mut last = None;
        for _ in 0..STARTS {
            let folder = folder.map_or_else(|| folder::for_this_process("s3"), |folder| Ok(folder.to_owned()))?;
            match Self::start_once(&program, &folder, lifetime, secured) {
                Ok(server) => return Ok(server),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("no start was tried")?)
    }

    fn start_once(program: &Path, folder: &Path, lifetime: Lifetime, secured: Option<Validity>) -> Result<Self> {
        let [port] = ports::free()?;
        let buckets = folder.join("buckets");
        let bucket = buckets.join(BUCKET);
        fs::create_dir_all(&bucket).with_context(|| format!("make {}", bucket.display()))?;
        let secret = format!("{:032x}", fastrand::u128(..));
        fs::write(folder.join("access-key"), BUCKET)?;
        fs::write(folder.join("secret-key"), &secret)?;
        let log = folder.join("log");
        let address = format!("127.0.0.1:{port}");
        let program = program.display().to_string();
        let buckets = buckets.display().to_string();
        // A shell reads the secret, so that no list of processes shows it.
        let line = "ROOT_ACCESS_KEY=$(cat \"$0/access-key\") ROOT_SECRET_KEY=$(cat \"$0/secret-key\") exec \"$@\"";
        let own = folder.display().to_string();
        let mut arguments = vec!["sh", "-c", line, &own, &program, "--port", &address];
        let identity = folder.join("server.pem").display().to_string();
        if let Some(validity) = secured {
            certificates::write(folder, validity)?;
            arguments.extend(["--cert", &identity, "--key", &identity]);
        }
        arguments.extend(["posix", &buckets]);
        let process = Process::start(&arguments, &log, lifetime)?;
        let server = Self { process, port, folder: folder.to_owned(), lifetime, secured };
        server.process.wait_for(&address, &log, PATIENCE)?;
        Ok(server)
    }

    /// URL of the server.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let scheme = if self.secured.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// The authority that signed its certificate, where it has one.
    #[must_use]
    pub fn authority_file(&self) -> Option<PathBuf> {
        self.secured.map(|_| self.folder.join("ca.pem"))
    }

    /// An authority that did not, where it has one.
    #[must_use]
    pub fn other_authority_file(&self) -> Option<PathBuf> {
        self.secured.map(|_| self.folder.join("other-ca.pem"))
    }

    /// Where its access key stands.
    #[must_use]
    pub fn access_key_file(&self) -> PathBuf {
        self.folder.join("access-key")
    }

    /// Where its secret key stands.
    #[must_use]
    pub fn secret_key_file(&self) -> PathBuf {
        self.folder.join("secret-key")
    }

    /// What `cargo xtask s3 up --json` prints.
    #[must_use]
    pub fn describe(&self) -> Value {
        json!({
            "url": self.url(),
            "endpoint": self.endpoint(),
            "access_key_file": self.access_key_file(),
            "secret_key_file": self.secret_key_file(),
            "ca_file": self.authority_file(),
            "pids": self.pids(),
            "folder": self.folder,
        })
    }
}

impl Server for S3 {
    fn url(&self) -> String {
        format!("s3://{BUCKET}")
    }

    fn pids(&self) -> Vec<u32> {
        vec![self.process.pid()]
    }

    fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::WithStarter {
            self.process.kill();
            fs::remove_dir_all(&self.folder).ok();
        }
    }
}
