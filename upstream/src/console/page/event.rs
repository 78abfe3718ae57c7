//! One event's life.

use hookgate_core::time::Timestamp;
use maud::{Markup, html};

use super::{
    At, Kind, badge, form_token, layout, queue,
    time::{counted, exactly, next as until_then},
};
use crate::{
    console::{
        access::Caller,
        form::{address, event_address},
        mask::{self, Shown},
        views::Event,
    },
    log::{Attributes, Entry, Origin},
    review::{Action, Batch, Life, Record, Waits},
};

/// The event of an ID, once for each source that has one.
pub(in crate::console) fn event(
    caller: &Caller,
    events: &[Event],
    destinations: &[String],
    approvals: u32,
    now: Timestamp,
) -> Markup {
    let id = events.first().map_or("", |it| &it.entry.attributes.id);
    let content = html! {
        @if events.len() > 1 {
            p { "Several sources have an event of this ID: "
                @for event in events {
                    @let source = event.entry.attributes.source.as_str();
                    a href=(event_address(id, source)) { (source) } " "
                }
            }
        }
        @if let Some(event) = events.first() {
            (facts(&event.entry))
            section aria-labelledby="life" {
                h2 #life { "Its life" }
                (timeline(event, now))
                @if !event.limit.is_empty() { p.note { (event.limit) } }
            }
            (decide(caller, event, destinations, approvals))
            section aria-labelledby="payload" {
                h2 #payload { "Payload" }
                (masked(caller, event))
            }
        }
    };
    layout(&format!("Event {id}"), At::Search, Some(caller), &content)
}

fn facts(entry: &Entry) -> Markup {
    let Attributes {
        source,
        type_name,
        account,
        livemode,
        origin,
        held_for,
        endpoint,
        secret_name,
        unsigned_attributes,
        sha256,
        ..
    } = &entry.attributes;
    let trace_id = entry.attributes.trace_id();
    let mode = match livemode {
        Some(true) => "live",
        Some(false) => "test",
        None => "not said",
    };
    let search = |name: &'static str, value: &str| address("/search", &[(name, Some(value))]);
    html! {
        dl.facts {
            dt { "Type" } dd { a href=(search("type", type_name)) { (type_name) } }
            dt { "Account" } dd {
                @match account {
                    Some(account) => a href=(search("account", account)) { (account) },
                    None => "the platform's own",
                }
            }
            dt { "Source" } dd { (source.as_str()) }
            dt { "Mode" } dd { (mode) }
            dt { "Came" } dd { (origin.name().unwrap_or("delivery")) " at " (endpoint)
                @if *origin == Origin::Delivery { ", verified with " code { (secret_name) } } }
            @if let Some(held_for) = held_for { dt { "Held" } dd { (held_for.why()) } }
            @if *unsigned_attributes {
                dt { "Not signed" } dd { "type and account come from headers that nobody signed" }
            }
            dt { "Trace" } dd {
                @if trace_id.is_empty() { "none" }
                @else { a href=(search("trace", trace_id)) { code { (trace_id) } } }
            }
            dt { "In the log" } dd { "sequence " (entry.sequence) ", " (counted(entry.size, "byte")) }
            dt { "SHA-256" } dd { code { (sha256) } }
        }
    }
}

/// What can be decided, at each destination where it is parked.
fn decide(caller: &Caller, event: &Event, destinations: &[String], approvals: u32) -> Markup {
    let is_parked = |life: &&Life| matches!(life.waits, Waits::ForPerson { .. });
    html! {
        @for life in event.lives.iter().filter(is_parked) {
            section.decide aria-label={ "Parked at " (life.destination) } {
                h2 { "Parked at " (life.destination) }
                (people(life, &event.records, approvals))
                @if caller.operates() {
                    form.stack method="post" action="/review/preview" {
                        (form_token(caller))
                        input type="hidden" name="items" value={ (life.destination) ":" (event.entry.sequence) };
                        (queue::decision(destinations))
                    }
                } @else {
                    p { "Who has the role operate decides about it. " a href="/login" { "Log in" } }
                }
            }
        }
    }
}

/// The second pair of eyes.
fn people(life: &Life, records: &[Record], approvals: u32) -> Markup {
    let here = records
        .iter()
        .rev()
        .filter(|it| it.destination == life.destination);
    let since = here.take_while(|it| it.action == Action::Approved);
    let names: Vec<&str> = since.map(|it| it.name.as_str()).collect();
    html! {
        @if approvals > 1 {
            p { (names.len()) " of " (approvals) " people have approved"
                @if !names.is_empty() { ": " (names.join(", ")) } "." }
        }
    }
}

/// A step of an event's life.
struct Step {
    at: Timestamp,
    what: Markup,
}

fn timeline(event: &Event, now: Timestamp) -> Markup {
    let Entry {
        attributes,
        stored_at,
        ..
    } = &event.entry;
    let mut steps = Vec::new();
    let mut step = |at: Timestamp, what: Markup| steps.push(Step { at, what });
    if let Some(at) = attributes.time {
        step(at, html! { "Happened at the sender" });
    }
    if let Some(at) = attributes.signed_at {
        step(at, html! { "Signed for delivery" });
    }
    let received = match attributes.origin {
        Origin::Delivery => "Received and verified by the gate",
        _ => "Fetched from Stripe's list",
    };
    step(attributes.received_at, html! { (received) });
    step(*stored_at, html! { "Stored, durable" });
    for life in &event.lives {
        for attempt in &life.attempts {
            let kind = if attempt.outcome == "delivered" {
                Kind::Good
            } else {
                Kind::Bad
            };
            step(
                attempt.at,
                html! {
                    "Attempt " (attempt.number) " at " strong { (life.destination) } " (" (attempt.via) "): "
                    (badge(kind, &attempt.outcome))
                    @if let Some(status) = attempt.status { " " (status) }
                    " after " (attempt.latency.as_millis()) " ms"
                    @if !attempt.answer.is_empty() { pre.answer role="group" tabindex="0" aria-label="Answer" { (mask::answer(&attempt.answer)) } }
                },
            );
        }
    }
    for record in &event.records {
        step(record.at, said(record));
    }
    // Stable: of one time they stay in the order of what leads to what.
    steps.sort_by_key(|step| step.at);
    html! {
        ol.timeline {
            @for step in &steps { li { (exactly(step.at)) div { (step.what) } } }
            @for life in &event.lives { (next(life, now)) }
        }
    }
}

fn next(life: &Life, now: Timestamp) -> Markup {
    let what = match &life.waits {
        Waits::ForPerson { reason } => html! {
            (badge(Kind::Warning, "parked")) " at " strong { (life.destination) } ": " (reason)
            ", waits for a person"
        },
        Waits::ForAttempt { at } => html! {
            "Next attempt at " strong { (life.destination) } " " (until_then(*at, now)) " (" (exactly(*at)) ")"
        },
        Waits::ForTurn => html! {
            "Waits at " strong { (life.destination) } " for an earlier event of its object"
        },
        Waits::ForWord => html! {
            strong { (life.destination) } " was given it, and nothing is known of it yet: an attempt "
            "may be under way"
        },
        Waits::Not => match life.ahead {
            Some(first) => html! {
                strong { (life.destination) } " has not come to it yet: "
                @if first == 0 { "it is the next one" }
                @else { "at most " (counted(first, "event")) " of the log come first" }
            },
            None => return html! {},
        },
    };
    html! { li.now { span { "now" } div { (what) } } }
}

fn said(record: &Record) -> Markup {
    html! {
        strong { (record.name) } " "
        @match record.action {
            Action::Approved => { "approved for " (record.target.as_deref().unwrap_or_default()) }
            Action::Released => { "let it go to " (record.target.as_deref().unwrap_or_default()) }
            Action::Discarded => { "discarded it for " (record.destination) }
            Action::Looked => { "looked at the payload" }
        }
        ": " q { (record.reason) }
    }
}

fn masked(caller: &Caller, event: &Event) -> Markup {
    if event.entry.redacted {
        return html! { p { "It was removed on purpose: " code { "hookgate redact" } "." } };
    }
    let Attributes { id, source, .. } = &event.entry.attributes;
    html! {
        (mask::payload(&event.payload, Shown::Masked))
        @if caller.operates() {
            form.stack method="post" action="/event/payload" {
                (form_token(caller))
                input type="hidden" name="id" value=(id);
                input type="hidden" name="source" value=(source.as_str());
                input type="hidden" name="batch" value=(look_name());
                label for="look-reason" { "Reason to see it whole (required, on record)" }
                input #look-reason name="reason" required maxlength="1000";
                button type="submit" { "Show the whole payload" }
            }
        } @else {
            p.note { "Who has the role operate can see it whole; each look is on record." }
        }
    }
}

/// Names a look, so that a form that is sent twice is on record once.
fn look_name() -> String {
    Batch::random().as_str().replace("batch", "look")
}

/// A payload as it is.
pub(in crate::console) fn payload(caller: &Caller, entry: &Entry, payload: &[u8]) -> Markup {
    let Attributes { id, source, .. } = &entry.attributes;
    let content = html! {
        p.lead role="status" { "This look is on record." }
        (mask::payload(payload, Shown::Whole))
        p { a.button href=(event_address(id, source.as_str())) { "Back to the event" } }
    };
    layout(
        &format!("Payload of {id}"),
        At::Search,
        Some(caller),
        &content,
    )
}
