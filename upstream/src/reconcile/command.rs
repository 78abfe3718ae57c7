//! `hookgate reconcile`: once, from start to report.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use serde_json::json;
use tokio::sync::watch;

use super::{
    round::Round,
    run::{Request, Run, RunError, Watch, Whose, Window},
    settings::{Settings, SettingsError},
    tally::Tally,
};
use crate::{
    cli::{ArgumentError, ReconcileArgs},
    log::{
        Limits, Log, OpenError,
        sqlite::{self, WriteError},
    },
    metrics::{AccountGroups, Metrics},
    progress::Progress,
    server::Appender,
    telemetry::trace::Tracer,
};

/// Records on their way to the log.
const QUEUE: usize = 64;

/// Says why reconciliation ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    /// An argument is not of its form.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// Nothing says what to compare.
    #[error(
        "found no [reconcile] in the configuration: envoy/hookgate.toml and docs/reconcile.md say what stands there"
    )]
    NotConfigured,
    /// The settings can't be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A server has the log.
    #[error(
        "a server appends to the log `{}`. With [reconcile] in its configuration it does the same by itself; --dry-run works beside it; or stop it for as long as this takes",
        path.display()
    )]
    InUse {
        /// Of the log.
        path: PathBuf,
    },
    /// The log can't be opened.
    #[error(transparent)]
    Open(OpenError),
    /// The log can't be trusted any more.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The round ended early.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The output can't be written.
    #[error("can't print: {0}")]
    Print(#[from] io::Error),
}

impl From<OpenError> for ReconcileError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Sqlite(sqlite::OpenError::InUse { path }) => Self::InUse { path },
            error => Self::Open(error),
        }
    }
}

/// Compares once and reports.
///
/// # Errors
/// [`ReconcileError`].
pub(crate) async fn reconcile(args: &ReconcileArgs) -> Result<(), ReconcileError> {
    let config = args.log.config().map_err(ArgumentError::from)?;
    let address = args.log.address_in(&config)?;
    let gate = args.gate.as_deref().or(config.gate.as_deref());
    let table = config.reconcile.as_ref();
    let settings = table.ok_or(ReconcileError::NotConfigured)?;
    let settings = Settings::load(settings, &address, gate)?;
    let replicas = args.replicas.or(config.replicas).unwrap_or_default();
    let max_payload_bytes = config.max_body_bytes.unwrap_or_default().value();
    let limits = Limits {
        queue: QUEUE,
        max_payload_bytes: usize::try_from(max_payload_bytes).unwrap_or(usize::MAX),
        keep: None,
        replicas: replicas.as_size(),
    };
    let request = Request {
        window: match args.since {
            Some(since) => Window::Back(since.value()),
            None => Window::Marks,
        },
        whose: match (args.accounts.as_slice(), args.all_accounts) {
            ([], false) => Whose::Configured,
            ([], true) => Whose::All,
            (listed, _) => Whose::Only(listed.to_vec()),
        },
        history: args.history(),
    };
    let opened = if args.dry_run {
        None
    } else {
        let (log, keeper) = Log::open(&address, limits).await?;
        let metrics = Metrics::new(AccountGroups::default(), QUEUE);
        let news = watch::Sender::new(0);
        Some((Appender::new(log, metrics, Tracer::default(), news), keeper))
    };
    let bar = Bar(Progress::start("account hours"));
    let run = Run {
        settings: &settings,
        appender: opened.as_ref().map(|(appender, _)| appender),
        max_payload_bytes: limits.max_payload_bytes,
        watch: &bar,
    };
    let done = run.round(&request).await;
    drop(bar);
    if let Some((appender, keeper)) = opened {
        drop(appender);
        keeper.close().await?;
    }
    let (round, tally) = done?;
    let mut out = io::stdout().lock();
    if args.json {
        let mut report = tally.json(&round);
        if let Some(report) = report.as_object_mut() {
            report.insert("dry_run".to_owned(), json!(args.dry_run));
        }
        writeln!(out, "{report}")?;
    } else {
        tally.print(&round, &mut out)?;
    }
    Ok(())
}

/// Shows how far it is to who waits at a terminal.
struct Bar(Progress);

impl std::fmt::Debug for Bar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bar(…)")
    }
}

impl Watch for Bar {
    fn requested(&self, _outcome: &'static str) {}

    fn compared(&self, round: &Round, _page: &Tally) {
        let (done, all) = round.hours();
        self.0.at(done, all);
    }
}
