//! Medians of rounds, as Markdown.

use hookgate_host_tests::measure::median;

use crate::door::{Cost, Door};
use crate::request::Kind;

/// What the rounds of one kind at one size have shown: for each door what a
/// request has cost in each round. The first door is the
/// floor, and the second what a refusal costs at least.
pub(crate) struct Rounds {
    doors: Vec<Vec<Cost>>,
}

impl Rounds {
    /// Starts without any, for so many doors.
    pub(crate) fn of(doors: usize) -> Self {
        Self {
            doors: vec![Vec::new(); doors],
        }
    }

    /// Adds what a door has cost in a round.
    pub(crate) fn add(&mut self, door: usize, cost: Cost) {
        if let Some(door) = self.doors.get_mut(door) {
            door.push(cost);
        }
    }

    /// Returns the row of a table with this [`head`].
    pub(crate) fn row(&self, kind: Kind, size: usize) -> String {
        let mut cells = vec![kind.as_str().to_owned(), size.to_string()];
        let floor = self.doors.first();
        for (index, door) in self.doors.iter().enumerate() {
            if door.is_empty() {
                cells.push(String::new());
                continue;
            }
            let all = values(door, Cost::total);
            cells.push(format!("{:.1} ±{:.1}", median(&all), spread(&all)));
            if let (2.., Some(floor)) = (index, floor) {
                // Round by round: both sides met the same weather.
                let more = all.iter().zip(values(floor, Cost::total));
                let more: Vec<f64> = more.map(|(cost, floor)| cost - floor).collect();
                cells.push(format!("{:+.1}", median(&more)));
            }
            let service = median(&values(door, |cost| cost.service));
            if service > 0.0 {
                let envoy = median(&values(door, |cost| cost.envoy));
                cells.push(format!("{envoy:.1} + {service:.1}"));
            }
        }
        line(&cells)
    }
}

/// Returns the head of a table for these doors.
pub(crate) fn head(doors: &[Door]) -> String {
    let mut cells = vec!["delivery".to_owned(), "bytes".to_owned()];
    for (index, door) in doors.iter().enumerate() {
        cells.push(format!("{}, µs", door.name()));
        if index > 1 {
            cells.push("more".to_owned());
        }
        if *door == Door::ExtAuthz {
            cells.push("Envoy + service".to_owned());
        }
    }
    let under = vec!["---".to_owned(); cells.len()];
    format!("{}\n{}", line(&cells), line(&under))
}

fn line(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

fn values(costs: &[Cost], of: impl Fn(&Cost) -> f64) -> Vec<f64> {
    costs.iter().map(of).collect()
}

/// Returns how far the values are from their median, in the middle.
fn spread(values: &[f64]) -> f64 {
    let middle = median(values);
    let distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    median(&distances)
}
