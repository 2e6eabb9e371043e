//! Certificates that are made on the spot: an authority and a server's, both as PEM.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};

/// Whether the server's certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// For the next decades.
    Valid,
    /// It was good until some years ago.
    Expired,
}

/// Writes `ca.pem`, and `server.pem` with key, certificate and authority, and `other-ca.pem` of a stranger.
pub(crate) fn write(folder: &Path, validity: Validity) -> Result<()> {
    let (authority, issuer) = authority("StreamForge test authority")?;
    let (other, _) = self::authority("somebody else's test authority")?;
    let key = KeyPair::generate().context("make a key")?;
    let mut parameters = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    parameters.distinguished_name.push(DnType::CommonName, "127.0.0.1");
    (parameters.not_before, parameters.not_after) = match validity {
        Validity::Valid => (date_time_ymd(2020, 1, 1), date_time_ymd(2060, 1, 1)),
        Validity::Expired => (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1)),
    };
    let certificate = parameters.signed_by(&key, &issuer).context("sign the server's certificate")?;
    fs::write(folder.join("server.pem"), key.serialize_pem() + &certificate.pem() + &authority)?;
    fs::write(folder.join("ca.pem"), authority)?;
    fs::write(folder.join("other-ca.pem"), other)?;
    Ok(())
}

fn authority(name: &str) -> Result<(String, Issuer<'static, KeyPair>)> {
    let key = KeyPair::generate().context("make a key")?;
    let mut parameters = CertificateParams::new(Vec::new())?;
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (parameters.not_before, parameters.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2060, 1, 1));
    let certificate = parameters.self_signed(&key).context("sign an authority")?;
    Ok((certificate.pem(), Issuer::new(parameters, key)))
}
