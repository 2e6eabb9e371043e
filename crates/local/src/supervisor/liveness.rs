//! Asks a worker again and again whether it lives, as the kubelet does.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::manifest::LivenessProbe;

/// `HTTP/1.1 200`: all that a probe looks at.
const STATUS_LINE: usize = 12;

/// Resolves to the number of probes that failed in a row, once there are too many; never without a probe.
pub(super) async fn lost(probe: Option<&LivenessProbe>, address: SocketAddr) -> u32 {
    let Some(probe) = probe else {
        return std::future::pending().await;
    };
    let mut failures = 0;
    while failures < probe.failure_threshold {
        sleep(probe.period).await;
        let is_alive = timeout(probe.timeout, ask(address, &probe.path)).await;
        failures = if matches!(is_alive, Ok(Ok(true))) { 0 } else { failures + 1 };
    }
    failures
}

/// Whether the answer is a success as the kubelet sees it: from 200 up to but without 400.
async fn ask(address: SocketAddr, path: &str) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = [0; STATUS_LINE];
    stream.read_exact(&mut line).await?;
    Ok(matches!(line[9], b'2' | b'3'))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;

    fn probe(timeout: Duration) -> LivenessProbe {
        LivenessProbe { path: "/live".to_owned(), period: Duration::from_millis(1), timeout, failure_threshold: 3 }
    }

    #[tokio::test]
    async fn only_failures_in_a_row_count() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            for (asked, status) in [500, 503, 200, 399, 500, 404, 199, 200].into_iter().enumerate() {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                let length = stream.read(&mut request).await.unwrap();
                assert!(request[..length].starts_with(b"GET /live HTTP/1.1\r\n"), "{asked}");
                stream.write_all(format!("HTTP/1.1 {status} \r\n\r\n").as_bytes()).await.unwrap();
            }
        };
        let probe = probe(Duration::from_secs(20));
        tokio::select! {
            failures = lost(Some(&probe), address) => assert_eq!(failures, 3),
            () = server => panic!("three failures in a row were not enough"),
        }
    }

    #[tokio::test]
    async fn silence_is_a_failure_and_without_a_probe_there_is_none() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let probe = probe(Duration::from_millis(10));
        tokio::select! {
            biased;
            _ = lost(None, address) => panic!("nobody asked"),
            failures = lost(Some(&probe), address) => assert_eq!(failures, 3),
        }
    }
}
