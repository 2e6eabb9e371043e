//! A kept HTTP/1.1 connection to one worker.
//!
//! Whoever sends a request also drives the connection meanwhile, so that no second task has to be woken for it.

use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, header::HOST};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A connection that carries one request at a time.
pub(crate) struct Connection {
    requests: http1::SendRequest<Full<Bytes>>,
    link: Link,
    host: HeaderValue,
}

/// What carries the bytes while it is driven.
struct Link {
    connection: http1::Connection<TokioIo<TcpStream>, Full<Bytes>>,
    has_ended: bool,
}

/// Why an exchange came to no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// No connection could be made.
    #[error("no connection: {0}")]
    Unreachable(#[source] std::io::Error),
    /// The connection ended before the head of an answer.
    #[error("no answer: {0}")]
    Unanswered(#[source] hyper::Error),
    /// The connection ended in the middle of an answer.
    #[error("broken answer: {0}")]
    Cut(#[source] hyper::Error),
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Broken> {
        let stream = TcpStream::connect(address).await.map_err(Broken::Unreachable)?;
        stream.set_nodelay(true).map_err(Broken::Unreachable)?;
        let (requests, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Broken::Unanswered)?;
        let host = HeaderValue::from_str(&address.to_string());
        let host = host.unwrap_or_else(|_| HeaderValue::from_static("worker"));
        Ok(Self { requests, link: Link { connection, has_ended: false }, host })
    }

    /// Whether another request can be sent: false once the worker has closed the connection or said that it will.
    pub(crate) async fn is_usable(&mut self) -> bool {
        poll_fn(|context| {
            self.link.drive(context);
            let is_ready = matches!(self.requests.poll_ready(context), Poll::Ready(Ok(())));
            Poll::Ready(is_ready && !self.link.has_ended)
        })
        .await
    }

    /// Sends a request and reads its answer, of whose body at least `body_limit` bytes if it is longer.
    pub(crate) async fn exchange(
        &mut self,
        mut request: Request<Full<Bytes>>,
        body_limit: usize,
    ) -> Result<Response<Bytes>, Broken> {
        request.headers_mut().insert(HOST, self.host.clone());
        self.link.drive_with(self.requests.ready()).await.map_err(Broken::Unanswered)?;
        let sending = self.requests.send_request(request);
        let response = self.link.drive_with(sending).await.map_err(Broken::Unanswered)?;
        let (head, mut frames) = response.into_parts();
        let mut body = BytesMut::new();
        while let Some(frame) = self.link.drive_with(frames.frame()).await {
            if let Some(data) = frame.map_err(Broken::Cut)?.data_ref() {
                body.extend_from_slice(data);
            }
            if body.len() > body_limit {
                break;
            }
        }
        Ok(Response::from_parts(head, body.freeze()))
    }
}

impl Link {
    /// Waits for what cannot happen unless the connection goes on.
    async fn drive_with<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            self.drive(context);
            work.as_mut().poll(context)
        })
        .await
    }

    /// Moves bytes. An error of the link reaches the request or the body that waits for it.
    fn drive(&mut self, context: &mut Context<'_>) {
        if !self.has_ended {
            self.has_ended = Pin::new(&mut self.connection).poll(context).is_ready();
        }
    }
}
