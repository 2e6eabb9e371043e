//! The client for requests to one address.

use std::time::Duration;

use reqwest::{Client, Url};

/// A client for `url` that goes straight to what it is told, follows nothing and waits at most `timeout`.
///
/// # Errors
/// Where TLS or the resolver cannot be set up.
pub fn http_client(url: &Url, timeout: Duration) -> reqwest::Result<Client> {
    install_tls_provider();
    let mut builder = Client::builder();
    if url.scheme() == "http" {
        // Reading the system's certificates takes longer than the rest of a cold start.
        builder = builder.tls_certs_only(std::iter::empty());
    }
    builder
        .connect_timeout(Duration::from_secs(2))
        .timeout(timeout)
        .pool_idle_timeout(Duration::from_secs(20))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
}

/// Makes `ring` the process's TLS provider; the client has none built in.
fn install_tls_provider() {
    // An error says that a provider is installed, which is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
