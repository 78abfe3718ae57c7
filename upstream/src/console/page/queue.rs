//! What waits for a person.

use hookgate_core::time::Timestamp;
use maud::{Markup, html};

use super::{At, Kind, badge, form_token, layout, shortened, table, time::ago};
use crate::{
    console::mask,
    console::{
        access::Caller,
        form::{Fields, address, event_address},
    },
    deliver::schedule::Parked,
    review::QueuePage,
};

/// Fields of the filter.
const FILTER: [&str; 8] = [
    "destination",
    "type",
    "account",
    "source",
    "parked_for",
    "since",
    "until",
    "id",
];

/// Why an event may be parked.
const REASONS: [&str; 6] = [
    "refused",
    "exhausted",
    "damaged",
    "requested",
    "overdue",
    "held",
];

/// The review queue.
pub(in crate::console) fn review(
    caller: &Caller,
    queue: &QueuePage,
    fields: &Fields,
    destinations: &[String],
    now: Timestamp,
) -> Markup {
    let content = html! {
        (filter(fields, destinations))
        (parked(caller, queue, now))
        @if let Some(next) = &queue.next {
            @let after = next.to_string();
            @let chosen = FILTER.map(|name| (name, fields.get(name)));
            @let all: Vec<_> = chosen.into_iter().chain([("after", Some(after.as_str()))]).collect();
            p { a.button href=(address("/review", &all)) rel="next" { "Parked later…" } }
        }
        @if caller.operates() && !queue.parked.is_empty() {
            (bulk(caller, fields, destinations))
        }
    };
    layout("Review", At::Review, Some(caller), &content)
}

fn filter(fields: &Fields, destinations: &[String]) -> Markup {
    let text = |name: &'static str, label: &str, hint: &str| {
        html! {
            div {
                label for=(name) { (label) }
                input id=(name) name=(name) value=[fields.get(name)] maxlength="255"
                    placeholder=(hint) spellcheck="false";
            }
        }
    };
    html! {
        form.filter method="get" action="/review" aria-label="Filter" {
            div {
                label for="destination" { "Destination" }
                (choice("destination", fields, destinations.iter().map(String::as_str)))
            }
            (text("type", "Type", "invoice.*"))
            (text("account", "Account", "acct_…"))
            (text("source", "Source", "stripe"))
            div {
                label for="parked_for" { "Parked for" }
                (choice("parked_for", fields, REASONS.into_iter()))
            }
            (text("since", "Tried last since", "2026-11-26T14:00:00Z"))
            (text("until", "Tried last before", "2026-11-26T15:00:00Z"))
            div.end {
                button.main type="submit" { "Filter" }
                a.button href="/review" { "All" }
            }
        }
    }
}

fn choice<'a>(
    name: &'static str,
    fields: &Fields,
    values: impl Iterator<Item = &'a str>,
) -> Markup {
    html! {
        select id=(name) name=(name) {
            option value="" { "any" }
            @for value in values {
                option value=(value) selected[fields.get(name) == Some(value)] { (value) }
            }
        }
    }
}

/// Parked events.
pub(super) fn parked(caller: &Caller, queue: &QueuePage, now: Timestamp) -> Markup {
    let hint = if queue.next.is_some() {
        "None here: there may be some later on."
    } else {
        "Nothing is parked that this filter chooses."
    };
    if queue.parked.is_empty() {
        return html! { p { (hint) } };
    }
    let body = html! {
        @for parked in &queue.parked { (row(parked, now)) }
    };
    let head = [
        "Event",
        "Type",
        "Account",
        "Destination",
        "Parked for",
        "Attempts",
        "Last attempt",
        "Answer",
    ];
    html! {
        div.cards { (table("Parked events, the one that was parked longest ago first", &head, &body)) }
        @if !caller.operates() {
            p.note { "Who has the role operate decides about them." }
        }
    }
}

fn row(parked: &Parked, now: Timestamp) -> Markup {
    let event = parked.entry.as_ref().map(|entry| &entry.attributes);
    let status = parked.status.map(|status| format!(" {status}"));
    html! {
        tr {
            th scope="row" {
                @match event {
                    Some(event) => a href=(event_address(&event.id, event.source.as_str())) { (event.id) },
                    None => { "event " (parked.sequence) ", which the log doesn't have as it was" }
                }
            }
            td data-label="Type" { (event.map_or("–", |it| &it.type_name)) }
            td data-label="Account" { (event.and_then(|it| it.account.as_deref()).unwrap_or("–")) }
            td data-label="Destination" {
                a href=(address("/destination", &[("name", Some(&parked.destination))])) { (parked.destination) }
            }
            td data-label="Parked for" { (badge(Kind::Warning, &parked.reason)) (status.unwrap_or_default()) }
            td data-label="Attempts" { (parked.attempts) }
            td data-label="Last attempt" { (ago(parked.last_at, now)) }
            td data-label="Answer" { q { (shortened(&mask::answer(&parked.answer))) } }
        }
    }
}

fn bulk(caller: &Caller, fields: &Fields, destinations: &[String]) -> Markup {
    let is_all = FILTER.iter().all(|name| fields.get(name).is_none());
    html! {
        section aria-labelledby="bulk" {
            h2 #bulk {
                @if is_all { "Decide about every parked event" }
                @else { "Decide about all that the filter chooses" }
            }
            form.stack method="post" action="/review/preview" {
                (form_token(caller))
                @for name in FILTER {
                    @if let Some(value) = fields.get(name) {
                        input type="hidden" name=(name) value=(value);
                    }
                }
                @if is_all { input type="hidden" name="all" value="1"; }
                (decision(destinations))
            }
        }
    }
}

/// What a decision has to say.
pub(super) fn decision(destinations: &[String]) -> Markup {
    html! {
        fieldset {
            legend { "Decision" }
            label.choice { input type="radio" name="decision" value="approve" required; span { "Approve: deliver again" } }
            label.choice { input type="radio" name="decision" value="discard"; span { "Discard: don't deliver, keep in the log" } }
        }
        label for="to" { "Deliver to" }
        select #to name="to" {
            option value="" { "the destination where it is parked" }
            @for name in destinations { option value=(name) { (name) } }
        }
        label for="reason" { "Reason (required; the audit trail keeps it, so no personal data)" }
        input #reason name="reason" required maxlength="1000";
        button.main type="submit" { "See what would happen" }
    }
}
