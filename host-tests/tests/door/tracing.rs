//! One event, followed from the door to the log.

use anyhow::{Context, Result};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::log::Entry;
use hookgate_host_tests::otlp::{Collector, Span};
use hookgate_host_tests::upstream::Upstream;
use hookgate_host_tests::wait;

use crate::assert_stored;

/// The parts of a `traceparent` of version 00: trace ID and parent ID.
fn parts(traceparent: &str) -> Result<(&str, &str)> {
    match traceparent.split('-').collect::<Vec<_>>().as_slice() {
        ["00", trace_id, parent_id, _flags] if trace_id.len() == 32 && parent_id.len() == 16 => {
            Ok((trace_id, parent_id))
        }
        _ => anyhow::bail!("`{traceparent}` is no traceparent"),
    }
}

/// Starts an Envoy that reports its spans, in front of a real upstream.
async fn traced() -> Result<(Envoy, Upstream, Collector)> {
    let (upstream, collector) = (Upstream::sqlite().await?, Collector::start().await?);
    let envoy = Setup::complete(&["tracing"])
        .cluster(4317, collector.address())
        .start(upstream.address())
        .await?;
    Ok((envoy, upstream, collector))
}

async fn span_of(collector: &Collector, event: &Event) -> Result<Span> {
    let wanted = |span: &Span| span.attribute("hookgate.event_id") == Some(&event.id);
    collector.span("the event's span", wanted).await
}

async fn entry_of(upstream: &Upstream, event: &Event) -> Result<Entry> {
    let mut entries = upstream.log().entries().await?.into_iter();
    entries
        .find(|entry| entry.id == event.id)
        .context("the event is not in the log")
}

#[tokio::test]
async fn an_event_is_followed_from_the_door_to_the_log_by_its_id_and_by_its_trace() -> Result<()> {
    let (envoy, upstream, collector) = traced().await?;
    let (event, other) = (Event::fresh()?, Event::fresh()?);
    let answer = envoy.send(PLATFORM.deliver(&event)?).await?;
    assert_stored(&answer);
    assert_stored(&envoy.send(PLATFORM.deliver(&other)?).await?);

    // By its ID: access log, span, log entry.
    let line = envoy.access_log(&event.id).await?;
    let seen = |name: &str| line.get(name).and_then(|v| v.as_str()).unwrap_or_default();
    assert_eq!(seen("event_type"), "payment_intent.succeeded");
    let span = span_of(&collector, &event).await?;
    assert_eq!(
        span.attribute("hookgate.event_type"),
        Some("payment_intent.succeeded")
    );
    assert_eq!(span.attribute("hookgate.outcome"), Some(seen("outcome")));
    let entry = entry_of(&upstream, &event).await?;
    assert_eq!(Some(entry.sequence), answer.sequence());

    // By its trace, which is nobody else's: the same three.
    let traceparent = entry.traceparent.as_deref().context("no traceparent")?;
    let (trace_id, parent_id) = parts(traceparent)?;
    assert_eq!(seen("trace_id"), trace_id);
    assert_eq!(span.trace_id, trace_id);
    assert_ne!(span_of(&collector, &other).await?.trace_id, trace_id);

    // What the log has as its parent is the door's own span.
    assert_eq!(span.span_id, parent_id);

    // And the figures have moved, for these two and nothing else.
    wait::until("the figures", wait::PATIENCE, async || {
        let page = envoy.admin().page("/stats/prometheus").await?;
        Ok((stored_at(&page, PLATFORM.name) == 2).then_some(()))
    })
    .await
}

/// Adds up the deliveries that Prometheus would see as stored at an endpoint.
fn stored_at(page: &str, endpoint: &str) -> u64 {
    page.lines()
        .filter_map(|line| line.strip_prefix("hookgate_deliveries{")?.split_once("} "))
        .filter(|(labels, _)| labels.contains(&format!(r#"endpoint="{endpoint}""#)))
        .filter(|(labels, _)| labels.contains(r#"="stored""#))
        .filter_map(|(_, value)| value.parse::<u64>().ok())
        .sum()
}

#[tokio::test]
async fn with_a_tracer_a_clients_own_trace_is_not_honoured() -> Result<()> {
    const FOREIGN: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let (envoy, upstream, collector) = traced().await?;
    let event = Event::fresh()?;
    let delivery = PLATFORM
        .deliver(&event)?
        .header("traceparent", format!("00-{FOREIGN}-00f067aa0ba902b7-01"))?
        .header("tracestate", "client=own")?;
    assert_stored(&envoy.send(delivery).await?);

    let span = span_of(&collector, &event).await?;
    assert_ne!(span.trace_id, FOREIGN);
    assert_eq!(span.parent_span_id, "");
    let entry = entry_of(&upstream, &event).await?;
    let traceparent = entry.traceparent.context("no traceparent")?;
    assert_eq!(parts(&traceparent)?.0, span.trace_id);
    Ok(())
}
