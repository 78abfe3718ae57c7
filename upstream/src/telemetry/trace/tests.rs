use std::sync::{Arc, Mutex};

use hookgate_core::{time::Timestamp, trace::TraceParent};
use opentelemetry::trace::{Status, TracerProvider as _};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};

use super::Tracer;
use crate::log::{Attributes, Entry};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

/// Keeps what ends.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl Kept {
    fn tracer(&self) -> (SdkTracerProvider, Tracer) {
        let provider = SdkTracerProvider::builder().with_simple_exporter(self.clone());
        let provider = provider.build();
        let tracer = Tracer::reporting(provider.tracer("test"));
        (provider, tracer)
    }

    fn spans(&self) -> Vec<SpanData> {
        self.0.lock().unwrap().clone()
    }
}

fn entry(traceparent: Option<&str>) -> Entry {
    let at = Timestamp::from_unix_seconds(1_760_000_000);
    Entry {
        sequence: 7,
        stored_at: at,
        size: 2,
        redacted: false,
        attributes: Attributes {
            traceparent: traceparent.map(|text| TraceParent::parse(text.as_bytes()).unwrap()),
            ..Attributes::sample("evt_1", at)
        },
    }
}

fn attribute(span: &SpanData, name: &str) -> String {
    let mut attributes = span.attributes.iter();
    let found = attributes.find(|attribute| attribute.key.as_str() == name);
    found.unwrap().value.to_string()
}

#[test]
fn attempts_are_parts_of_a_delivery_which_is_part_of_the_gates_trace() {
    let kept = Kept::default();
    let (_provider, tracer) = kept.tracer();
    let delivery = tracer.deliver(&entry(Some(PARENT)), "orders");
    let mut first = delivery.attempt(1, "primary");
    let sent = first.traceparent().unwrap();
    first.fail();
    first.end("unavailable");
    delivery.attempt(2, "secondary").end("delivered");
    delivery.end("delivered");

    let spans = kept.spans();
    let [first, second, delivery] = spans.as_slice() else {
        panic!("{spans:?}");
    };
    assert_eq!(delivery.name, "deliver");
    assert_eq!(delivery.parent_span_id.to_string(), "b7ad6b7169203331");
    assert!(delivery.parent_span_is_remote);
    for (span, number, via, outcome) in [
        (first, "1", "primary", "unavailable"),
        (second, "2", "secondary", "delivered"),
    ] {
        assert_eq!(span.name, "attempt");
        assert_eq!(span.parent_span_id, delivery.span_context.span_id());
        assert_eq!(
            span.span_context.trace_id().to_string(),
            "0af7651916cd43dd8448eb211c80319c"
        );
        for (name, value) in [
            ("hookgate.event_id", "evt_1"),
            ("hookgate.event_type", "invoice.paid"),
            ("hookgate.source", "stripe"),
            ("hookgate.destination", "orders"),
            ("hookgate.sequence", "7"),
            ("hookgate.attempt", number),
            ("hookgate.via", via),
            ("hookgate.outcome", outcome),
        ] {
            assert_eq!(attribute(span, name), value, "{name}");
        }
    }
    assert_eq!(first.status, Status::error(""));
    assert_eq!(second.status, Status::Unset);
    // What the destination gets names the attempt.
    let id = first.span_context.span_id();
    assert_eq!(
        sent.as_str(),
        format!("00-0af7651916cd43dd8448eb211c80319c-{id}-01")
    );
}

#[test]
fn an_event_that_is_not_sampled_is_not_reported_and_says_so_further_on() {
    let kept = Kept::default();
    let (_provider, tracer) = kept.tracer();
    let delivery = tracer.deliver(&entry(Some(UNSAMPLED)), "orders");
    let attempt = delivery.attempt(1, "primary");
    let sent = attempt.traceparent().unwrap();
    assert_eq!(sent.trace_id(), "0af7651916cd43dd8448eb211c80319c");
    assert!(sent.as_str().ends_with("-00"), "{sent:?}");
    attempt.end("delivered");
    delivery.end("delivered");
    assert_eq!(kept.spans(), []);
}

#[test]
fn without_a_collector_the_trace_is_passed_on_as_it_is() {
    let delivery = Tracer::default().deliver(&entry(Some(PARENT)), "orders");
    let sent = delivery.attempt(1, "primary").traceparent();
    assert_eq!(sent, TraceParent::parse(PARENT.as_bytes()));
    let untraced = Tracer::default().deliver(&entry(None), "orders");
    assert_eq!(untraced.traceparent(), None);
}

#[test]
fn an_event_without_a_trace_begins_one() {
    let kept = Kept::default();
    let (_provider, tracer) = kept.tracer();
    let delivery = tracer.deliver(&entry(None), "orders");
    let begun = delivery.traceparent().unwrap();
    delivery.end("delivered");
    let spans = kept.spans();
    assert_eq!(spans.len(), 1);
    assert_eq!(
        spans[0].span_context.trace_id().to_string(),
        begun.trace_id()
    );
}
