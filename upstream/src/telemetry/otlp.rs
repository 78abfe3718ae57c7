//! The way of spans to a collector: OTLP over gRPC.
//!
//! Spans wait in a queue of fixed length (`OTEL_BSP_MAX_QUEUE_SIZE`, 2,048) for
//! a thread of their own. A collector that is slow or away costs spans, and
//! never time or memory of the events.
//! Source: <https://opentelemetry.io/docs/specs/otel/trace/sdk/#batching-processor>.

use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use axum::http::Uri;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData},
};
use tracing::{debug, info, warn};

use super::trace::Tracer;

/// How long the last spans may take at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// What spans are reported under, if `OTEL_SERVICE_NAME` doesn't say.
const SERVICE_NAME: &str = "hookgate";

/// Holds where spans are reported to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Collector(String);

/// Says that a text names no collector that we can report to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected http://HOST:PORT of an OTLP receiver over gRPC, for example http://127.0.0.1:4317; for TLS run a collector on this machine that passes spans on, for credentials set OTEL_EXPORTER_OTLP_HEADERS"
)]
pub(crate) struct CollectorError;

impl FromStr for Collector {
    type Err = CollectorError;

    fn from_str(text: &str) -> Result<Self, CollectorError> {
        let uri: Uri = text.parse().map_err(|_| CollectorError)?;
        let authority = uri.authority().ok_or(CollectorError)?;
        let is_plain = uri.scheme_str() == Some("http") && uri.path() == "/";
        if !is_plain || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(CollectorError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reports spans until it is closed.
#[derive(Debug)]
pub(crate) struct Reporting(SdkTracerProvider);

impl Reporting {
    /// Starts to report; the collector need not be there. Must be called within
    /// the runtime.
    ///
    /// # Errors
    /// [`ExporterBuildError`]: an `OTEL_…` variable is malformed.
    pub(crate) fn start(collector: &Collector) -> Result<(Self, Tracer), ExporterBuildError> {
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(collector.to_string())
            .build()?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(SERVICE_NAME);
        }
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.build())
            .with_batch_exporter(Watched::new(exporter))
            .build();
        let tracer = Tracer::reporting(provider.tracer("hookgate"));
        Ok((Self(provider), tracer))
    }

    /// Reports what is left, for a bounded time.
    pub(crate) async fn close(self) {
        let flushed = tokio::task::spawn_blocking(move || {
            // It blocks its thread until the batches are out or the time is.
            self.0.shutdown_with_timeout(FLUSH_TIMEOUT)
        });
        match flushed.await {
            Ok(Ok(())) => debug!("the last spans are reported"),
            Ok(Err(error)) => warn!(%error, "the last spans could not be reported"),
            Err(error) => warn!(%error, "the last spans were not reported"),
        }
    }
}

/// Says once when the collector fails, and once when it is back.
#[derive(Debug)]
struct Watched {
    exporter: SpanExporter,
    failing: AtomicBool,
}

impl Watched {
    const fn new(exporter: SpanExporter) -> Self {
        Self {
            exporter,
            failing: AtomicBool::new(false),
        }
    }
}

impl opentelemetry_sdk::trace::SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.exporter.export(batch).await;
        let failed = self.failing.swap(exported.is_err(), Ordering::Relaxed);
        match &exported {
            Err(error) if !failed => {
                warn!(%error, spans, "the collector takes no spans: they are dropped");
            }
            Ok(()) if failed => info!("the collector takes spans again"),
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::{Collector, CollectorError};

    #[test]
    fn takes_the_address_of_a_collector() {
        for text in ["http://127.0.0.1:4317", "http://collector.internal:4317/"] {
            assert_eq!(text.parse::<Collector>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_it_can_not_report_to() {
        for text in [
            "127.0.0.1:4317",
            "https://collector.internal:4317",
            "http://user:secret@collector.internal:4317",
            "http://collector.internal:4318/v1/traces",
            "collector",
            "",
        ] {
            assert_eq!(text.parse::<Collector>(), Err(CollectorError), "{text}");
        }
    }
}
