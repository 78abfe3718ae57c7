//! A long log: 8,000 events here, 200,000 with `HOOKGATE_SOAK=1`.

use std::{collections::BTreeSet, env, thread, time::Duration};

use serde_json::Value;

use super::{event_of, flags, serve};
use crate::{
    contract::{Backend as _, Sqlite},
    delivery::{Connection, seconds_from_now},
    harness::until_within,
};

const HOUR: u64 = 3_600;
/// How long ago the first event came: less than a server looks back that knows nothing.
const SPAN: u64 = 14 * 24 * HOUR;
/// Payouts that end later may still come.
const OPEN: u64 = 24 * HOUR;

/// Numbers that look like chance, the same each time (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.next().is_multiple_of(many)
    }

    /// Seconds about so many: from half of it to twice.
    fn about(&mut self, seconds: u64) -> u64 {
        seconds / 2 + self.next() % (seconds * 3 / 2)
    }
}

/// When, of which type, of which object, and with which ID.
type Came = (u64, &'static str, String, String);

/// A platform's events.
#[derive(Default)]
struct Platform {
    /// In their order.
    all: Vec<Came>,
    /// IDs of those that nothing followed: payouts of the last quarter, and invoices of
    /// an hour.
    broken: BTreeSet<String>,
    /// One in twenty payments of the second half, which never succeeds.
    lost: BTreeSet<String>,
}

fn platform(objects: u64) -> Platform {
    let mut chance = Chance(7);
    let mut made = Platform::default();
    let outage = SPAN / 4 * 3..SPAN / 4 * 3 + HOUR;
    for number in 0..objects {
        let at = SPAN * number / objects;
        let (first, then, object, delay) = match number % 4 {
            0 => ("payout.created", "payout.paid", "po", 2 * HOUR),
            1 => ("invoice.finalized", "invoice.paid", "in", 300),
            _ => (
                "payment_intent.created",
                "payment_intent.succeeded",
                "pi",
                20,
            ),
        };
        let object = format!("{object}_{number}");
        let id = format!("evt_{number:07}_1");
        made.all.push((at, first, object.clone(), id.clone()));
        let ends = at + chance.about(delay);
        let (is_broken, is_lost) = match number % 4 {
            0 => (at > SPAN / 4 * 3, false),
            1 => (outage.contains(&at), false),
            _ => (false, at > SPAN / 2 && chance.one_in(20)),
        };
        if is_lost {
            made.lost.insert(id);
        } else if !is_broken {
            let id = format!("evt_{number:07}_2");
            made.all.push((ends, then, object, id));
        } else if at < SPAN - OPEN {
            made.broken.insert(id);
        } else {
            made.lost.insert(id);
        }
    }
    made.all.retain(|(at, ..)| *at < SPAN);
    made.all.sort();
    made
}

/// The events of which something of this kind was told.
fn ids(told: &[Value], kind: &str) -> Vec<String> {
    let of = told.iter().filter(|it| it["kind"] == kind);
    of.map(|it| it["event"]["id"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn in_a_long_log_what_nothing_followed_is_told_and_hardly_anything_else() {
    let (objects, patience) = match env::var_os("HOOKGATE_SOAK") {
        Some(_) => (105_000, Duration::from_mins(10)),
        None => (4_000, Duration::from_mins(1)),
    };
    let Platform { all, broken, lost } = platform(objects);
    let (backend, folder) = (Sqlite::new(), tempfile::tempdir().unwrap());
    let log = backend.address();
    // A server of its own stores it, as it would be found.
    let config = |name: &str| {
        let state = folder.path().join(name);
        format!("[expectations]\nstate = \"{}\"\n", state.display())
    };
    let file = folder.path().join("hookgate.toml").display().to_string();
    let server = serve(&log, &config("first"), &folder);
    let mut connection = Connection::open(server.address).unwrap();
    for (at, type_name, object, id) in &all {
        let ago = i64::try_from(SPAN - at).unwrap();
        let delivery = event_of(id, type_name, object, seconds_from_now(-ago));
        assert_eq!(connection.send(&delivery).unwrap().outcome().1, "stored");
    }
    drop(connection);
    server.stop();

    let server = serve(&log, &config("second"), &folder);
    let look = || {
        thread::sleep(Duration::from_millis(500));
        flags(&log, &["--limit", "1000000", "--config", &file])
    };
    until_within(patience, "all are told", || {
        let told: BTreeSet<String> = ids(&look(), "overdue_successor").into_iter().collect();
        broken.is_subset(&told).then_some(())
    });
    // What it tells of the newest events comes with the next look, ten seconds later.
    thread::sleep(Duration::from_secs(11));
    let told = look();
    server.stop();
    let overdue: BTreeSet<String> = ids(&told, "overdue_successor").into_iter().collect();
    let found = overdue.intersection(&broken).count();
    let or_lost = overdue.intersection(&lost).count();
    let wrong = overdue.len() - found - or_lost;
    println!(
        "{} events; of {} broken {found} told, of {} lost {or_lost}, {wrong} told wrongly; {} excesses",
        all.len(),
        broken.len(),
        lost.len(),
        ids(&told, "excess").len(),
    );
    assert_eq!(found, broken.len(), "told of what is broken");
    assert!(wrong * 1_000 <= all.len(), "{wrong} told wrongly");
    let excess = told.iter().filter(|it| it["kind"] == "excess");
    let mut of_types = excess.map(|it| it["type"].as_str().unwrap_or_default());
    assert!(of_types.any(|name| name == "payment_intent.created"));
    assert_eq!(ids(&told, "improbable_transition"), [""; 0]);
}
