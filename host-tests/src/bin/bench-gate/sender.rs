//! Sends deliveries one after the other over connections that stay open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use hookgate_host_tests::event::PLATFORM;
use hookgate_host_tests::raw;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::request::Request;

/// Connections over HTTP/1.1, each with one delivery at a time.
const HTTP1_CONNECTIONS: usize = 8;

/// Connections over HTTP/2, and how many deliveries are under way on each.
const HTTP2_CONNECTIONS: usize = 2;
const STREAMS: usize = 4;

/// Which HTTP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    /// Without TLS.
    Http2,
}

/// Sends every request once.
///
/// # Errors
/// An answer other than `status`, or none.
pub(crate) async fn send(
    address: SocketAddr,
    protocol: Protocol,
    requests: Vec<Request>,
    status: u16,
) -> Result<()> {
    let queue = Arc::new(Queue {
        requests,
        next: AtomicUsize::new(0),
    });
    let mut senders = JoinSet::new();
    match protocol {
        Protocol::Http1 => {
            for _ in 0..HTTP1_CONNECTIONS {
                senders.spawn(over_http1(address, Arc::clone(&queue), status));
            }
        }
        Protocol::Http2 => {
            for _ in 0..HTTP2_CONNECTIONS {
                senders.spawn(over_http2(address, Arc::clone(&queue), status));
            }
        }
    }
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    Ok(())
}

struct Queue {
    requests: Vec<Request>,
    next: AtomicUsize,
}

impl Queue {
    fn next(&self) -> Option<&Request> {
        self.requests.get(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

async fn over_http1(address: SocketAddr, queue: Arc<Queue>, status: u16) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let expected = format!("HTTP/1.1 {status} ");
    let mut answer = Vec::with_capacity(4096);
    while let Some(request) = queue.next() {
        stream.write_all(&request.to_http1()).await?;
        answer.clear();
        while raw::length(&answer).is_none_or(|length| answer.len() < length) {
            let read = stream.read_buf(&mut answer).await?;
            ensure!(read > 0, "the connection ended without an answer");
        }
        let is_expected = answer.starts_with(expected.as_bytes());
        ensure!(is_expected, "{}", String::from_utf8_lossy(&answer));
    }
    Ok(())
}

async fn over_http2(address: SocketAddr, queue: Arc<Queue>, status: u16) -> Result<()> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(async move { drop(connection.await) });
    let mut streams = JoinSet::new();
    for _ in 0..STREAMS {
        let (mut sender, queue) = (sender.clone(), Arc::clone(&queue));
        streams.spawn(async move {
            while let Some(request) = queue.next() {
                let mut head = hyper::Request::post(format!("http://{address}{}", PLATFORM.path));
                for (name, value) in &request.headers {
                    head = head.header(*name, value);
                }
                sender.ready().await?;
                let request = head.body(Full::new(request.body.clone()))?;
                let answer = sender.send_request(request).await.context("no answer")?;
                ensure!(answer.status() == status, "{}", answer.status());
                answer.into_body().collect().await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(sent) = streams.join_next().await {
        sent??;
    }
    Ok(())
}
