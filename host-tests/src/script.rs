//! An upstream that does what the test says, for faults that must be scripted.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use http_body_util::channel::Channel;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::wait;

type Body = BoxBody<Bytes, std::convert::Infallible>;

/// What the upstream does with one request.
#[derive(Debug, Clone)]
pub enum Act {
    /// Answers 200 `stored`, as the real one does.
    Store,
    /// Answers with this status.
    Status(u16),
    /// Waits until it is told, then answers with this status.
    HoldThen(Arc<Notify>, u16),
    /// Resets the connection without an answer.
    Reset,
    /// Never answers.
    Silence,
    /// Answers 200 at one byte a second.
    Trickle,
}

/// One request as it reached the upstream.
#[derive(Debug, Clone)]
pub struct Received {
    /// The request's method.
    pub method: String,
    /// The request's path and query.
    pub path: String,
    /// Every header, repeats included.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The trailers, if there were any.
    pub trailers: Option<HeaderMap>,
}

impl Received {
    /// Returns a header's value as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

#[derive(Debug)]
struct Stage {
    acts: VecDeque<Act>,
    received: Vec<Received>,
}

/// A listening upstream; it ends with its owner.
#[derive(Debug)]
pub struct Script {
    address: SocketAddr,
    stage: Arc<Mutex<Stage>>,
    server: AbortHandle,
}

impl Script {
    /// Starts an upstream that does `acts` in turn, then [`Act::Store`].
    ///
    /// # Errors
    /// No port to listen on.
    pub async fn start(acts: impl IntoIterator<Item = Act>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let stage = Arc::new(Mutex::new(Stage {
            acts: acts.into_iter().collect(),
            received: Vec::new(),
        }));
        let server = tokio::spawn(serve(listener, Arc::clone(&stage))).abort_handle();
        Ok(Self {
            address,
            stage,
            server,
        })
    }

    /// Returns where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds an act for the next request.
    pub fn push(&self, act: Act) {
        lock(&self.stage).acts.push_back(act);
    }

    /// Returns everything that has reached it, in order.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        lock(&self.stage).received.clone()
    }

    /// Returns how many requests have reached it.
    #[must_use]
    pub fn count(&self) -> usize {
        lock(&self.stage).received.len()
    }

    /// Drops what it keeps of the requests so far; the count begins anew.
    pub fn forget(&self) {
        lock(&self.stage).received.clear();
    }

    /// Waits until `count` requests have reached it; more are an error.
    ///
    /// # Errors
    /// More came, or not as many in time.
    pub async fn expect_received(&self, count: usize) -> Result<Vec<Received>> {
        let what = format!("{count} requests at the upstream");
        wait::until(&what, wait::PATIENCE, async || {
            let now = self.count();
            if now > count {
                bail!("{now} requests instead of {what}");
            }
            Ok((now == count).then(|| self.received()))
        })
        .await
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(stage: &Mutex<Stage>) -> std::sync::MutexGuard<'_, Stage> {
    stage.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, stage: Arc<Mutex<Stage>>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // A connection that is dropped, as `Act::Reset` does, is then reset.
        let _ = stream.set_zero_linger();
        let stage = Arc::clone(&stage);
        connections.spawn(async move {
            let service = service_fn(move |request| play(Arc::clone(&stage), request));
            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await
        });
    }
}

async fn play(stage: Arc<Mutex<Stage>>, request: Request<Incoming>) -> Result<Response<Body>> {
    let (head, body) = request.into_parts();
    // The gate's watch has nothing here, and is no part of what a test scripts.
    if head.uri.path().starts_with("/v1/watch/") {
        return answer(404, Full::default().boxed());
    }
    let body = body.collect().await?;
    let received = Received {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: head.headers,
        trailers: body.trailers().cloned(),
        body: body.to_bytes(),
    };
    let (act, sequence) = {
        let mut stage = lock(&stage);
        stage.received.push(received);
        let act = stage.acts.pop_front().unwrap_or(Act::Store);
        (act, stage.received.len())
    };
    let stored = format!(r#"{{"status":"stored","sequence":{sequence}}}"#);
    match act {
        Act::Store => answer(200, Full::from(stored).boxed()),
        Act::Status(status) => answer(status, Full::default().boxed()),
        Act::HoldThen(told, status) => {
            told.notified().await;
            answer(status, Full::default().boxed())
        }
        Act::Reset => bail!("told to reset"),
        Act::Silence => std::future::pending().await,
        Act::Trickle => answer(200, trickle(stored)),
    }
}

fn answer(status: u16, body: Body) -> Result<Response<Body>> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status)?;
    if matches!(status, 429 | 503) {
        response.headers_mut().insert(RETRY_AFTER, 1.into());
    }
    Ok(response)
}

fn trickle(text: String) -> Body {
    let (mut sender, body) = Channel::<Bytes, std::convert::Infallible>::new(1);
    tokio::spawn(async move {
        for byte in text.into_bytes() {
            if sender.send_data(Bytes::from(vec![byte])).await.is_err() {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
    });
    body.boxed()
}
