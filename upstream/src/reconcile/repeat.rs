//! Reconciliation for as long as a server runs.
//!
//! On a thread of its own: a log in a file is read where it blocks nobody.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::oneshot, task::JoinHandle, time::sleep};
use tracing::{info, warn};

use super::{
    report::{Compared, Report, Reports},
    round::Round,
    run::{Request, Run, RunError, Watch, Whose, Window},
    settings::Settings,
    state::State,
    tally::Tally,
};
use crate::{cli::History, clock, metrics::Metrics, server::Appender};

/// How often everything that Stripe lists is compared, whatever was compared
/// before: a log may have been restored.
const WHOLE_EVERY: Duration = Duration::from_hours(24);

/// Holds reconciliation that goes on by itself.
#[derive(Debug)]
pub(crate) struct Repeating {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Repeating {
    /// Begins with a round at once.
    pub(crate) fn start(
        settings: Settings,
        appender: Arc<Appender>,
        max_payload_bytes: usize,
        reports: Reports,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let runtime = Handle::current();
        appender.metrics().reconciling(clock::now());
        let thread = tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = forever(&settings, &appender, max_payload_bytes, &reports) => {}
                }
            });
        });
        Self { stop, thread }
    }

    /// Ends it, wherever it is: what is compared is written down.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.thread.await {
            warn!(%error, "reconciliation ended by itself");
        }
    }
}

async fn forever(
    settings: &Settings,
    appender: &Appender,
    max_payload_bytes: usize,
    reports: &Reports,
) {
    let run = Run {
        settings,
        appender: Some(appender),
        max_payload_bytes,
        watch: appender.metrics(),
    };
    loop {
        let outcome = round(&run).await;
        let found = outcome
            .as_ref()
            .map(|(round, tally)| Compared::of(round, tally));
        reports.add(Report {
            at: clock::now(),
            found: found.map_err(ToString::to_string),
        });
        match outcome {
            Ok((round, tally)) => {
                appender.metrics().reconciled(clock::now());
                let count = tally.total();
                info!(
                    accounts = round.size(),
                    gone = round.lost().len(),
                    seen = count.seen,
                    missing = count.missing,
                    "compared the log with Stripe's list of events"
                );
            }
            Err(error) => warn!("could not compare the log with Stripe's list of events: {error}"),
        }
        sleep(settings.every).await;
    }
}

async fn round(run: &Run<'_>) -> Result<(Round, Tally), RunError> {
    let whole_at = State::read(&run.settings.state)?.whole_at;
    let age = clock::now()
        .unix_seconds()
        .checked_sub(whole_at.unwrap_or_default());
    let is_due = whole_at.is_none() || age.is_none_or(|age| age >= WHOLE_EVERY.as_secs());
    let request = Request {
        window: if is_due { Window::Whole } else { Window::Marks },
        whose: Whose::Configured,
        history: History::Unsaid,
    };
    run.round(&request).await
}

impl Watch for Metrics {
    fn requested(&self, outcome: &'static str) {
        self.reconcile_requested(outcome);
    }

    fn compared(&self, _round: &Round, page: &Tally) {
        let count = page.total();
        self.reconcile_compared(count.present, count.missing, page.not_wanted());
    }
}
