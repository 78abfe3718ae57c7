//! An upstream that keeps what a gate's watch learns and says, and takes events.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use bytes::Bytes;
use hookgate_watch::parts::Head;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// What it does and has got.
#[derive(Debug)]
pub struct Kept {
    /// The parts that it gives back; `None`: it answers with the next.
    pub state: Option<Vec<Bytes>>,
    /// What it answers who asks for parts that nobody knows of.
    pub unknown_status: u16,
    /// What it answers to events.
    pub event_status: u16,
    /// How many verdicts it refuses with 503 before it takes one.
    pub refusals: usize,
    /// Parts of a state that isn't whole yet.
    pub saving: Vec<Bytes>,
    /// States that were saved, each in its parts.
    pub saved: Vec<Vec<Bytes>>,
    /// Verdicts that were told, with the path that they came to.
    pub told: Vec<(String, Value)>,
}

/// A listening upstream; it ends with its owner.
#[derive(Debug)]
pub struct Keeper {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    server: AbortHandle,
}

impl Keeper {
    /// Starts one that stores events and says 503 to whoever asks for a state.
    ///
    /// # Errors
    /// No port to listen on.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let kept = Arc::new(Mutex::new(Kept {
            state: None,
            unknown_status: 503,
            event_status: 200,
            refusals: 0,
            saving: Vec::new(),
            saved: Vec::new(),
            told: Vec::new(),
        }));
        let server = tokio::spawn(serve(listener, Arc::clone(&kept)));
        Ok(Self {
            address,
            kept,
            server: server.abort_handle(),
        })
    }

    /// Returns where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shows what it has, and lets it be changed.
    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, kept: Arc<Mutex<Kept>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let kept = Arc::clone(&kept);
        let answer = service_fn(move |request| answer(request, Arc::clone(&kept)));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
        tokio::spawn(async {
            let _ = connection.await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    kept: Arc<Mutex<Kept>>,
) -> Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path().to_owned();
    let is_gate = head.headers.contains_key("x-hookgate-watch");
    let mut kept = lock(&kept);
    let (status, body) = match (&head.method, path.as_str()) {
        (&Method::POST, "/v1/events") => (kept.event_status, Bytes::new()),
        _ if !is_gate => (403, Bytes::new()),
        (&Method::GET, "/v1/watch/state") => match &kept.state {
            Some(parts) => match parts.get(part_of(head.uri.query())) {
                Some(part) => (200, part.clone()),
                None => (404, Bytes::from_static(br#"{"code":"state_unknown"}"#)),
            },
            None => (kept.unknown_status, Bytes::new()),
        },
        (&Method::PUT, "/v1/watch/state") => (kept.save(body)?, Bytes::new()),
        (&Method::POST, _) if kept.refusals > 0 => {
            kept.refusals -= 1;
            (503, Bytes::new())
        }
        (&Method::POST, _) => {
            kept.told.push((path, serde_json::from_slice(&body)?));
            (204, Bytes::new())
        }
        _ => (404, Bytes::new()),
    };
    Ok(Response::builder().status(status).body(Full::new(body))?)
}

impl Kept {
    /// Takes a part behind the one before it; returns what it answers.
    fn save(&mut self, part: Bytes) -> Result<u16> {
        let head = Head::of(&part)?;
        let place = usize::try_from(head.number)?;
        if place == 0 {
            self.saving.clear();
        }
        if place != self.saving.len() {
            return Ok(409);
        }
        self.saving.push(part);
        if head.is_last {
            let whole = std::mem::take(&mut self.saving);
            self.saved.push(whole);
        }
        Ok(204)
    }
}

/// Returns the place that a query names; the first without one.
fn part_of(query: Option<&str>) -> usize {
    let mut fields = query.unwrap_or_default().split('&');
    let place = fields.find_map(|field| field.strip_prefix("part=")?.parse().ok());
    place.unwrap_or_default()
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
