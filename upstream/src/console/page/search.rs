//! Events that are looked for.

use hookgate_core::time::Timestamp;
use maud::{Markup, html};

use super::{
    At, Kind, badge, layout, shortened, table,
    time::{ago, counted, exactly},
};
use crate::{
    console::{
        access::Caller,
        form::{Fields, address, event_address},
        views::Meant,
    },
    log::{Damage, Entry, Found},
};

/// Fields of a search.
const FIELDS: [(&str, &str, &str); 6] = [
    ("q", "Anything", "evt_…, invoice.*, acct_…, trace"),
    ("id", "Event ID", "evt_…"),
    ("type", "Type", "invoice.*"),
    ("account", "Account", "acct_…"),
    ("trace", "Trace ID", "32 hex digits"),
    ("source", "Source", "stripe"),
];

/// What was found.
pub(in crate::console) fn search(
    caller: &Caller,
    fields: &Fields,
    found: &Found,
    now: Timestamp,
) -> Markup {
    let content = html! {
        form.filter method="get" action="/search" role="search" {
            @for (name, label, hint) in FIELDS {
                div {
                    label for=(name) { (label) }
                    input id=(name) name=(name) value=[fields.get(name)] maxlength="255"
                        placeholder=(hint) spellcheck="false";
                }
            }
            div.end { button.main type="submit" { "Search" } }
        }
        (events(found, now))
        @if found.events.is_empty() && let Some(text) = fields.get("q") {
            (or_as(text, Meant::by(text)))
        }
        (further(fields, found))
    };
    layout("Search", At::Search, Some(caller), &content)
}

/// No event has the ID that was asked for.
pub(in crate::console) fn no_event(caller: &Caller, id: &str) -> Markup {
    let content = html! {
        p.problem role="alert" { "The log has no event of this ID (and source): " q { (shortened(id)) } }
        (or_as(id, Meant::Id))
        p { a href="/search" { "To the search" } }
    };
    layout("Not found", At::Search, Some(caller), &content)
}

/// Says what a text was taken for, and leads to what else it may be.
fn or_as(text: &str, taken: Meant) -> Markup {
    let others = [
        (Meant::Id, "id", "an event ID"),
        (Meant::Type, "type", "a type"),
        (Meant::Account, "account", "an account"),
    ];
    let name = match taken {
        Meant::Id => "an event ID",
        Meant::Type => "a type",
        Meant::Account => "an account",
        Meant::Trace => "a trace ID",
    };
    html! {
        p { "It was taken for " (name) "." }
        ul {
            @for (other, field, name) in others {
                @if other != taken && other.can_be(text) {
                    li { a href=(address("/search", &[(field, Some(text))])) { "Search it as " (name) } }
                }
            }
        }
    }
}

fn events(found: &Found, now: Timestamp) -> Markup {
    if found.events.is_empty() {
        return html! { p { "Nothing found." } };
    }
    let body = html! { @for event in &found.events { (row(event, now)) } };
    let head = ["Event", "Type", "Account", "Source", "Stored"];
    html! { div.cards { (table("Events, the newest first", &head, &body)) } }
}

fn row(event: &Result<Entry, Damage>, now: Timestamp) -> Markup {
    let entry = match event {
        Ok(entry) => entry,
        Err(damage) => {
            return html! { tr { td colspan="5" { (badge(Kind::Bad, "damaged")) " " (damage) } } };
        }
    };
    let it = &entry.attributes;
    html! {
        tr {
            th scope="row" { a href=(event_address(&it.id, it.source.as_str())) { (it.id) } }
            td data-label="Type" { (it.type_name) }
            td data-label="Account" { (it.account.as_deref().unwrap_or("–")) }
            td data-label="Source" { (it.source.as_str()) }
            td data-label="Stored" { (ago(entry.stored_at, now)) }
        }
    }
}

/// Says how far the search came, and leads on.
fn further(fields: &Fields, found: &Found) -> Markup {
    let last = found
        .events
        .iter()
        .rev()
        .find_map(|event| event.as_ref().ok());
    html! {
        p.note {
            "Looked through " (counted(found.seen, "event"))
            @if let Some(entry) = last { ", the last one shown is of " (exactly(entry.stored_at)) }
            @if found.before.is_none() { ", to the beginning of the log" }
            "."
        }
        @if let Some(before) = found.before {
            @let before = before.to_string();
            @let asked = FIELDS.map(|(name, ..)| (name, fields.get(name)));
            @let all: Vec<_> = asked.into_iter().chain([("before", Some(before.as_str()))]).collect();
            p { a.button href=(address("/search", &all)) rel="next" { "Older…" } }
        }
    }
}
