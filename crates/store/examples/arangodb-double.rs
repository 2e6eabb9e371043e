//! Serves the double of `ArangoDB` until it is stopped, to try `--store arangodb://…` by hand.
//!
//! `cargo run -p streamforge-store --features test-util --example arangodb-double -- 127.0.0.1:8529`

use std::{env, net::SocketAddr};

use streamforge_store::arangodb_double::Double;

#[tokio::main]
async fn main() -> Result<(), std::net::AddrParseError> {
    let address: SocketAddr = env::args().nth(1).as_deref().unwrap_or("127.0.0.1:8529").parse()?;
    let double = Double::start_at(address).await;
    #[expect(clippy::print_stdout, reason = "it says where it is")]
    {
        println!("a store that is forgotten with this process: --store {}", double.url(None, "streamforge"));
    }
    std::future::pending().await
}
