//! Free ports on loopback.

use std::{io, net::TcpListener};

/// Finds ports that nobody listens on now; somebody may before they are used, so a start is tried more than once.
pub(crate) fn free<const COUNT: usize>() -> io::Result<[u16; COUNT]> {
    let mut listeners = Vec::with_capacity(COUNT);
    let mut ports = [0; COUNT];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        *port = listener.local_addr()?.port();
        // Held until all are found, so that they differ.
        listeners.push(listener);
    }
    Ok(ports)
}
