//! What this VM has open, and what a VM that trapped left behind.
//!
//! Each VM counts its open deliveries in gauges of its own: a trap loses every
//! callback, so nobody would ever count them down. A VM holds its number by a
//! lease in shared data and renews it on its tick; whoever finds a lease that
//! ended moves what that VM had open to [`metric::LOST`].

use std::cell::Cell;

use hookgate_core::{delivery::Count, metric, outcome::Stage, time::Timestamp};
use proxy_wasm::{hostcalls, types::Status};

use crate::{counters, host};

/// Numbers that VMs can have: workers, the main thread, and those of a
/// configuration that drains.
pub(crate) const NUMBERS: u32 = 128;

/// How long a VM that doesn't renew keeps its number.
const LEASE_MILLIS: u64 = 20_000;

/// How often a VM renews.
const RENEW_MILLIS: u64 = 5_000;

/// How late a tick may be: later, all of Envoy stood still (a suspended machine,
/// a stopped container), and other VMs had no chance to renew either.
const LATE_MILLIS: u64 = 10_000;

/// What deliveries can be open in.
const STAGES: [Stage; 2] = [Stage::Unverified, Stage::Forwarded];

/// A version that no present key has: "create if absent".
const NEVER_A_VERSION: u32 = u32::MAX;

thread_local! {
    /// A module's statics are its VM's.
    static NUMBER: Cell<Option<Held>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Held {
    number: u32,
    token: u64,
    renewed: Timestamp,
}

/// Holds the gauges of this VM.
pub(crate) struct Open {
    unverified: u32,
    forwarded: u32,
}

impl Open {
    /// Takes a number, unless this VM has one, and defines its gauges.
    pub(crate) fn define() -> Result<Self, Status> {
        let now = host::now();
        let held = NUMBER.get().or_else(|| claim(now));
        NUMBER.set(held);
        let name = held.map_or_else(|| "_".to_owned(), |held| held.number.to_string());
        let gauge = |stage: Stage| counters::define(&metric::OPEN, &[stage.as_str(), &name]);
        for stage in STAGES {
            // An alert on its growth has to know that it was 0.
            counters::define(&metric::LOST, &[stage.as_str()])?;
        }
        Ok(Self {
            unverified: gauge(Stage::Unverified)?,
            forwarded: gauge(Stage::Forwarded)?,
        })
    }

    /// Counts deliveries up and down as they come, move on and end. What comes
    /// and ends at once was never open.
    pub(crate) fn count(&self, counts: &[Count]) {
        let (mut unverified, mut forwarded) = (0, 0);
        for count in counts {
            match count {
                Count::Received => unverified += 1,
                Count::Verified { .. } => unverified -= 1,
                Count::Forwarded => forwarded += 1,
                Count::Ended(outcome) => match outcome.stage() {
                    Stage::Unverified => unverified -= 1,
                    Stage::Verified => {}
                    Stage::Forwarded => forwarded -= 1,
                },
                _ => {}
            }
        }
        change(self.unverified, unverified);
        change(self.forwarded, forwarded);
    }
}

/// Returns this VM's number, less than [`NUMBERS`].
pub(crate) fn number() -> Option<u32> {
    NUMBER.get().map(|held| held.number)
}

/// Renews this VM's number, and buries those that nobody renews.
pub(crate) fn tick(now: Timestamp) {
    let Some(held) = NUMBER.get() else {
        return;
    };
    let since = now.distance(held.renewed).as_millis();
    if since < u128::from(RENEW_MILLIS) {
        return;
    }
    let lease = Lease::new(held.token, now);
    if let Some((found, version)) = load(held.number)
        && (found.token == held.token || found.is_free())
        && store(held.number, lease, version)
    {
        NUMBER.set(Some(Held {
            renewed: now,
            ..held
        }));
    }
    if since >= u128::from(LATE_MILLIS) {
        return;
    }
    for number in (0..NUMBERS).filter(|number| *number != held.number) {
        // Whoever takes the number over counts what it left, and nobody else;
        // only then is it free for a VM that counts anew.
        if let Some((found, version)) = load(number)
            && found.has_ended(now)
            && store(number, lease, version)
        {
            bury(number);
            if let Some((_, version)) = load(number) {
                store(number, Lease::FREE, version);
            }
        }
    }
}

/// Takes the first number that is free.
fn claim(now: Timestamp) -> Option<Held> {
    let token = host::token()?;
    let lease = Lease::new(token, now);
    (0..NUMBERS)
        .find(|number| match load(*number) {
            None => store(*number, lease, NEVER_A_VERSION),
            Some((found, version)) => found.is_free() && store(*number, lease, version),
        })
        .map(|number| Held {
            number,
            token,
            renewed: now,
        })
}

/// Moves what a VM had open to what is lost.
fn bury(number: u32) {
    for stage in STAGES {
        let labels = [stage.as_str(), &number.to_string()];
        let Ok(gauge) = counters::define(&metric::OPEN, &labels) else {
            continue;
        };
        let lost = hostcalls::get_metric(gauge).unwrap_or_default();
        if let Ok(lost @ 1..) = i64::try_from(lost) {
            change(gauge, -lost);
            if let Ok(counter) = counters::define(&metric::LOST, &[stage.as_str()]) {
                change(counter, lost);
            }
        }
    }
}

fn change(id: u32, by: i64) {
    if by != 0 {
        // Fails only for an ID that the host doesn't know.
        _ = hostcalls::increment_metric(id, by);
    }
}

/// Says who holds a number, and until when.
#[derive(Clone, Copy)]
struct Lease {
    token: u64,
    ends_millis: u64,
}

impl Lease {
    const FREE: Self = Self {
        token: 0,
        ends_millis: 0,
    };

    const fn new(token: u64, now: Timestamp) -> Self {
        Self {
            token,
            ends_millis: now.unix_millis().saturating_add(LEASE_MILLIS),
        }
    }

    const fn is_free(self) -> bool {
        self.ends_millis == 0
    }

    const fn has_ended(self, now: Timestamp) -> bool {
        !self.is_free() && self.ends_millis <= now.unix_millis()
    }
}

fn key(number: u32) -> String {
    format!("hookgate1.vm.{number}")
}

fn load(number: u32) -> Option<(Lease, u32)> {
    let (bytes, version) = hostcalls::get_shared_data(&key(number)).ok()?;
    let bytes: [u8; 16] = bytes?.try_into().ok()?;
    let value = u128::from_le_bytes(bytes);
    let lease = Lease {
        token: u64::try_from(value >> 64).unwrap_or_default(),
        ends_millis: u64::try_from(value & u128::from(u64::MAX)).unwrap_or_default(),
    };
    Some((lease, version?))
}

fn store(number: u32, lease: Lease, version: u32) -> bool {
    let value = u128::from(lease.token) << 64 | u128::from(lease.ends_millis);
    hostcalls::set_shared_data(&key(number), Some(&value.to_le_bytes()), Some(version)).is_ok()
}
