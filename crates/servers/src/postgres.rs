//! `PostgreSQL` of the machine's own packages: one server on loopback, with a user, a password and, if asked for, TLS.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::{Lifetime, Server, certificates, certificates::Validity, folder, ports, process::Process, secret};

/// The user that may do everything.
pub const USER: &str = "streamforge";
/// The database that is there from the start.
pub const DATABASE: &str = "streamforge";

/// Whom the server runs as where we are root, which it refuses to be; Debian's package makes this user.
const SYSTEM_USER: &str = "postgres";
/// Where Debian keeps the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// What the server writes to its log once it serves.
const READY: &str = "database system is ready to accept connections";

/// How often a start is tried: a port may be taken between its choice and its use.
const STARTS: u32 = 3;
/// Longer than a start takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(20);

/// A running server; one that lives with its starter is stopped when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    process: Option<Process>,
    programs: PathBuf,
    port: u16,
    folder: PathBuf,
    lifetime: Lifetime,
    is_secured: bool,
}

impl Postgres {
    /// Makes an empty server in a folder of its own and starts it; with `secured` it takes TLS too.
    ///
    /// # Errors
    /// If `PostgreSQL` is not installed or does not start.
    pub fn start(lifetime: Lifetime, is_secured: bool) -> Result<Self> {
        let programs = programs()?;
        let mut last = None;
        for _ in 0..STARTS {
            let folder = match lifetime {
                Lifetime::WithStarter => folder::for_this_process("postgres")?,
                Lifetime::Own => lasting_folder()?,
            };
            let [port] = ports::free()?;
            let mut server = Self { process: None, programs: programs.clone(), port, folder, lifetime, is_secured };
            match server.make().and_then(|()| server.run()) {
                Ok(()) => return Ok(server),
                Err(error) => last = Some(error),
            }
            fs::remove_dir_all(&server.folder).ok();
        }
        Err(last.context("no start was tried")?)
    }

    /// Makes password, certificates and the empty databases.
    fn make(&self) -> Result<()> {
        fs::write(self.password_file(), secret())?;
        if self.is_secured {
            certificates::write(&self.folder, Validity::Valid)?;
            // The server refuses a key that others may read.
            fs::set_permissions(self.folder.join("server.pem"), fs::Permissions::from_mode(0o600))?;
        }
        if is_root()? {
            let owner = format!("{SYSTEM_USER}:");
            succeeded(Command::new("chown").args(["-R", &owner]).arg(&self.folder), "chown")?;
        }
        let data = self.data();
        let password = format!("--pwfile={}", self.password_file().display());
        let name = format!("--username={USER}");
        let mut arguments = vec!["--pgdata", &data, &name, &password, "--auth=scram-sha-256", "--encoding=UTF8"];
        arguments.extend(["--locale=C", "--no-instructions", "--no-sync"]);
        succeeded(&mut self.command("initdb", &arguments)?, "initdb")?;
        let mut alone = self.command("postgres", &["--single", "-D", &data, "postgres"])?;
        alone.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut alone = alone.spawn().context("start postgres")?;
        let mut input = alone.stdin.take().context("postgres reads statements")?;
        writeln!(input, "CREATE DATABASE {DATABASE};")?;
        drop(input);
        let output = alone.wait_with_output()?;
        if !output.status.success() {
            bail!("the database could not be made: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// Starts the server on what is in its folder.
    ///
    /// # Source
    /// <https://www.postgresql.org/docs/current/runtime-config.html>
    fn run(&mut self) -> Result<()> {
        let log = self.log();
        // A server that starts again must not be taken for ready by what it said before.
        if log.exists() {
            fs::rename(&log, log.with_extension("before")).context("keep the log of the start before")?;
        }
        let mut arguments = vec!["-D".to_owned(), self.data()];
        let mut set = |name: &str, value: &str| arguments.extend(["-c".to_owned(), format!("{name}={value}")]);
        set("listen_addresses", "127.0.0.1");
        set("port", &self.port.to_string());
        set("unix_socket_directories", "");
        set("shared_buffers", "32MB");
        // In the data folder, so that it goes with it.
        set("dynamic_shared_memory_type", "mmap");
        if self.lifetime == Lifetime::WithStarter {
            // A process that is killed loses nothing by this; a machine that loses its power would.
            set("fsync", "off");
        }
        if self.is_secured {
            let certificate = self.folder.join("server.pem").display().to_string();
            set("ssl", "on");
            set("ssl_cert_file", &certificate);
            set("ssl_key_file", &certificate);
        }
        let mut line = unprivileged(self.lifetime)?;
        line.push(self.programs.join("postgres").display().to_string());
        line.extend(arguments);
        let process = Process::start(&line, &log, self.lifetime)?;
        process.wait_for(READY, &log, PATIENCE).context("start PostgreSQL")?;
        self.process = Some(process);
        Ok(())
    }

    /// Kills the server as a loss of power would.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// Starts a server that was killed, and waits until it serves again.
    ///
    /// # Errors
    /// If it does not start.
    pub fn restart(&mut self) -> Result<()> {
        let started = Instant::now();
        // What is left of the killed server ends by itself, and until then the data is in use.
        while let Err(error) = self.run() {
            if started.elapsed() > PATIENCE {
                return Err(error);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Makes a further database and answers its URL.
    ///
    /// # Errors
    /// If the server does not.
    pub fn create(&self, database: &str) -> Result<String> {
        self.execute(&format!("CREATE DATABASE {database}"))?;
        Ok(self.url_of(database))
    }

    /// Has the server execute a statement in its first database.
    ///
    /// # Errors
    /// If the server refuses it.
    pub fn execute(&self, statement: &str) -> Result<String> {
        let port = self.port.to_string();
        let mut client = Command::new(self.programs.join("psql"));
        client.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &port, "-U", USER]);
        client.args(["-d", DATABASE, "-c", statement]).env("PGPASSWORD", fs::read_to_string(self.password_file())?);
        let output = succeeded(&mut client, "psql")?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The URL of one of its databases.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        let scheme = if self.is_secured { "postgres+ssl" } else { "postgres" };
        format!("{scheme}://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Where the user's password stands.
    #[must_use]
    pub fn password_file(&self) -> PathBuf {
        self.folder.join("password")
    }

    /// A file beside the data: `ca.pem` and `other-ca.pem` of a server with TLS.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What `cargo xtask postgres up --json` prints.
    #[must_use]
    pub fn describe(&self) -> Value {
        json!({
            "url": self.url(),
            "user": USER,
            "password_file": self.password_file(),
            "pids": self.pids(),
            "folder": self.folder,
            // Its own way to stop at once: it takes its shared memory with it.
            "signal": "QUIT",
        })
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// One of the server's programs, run as whom the server runs.
    fn command(&self, program: &str, arguments: &[&str]) -> Result<Command> {
        let mut line = unprivileged(Lifetime::WithStarter)?;
        line.push(self.programs.join(program).display().to_string());
        let [first, rest @ ..] = &line[..] else { bail!("no program is named") };
        let mut command = Command::new(first);
        // A working folder that the server's user may not enter is complained about.
        command.args(rest).args(arguments).current_dir(&self.folder);
        Ok(command)
    }
}

impl Server for Postgres {
    fn url(&self) -> String {
        self.url_of(DATABASE)
    }

    fn pids(&self) -> Vec<u32> {
        self.process.iter().map(Process::pid).collect()
    }

    fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::Own {
            return;
        }
        if let Some(process) = &self.process {
            process.signal("-QUIT");
            let started = Instant::now();
            while !process.has_ended() && started.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(PAUSE);
            }
            process.kill();
        }
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// The folder with the server's programs, of the newest version that is installed.
fn programs() -> Result<PathBuf> {
    let version = |folder: &PathBuf| -> Option<u32> { folder.file_name()?.to_str()?.parse().ok() };
    let installed = fs::read_dir(VERSIONS).into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = installed.filter(|folder| folder.join("bin/postgres").exists()).max_by_key(version);
    if let Some(newest) = newest {
        return Ok(newest.join("bin"));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).find(|folder| folder.join("initdb").exists());
    found.context("PostgreSQL is not installed: run make servers, or apt-get install postgresql")
}

/// The beginning of a command line for a program that refuses to run as root.
fn unprivileged(lifetime: Lifetime) -> Result<Vec<String>> {
    let mut line = vec!["setpriv"];
    if is_root()? {
        line.extend(["--reuid", SYSTEM_USER, "--regid", SYSTEM_USER, "--clear-groups"]);
    }
    if lifetime == Lifetime::WithStarter {
        // The kernel forgets it where a process becomes another user's; and on this signal the server ends at once, too,
        // but takes its shared memory with it.
        line.extend(["--pdeathsig", "QUIT"]);
    }
    if line.len() == 1 {
        return Ok(Vec::new());
    }
    line.push("--");
    Ok(line.into_iter().map(str::to_owned).collect())
}

fn is_root() -> Result<bool> {
    Ok(fs::metadata("/proc/self").context("find out who runs this")?.uid() == 0)
}

/// A folder that outlives this process; not in a home folder, which the server's user may not enter.
fn lasting_folder() -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("streamforge-postgres-{:08x}", fastrand::u32(..)));
    fs::create_dir(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

fn succeeded(command: &mut Command, name: &str) -> Result<Output> {
    let output = command.output().with_context(|| format!("start {name}"))?;
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output)
}
