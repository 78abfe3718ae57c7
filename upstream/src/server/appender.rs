//! The one way into the log: append, count, trace, and tell deliveries.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use crate::{
    log::{Appended, Log, LogError, Record},
    metrics::Metrics,
    telemetry::trace::Tracer,
};

/// Appends what is verified or fetched.
#[derive(Debug)]
pub(crate) struct Appender {
    log: Log,
    metrics: Metrics,
    tracer: Tracer,
    /// Tells deliveries that the log has something new.
    news: watch::Sender<u64>,
}

impl Appender {
    /// Makes one for a log.
    pub(crate) const fn new(
        log: Log,
        metrics: Metrics,
        tracer: Tracer,
        news: watch::Sender<u64>,
    ) -> Self {
        Self {
            log,
            metrics,
            tracer,
            news,
        }
    }

    /// Returns where it counts.
    pub(crate) const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Tells whether an event could be confirmed now.
    pub(crate) async fn is_ready(&self) -> bool {
        self.log.is_ready().await
    }

    /// Appends a record, and counts it.
    ///
    /// # Errors
    /// [`LogError`]: nothing is confirmed.
    pub(crate) async fn append(
        &self,
        record: Record,
        deadline: Instant,
    ) -> Result<Appended, LogError> {
        let slice = self.metrics.slice(&record.attributes);
        let span = self.tracer.append(&record.attributes);
        let _waiting = self.metrics.waiting();
        let start = Instant::now();
        let answer = timeout_at(deadline, self.log.append(record)).await;
        // It may be stored yet; the next attempt is answered as a duplicate.
        let answer = answer.unwrap_or(Err(LogError::Unavailable));
        let latency: Duration = start.elapsed();
        self.metrics.appended(&slice, answer, latency);
        span.appended(answer);
        // A log that doesn't say where has no deliveries to tell.
        if let Ok(Appended::Stored {
            sequence: Some(sequence),
        }) = answer
        {
            self.news.send_replace(sequence);
        }
        answer
    }
}
