//! An OpenTelemetry collector for tests: it keeps the spans that Envoy exports.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::trace::v1::Span as Exported;
use tokio::task::AbortHandle;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::wait;

/// A span as a test looks at it.
#[derive(Debug, Clone)]
pub struct Span {
    /// Trace ID, 32 hexadecimal digits.
    pub trace_id: String,
    /// Span ID, 16 hexadecimal digits.
    pub span_id: String,
    /// The span that it is a part of; empty at the root.
    pub parent_span_id: String,
    attributes: Vec<(String, String)>,
}

impl Span {
    /// Returns an attribute that is text.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let mut all = self.attributes.iter();
        all.find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

impl From<Exported> for Span {
    fn from(exported: Exported) -> Self {
        let attributes = exported.attributes.into_iter();
        Self {
            trace_id: hex::encode(exported.trace_id),
            span_id: hex::encode(exported.span_id),
            parent_span_id: hex::encode(exported.parent_span_id),
            attributes: attributes
                .filter_map(|attribute| match attribute.value?.value? {
                    any_value::Value::StringValue(value) => Some((attribute.key, value)),
                    _ => None,
                })
                .collect(),
        }
    }
}

/// One running collector; it ends with its owner.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    spans: Spans,
    task: AbortHandle,
}

impl Collector {
    /// Starts a collector that takes OTLP over gRPC.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start() -> Result<Self> {
        let incoming = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = incoming.local_addr()?;
        let spans = Spans::default();
        let service = TraceServiceServer::new(spans.clone());
        let serving = Server::builder().add_service(service);
        let task = tokio::spawn(serving.serve_with_incoming(incoming)).abort_handle();
        Ok(Self {
            address,
            spans,
            task,
        })
    }

    /// Returns where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for a span that satisfies `wanted`.
    ///
    /// # Errors
    /// There is none in time.
    pub async fn span(&self, what: &str, wanted: impl Fn(&Span) -> bool) -> Result<Span> {
        wait::until(what, wait::PATIENCE, async || {
            Ok(self.spans.all().into_iter().find(|span| wanted(span)))
        })
        .await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug, Clone, Default)]
struct Spans(Arc<Mutex<Vec<Span>>>);

impl Spans {
    fn all(&self) -> Vec<Span> {
        let spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spans.clone()
    }
}

#[tonic::async_trait]
impl TraceService for Spans {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let exported = request.into_inner().resource_spans.into_iter();
        let exported = exported
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
            .map(Span::from);
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spans.extend(exported);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
