//! Something that answers as Vault's KV version 2 does, or as badly as told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

/// Path of the keyring.
pub(super) const PATH: &str = "/v1/secret/data/hookgate";

/// How every question is answered.
#[derive(Debug, Clone)]
pub(super) enum Manner {
    /// As Vault does, with this secret.
    Secret(Value),
    /// With this status and body.
    Nonsense(u16, Bytes),
    /// Not at all, with the connection left open.
    Silence,
    /// Not at all, with the connection closed.
    Away,
}

#[derive(Debug)]
struct State {
    manner: Manner,
    answers: u64,
}

/// A running source; it ends with its owner.
#[derive(Debug)]
pub(super) struct Source {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: AbortHandle,
}

impl Source {
    /// Starts a source that answers like this.
    pub(super) async fn start(manner: Manner) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State { manner, answers: 0 }));
        let server = tokio::spawn(serve(listener, Arc::clone(&state))).abort_handle();
        Ok(Self {
            address,
            state,
            server,
        })
    }

    /// Returns the cluster of Envoy's configuration that leads here.
    pub(super) fn cluster(&self) -> String {
        let port = self.address.port();
        format!(
            "  clusters:\n  - name: vault\n    connect_timeout: 1s\n    type: STATIC\n    \
             load_assignment:\n      cluster_name: vault\n      endpoints:\n      - lb_endpoints:\n        \
             - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}\n"
        )
    }

    /// Answers like this from now on.
    pub(super) fn set(&self, manner: Manner) {
        lock(&self.state).manner = manner;
    }

    /// Returns how many questions there have been.
    pub(super) fn asked(&self) -> u64 {
        lock(&self.state).answers
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&state), request));
            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await
        });
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>> {
    let (manner, number) = {
        let mut state = lock(&state);
        state.answers += 1;
        (state.manner.clone(), state.answers)
    };
    let asks_well = request.method() == "GET"
        && request.uri().path() == PATH
        && request
            .headers()
            .get("host")
            .is_some_and(|host| host == "vault.test")
        && request.headers().contains_key("x-vault-request");
    let (status, body) = match manner {
        Manner::Silence => std::future::pending().await,
        Manner::Away => bail!("told to close"),
        _ if !asks_well => (404, json!({"errors": []}).to_string().into()),
        Manner::Nonsense(status, body) => (status, body),
        Manner::Secret(secret) => (200, kv2(&secret, number).into()),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(status)?;
    Ok(response)
}

/// Returns what Vault answers to a read: around the secret much that differs
/// each time.
fn kv2(secret: &Value, number: u64) -> String {
    json!({
        "request_id": format!("d9ea0ba5-4f2f-8a3c-7a4c-{number:012x}"),
        "lease_id": "",
        "renewable": false,
        "lease_duration": 0,
        "data": {
            "data": secret,
            "metadata": {
                "created_time": "2026-11-01T09:30:00.123456789Z",
                "custom_metadata": null,
                "deletion_time": "",
                "destroyed": false,
                "version": 7,
            },
        },
        "wrap_info": null,
        "warnings": null,
        "auth": null,
        "mount_type": "kv",
    })
    .to_string()
}
