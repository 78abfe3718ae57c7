//! A server that takes everything, as cheaply as can be.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::raw;

// Its length is what it says: one byte more or less, and whoever keeps
// connections would open one for each request.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// A listening server; it ends with its owner.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    got: Arc<AtomicUsize>,
    server: AbortHandle,
}

impl Sink {
    /// Starts it.
    ///
    /// # Errors
    /// No port to listen on.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let got = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&got);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&counter)));
            }
        });
        Ok(Self {
            address,
            got,
            server: server.abort_handle(),
        })
    }

    /// Returns where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns where it takes deliveries.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Counts the requests.
    #[must_use]
    pub fn got(&self) -> usize {
        self.got.load(Ordering::Relaxed)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(mut stream: TcpStream, got: Arc<AtomicUsize>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut request = Vec::new();
    loop {
        while let Some(length) = raw::length(&request)
            && request.len() >= length
        {
            request.drain(..length);
            got.fetch_add(1, Ordering::Relaxed);
            stream.write_all(ANSWER).await?;
        }
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
}
