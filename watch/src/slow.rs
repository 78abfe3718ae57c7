//! Senders that hold requests open.

use crate::{float::sqrt, moments::Moments, state::persist};

/// Bytes a second of one open request under which it is held open rather than sent.
const FLOOR: f64 = 256.0;
/// Standard deviations over the usual number of open requests.
const DISTANCE: f64 = 6.0;
/// Open requests that are never too many.
const LEAST: f64 = 16.0;
/// Ticks in a row that it takes.
const TICKS: u32 = 2;
/// Ticks over which the usual number fades: a day.
const DAY_TICKS: f64 = 8_640.0;

/// Detector of slow bodies (slow-loris).
///
/// Alarms when in two ticks in a row more requests than 16, and than the usual number
/// plus six standard deviations (never under those of a Poisson count), are open and
/// incomplete, and each of them brings fewer than 256 bytes a second. For Poisson
/// counts no false alarm in three simulated years. 48 bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct SlowBodies {
    usual: Moments,
    ticks: u32,
}

persist!(SlowBodies { usual, ticks });

/// Requests that are held open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeldOpen {
    /// Requests that are open and incomplete.
    pub open: u32,
    /// How many usually are.
    pub usual: f64,
    /// Bytes a second that each of them brings.
    pub bytes_per_second: f64,
}

impl Default for SlowBodies {
    fn default() -> Self {
        Self::new()
    }
}

impl SlowBodies {
    /// Starts without knowledge.
    pub fn new() -> Self {
        Self {
            usual: Moments::new(DAY_TICKS),
            ticks: 0,
        }
    }

    /// Ends a tick with so many requests open and incomplete, which together brought
    /// so many bytes a second.
    pub fn tick(&mut self, open: u32, bytes_per_second: f64) -> Option<HeldOpen> {
        let usual = self.usual.mean();
        let deviation = self.usual.deviation().max(sqrt(usual + 1.0));
        let most = usual + DISTANCE * deviation;
        let requests = f64::from(open);
        let each = bytes_per_second / requests.max(1.0);
        let held = requests > most.max(LEAST) && each < FLOOR;
        self.ticks = if held {
            self.ticks.saturating_add(1)
        } else {
            0
        };
        self.usual.learn(requests.min(usual + 3.0 * deviation));
        (self.ticks >= TICKS).then_some(HeldOpen {
            open,
            usual,
            bytes_per_second: each,
        })
    }
}
