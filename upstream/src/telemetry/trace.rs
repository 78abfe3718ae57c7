//! Spans of an event's way: its append, and each attempt to deliver it.
//!
//! All continue the trace that the gate began and the log keeps, so an attempt
//! after a restart, days later, is still part of it. Without a collector a span
//! costs nothing and passes on the trace as it is.

use hookgate_core::trace::TraceParent;
use opentelemetry::{
    Context, KeyValue,
    trace::{
        Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _,
        TraceFlags, TraceId, TraceState, Tracer as _,
    },
};
use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};

use crate::log::{Appended, Attributes, Entry, LogError};

/// Makes spans. Clones report to the same collector.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tracer(Option<SdkTracer>);

/// Reports something from its making until [`Span::end`].
#[derive(Debug)]
pub(crate) struct Span {
    /// What it continues; `None` starts a trace.
    parent: Option<TraceParent>,
    reported: Option<Reported>,
}

#[derive(Debug)]
struct Reported {
    tracer: SdkTracer,
    span: SdkSpan,
    /// What its parts are about too.
    about: Vec<KeyValue>,
}

impl Tracer {
    /// Makes a tracer that reports.
    pub(super) const fn reporting(tracer: SdkTracer) -> Self {
        Self(Some(tracer))
    }

    /// Begins the append of a verified event.
    pub(crate) fn append(&self, attributes: &Attributes) -> Span {
        if self.0.is_none() {
            // Nobody is called within it, so it has no trace to pass on.
            return Span {
                parent: None,
                reported: None,
            };
        }
        self.begin("append", SpanKind::Server, attributes, Vec::new)
    }

    /// Begins to take one event to a destination: one span each time that it is
    /// its turn, with an attempt or more in it.
    pub(crate) fn deliver(&self, entry: &Entry, destination: &str) -> Span {
        self.begin("deliver", SpanKind::Internal, &entry.attributes, || {
            vec![
                sequence(entry.sequence),
                KeyValue::new("hookgate.destination", destination.to_owned()),
            ]
        })
    }

    fn begin(
        &self,
        name: &'static str,
        kind: SpanKind,
        event: &Attributes,
        own: impl FnOnce() -> Vec<KeyValue>,
    ) -> Span {
        let parent = event.traceparent.clone();
        let reported = self.0.clone().map(|tracer| {
            let mut about = own();
            about.extend([
                KeyValue::new("hookgate.event_id", event.id.clone()),
                KeyValue::new("hookgate.event_type", event.type_name.clone()),
                KeyValue::new("hookgate.source", event.source.as_str().to_owned()),
            ]);
            let remote = parent.as_ref().and_then(context);
            Reported::begin(
                tracer,
                SpanBuilder::from_name(name).with_kind(kind),
                about,
                remote,
            )
        });
        Span { parent, reported }
    }
}

impl Span {
    /// Begins an attempt within a delivery.
    pub(crate) fn attempt(&self, number: u32, via: &'static str) -> Self {
        let reported = self.reported.as_ref().map(|whole| {
            let mut about = whole.about.clone();
            about.push(KeyValue::new("hookgate.attempt", i64::from(number)));
            about.push(KeyValue::new("hookgate.via", via));
            let parent = Some(whole.span.span_context().clone());
            let builder = SpanBuilder::from_name("attempt").with_kind(SpanKind::Client);
            Reported::begin(whole.tracer.clone(), builder, about, parent)
        });
        Self {
            parent: self.parent.clone(),
            reported,
        }
    }

    /// Returns the `traceparent` for whoever is called within this span.
    pub(crate) fn traceparent(&self) -> Option<TraceParent> {
        let Some(Reported { span, .. }) = &self.reported else {
            return self.parent.clone();
        };
        let context = span.span_context();
        let header = format!(
            "00-{}-{}-{:02x}",
            context.trace_id(),
            context.span_id(),
            context.trace_flags()
        );
        TraceParent::parse(header.as_bytes())
    }

    /// Ends the span of an append.
    pub(crate) fn appended(mut self, answer: Result<Appended, LogError>) {
        let at = match answer {
            Ok(Appended::Stored { sequence }) => sequence,
            Ok(Appended::Duplicate { sequence }) => Some(sequence),
            Err(_) => {
                self.fail();
                None
            }
        };
        if let (Some(at), Some(reported)) = (at, &mut self.reported) {
            reported.span.set_attribute(sequence(at));
        }
        self.end(match answer {
            Ok(Appended::Stored { .. }) => "stored",
            Ok(Appended::Duplicate { .. }) => "duplicate",
            Err(LogError::QueueFull) => "queue_full",
            Err(LogError::Unavailable) => "unavailable",
        });
    }

    /// Marks what the span reports as failed.
    pub(crate) fn fail(&mut self) {
        if let Some(reported) = &mut self.reported {
            reported.span.set_status(Status::error(""));
        }
    }

    /// Ends the span.
    pub(crate) fn end(self, outcome: &'static str) {
        if let Some(mut reported) = self.reported {
            let outcome = KeyValue::new("hookgate.outcome", outcome);
            reported.span.set_attribute(outcome);
            reported.span.end();
        }
    }
}

impl Reported {
    fn begin(
        tracer: SdkTracer,
        builder: SpanBuilder,
        about: Vec<KeyValue>,
        parent: Option<SpanContext>,
    ) -> Self {
        let context = parent.map_or_else(Context::new, |parent| {
            Context::new().with_remote_span_context(parent)
        });
        let builder = builder.with_attributes(about.clone());
        let span = tracer.build_with_context(builder, &context);
        Self {
            tracer,
            span,
            about,
        }
    }
}

fn sequence(sequence: u64) -> KeyValue {
    let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
    KeyValue::new("hookgate.sequence", sequence)
}

/// Reads a trace context of version 00.
fn context(parent: &TraceParent) -> Option<SpanContext> {
    let mut fields = parent.as_str().split('-').skip(1);
    let trace_id = TraceId::from_hex(fields.next()?).ok()?;
    let span_id = SpanId::from_hex(fields.next()?).ok()?;
    let flags = u8::from_str_radix(fields.next()?, 16).ok()?;
    let flags = TraceFlags::new(flags);
    Some(SpanContext::new(
        trace_id,
        span_id,
        flags,
        true,
        TraceState::NONE,
    ))
}

#[cfg(test)]
mod tests;
