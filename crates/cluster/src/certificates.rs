//! The cluster's authority, and the certificates and keys by which its parts know each other.
//!
//! # Source
//! <https://kubernetes.io/docs/setup/best-practices/certificates/>

use std::{fs, os::unix::fs::OpenOptionsExt as _, path::Path};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use crate::layout::{HOST, KUBERNETES_SERVICE, NODE};

/// Name of the certificate's files, its subject (organisation and name), and the names of its server if it is one.
const CERTIFICATES: [(&str, &str, &str, &[&str]); 6] = [
    (
        "apiserver",
        "",
        "kube-apiserver",
        &[
            "localhost",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "127.0.0.1",
            KUBERNETES_SERVICE,
            HOST,
        ],
    ),
    ("admin", "system:masters", "admin", &[]),
    ("front-proxy", "", "front-proxy", &[]),
    ("apiserver-kubelet", "system:masters", "apiserver-kubelet", &[]),
    ("kubelet", "system:nodes", "system:node:node1", &[NODE, HOST]),
    ("keda", "", "keda", &["localhost", "127.0.0.1", HOST]),
];

/// Writes them all, unless they are there.
pub(crate) fn write(folder: &Path) -> Result<()> {
    let last = folder.join("service-accounts.pub");
    if last.exists() {
        return Ok(());
    }
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let (authority, issuer) = authority()?;
    fs::write(folder.join("ca.crt"), &authority)?;
    for (file, organisation, name, hosts) in CERTIFICATES {
        let key = KeyPair::generate().context("make a key")?;
        let mut parameters = parameters(hosts)?;
        if !organisation.is_empty() {
            parameters.distinguished_name.push(DnType::OrganizationName, organisation);
        }
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if !hosts.is_empty() {
            parameters.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        let certificate = parameters.signed_by(&key, &issuer).with_context(|| format!("sign {name}"))?;
        fs::write(folder.join(format!("{file}.crt")), certificate.pem())?;
        write_secret(&folder.join(format!("{file}.key")), &key.serialize_pem())?;
    }
    let accounts = KeyPair::generate().context("make a key")?;
    write_secret(&folder.join("service-accounts.key"), &accounts.serialize_pem())?;
    fs::write(last, accounts.public_key_pem())?;
    Ok(())
}

fn authority() -> Result<(String, Issuer<'static, KeyPair>)> {
    let key = KeyPair::generate().context("make a key")?;
    let mut parameters = parameters(&[])?;
    parameters.distinguished_name.push(DnType::CommonName, "streamforge-cluster");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = parameters.self_signed(&key).context("sign the authority")?;
    Ok((certificate.pem(), Issuer::new(parameters, key)))
}

fn parameters(hosts: &[&str]) -> Result<CertificateParams> {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut parameters = CertificateParams::new(hosts)?;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    (parameters.not_before, parameters.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2060, 1, 1));
    Ok(parameters)
}

fn write_secret(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    let mut options = fs::File::options();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}
