//! Events for people.

use comfy_table::{CellAlignment, Table, presets};

use crate::log::{Entry, HeldFor, UNSIGNED};

/// Lists events, one a row.
pub(super) fn events(entries: &[Entry]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header([
        "seq", "event ID", "type", "source", "account", "live", "received", "bytes",
    ]);
    for entry in entries {
        let attributes = &entry.attributes;
        table.add_row([
            entry.sequence.to_string(),
            attributes.id.clone(),
            attributes.type_name.clone(),
            attributes.source.to_string(),
            or_dash(attributes.account.as_deref()),
            or_dash(attributes.livemode.map(yes_or_no)),
            attributes.received_at.to_string(),
            entry.size.to_string(),
        ]);
    }
    for number in [0, 7] {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Shows one event, one field a row.
pub(super) fn event(entry: &Entry) -> Table {
    let attributes = &entry.attributes;
    let trace = attributes.traceparent.as_ref();
    let (payload, sha256) = if entry.redacted {
        (
            "redacted".to_owned(),
            format!("{} (of what was removed)", attributes.sha256),
        )
    } else {
        (
            format!("{} bytes", entry.size),
            format!("{} (checked)", attributes.sha256),
        )
    };
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (name, value) in [
        ("event ID", attributes.id.clone()),
        ("source", attributes.source.to_string()),
        ("sequence", entry.sequence.to_string()),
        ("type", attributes.type_name.clone()),
        ("account", or_dash(attributes.account.as_deref())),
        ("live mode", or_dash(attributes.livemode.map(yes_or_no))),
        (
            "happened",
            or_dash(attributes.time.map(|time| time.to_string()).as_deref()),
        ),
        (
            "signed",
            or_dash(attributes.signed_at.map(|time| time.to_string()).as_deref()),
        ),
        (
            "not signed",
            or_dash(attributes.unsigned_attributes.then_some(UNSIGNED)),
        ),
        (
            "origin",
            attributes.origin.name().unwrap_or("delivery").to_owned(),
        ),
        ("held", or_dash(attributes.held_for.map(HeldFor::why))),
        ("received", attributes.received_at.to_string()),
        ("stored", entry.stored_at.to_string()),
        ("endpoint", attributes.endpoint.clone()),
        ("secret", or_dash(not_empty(&attributes.secret_name))),
        ("trace ID", or_dash(trace.map(|trace| trace.trace_id()))),
        // As sent, and so not to be trusted with a terminal.
        (
            "signature",
            or_dash(not_empty(&attributes.signature.escape_debug().to_string())),
        ),
        ("payload", payload),
        ("SHA-256", sha256),
    ] {
        table.add_row([name.to_owned(), value]);
    }
    table
}

fn not_empty(value: &str) -> Option<&str> {
    Some(value).filter(|value| !value.is_empty())
}

fn or_dash(value: Option<&str>) -> String {
    value.unwrap_or("-").to_owned()
}

const fn yes_or_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}
