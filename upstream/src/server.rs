//! The server behind the gate: takes forwarded events, appends them, answers.

mod answer;
mod appender;
mod claim;
mod connections;
mod gate_watch;
mod intake;
mod open_files;
mod outcomes;
mod pages;
mod subject;
mod waiting;

use std::{
    fs, io,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use hookgate_core::reply::Code;
use opentelemetry_otlp::ExporterBuildError;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing::{info, warn};

use self::{answer::Refusal, intake::Intake, pages::Pages};
pub(crate) use self::{appender::Appender, intake::Acceptance};
use crate::{
    config::Listen,
    console,
    deliver::{
        destination::Destination,
        engine::{Engine, Instruments, StartError},
    },
    expect::{self, Expecting, StoreError},
    log::{Capability, Incapable, Limits, LogAddress, OpenError, sqlite::WriteError},
    metrics::{AccountGroups, Metrics},
    reconcile::{self, Repeating, Reports},
    telemetry::{
        otlp::{Collector, Reporting},
        trace::Tracer,
    },
};

/// Sets where and what the server serves.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where to listen; port 0 lets the system choose.
    pub(crate) listen: SocketAddr,
    /// Where to append.
    pub(crate) log: LogAddress,
    /// What the log takes.
    pub(crate) limits: Limits,
    /// What is accepted.
    pub(crate) acceptance: Acceptance,
    /// Where Prometheus reads.
    pub(crate) metrics: Listen,
    /// Where people look; `None`: nowhere.
    pub(crate) console: Option<console::Settings>,
    /// How accounts are grouped in metrics.
    pub(crate) account_groups: AccountGroups,
    /// Where to report spans.
    pub(crate) otlp: Option<Collector>,
    /// Where to deliver events on.
    pub(crate) destinations: Vec<Destination>,
    /// People who must approve of a redelivery.
    pub(crate) approvals: NonZeroU32,
    /// What is compared with Stripe's list of events.
    pub(crate) reconcile: Option<reconcile::Settings>,
    /// What becomes of events that are not as expected.
    pub(crate) expectations: expect::Settings,
    /// Where to write the address once requests are served.
    pub(crate) ready_file: Option<PathBuf>,
}

/// Says why the server can't start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// Anybody who reaches the port could write events.
    #[error(
        "refusing to listen on `{listen}` with neither signing secrets nor a gate token: whoever reaches that address could write events. Set STRIPE_WEBHOOK_SECRET or STRIPE_CONNECT_WEBHOOK_SECRET (or use --secret SOURCE=VARIABLE, or --gate FILE), or give --gate-token-file FILE, or listen on 127.0.0.1"
    )]
    Open {
        /// The address asked for.
        listen: SocketAddr,
    },
    /// The log can't do what is asked of it.
    #[error(transparent)]
    Incapable(#[from] Incapable),
    /// The log can't be used.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// Deliveries can't begin.
    #[error(transparent)]
    Deliver(#[from] StartError),
    /// The address can't be listened on.
    #[error("can't listen on `{listen}`: {source}. Choose another with --listen")]
    Listen {
        /// The address asked for.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The address for metrics can't be listened on.
    #[error(
        "can't serve metrics on `{listen}`: {source}. Choose another address with --metrics, or none with --metrics off"
    )]
    Metrics {
        /// The address asked for.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The address for the console can't be listened on.
    #[error(
        "can't serve the console on `{listen}`: {source}. Choose another address with --console, or none with --console off"
    )]
    Console {
        /// The address asked for.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// What is expected can't be kept.
    #[error(transparent)]
    Expect(#[from] StoreError),
    /// Spans can't be reported.
    #[error("can't report spans: {0}. Check the OTEL_EXPORTER_OTLP_… variables")]
    Otlp(#[from] ExporterBuildError),
    /// The ready file can't be written.
    #[error("can't write the ready file `{}`: {source}", path.display())]
    ReadyFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Signals can't be listened to.
    #[error("can't listen to signals: {0}")]
    Signal(io::Error),
    /// The log can't be trusted any more.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Serves until SIGTERM or SIGINT, then drains what is under way; or until the
/// log ends by itself.
///
/// # Errors
/// [`ServeError`].
pub(crate) async fn serve(settings: Settings) -> Result<(), ServeError> {
    let Settings { listen, .. } = settings;
    demand(&settings)?;
    open_files::raise();
    let verification = &settings.acceptance.verification;
    let has_tokens = settings.acceptance.gate_tokens.is_some();
    if !verification.is_strict() {
        if !has_tokens && !listen.ip().is_loopback() {
            return Err(ServeError::Open { listen });
        }
        let who = if has_tokens {
            "has a gate token"
        } else {
            "reaches the port"
        };
        warn!(
            "no signing secrets: signatures are not verified again, whoever {who} can write events"
        );
    }
    let sources = verification.sources().join(",");
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signal)?;

    if let Some(path) = &settings.ready_file {
        retract(path)?;
    }
    let listen_error = |source| ServeError::Listen { listen, source };
    let listener = TcpListener::bind(listen).await.map_err(listen_error)?;
    let address = listener.local_addr().map_err(listen_error)?;
    let listener = listener.into_std().map_err(listen_error)?;
    let pages = Pages::bind(settings.metrics, settings.console).await?;
    let (reporting, tracer) = match &settings.otlp {
        None => (None, Tracer::default()),
        Some(collector) => {
            let (reporting, tracer) = Reporting::start(collector)?;
            (Some(reporting), tracer)
        }
    };
    let metrics = Metrics::new(settings.account_groups, settings.limits.queue);
    let approvals = settings.approvals.get();
    // Until the very end, so that the last minute can be read too.
    let (console, _serving) = pages.serve(&settings.log, approvals, &metrics);
    // After the addresses: a start that fails leaves no new log behind.
    let (log, mut keeper, sealer) = tokio::select! {
        opened = waiting::open(&settings.log, settings.limits, &listener) => opened?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    let sealing = sealer.map(|sealer| sealer.start(metrics.clone()));
    let listener = TcpListener::from_std(listener).map_err(listen_error)?;
    let news = watch::Sender::new(0);
    let instruments = Instruments {
        metrics: metrics.clone(),
        tracer: tracer.clone(),
    };
    let engine = Engine::start(
        &settings.log,
        settings.destinations,
        settings.approvals,
        &news.subscribe(),
        &instruments,
    )
    .await?;
    // One for both: two that make its file at once would find it busy.
    let store = crate::gate_watch::Store::beside(&settings.log).map(Arc::new);
    let expecting = Expecting::start(
        settings.expectations,
        settings.log.clone(),
        store.clone().ok(),
        engine.reviewer(),
        metrics.clone(),
    )?;
    let appender = Arc::new(Appender::new(log, metrics.clone(), tracer, news));
    let door = gate_watch::Door::new(settings.acceptance.gate_tokens.clone(), listen.ip());
    let kept = gate_watch::Kept::new(store, metrics);
    let watch_routes = gate_watch::routes(door, kept);
    let intake = Intake::new(Arc::clone(&appender), settings.acceptance);
    let intake = Arc::new(intake);
    let max_payload_bytes = settings.limits.max_payload_bytes;
    let reconcile = settings.reconcile;
    let reports = reconcile.as_ref().map(Reports::open);
    if let Some(console) = console {
        console.attach(
            &appender,
            engine.watched(),
            reports.clone(),
            expecting.view(),
        );
    }
    // Last: who waits for it finds the console with its log, and not still waiting.
    info!(%address, log = %settings.log, verified_sources = sources, "listening");
    if let Some(path) = &settings.ready_file {
        announce(path, address)?;
    }
    let repeating = reconcile.zip(reports).map(|(settings, reports)| {
        Repeating::start(settings, Arc::clone(&appender), max_payload_bytes, reports)
    });
    let mut ended = None;
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => info!("SIGTERM: draining"),
            _ = interrupt.recv() => info!("SIGINT: draining"),
            outcome = keeper.ended() => ended = Some(outcome),
        }
    };
    connections::serve(
        listener,
        routes(Arc::clone(&intake))
            .merge(watch_routes)
            .merge(outcomes::routes(expecting.reports())),
        connections::OF_THE_INTAKE,
        stop,
    )
    .await;
    if let Some(repeating) = repeating {
        repeating.stop().await;
    }
    // Before deliveries, in whose queue it lets events wait.
    expecting.stop().await;
    tokio::select! {
        () = engine.stop() => {}
        _ = terminate.recv() => warn!("SIGTERM again: deliveries under way come again"),
        _ = interrupt.recv() => warn!("SIGINT again: deliveries under way come again"),
    }
    if let Some(sealing) = sealing {
        sealing.stop().await;
    }
    // Drops the log, which is the last to close its file, and so leaves it whole:
    // nothing of it stays in a write-ahead file.
    drop((intake, appender));
    let closed = match ended {
        Some(by_itself) => by_itself,
        None => keeper.close().await,
    };
    if closed.is_ok() {
        info!("the log is closed");
    }
    if let Some(reporting) = reporting {
        reporting.close().await;
    }
    Ok(closed?)
}

/// Refuses a log that can't do what is asked of it, before anybody waits for
/// it; and says how far its answers go.
fn demand(settings: &Settings) -> Result<(), Incapable> {
    let log = &settings.log;
    if !settings.destinations.is_empty() {
        log.require(Capability::Deliveries)?;
    }
    if settings.approvals > NonZeroU32::MIN {
        log.require(Capability::Review)?;
    }
    if settings.limits.keep.is_some() {
        log.require(Capability::Retention)?;
    }
    for capability in [Capability::ExactDuplicates, Capability::Sequence] {
        if let Err(limit) = log.require(capability) {
            info!("{limit}");
        }
    }
    Ok(())
}

fn routes(intake: Arc<Intake>) -> Router {
    let only_post = || async { Refusal::Gate(Code::MethodNotAllowed) };
    Router::new()
        .route("/v1/events", post(intake::receive).fallback(only_post))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .fallback(|| async { Refusal::Gate(Code::EndpointUnknown) })
        .with_state(intake)
}

/// Says whether an event could be confirmed now.
async fn ready(State(intake): State<Arc<Intake>>) -> (StatusCode, &'static str) {
    if intake.is_ready().await {
        (StatusCode::OK, "ready\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the log can't confirm events\n",
        )
    }
}

/// Removes what an earlier server said, which is not true until we serve.
fn retract(path: &Path) -> Result<(), ServeError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(ServeError::ReadyFile {
            path: path.into(),
            source,
        }),
        _ => Ok(()),
    }
}

/// Writes the address for whoever started us with port 0. Renamed into place,
/// so that nobody reads half of it.
fn announce(path: &Path, address: SocketAddr) -> Result<(), ServeError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".tmp");
    fs::write(&unfinished, format!("{address}\n"))
        .and_then(|()| fs::rename(&unfinished, path))
        .map_err(|source| ServeError::ReadyFile {
            path: path.into(),
            source,
        })
}
