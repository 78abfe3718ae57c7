//! One destination.

use hookgate_core::time::Timestamp;
use maud::{Markup, html};

use super::{
    At, badge, layout, overview, queue, shortened, table,
    time::{age, ago, next, number},
};
use crate::{
    console::mask,
    console::{
        access::Caller,
        form::{address, event_address},
        views::Destination,
    },
    deliver::health::Circuit,
    log::Entry,
    review::Retry,
};

/// A destination: how it is, why, and what is parked there.
pub(in crate::console) fn destination(
    caller: &Caller,
    shown: &Destination,
    destinations: &[String],
    now: Timestamp,
) -> Markup {
    let standing = &shown.standing;
    let name = &standing.name;
    let waiting = shown.waiting.as_ref();
    let oldest = waiting.and_then(|it| it.oldest);
    let parked = waiting.map_or(0, |it| it.parked);
    let failure = shown.failing.latest.as_ref();
    let (kind, state) = overview::state(standing, oldest, parked, failure, now);
    let content = html! {
        dl.facts {
            dt { "State" } dd { (badge(kind, &state)) }
            dt { "Goes to" } dd { (standing.primary.0) " – " (circuit(standing.primary.1, now)) }
            @if let Some((target, at)) = &standing.secondary {
                dt { "While that is away" } dd { (target) " – " (circuit(*at, now)) }
            }
            dt { "Undelivered" } dd { (number(waiting.map_or(0, |it| it.undelivered))) }
            dt { "Oldest undelivered" }
            dd { (oldest.map_or_else(|| "none".to_owned(), |at| format!("{} old", age(at, now)))) }
            dt { "Parked" } dd { (number(parked)) }
        }
        section aria-labelledby="parked" {
            h2 #parked { "Parked here" }
            (queue::parked(caller, &shown.queue, now))
            p { a.button href=(address("/review", &[("destination", Some(name))])) {
                @if caller.operates() { "Filter, and decide about many" } @else { "Filter" }
            } }
        }
        @if shown.failing.retries.as_ref().is_none_or(|it| !it.is_empty()) {
            section aria-labelledby="retries" {
                h2 #retries { "Waiting for another attempt" }
                @match &shown.failing.retries {
                    Some(waiting) => (retries(waiting, now)),
                    None => p { "More than a thousand: too many to tell which is due first." },
                }
            }
        }
        section aria-labelledby="failures" {
            h2 #failures { "Attempts that failed" }
            (failures(shown, now))
        }
        @if destinations.len() > 1 {
            nav aria-label="Other destinations" {
                p { "Other destinations: "
                    @for (place, other) in destinations.iter().filter(|it| *it != name).enumerate() {
                        @if place > 0 { ", " }
                        a href=(address("/destination", &[("name", Some(other))])) { (other) }
                    }
                }
            }
        }
    };
    layout(
        &format!("Destination {name}"),
        At::Elsewhere,
        Some(caller),
        &content,
    )
}

fn circuit(circuit: Circuit, now: Timestamp) -> String {
    match circuit {
        Circuit::Closed { failures: 0 } => "answers, as far as is known".to_owned(),
        Circuit::Closed { failures } => format!("no answer to the last {failures} attempts"),
        Circuit::Open { until: at } => {
            format!("doesn't answer: next try {}", next(at, now))
        }
        Circuit::Probing => "doesn't answer: one event is trying".to_owned(),
    }
}

fn event(entry: Option<&Entry>, sequence: u64) -> Markup {
    html! {
        @match entry.map(|entry| &entry.attributes) {
            Some(it) => a href=(event_address(&it.id, it.source.as_str())) { (it.id) },
            None => { "event " (sequence) }
        }
    }
}

fn retries(waiting: &[Retry], now: Timestamp) -> Markup {
    let body = html! {
        @for retry in waiting {
            tr {
                th scope="row" { (event(retry.entry.as_ref(), retry.sequence)) }
                td data-label="Next" { (next(retry.at, now)) }
                td data-label="Attempts" { (retry.attempts) }
                @match &retry.last {
                    None => { td data-label="Last" { "not kept" } td data-label="Answer" { "–" } }
                    Some(last) => {
                        td data-label="Last" { (last.outcome) @if let Some(status) = last.status { " " (status) } " " (ago(last.at, now)) }
                        td data-label="Answer" { q { (shortened(&mask::answer(&last.answer))) } }
                    }
                }
            }
        }
    };
    let head = ["Event", "Next", "Attempts", "Last", "Answer"];
    html! { div.cards { (table("The first ten, by when they are due", &head, &body)) } }
}

fn failures(shown: &Destination, now: Timestamp) -> Markup {
    if shown.failing.failures.is_empty() {
        return html! { p { "None among the last thousand attempts." } };
    }
    let body = html! {
        @for failure in &shown.failing.failures {
            @let attempt = &failure.attempt;
            tr {
                th scope="row" { (event(failure.entry.as_ref(), failure.sequence)) }
                td data-label="When" { (ago(attempt.at, now)) }
                td data-label="Attempt" { (attempt.number) " (" (attempt.via) ")" }
                td data-label="Outcome" { (attempt.outcome) @if let Some(status) = attempt.status { " " (status) } }
                td data-label="Took" { (attempt.latency.as_millis()) " ms" }
                td data-label="Answer" { q { (shortened(&mask::answer(&attempt.answer))) } }
            }
        }
    };
    let head = ["Event", "When", "Attempt", "Outcome", "Took", "Answer"];
    html! { div.cards { (table("The newest of the last thousand attempts that failed", &head, &body)) } }
}
