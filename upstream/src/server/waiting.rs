//! A log whose broker is away when the server starts: it is waited for.
//!
//! What would not pass by itself, a wrong login or a stream with other settings,
//! ends the start at once.

use std::{pin::pin, time::Duration};

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use hookgate_core::reply::Code;
use tokio::{net::TcpListener, sync::oneshot, time::sleep};
use tracing::{info, warn};

use super::{ServeError, answer::Refusal, connections};
use crate::log::{Keeper, Limits, Log, LogAddress, OpenError, nats::Sealer};

/// Time between two attempts, and between two lines about one that takes long.
const PAUSE: Duration = Duration::from_secs(1);

/// Opens the log, however long its broker takes to be there.
///
/// # Errors
/// [`ServeError::Log`], [`ServeError::Listen`].
pub(super) async fn open(
    address: &LogAddress,
    limits: Limits,
    listener: &std::net::TcpListener,
) -> Result<(Log, Keeper, Option<Sealer>), ServeError> {
    let mut answering: Option<Answering> = None;
    loop {
        let mut attempt = pin!(attempt(address, limits));
        let opened = loop {
            tokio::select! {
                opened = &mut attempt => break opened,
                () = sleep(PAUSE) => info!("waiting for the log at {address}"),
            }
            answer_meanwhile(&mut answering, listener)?;
        };
        match opened {
            Err(error) if error.is_away() => warn!("waiting for the log: {error}"),
            opened => {
                if let Some(answering) = answering {
                    answering.end().await;
                }
                return Ok(opened?);
            }
        }
        answer_meanwhile(&mut answering, listener)?;
        sleep(PAUSE).await;
    }
}

/// Opens the log, and what seals it where the log doesn't do that itself.
async fn attempt(
    address: &LogAddress,
    limits: Limits,
) -> Result<(Log, Keeper, Option<Sealer>), OpenError> {
    let (log, keeper) = Log::open(address, limits).await?;
    let sealer = match address {
        LogAddress::Nats(server) => Some(Sealer::open(server, limits.keep).await?),
        _ => None,
    };
    Ok((log, keeper, sealer))
}

/// Who answers that nothing can be stored yet.
struct Answering {
    until: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Answering {
    /// Takes no more connections: the next one is the server's.
    async fn end(self) {
        drop(self.until);
        let _ = self.ended.await;
    }
}

/// Answers that nothing can be stored yet, until `answering` ends.
fn answer_meanwhile(
    answering: &mut Option<Answering>,
    listener: &std::net::TcpListener,
) -> Result<(), ServeError> {
    if answering.is_some() {
        return Ok(());
    }
    let listen_error = |source| ServeError::Listen {
        listen: listener.local_addr().unwrap_or(([0, 0, 0, 0], 0).into()),
        source,
    };
    let listener = listener.try_clone().map_err(listen_error)?;
    let listener = TcpListener::from_std(listener).map_err(listen_error)?;
    if let Ok(address) = listener.local_addr() {
        info!(%address, "answering 503 until the log is there");
    }
    let (until, stopped) = oneshot::channel();
    let (ending, ended) = oneshot::channel();
    *answering = Some(Answering { until, ended });
    let stop = async {
        let _ = stopped.await;
    };
    tokio::spawn(async {
        let most = connections::OF_THE_INTAKE;
        let taken = connections::take(listener, routes(), most, stop).await;
        drop(ending);
        // Drains by itself: nobody has to wait for it.
        taken.drain().await;
    });
    Ok(())
}

fn routes() -> Router {
    let unavailable = || async { Refusal::Gate(Code::Unavailable) };
    let not_ready = || async { (StatusCode::SERVICE_UNAVAILABLE, "waiting for the log\n") };
    Router::new()
        .route("/v1/events", post(unavailable))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(not_ready))
        .fallback(unavailable)
}
