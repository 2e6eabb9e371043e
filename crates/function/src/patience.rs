//! Connections whose client takes nothing are ended, so that nobody holds a stream, and what waits for it, for ever.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::Sleep,
};

/// How long a client may take nothing of what waits for it: as long as a page that the system has put to sleep.
const PATIENCE: Duration = Duration::from_secs(30);

/// A listener whose connections end when their client has taken nothing for a while.
///
/// What waits meanwhile is what the system and the server buffer for a connection, some megabytes at most.
#[derive(Debug)]
pub struct PatientListener {
    listener: TcpListener,
    patience: Duration,
}

impl PatientListener {
    /// Waits 30 seconds for clients.
    #[must_use]
    pub fn new(listener: TcpListener) -> Self {
        Self { listener, patience: PATIENCE }
    }

    /// Waits this long instead.
    #[must_use]
    pub fn waiting(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}

impl Listener for PatientListener {
    type Io = PatientStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (PatientStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (PatientStream { stream, patience: self.patience, waiting: None }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that breaks when its client has taken nothing for a while.
#[derive(Debug)]
pub struct PatientStream {
    stream: TcpStream,
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl PatientStream {
    fn judge<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.waiting = None;
            return outcome;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        waiting.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for PatientStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for PatientStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.judge(context, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(context, parts);
        this.judge(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::{Router, body::Body, routing::get};
    use bytes::Bytes;
    use futures::stream;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::watch,
    };

    use super::*;

    /// Counts the bodies that nobody gets any more.
    struct Served(watch::Sender<u32>);

    impl Drop for Served {
        fn drop(&mut self) {
            self.0.send_modify(|ended| *ended += 1);
        }
    }

    /// Serves bodies without an end, and counts those that have ended all the same.
    async fn endless() -> (SocketAddr, watch::Receiver<u32>) {
        let (sender, ended) = watch::channel(0);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let body = async move || {
            let served = Served(sender.clone());
            Body::from_stream(stream::unfold(served, async |served| {
                // What is always ready would keep the other tasks of its thread from running.
                tokio::task::yield_now().await;
                Some((Ok::<_, Infallible>(Bytes::from(vec![b'x'; 64 << 10])), served))
            }))
        };
        let listener = PatientListener::new(listener).waiting(Duration::from_millis(200));
        tokio::spawn(axum::serve(listener, Router::new().route("/", get(body))).into_future());
        (address, ended)
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_left() {
        let (address, mut ended) = endless().await;
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        tokio::time::timeout(Duration::from_secs(20), ended.wait_for(|ended| *ended == 1)).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_client_that_reads_slowly_is_waited_for() {
        let (address, ended) = endless().await;
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let started = tokio::time::Instant::now();
        let mut buffer = vec![0; 512 << 10];
        while started.elapsed() < Duration::from_millis(600) {
            client.read_exact(&mut buffer).await.unwrap();
        }
        assert_eq!(*ended.borrow(), 0);
    }
}
