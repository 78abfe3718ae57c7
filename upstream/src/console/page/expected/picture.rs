//! Pictures, drawn here: a browser gets shapes, and colours from the style sheet.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::expect::{Forecast, Hour};

const HEIGHT: f64 = 120.0;
/// What is free above, for marks.
const TOP: f64 = 16.0;
/// Width of an hour of the week, and of the day.
const WEEK_STEP: f64 = 4.0;
const DAY_STEP: f64 = 28.0;
const HOUR: u64 = 3_600;

/// What happened at a time of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Something was told.
    Told,
    /// Something was overdue.
    Overdue,
    /// A comparison found so many events missing.
    Missing(u64),
}

impl Mark {
    /// Returns how many events were found missing.
    pub(super) const fn missing(self) -> u64 {
        match self {
            Self::Missing(events) => events,
            Self::Told | Self::Overdue => 0,
        }
    }
}

/// Places values on the paper.
struct Paper {
    step: f64,
    most: f64,
}

impl Paper {
    fn x(&self, place: f64) -> f64 {
        place * self.step
    }

    fn y(&self, events: f64) -> f64 {
        let share = (events / self.most.max(1.0)).clamp(0.0, 1.0);
        HEIGHT - share * (HEIGHT - TOP)
    }

    /// A line from hour to hour, in their middles.
    fn line(&self, values: impl Iterator<Item = (f64, f64)>) -> String {
        let mut points = String::new();
        for (place, events) in values {
            // Writing to a string can't fail.
            let _ = write!(points, "{:.1},{:.1} ", self.x(place + 0.5), self.y(events));
        }
        points
    }
}

/// The last week, with what happened when.
pub(super) fn week_picture(hours: &[Hour], marks: &[(u64, Mark)]) -> Markup {
    let first = hours.first().map_or(0, |hour| hour.at);
    let last = hours.last().map_or(0, |hour| hour.at);
    let place = |at: u64| (at.saturating_sub(first) as f64) / HOUR as f64;
    let highs = hours.iter().map(|hour| {
        let high = hour.expected.map_or(0.0, |(_, _, high)| high);
        high.max(hour.events as f64)
    });
    let paper = Paper {
        step: WEEK_STEP,
        most: highs.fold(0.0, f64::max),
    };
    let expected: Vec<_> = hours
        .iter()
        .filter_map(|hour| Some((place(hour.at), hour.expected?)))
        .collect();
    let band = paper.line(expected.iter().map(|(at, (_, low, _))| (*at, *low)))
        + &paper.line(expected.iter().rev().map(|(at, (_, _, high))| (*at, *high)));
    let usual = paper.line(expected.iter().map(|(at, (usual, _, _))| (*at, *usual)));
    let came = paper.line(
        hours
            .iter()
            .map(|hour| (place(hour.at), hour.events as f64)),
    );
    let width = paper.x(place(last) + 1.0);
    let view = format!("0 0 {width:.0} {HEIGHT:.0}");
    html! {
        svg.plot viewBox=(view) preserveAspectRatio="none" role="img"
            aria-label="Events an hour of the last week; the table below has the numbers" {
            polygon.band points=(band) {}
            polyline.usual points=(usual) {}
            polyline.came points=(came) {}
            @for (at, mark) in marks {
                @let x = paper.x(place(*at));
                @match mark {
                    Mark::Told => polygon.mark points=(triangle(x)) {},
                    Mark::Overdue => polygon.overdue points=(diamond(x)) {},
                    Mark::Missing(_) => polygon.missing points=(square(x)) {},
                }
            }
        }
    }
}

/// The next 24 hours of all events.
pub(super) fn forecast_picture(forecast: &Forecast) -> Markup {
    let hours = || (0_u32..).map(f64::from).zip(&forecast.hours);
    let highs = forecast.hours.iter().map(|hour| hour.high);
    let paper = Paper {
        step: DAY_STEP,
        most: highs.fold(0.0, f64::max),
    };
    let low = paper.line(hours().map(|(at, hour)| (at, hour.low)));
    let mut high: Vec<_> = hours().map(|(at, hour)| (at, hour.high)).collect();
    high.reverse();
    let band = low + &paper.line(high.into_iter());
    let usual = paper.line(hours().map(|(at, hour)| (at, hour.events)));
    let width = paper.step * forecast.hours.len() as f64;
    let view = format!("0 0 {width:.0} {HEIGHT:.0}");
    html! {
        svg.plot viewBox=(view) preserveAspectRatio="none" role="img"
            aria-label="Events an hour expected of the next 24 hours; the table below has the numbers" {
            polygon.band points=(band) {}
            polyline.usual points=(usual) {}
        }
    }
}

fn triangle(x: f64) -> String {
    format!("{:.1},1 {:.1},1 {x:.1},10", x - 4.0, x + 4.0)
}

fn diamond(x: f64) -> String {
    format!("{x:.1},1 {:.1},7 {x:.1},13 {:.1},7", x + 4.0, x - 4.0)
}

/// Below the others, which may have the same hour.
fn square(x: f64) -> String {
    let (left, right) = (x - 3.0, x + 3.0);
    format!("{left:.1},15 {right:.1},15 {right:.1},21 {left:.1},21")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_stand_at_their_times_and_marks_above_them() {
        let hour = |number: u64, events: u64| Hour {
            at: 1_800_000_000 + number * HOUR,
            events,
            expected: (number > 0).then_some((10.0, 5.0, 20.0)),
        };
        let hours = [hour(0, 20), hour(1, 10), hour(5, 0)];
        let at = hours[1].at;
        let picture = week_picture(
            &hours,
            &[
                (at, Mark::Told),
                (at, Mark::Overdue),
                (at, Mark::Missing(3)),
            ],
        )
        .into_string();
        assert!(picture.contains(r#"viewBox="0 0 24 120""#), "{picture}");
        let came = r#"class="came" points="2.0,16.0 6.0,68.0 22.0,120.0 ""#;
        assert!(picture.contains(came), "{picture}");
        assert!(
            picture.contains(r#"class="mark" points="0.0,1 8.0,1 4.0,10""#),
            "{picture}"
        );
        assert!(picture.contains(r#"class="overdue""#), "{picture}");
        let square = r#"class="missing" points="1.0,15 7.0,15 7.0,21 1.0,21""#;
        assert!(picture.contains(square), "{picture}");
        let nothing = week_picture(&[], &[]).into_string();
        assert!(
            !nothing.contains("NaN") && !nothing.contains("inf"),
            "{nothing}"
        );
    }
}
