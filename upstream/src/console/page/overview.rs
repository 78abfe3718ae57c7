//! Health and flow at a glance.

use hookgate_core::time::Timestamp;
use maud::{Markup, html};

use super::{
    At, Kind, badge, expected, layout, shortened, table,
    time::{age, ago, clock, counted, next, number, until},
};
use crate::{
    console::mask,
    console::{
        access::Caller,
        flow::{BARS, Came},
        form::address,
        views::Overview,
    },
    deliver::{engine::Standing, health::Circuit},
    review::{LatestFailure, PastAttempt},
};

/// How old the oldest undelivered event may be before its destination is late.
const LATE_SECONDS: u64 = 60;

/// How young a failure is that still says something.
const RECENT_SECONDS: u64 = 300;

/// The whole page.
pub(in crate::console) fn overview(caller: &Caller, overview: &Overview, now: Timestamp) -> Markup {
    let content = html! {
        form.search method="get" action="/search" role="search" {
            label for="q" { "Event ID, type, account or trace ID" }
            div.row {
                input #q name="q" type="search" maxlength="255" spellcheck="false";
                button.main type="submit" { "Search" }
            }
        }
        p.live-state {
            a.button href="/" { "Refresh" }
            button #pause type="button" hidden { "Pause updates" }
        }
        // Empty from the start, so that a screen reader hears of what it says then.
        p.problem role="status" #stale {}
        (live(overview, now))
    };
    layout("Overview", At::Overview, Some(caller), &content)
}

/// The part that changes by itself.
pub(in crate::console) fn live(overview: &Overview, now: Timestamp) -> Markup {
    let rows = rows(overview, now);
    html! {
        div #live {
            p.note { "As of " time #as-of datetime=(now) { (clock(now)) } span #held {} }
            (summary(overview, &rows, now))
            section aria-labelledby="told" {
                h2 #told { "Not as expected" }
                (expected::told(&overview.expected, now))
            }
            section aria-labelledby="destinations" {
                h2 #destinations { "Destinations" }
                (destinations(&rows, now))
            }
            section aria-labelledby="flow" {
                h2 #flow { "What came" }
                (flow(&overview.flow))
            }
            section aria-labelledby="week" {
                h2 #week { "The last week" }
                (expected::week(&overview.expected, &overview.drift))
            }
            section aria-labelledby="forecast" {
                h2 #forecast { "The next 24 hours" }
                (expected::forecast(&overview.expected))
            }
            section aria-labelledby="reconciliation" {
                h2 #reconciliation { "Comparison with Stripe" }
                (reconciled(overview, now))
            }
        }
    }
}

fn summary(overview: &Overview, rows: &[Row<'_>], now: Timestamp) -> Markup {
    let failing = rows.iter().filter(|row| row.kind == Kind::Bad).count() as u64;
    let parked: u64 = overview
        .counts
        .destinations
        .iter()
        .map(|it| it.parked)
        .sum();
    let log = if overview.is_ready {
        (Kind::Good, "confirms events")
    } else {
        (Kind::Bad, "confirms nothing: deliveries are answered 503")
    };
    let stored = overview.stored.map(|(all, today)| {
        format!(
            "{} in the log, {} of the last 24 h",
            number(all),
            number(today)
        )
    });
    let unexpected = expected::tile(&overview.expected, now);
    let good_if = |good| if good { Kind::Good } else { Kind::Bad };
    html! {
        // One sentence, so that a screen reader says what changed and no more.
        p.visually-hidden role="status" aria-live="polite" #said {
            "Log " (log.1) ". " (counted(failing, "destination")) " failing, "
            (counted(parked, "event")) " parked."
        }
        ul.tiles {
            li { span.name { "Log" } (badge(log.0, log.1))
                @if let Some(stored) = stored { span.more { (stored) } }
                @if overview.counts.unsealed > 0 {
                    span.more { (number(overview.counts.unsealed)) " not sealed yet" }
                }
            }
            li { span.name { "Waiting for the log" } strong { (number(overview.counts.queue)) } }
            li { span.name { "Failing destinations" } (badge(good_if(failing == 0), &number(failing))) }
            li { span.name { "Waiting for a person" }
                a href="/review" { strong { (number(parked)) " parked" } }
            }
            li { span.name { "Not as expected" }
                a href="#told" { (badge(unexpected.0, &unexpected.1)) }
            }
            li { span.name { "Drift since the start" }
                a href="/reconciliation" { (badge(good_if(overview.counts.missing == 0), &number(overview.counts.missing))) }
            }
        }
    }
}

/// One destination.
struct Row<'a> {
    standing: &'a Standing,
    kind: Kind,
    state: String,
    undelivered: u64,
    oldest: Option<Timestamp>,
    parked: u64,
    failure: Option<&'a LatestFailure>,
    /// Whether the log says that now.
    is_known: bool,
}

/// The worst first.
fn rows<'a>(overview: &'a Overview, now: Timestamp) -> Vec<Row<'a>> {
    let row = |standing: &'a Standing| {
        let name = standing.name.as_str();
        let mut waiting = overview.counts.destinations.iter();
        let waiting = waiting.find(|it| *it.name == *name);
        let mut failures = overview.failures.iter().flatten();
        let failure = failures.find(|it| it.destination == name);
        let oldest = waiting.and_then(|it| it.oldest);
        let parked = waiting.map_or(0, |it| it.parked);
        let (kind, state) = state(standing, oldest, parked, failure, now);
        Row {
            standing,
            kind,
            state,
            undelivered: waiting.map_or(0, |it| it.undelivered),
            oldest,
            parked,
            failure,
            is_known: overview.failures.is_some(),
        }
    };
    let mut rows: Vec<Row<'a>> = overview.standings.iter().map(row).collect();
    rows.sort_by(|one, other| {
        let name = |row: &Row<'_>| row.standing.name.clone();
        (one.kind, name(one)).cmp(&(other.kind, name(other)))
    });
    rows
}

/// Says in a word how a destination is.
pub(super) fn state(
    standing: &Standing,
    oldest: Option<Timestamp>,
    parked: u64,
    failure: Option<&LatestFailure>,
    now: Timestamp,
) -> (Kind, String) {
    let since = |at: Timestamp| now.unix_seconds().saturating_sub(at.unix_seconds());
    let is_late = oldest.is_some_and(|at| since(at) > LATE_SECONDS);
    let recent = failure.filter(|it| since(it.attempt.at) < RECENT_SECONDS);
    if let Circuit::Open { until: at } = standing.primary.1 {
        return (Kind::Bad, format!("away, next try {}", next(at, now)));
    }
    if standing.primary.1 == Circuit::Probing {
        return (Kind::Bad, "away, being tried".to_owned());
    }
    let pause = standing.paused_until.map(|at| until(at, now));
    let asked = |pause: &str| format!("asked for less, for {pause}");
    // The attempt that was answered so failed as well, and says no more than that.
    let asked_for_less = |it: &LatestFailure| pause.is_some() && it.attempt.outcome == "throttled";
    let is_failing = recent.is_some_and(|it| !it.is_over && !asked_for_less(it));
    let bad = match (is_late, is_failing) {
        (true, _) => Some("late"),
        (_, true) => Some("failing"),
        _ => None,
    };
    match (bad, pause) {
        (Some(bad), Some(pause)) => (Kind::Bad, format!("{bad}, {}", asked(&pause))),
        (Some(bad), None) => (Kind::Bad, bad.to_owned()),
        (None, Some(pause)) => (Kind::Warning, asked(&pause)),
        _ if parked > 0 => (Kind::Warning, "events parked".to_owned()),
        _ if recent.is_some() => (Kind::Warning, "failed a moment ago".to_owned()),
        _ => (Kind::Good, "delivering".to_owned()),
    }
}

fn destinations(rows: &[Row<'_>], now: Timestamp) -> Markup {
    if rows.is_empty() {
        return html! {
            p { "The configuration has no destinations: events stay in the log, and whoever wants \
                 them reads it." }
        };
    }
    let body = html! {
        @for row in rows {
            tr {
                th scope="row" {
                    a href=(address("/destination", &[("name", Some(&row.standing.name))])) {
                        (row.standing.name)
                    }
                }
                td data-label="State" { (badge(row.kind, &row.state)) }
                td data-label="Undelivered" { (number(row.undelivered)) }
                td data-label="Oldest" { (row.oldest.map_or_else(|| "–".to_owned(), |at| age(at, now))) }
                td data-label="Parked" { (number(row.parked)) }
                td data-label="Last failure" {
                    @if row.is_known { (reason(row.failure.map(|it| &it.attempt), now)) } @else { "not known now" }
                }
            }
        }
    };
    let head = [
        "Destination",
        "State",
        "Undelivered",
        "Oldest",
        "Parked",
        "Last failure",
    ];
    html! { div.cards { (table("Destinations, the worst first", &head, &body)) } }
}

/// Says why an attempt failed.
fn reason(failure: Option<&PastAttempt>, now: Timestamp) -> Markup {
    let Some(attempt) = failure else {
        return html! { "none of late" };
    };
    let status = attempt.status.map(|status| format!(" {status}"));
    html! {
        (attempt.outcome) (status.unwrap_or_default()) " " (ago(attempt.at, now))
        @if !attempt.answer.is_empty() { ": " q { (shortened(&mask::answer(&attempt.answer))) } }
    }
}

fn flow(flow: &[Came]) -> Markup {
    if flow.is_empty() {
        return html! { p { "Nothing came since the server began." } };
    }
    let body = html! {
        @for came in flow {
            tr {
                th scope="row" { (came.counts.name) }
                td data-label="Last 5 min" { (number(came.recently)) }
                td data-label="Last hour" { (number(came.bars.iter().sum())) " " (bars(&came.bars)) }
                td data-label="Stored" { (number(came.counts.stored)) }
                td data-label="Duplicate" { (number(came.counts.duplicate)) }
                td data-label="Refused" { (number(came.counts.refused)) }
                td data-label="Not confirmed" { (number(came.counts.unavailable)) }
            }
        }
    };
    let head = [
        "Endpoint",
        "Last 5 min",
        "Last hour",
        "Stored",
        "Duplicate",
        "Refused",
        "Not confirmed",
    ];
    html! { div.cards { (table("Events by endpoint, since the server began", &head, &body)) } }
}

/// A small chart; the numbers stand beside it.
fn bars(bars: &[u64; BARS]) -> Markup {
    let most = bars.iter().copied().max().unwrap_or_default().max(1);
    html! {
        svg.bars viewBox="0 0 120 24" width="120" height="24" aria-hidden="true" focusable="false" {
            @for (place, count) in bars.iter().enumerate() {
                @let height = (count * 22).div_ceil(most).max(1);
                rect x=(place * 10) y=(24 - height) width="8" height=(height) {}
            }
        }
    }
}

fn reconciled(overview: &Overview, now: Timestamp) -> Markup {
    html! {
        @match &overview.reconciled {
            None => p { "Not configured: [reconcile] in hookgate.toml compares the log with Stripe's own list." },
            Some(None) => p { "The first comparison since the server began is under way." },
            Some(Some(report)) => p {
                @match &report.found {
                    Ok(found) => {
                        "Ended " (ago(report.at, now)) ": Stripe listed "
                        (counted(found.total.seen, "event")) ", the log lacked "
                        (number(found.total.missing)) "."
                    }
                    Err(error) => { (badge(Kind::Bad, "ended early")) " " (ago(report.at, now)) ": " (error) }
                }
                " " a href="/reconciliation" { "All reports" }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hookgate_core::time::Timestamp;

    use super::{Kind, state};
    use crate::{
        deliver::{engine::Standing, health::Circuit},
        review::{LatestFailure, PastAttempt},
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1_760_000_000 + seconds)
    }

    fn standing(circuit: Circuit, paused_until: Option<Timestamp>) -> Standing {
        Standing {
            name: "orders".to_owned(),
            primary: ("http://orders.example".to_owned(), circuit),
            secondary: None,
            paused_until,
        }
    }

    fn failed(outcome: &str) -> LatestFailure {
        LatestFailure {
            destination: "orders".to_owned(),
            attempt: PastAttempt {
                number: 1,
                at: at(0),
                via: "primary".to_owned(),
                outcome: outcome.to_owned(),
                status: None,
                latency: Duration::ZERO,
                answer: String::new(),
            },
            is_over: false,
        }
    }

    #[test]
    fn what_is_worst_is_said_first() {
        let paused = standing(Circuit::Closed { failures: 0 }, Some(at(90)));
        let said = |oldest, failure: Option<&LatestFailure>| {
            let (kind, text) = state(&paused, oldest, 0, failure, at(70));
            (kind, text)
        };
        let asked = "asked for less, for 20 s";
        let only = (Kind::Warning, asked.to_owned());
        assert_eq!(said(None, None), only);
        assert_eq!(said(None, Some(&failed("throttled"))), only);
        assert_eq!(
            said(None, Some(&failed("failed"))),
            (Kind::Bad, format!("failing, {asked}"))
        );
        assert_eq!(
            said(Some(at(0)), None),
            (Kind::Bad, format!("late, {asked}"))
        );
    }

    #[test]
    fn a_try_that_is_due_is_due_now() {
        let away = standing(Circuit::Open { until: at(0) }, None);
        let (kind, text) = state(&away, None, 0, None, at(0));
        assert_eq!((kind, &*text), (Kind::Bad, "away, next try now"));
    }
}
