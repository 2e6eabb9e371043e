//! Which server a bucket is on, and who we are there: from the environment.

use std::{env, fs, io, path::PathBuf};

use object_store::{
    Certificate, ClientOptions, Error as Failure, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut},
};

/// The variables of the environment that [`S3Settings::from_environment`] reads: name, form and meaning.
pub const S3_VARIABLES: [(&str, &str, &str); 4] = [
    ("S3_ENDPOINT", "URL", "server of the buckets; else Amazon's"),
    ("S3_ACCESS_KEY_FILE", "path", "file with the id of the access key"),
    ("S3_SECRET_KEY_FILE", "path", "file with the secret key"),
    ("S3_CA_FILE", "path", "certificates of further authorities that are trusted, as PEM"),
];

/// Whether the server is who it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    Given,
    Missing,
}

/// A setting as it was found, and what to do about it when it cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("{name} names `{}`, which cannot be read", path.display())]
    File {
        name: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("S3_CA_FILE names no file of PEM certificates")]
    Authorities(#[source] Failure),
    #[error("the server is not trusted; check its certificate and S3_CA_FILE")]
    Distrusted(#[source] Failure),
}

/// How often a call is repeated before its caller hears of it: enough for a connection that was cut, since who calls
/// repeats what failed, too.
const RETRIES: usize = 3;

/// What a bucket's name does not say.
#[derive(Clone, Debug, Default)]
pub struct S3Settings {
    /// URL of the server; without it, Amazon's.
    pub endpoint: Option<String>,
    /// File with the access key's id.
    pub access_key: Option<PathBuf>,
    /// File with the secret key.
    pub secret_key: Option<PathBuf>,
    /// File with the certificates of authorities to trust.
    pub authorities: Option<PathBuf>,
}

impl S3Settings {
    /// Reads the [`S3_VARIABLES`]; an empty value counts as not set.
    #[must_use]
    pub fn from_environment() -> Self {
        let read = |name| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            endpoint: read("S3_ENDPOINT"),
            access_key: read("S3_ACCESS_KEY_FILE").map(PathBuf::from),
            secret_key: read("S3_SECRET_KEY_FILE").map(PathBuf::from),
            authorities: read("S3_CA_FILE").map(PathBuf::from),
        }
    }

    /// Builds a client; what is not set here comes from the variables that Amazon's own tools read.
    ///
    /// # Source
    /// <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html>
    pub(super) fn client(&self, bucket: &str) -> Result<AmazonS3, Failure> {
        // An error says that a provider is installed already, which is all that is wanted.
        rustls::crypto::ring::default_provider().install_default().ok();
        let mut options = ClientOptions::new();
        if let Some(path) = &self.authorities {
            let pem = read("S3_CA_FILE", path)?;
            let authorities = Certificate::from_pem_bundle(pem.as_bytes());
            for authority in authorities.map_err(|source| unusable(Unusable::Authorities(source)))? {
                options = options.with_root_certificate(authority);
            }
        }
        let mut builder =
            AmazonS3Builder::from_env().with_bucket_name(bucket).with_conditional_put(S3ConditionalPut::ETagMatch);
        if let Some(endpoint) = &self.endpoint {
            options = options.with_allow_http(endpoint.starts_with("http://"));
            builder = builder.with_endpoint(endpoint.trim_end_matches('/')).with_virtual_hosted_style_request(false);
        }
        if let Some(path) = &self.access_key {
            builder = builder.with_access_key_id(read("S3_ACCESS_KEY_FILE", path)?);
        }
        if let Some(path) = &self.secret_key {
            builder = builder.with_secret_access_key(read("S3_SECRET_KEY_FILE", path)?);
        }
        let retry = RetryConfig { max_retries: RETRIES, ..RetryConfig::default() };
        builder.with_client_options(options).with_retry(retry).build()
    }
}

/// Says what to do where a server's certificate is the cause; anything else is answered as it came.
///
/// # Source
/// The words are those of <https://docs.rs/rustls/latest/rustls/enum.Error.html#variant.InvalidCertificate>
pub(super) fn explain(failure: Failure) -> (Failure, Trust) {
    if says(&failure, "invalid peer certificate") {
        return (unusable(Unusable::Distrusted(failure)), Trust::Missing);
    }
    (failure, Trust::Given)
}

/// Whether an error or one of its causes has these words.
pub(super) fn says(mut error: &(dyn std::error::Error + 'static), words: &str) -> bool {
    loop {
        if error.to_string().contains(words) {
            return true;
        }
        let Some(source) = error.source() else { return false };
        error = source;
    }
}

fn read(name: &'static str, path: &PathBuf) -> Result<String, Failure> {
    let text = fs::read_to_string(path);
    text.map(|text| text.trim().to_owned())
        .map_err(|source| unusable(Unusable::File { name, path: path.clone(), source }))
}

fn unusable(reason: Unusable) -> Failure {
    Failure::Generic { store: "S3", source: Box::new(reason) }
}
