//! Who decided what, and who looked at what.

use maud::{Markup, html};

use super::{At, Kind, badge, layout, table, time::exactly};
use crate::{
    console::{
        access::Caller,
        form::{address, event_address},
    },
    review::{Action, Record, TrailPage},
};

/// The trail.
pub(in crate::console) fn audit(caller: &Caller, trail: &TrailPage) -> Markup {
    let body = html! { @for record in &trail.records { (row(record)) } };
    let head = [
        "Number", "When", "Who", "What", "Event", "Where", "Reason", "Batch",
    ];
    let content = html! {
        p.note {
            "Each record of this page was held against the links on both sides. "
            code { "hookgate audit" } " verifies the whole trail. \
             Of what was decided here the name is of who logged in; of what was decided at the \
             command line it is what somebody said of themselves."
        }
        @if trail.records.is_empty() { p { "Nobody has decided anything, or looked at a payload." } }
        @else { div.cards { (table("Records, the newest first", &head, &body)) } }
        @if let Some(before) = trail.before {
            @let before = before.to_string();
            p { a.button href=(address("/audit", &[("before", Some(&before))])) rel="next" { "Older…" } }
        }
    };
    layout("Audit", At::Audit, Some(caller), &content)
}

fn row(record: &Record) -> Markup {
    let (kind, place) = match record.action {
        Action::Released | Action::Approved => (Kind::Good, record.target.as_deref()),
        Action::Discarded => (Kind::Plain, Some(record.destination.as_str())),
        Action::Looked => (Kind::Warning, None),
    };
    html! {
        tr {
            th scope="row" { (record.number) }
            td data-label="When" { (exactly(record.at)) }
            td data-label="Who" { (record.name) }
            td data-label="What" { (badge(kind, record.action.as_str())) }
            td data-label="Event" {
                @if record.id.is_empty() { "event " (record.sequence) }
                @else { a href=(event_address(&record.id, &record.source)) { (record.id) } }
            }
            td data-label="Where" { (place.unwrap_or("–")) }
            td data-label="Reason" { (record.reason) }
            td data-label="Batch" { code { (record.batch) } }
        }
    }
}
