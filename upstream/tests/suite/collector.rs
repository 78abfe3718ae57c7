//! An OpenTelemetry collector: takes OTLP over gRPC and keeps the spans.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span as Exported,
};
use tokio::runtime::Runtime;
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

use crate::{harness::until, loopback};

/// A span as a test looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    pub(crate) parent_id: String,
    /// Whether it is marked as failed.
    pub(crate) failed: bool,
    attributes: Vec<(String, String)>,
    /// Of the program that reported it.
    pub(crate) service: String,
}

impl Span {
    /// An attribute, numbers as text.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        find(&self.attributes, name)
    }

    /// Checks several attributes.
    pub(crate) fn assert(&self, expected: &[(&str, &str)]) {
        for (name, value) in expected {
            assert_eq!(self.attribute(name), Some(*value), "{name} of {self:?}");
        }
    }
}

/// A running collector; it ends with its owner.
pub(crate) struct Collector {
    address: SocketAddr,
    spans: Spans,
    _runtime: Runtime,
}

impl Collector {
    pub(crate) fn start() -> Self {
        Self::listen(SocketAddr::from((loopback::own(), 0)))
    }

    /// Starts one where another was.
    pub(crate) fn listen(address: SocketAddr) -> Self {
        let runtime = Runtime::new().unwrap();
        let within = runtime.enter();
        let incoming = TcpIncoming::bind(address).unwrap();
        let address = incoming.local_addr().unwrap();
        let spans = Spans::default();
        let serving = Server::builder().add_service(TraceServiceServer::new(spans.clone()));
        tokio::spawn(serving.serve_with_incoming(incoming));
        drop(within);
        Self {
            address,
            spans,
            _runtime: runtime,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// As `--otlp` takes it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that came so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.spans.0.lock().unwrap().clone()
    }

    /// Waits until so many spans of a name have come.
    pub(crate) fn wait_for(&self, count: usize, name: &str) -> Vec<Span> {
        until(&format!("{count} spans `{name}` come"), || {
            let mut spans = self.spans();
            spans.retain(|span| span.name == name);
            (spans.len() >= count).then_some(spans)
        })
    }
}

#[derive(Debug, Clone, Default)]
struct Spans(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Spans {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut spans = self.0.lock().unwrap();
        for resource in request.into_inner().resource_spans {
            let of_resource = texts(resource.resource.unwrap_or_default().attributes);
            let service = find(&of_resource, "service.name").unwrap_or_default();
            let exported = resource.scope_spans.into_iter().flat_map(|s| s.spans);
            spans.extend(exported.map(|exported| span(exported, service)));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn span(exported: Exported, service: &str) -> Span {
    Span {
        name: exported.name,
        trace_id: hex::encode(exported.trace_id),
        span_id: hex::encode(exported.span_id),
        parent_id: hex::encode(exported.parent_span_id),
        failed: exported.status.is_some_and(|status| status.code == 2),
        attributes: texts(exported.attributes),
        service: service.to_owned(),
    }
}

fn texts(attributes: Vec<KeyValue>) -> Vec<(String, String)> {
    let texts = attributes.into_iter().map(|attribute| {
        let text = match attribute.value.and_then(|value| value.value) {
            Some(Value::StringValue(text)) => text,
            Some(Value::IntValue(number)) => number.to_string(),
            other => format!("{other:?}"),
        };
        (attribute.key, text)
    });
    texts.collect()
}

fn find<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}
