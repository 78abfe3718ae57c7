//! Connections: how many, how long, and how they end.
//!
//! HTTP/1.1 only: one request per connection at a time, so that the number of
//! connections bounds the payloads in memory.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::{
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use crate::console::Peer;

/// Most connections of the intake at a time; others wait to be accepted. An Envoy
/// opens at most 1,024 to a cluster by default.
pub(super) const OF_THE_INTAKE: usize = 2_048;

/// Most connections for pages and metrics: they leave the intake its files.
pub(super) const OF_PAGES: usize = 128;

/// How long a connection may take from its start, or from the last answer, to the
/// end of the next request's head: whoever sends nothing, or little by little,
/// must not keep others out. That includes being idle, and were it us who close
/// an idle connection, a request could be on its way already and fail: the gate's
/// `idle_timeout` for its upstream must be shorter.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long requests under way may take to end after a stop: longer than the
/// deadline of a request and the log's own time-outs.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// How long to wait after a failed accept: out of file descriptors, mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves at most so many connections until `stop` is ready, then lets requests
/// under way end.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    most: usize,
    stop: impl Future<Output = ()>,
) {
    take(listener, router, most, stop).await.drain().await;
}

/// Serves at most so many connections; takes no more of them once `stop` is ready.
pub(super) async fn take(
    listener: TcpListener,
    router: Router,
    most: usize,
    stop: impl Future<Output = ()>,
) -> Taken {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(most));
    let mut connections = JoinSet::new();
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    let service = TowerToHyperService::new(router);

    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, place) = tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        let Ok(peer) = stream.peer_addr() else {
            // It has ended already.
            continue;
        };
        let (builder, routes) = (builder.clone(), service.clone());
        let service = service_fn(move |mut request: hyper::Request<_>| {
            request.extensions_mut().insert(Peer(peer));
            routes.call(request)
        });
        let watcher = graceful.watcher();
        connections.spawn(async move {
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            if let Err(error) = watcher.watch(connection).await {
                debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    Taken {
        graceful,
        connections,
    }
}

/// Connections that were taken, when no more are.
pub(super) struct Taken {
    graceful: GracefulShutdown,
    connections: JoinSet<()>,
}

impl Taken {
    /// Lets requests under way end.
    pub(super) async fn drain(mut self) {
        if timeout(DRAIN_TIMEOUT, self.graceful.shutdown())
            .await
            .is_err()
        {
            warn!("some requests did not end in time and are cut off, unanswered");
        }
        self.connections.shutdown().await;
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // Never closed, so always a permit.
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small and someone is waiting for each.
                if let Err(error) = stream.set_nodelay(true) {
                    debug!(%error, "a connection ended at once");
                }
                return (stream, place);
            }
            Err(error) => {
                warn!(%error, "can't accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
