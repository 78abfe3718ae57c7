//! What comparisons with Stripe came to.

use std::time::Duration;

use maud::{Markup, html};

use super::{
    At, Kind, badge, layout, table,
    time::{exactly, number},
};
use crate::{
    console::access::Caller,
    reconcile::{Count, Report},
};

/// The reports since the server began.
pub(in crate::console) fn reconciliation(
    caller: &Caller,
    every: Option<Duration>,
    reports: &[Report],
) -> Markup {
    let content = html! {
        @match every {
            None => p { "Not configured: [reconcile] in hookgate.toml compares the log with Stripe's own list of events." },
            Some(every) => {
                p.note { "Compared every " (humantime::format_duration(every))
                    "; the last 50 comparisons." }
                @if reports.is_empty() { p { "The first comparison since the server began is under way." } }
                @else { (list(reports)) (drift(reports)) }
            }
        }
    };
    layout("Reconciliation", At::Reconciliation, Some(caller), &content)
}

fn list(reports: &[Report]) -> Markup {
    let body = html! {
        @for report in reports {
            tr {
                th scope="row" { (exactly(report.at)) }
                @match &report.found {
                    Ok(found) => {
                        td data-label="Result" {
                            @if found.total.missing == 0 { (badge(Kind::Good, "nothing missing")) }
                            @else { (badge(Kind::Bad, "drift")) }
                            @if !found.gone.is_empty() { " no access to " (found.gone.join(", ")) }
                        }
                        td data-label="Until" { (exactly(found.until)) }
                        td data-label="Accounts" { (found.accounts) }
                        (numbers(&found.total))
                    }
                    Err(error) => td data-label="Result" colspan="7" { (badge(Kind::Bad, "ended early")) " " (error) },
                }
            }
        }
    };
    let head = [
        "Ended", "Result", "Until", "Accounts", "Listed", "Present", "Missing", "Appended",
    ];
    html! { div.cards { (table("Comparisons, the newest first", &head, &body)) } }
}

fn numbers(count: &Count) -> Markup {
    html! {
        td data-label="Listed" { (number(count.seen)) }
        td data-label="Present" { (number(count.present)) }
        td data-label="Missing" { (number(count.missing)) }
        td data-label="Appended" { (number(count.appended)) }
    }
}

fn drift(reports: &[Report]) -> Markup {
    let found = reports
        .iter()
        .filter_map(|report| report.found.as_ref().ok().map(|it| (report.at, it)));
    let with_drift: Vec<_> = found.filter(|(_, found)| !found.drift.is_empty()).collect();
    let body = html! {
        @for (at, found) in &with_drift {
            @for (name, count) in &found.drift {
                tr {
                    th scope="row" { (name) }
                    td data-label="Comparison" { (exactly(*at)) }
                    (numbers(count))
                }
            }
        }
    };
    let head = [
        "Type",
        "Comparison",
        "Listed",
        "Present",
        "Missing",
        "Appended",
    ];
    html! {
        @if !with_drift.is_empty() {
            div.cards { (table("Types of which the log lacked something", &head, &body)) }
        }
    }
}
