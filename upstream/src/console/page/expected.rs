//! What is not as expected, the last week as a picture, and what is expected of the next day.

mod picture;

use hookgate_core::time::Timestamp;
use maud::{Markup, html};

use self::picture::{Mark, forecast_picture, week_picture};
use super::{
    Kind, badge, table,
    time::{ago, number},
};
use crate::{
    console::form::address,
    expect::{ALL, Forecast, Hour, Shown, Told},
};

/// Rows of what was told.
const ROWS: usize = 10;
/// Types of a forecast that are shown.
const TYPES: usize = 8;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;
/// Seconds in which something was told that is still worth a word on the overview: a day.
const RECENT: u64 = DAY;

/// What was told, by the server of its log and by gates, the newest first.
pub(super) fn told(shown: &Shown, now: Timestamp) -> Markup {
    let all = newest(shown);
    if all.is_empty() {
        return html! {
            p {
                @if shown.is_learning { "The past of the log is being learnt from." }
                @else { "Nothing was found that is not as expected." }
            }
        };
    }
    let body = html! {
        @for told in all.iter().take(ROWS) {
            tr {
                th scope="row" { (badge(kind(told), &told.kind.replace('_', " "))) }
                td data-label="About" { (about(told)) }
                td data-label="Why" { (told.evidence) (similar(told)) }
                td data-label="Found" { (ago(told.at, now)) }
                td data-label="Since then" { (since(told)) }
            }
        }
    };
    let head = ["What", "About", "Why", "Found", "Since then"];
    let rest = all.len().saturating_sub(ROWS);
    html! {
        div.cards { (table("What is not as expected, the newest first", &head, &body)) }
        @if rest > 0 {
            p.note { (number(rest as u64)) " more: " code { "hookgate watch flags" } }
        }
    }
}

/// Says in a word how it is, for a tile.
pub(super) fn tile(shown: &Shown, now: Timestamp) -> (Kind, String) {
    let since = now.unix_seconds().saturating_sub(RECENT);
    let recent = |told: &&Told| told.came.is_none() && told.at.unix_seconds() >= since;
    let all = newest(shown);
    let recent = all.into_iter().filter(recent).count();
    match (shown.overdue, recent) {
        (0, 0) => (Kind::Good, "nothing of the last 24 h".to_owned()),
        (0, recent) => (Kind::Warning, format!("{recent} of the last 24 h")),
        (overdue, _) => (Kind::Bad, format!("{} overdue", number(overdue as u64))),
    }
}

/// The last week: how many events came in each hour, how many were expected, what was
/// told, and of how many a comparison with Stripe found that they were `missing`.
pub(super) fn week(shown: &Shown, missing: &[(Timestamp, u64)]) -> Markup {
    let hours = &shown.hours;
    let (Some(first), Some(last)) = (hours.first(), hours.last()) else {
        return html! { p { "Nothing came yet." } };
    };
    let all = newest(shown);
    let told = all.iter().map(|told| {
        let mark = match told.is_overdue() {
            true => Mark::Overdue,
            false => Mark::Told,
        };
        (told.at.unix_seconds(), mark)
    });
    let drift = missing
        .iter()
        .map(|(at, missing)| (at.unix_seconds(), Mark::Missing(*missing)));
    let marks: Vec<(u64, Mark)> = told
        .chain(drift)
        .filter(|(at, _)| *at >= first.at)
        .collect();
    let most = hours.iter().map(|hour| hour.events).max();
    html! {
        figure.picture {
            (week_picture(hours, &marks))
            figcaption {
                "Events an hour, " (day(first.at)) " to " (day(last.at)) " UTC, at most "
                (number(most.unwrap_or_default())) ". "
                span.key.of-band { "Grey" } ": what holds 19 of 20 hours. "
                span.key.of-usual { "Dashed" } ": expected. "
                span.key.of-mark { "▼" } ": told, " span.key.of-overdue { "◆" } ": overdue, "
                span.key.of-missing { "■" } ": found missing by a comparison with Stripe."
            }
        }
        (days(hours, &marks))
    }
}

/// The same in numbers, a day a row.
fn days(hours: &[Hour], marks: &[(u64, Mark)]) -> Markup {
    let mut starts: Vec<u64> = hours.iter().map(|hour| hour.at / DAY * DAY).collect();
    starts.dedup();
    let body = html! {
        @for start in starts.iter().rev() {
            @let of_day = || hours.iter().filter(|hour| hour.at / DAY * DAY == *start);
            @let expected: f64 = of_day().filter_map(|hour| hour.expected).map(|it| it.0).sum();
            @let outside = of_day().filter(|hour| is_outside(hour)).count();
            @let marked = || marks.iter().filter(|(at, _)| at / DAY * DAY == *start);
            @let missing: u64 = marked().map(|(_, mark)| mark.missing()).sum();
            @let told = marked().filter(|(_, mark)| mark.missing() == 0).count();
            tr {
                th.short scope="row" { (short_day(*start)) }
                td { (number(of_day().map(|hour| hour.events).sum())) }
                td { @if expected > 0.0 { (number(expected.round() as u64)) } @else { "–" } }
                td { (outside) }
                td { (told) }
                td { (number(missing)) }
            }
        }
    };
    let head = ["Day", "Events", "Expected", "Outside", "Told", "Missing"];
    let caption = "The last week by days; outside: hours out of the band";
    html! { div.days { (table(caption, &head, &body)) } }
}

/// An hour that is under way has less than it will.
fn is_outside(hour: &Hour) -> bool {
    let events = hour.events as f64;
    hour.expected
        .is_some_and(|(_, low, high)| events < low.floor() || events > high.ceil())
}

/// What is expected of the next 24 hours.
pub(super) fn forecast(shown: &Shown) -> Markup {
    let Some(all) = shown.forecasts.iter().find(|it| *it.name == *ALL) else {
        return html! {
            p { "No forecast yet: it needs a week of counts, at least one in half an hour." }
        };
    };
    let types = shown.forecasts.len().saturating_sub(TYPES + 1);
    let body = html! {
        @for forecast in shown.forecasts.iter().take(TYPES + 1) {
            @let hour = forecast.hours.first().copied().unwrap_or_default();
            @let whole = forecast.day();
            tr {
                th scope="row" { (forecast.name) }
                td data-label="Next hour" { (band(hour.events, hour.low, hour.high)) }
                td data-label="24 hours" { (band(whole.events, whole.low, whole.high)) }
                td data-label="Busiest hour" { (busiest(forecast)) }
            }
        }
    };
    let head = ["Type", "Next hour", "24 hours", "Busiest hour"];
    html! {
        figure.picture {
            (forecast_picture(all))
            figcaption {
                "Events an hour that are expected of the next 24 hours. "
                span.key.of-band { "Grey" } ": what holds 19 of 20 hours."
            }
        }
        div.cards { (table("What is expected, the busiest types first", &head, &body)) }
        @if types > 0 { p.note { (number(types as u64)) " more types are in the metrics." } }
    }
}

fn band(events: f64, low: f64, high: f64) -> String {
    let whole = |events: f64| number(events.round() as u64);
    format!(
        "{} ({} to {})",
        whole(events),
        whole(low.floor()),
        whole(high.ceil())
    )
}

fn busiest(forecast: &Forecast) -> String {
    let hours = forecast.hours.iter();
    let most = hours.max_by(|one, other| one.events.total_cmp(&other.events));
    most.map_or_else(String::new, |hour| {
        let of_day = hour.at % DAY / HOUR;
        format!("{of_day:02}:00 UTC, {}", number(hour.events.round() as u64))
    })
}

/// What the server told of its log and what gates told, the newest first.
fn newest(shown: &Shown) -> Vec<&Told> {
    let mut all: Vec<&Told> = shown.told.iter().chain(&shown.verdicts).collect();
    all.sort_by_key(|told| std::cmp::Reverse(told.at));
    all
}

fn kind(told: &Told) -> Kind {
    match (&told.came, &*told.kind) {
        (Some(_), _) => Kind::Plain,
        (None, "legitimate_spike" | "unusual" | "improbable_transition") => Kind::Warning,
        (None, _) => Kind::Bad,
    }
}

fn about(told: &Told) -> Markup {
    html! {
        @if told.type_name.is_empty() { "all" } @else { (told.type_name) }
        @if let Some(event) = &told.event {
            @let place = [("id", Some(event.id.as_str())), ("source", Some(event.source.as_str()))];
            " " a href=(address("/event", &place)) { (event.id) }
        }
        @if let Some(gate) = &told.gate { " at gate " (gate) }
    }
}

fn similar(told: &Told) -> Markup {
    html! {
        @if !told.similar.is_empty() { ". Similar: " (told.similar.join(", ")) }
    }
}

fn since(told: &Told) -> Markup {
    html! {
        @match (&told.came, &told.review) {
            (Some(_), _) => "came after all",
            (None, Some(destination)) => {
                @let place = [("destination", Some(destination.as_str())), ("parked_for", Some("overdue"))];
                a href=(address("/review", &place)) { "in review" }
            }
            (None, None) => "–",
        }
    }
}

/// A day in UTC, as `26 Nov`.
fn short_day(at: u64) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = day(at);
    let month = text.get(5..7).and_then(|month| month.parse::<usize>().ok());
    let month = month.and_then(|month| MONTHS.get(month.checked_sub(1)?));
    format!(
        "{} {}",
        text.get(8..).unwrap_or_default(),
        month.unwrap_or(&"")
    )
}

/// A day in UTC, as `2026-11-26`.
fn day(at: u64) -> String {
    let text = Timestamp::from_unix_seconds(at).to_string();
    text.get(..10).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{day, short_day};

    #[test]
    fn a_day_is_short_in_a_table() {
        assert_eq!(short_day(1_795_651_200), "26 Nov");
        assert_eq!(short_day(0), "01 Jan");
        assert_eq!(day(1_795_651_200), "2026-11-26");
    }
}
