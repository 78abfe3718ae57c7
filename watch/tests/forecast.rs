//! What is expected of the next day holds what comes.

use hookgate_watch::rate::Rate;
use hookgate_watch::time::Time;

const WEEK: u64 = 7 * 86_400;
const START: u64 = 2_800 * WEEK;

/// Random numbers (SplitMix64), as a Poisson count of a small mean.
struct Chance(u64);

impl Chance {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn poisson(&mut self, mean: f64) -> u64 {
        let (mut product, mut count) = (self.uniform(), 0);
        while product > (-mean).exp() {
            product *= self.uniform();
            count += 1;
        }
        count
    }
}

fn mean(second: u64) -> f64 {
    let day = (second % 86_400) as f64 / 86_400.0;
    4.0 * (1.0 + 0.6 * (std::f64::consts::TAU * day).sin())
}

#[test]
fn nineteen_of_twenty_hours_are_within_the_band() {
    let mut chance = Chance(5);
    let mut rate = Rate::new();
    let mut second = START;
    let mut hours = 0;
    let mut within = 0;
    let mut error = 0.0;
    assert_eq!(rate.forecast(Time::from_unix_seconds(START)).count(), 0);
    for day in 0..42 {
        let forecast: Vec<_> = rate.forecast(Time::from_unix_seconds(second - 1)).collect();
        assert_eq!(forecast.len(), if day > 7 { 24 } else { forecast.len() });
        for hour in 0..24 {
            let mut events = 0;
            for _ in 0..360 {
                second += 10;
                let count = chance.poisson(mean(second));
                events += count;
                rate.observe(Time::from_unix_seconds(second), count);
            }
            if day >= 14
                && let Some(expected) = forecast.get(hour)
            {
                let events = events as f64;
                hours += 1;
                within += u32::from((expected.low..=expected.high).contains(&events));
                error += (expected.events - events) / events;
            }
        }
    }
    let share = f64::from(within) / f64::from(hours);
    assert!((0.9..=0.995).contains(&share), "{share}");
    assert!((error / f64::from(hours)).abs() < 0.02, "{error}");
}
