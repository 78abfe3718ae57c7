//! A history as a drawing, with what was said.

use std::fmt::Write as _;

use hookgate_core::time::Timestamp;

use super::{Replayed, Said};

const WIDTH: f64 = 1_200.0;
const HEIGHT: f64 = 320.0;
const MARGIN: f64 = 40.0;
/// Points of the curve: the least and the greatest value of each column of pixels.
const COLUMNS: usize = 1_120;

/// Draws an SVG: the curve, and a line for each word, which shows its evidence when the
/// pointer rests on it.
pub(super) fn svg(replayed: &Replayed) -> String {
    let mut text = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>"##
    );
    if let Some(frame) = Frame::of(&replayed.samples) {
        frame.axes(&mut text);
        frame.curve(&mut text, &replayed.samples);
        for said in &replayed.said {
            frame.mark(&mut text, said);
        }
    }
    text.push_str("</svg>\n");
    text
}

/// Where times and values are on the paper.
struct Frame {
    times: (u64, u64),
    values: (f64, f64),
}

impl Frame {
    fn of(samples: &[(u64, f64)]) -> Option<Self> {
        let times = samples.iter().map(|(time, _)| *time);
        let (first, last) = (times.clone().min()?, times.max()?);
        let values = samples.iter().map(|(_, value)| *value);
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let greatest = values.fold(f64::NEG_INFINITY, f64::max);
        Some(Self {
            times: (first, last),
            values: (least, greatest),
        })
    }

    /// Share of the width, 0 to 1.
    fn across(&self, time: u64) -> f64 {
        let (first, last) = self.times;
        let whole = last.saturating_sub(first).max(1) as f64;
        (time.saturating_sub(first) as f64 / whole).min(1.0)
    }

    fn x(&self, time: u64) -> f64 {
        MARGIN + self.across(time) * (WIDTH - 2.0 * MARGIN)
    }

    fn y(&self, value: f64) -> f64 {
        let (least, greatest) = self.values;
        // Halved, so that the greatest numbers have a difference.
        let whole = (greatest / 2.0 - least / 2.0).max(f64::MIN_POSITIVE);
        let share = ((value / 2.0 - least / 2.0) / whole).clamp(0.0, 1.0);
        HEIGHT - MARGIN - share * (HEIGHT - 2.0 * MARGIN)
    }

    fn axes(&self, text: &mut String) {
        let ends = [(self.times.0, "start"), (self.times.1, "end")];
        for (time, anchor) in ends {
            let (x, y) = (self.x(time), HEIGHT - 12.0);
            let time = Timestamp::from_unix_seconds(time);
            label(text, x, y, anchor, &time.to_string());
        }
        for value in [self.values.0, self.values.1] {
            label(text, 4.0, self.y(value) - 4.0, "start", &format!("{value}"));
        }
    }

    fn curve(&self, text: &mut String, samples: &[(u64, f64)]) {
        let mut columns = vec![None; COLUMNS];
        for (time, value) in samples {
            let at = (self.across(*time) * (COLUMNS - 1) as f64) as usize;
            if let Some(column) = columns.get_mut(at) {
                let (_, least, greatest) = column.unwrap_or((*time, *value, *value));
                *column = Some((*time, value.min(least), value.max(greatest)));
            }
        }
        text.push_str(r##"<polyline fill="none" stroke="#369" points=""##);
        for (time, least, greatest) in columns.into_iter().flatten() {
            for value in [least, greatest] {
                point(text, self.x(time), self.y(value));
            }
        }
        text.push_str("\"/>");
    }

    fn mark(&self, text: &mut String, said: &Said) {
        let (x, bottom) = (self.x(said.at), HEIGHT - MARGIN);
        let about = said.subject.as_deref().unwrap_or("all");
        let time = Timestamp::from_unix_seconds(said.at);
        let title = format!("{time} {} ({about}): {}", said.cause, said.evidence);
        // Writing to a string can't fail.
        let _ = write!(
            text,
            r##"<line x1="{x:.1}" y1="{MARGIN}" x2="{x:.1}" y2="{bottom}" stroke="#c33" stroke-width="2" stroke-opacity="{:.2}"><title>{}</title></line>"##,
            said.score,
            escape(&title)
        );
        label(text, x, MARGIN - 8.0, "middle", said.cause);
    }
}

fn point(text: &mut String, x: f64, y: f64) {
    // Writing to a string can't fail.
    let _ = write!(text, "{x:.1},{y:.1} ");
}

fn label(text: &mut String, x: f64, y: f64, anchor: &str, label: &str) {
    // Writing to a string can't fail.
    let _ = write!(
        text,
        r##"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"##,
        escape(label)
    );
}

/// Names of types come from outside.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stands_at_its_time_and_nothing_of_it_is_markup() {
        let replayed = Replayed {
            samples: vec![(0, 1.0), (500, 3.0), (1_000, 2.0)],
            said: vec![Said {
                at: 500,
                cause: "unusual",
                subject: Some("<script>".to_owned()),
                score: 0.75,
                evidence: "a & b".to_owned(),
                action: "look",
            }],
            forecasts: Vec::new(),
        };
        let text = svg(&replayed);
        assert!(text.contains(r#"x1="600.0""#), "{text}");
        assert!(
            text.contains("(&lt;script&gt;): a &amp; b</title>"),
            "{text}"
        );
        assert!(
            text.contains("40.0,280.0 ") && text.contains("600.0,40.0 "),
            "{text}"
        );
    }

    #[test]
    fn nothing_and_one_value_can_be_drawn() {
        assert!(svg(&Replayed::default()).ends_with("</svg>\n"));
        let one = Replayed {
            samples: vec![(7, f64::MAX), (7, f64::MIN), (7, f64::MAX)],
            ..Replayed::default()
        };
        assert!(!svg(&one).contains("NaN"));
    }
}
