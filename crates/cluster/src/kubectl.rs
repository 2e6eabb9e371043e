//! Calls of the cluster's own `kubectl`, as its administrator.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// The command line of a cluster.
#[derive(Clone, Debug)]
pub struct Kubectl {
    pub(crate) program: String,
    pub(crate) kubeconfig: PathBuf,
}

impl Kubectl {
    /// Runs it and answers what it printed.
    ///
    /// # Errors
    /// What it complained about.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.output(arguments, "")?;
        if !output.status.success() {
            bail!("kubectl {} failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Applies manifests on the server's side, which checks them strictly; answers what it printed.
    ///
    /// # Errors
    /// What the server refuses, in its words.
    pub fn apply(&self, manifests: &str, options: &[&str]) -> Result<String> {
        let arguments = ["apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", "-"];
        let output = self.output(&[&arguments, options].concat(), manifests)?;
        if !output.status.success() {
            bail!("the API server refuses: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn output(&self, arguments: &[&str], input: &str) -> Result<Output> {
        let mut command = Command::new(&self.program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("start kubectl")?;
        let mut stdin = child.stdin.take().context("kubectl reads manifests")?;
        let input = input.to_owned();
        // It may end without having read them.
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).ok());
        let output = child.wait_with_output().context("wait for kubectl")?;
        writer.join().ok();
        Ok(output)
    }
}
