use alloc::{string::ToString, vec};
use core::{num::NonZeroU32, time::Duration};

use super::{Cost, Key, Limit, Quotas, Verdict, bucket};
use crate::{
    shared::{Region, memory::Memory},
    time::Timestamp,
};

const START: u64 = 1_760_000_000_000;
const NOW: Timestamp = Timestamp::from_unix_millis(START);

fn after(millis: u64) -> Timestamp {
    Timestamp::from_unix_millis(START + millis)
}

fn try_limit(rate: u32, seconds: u64, burst: u32) -> Option<Limit> {
    let (rate, burst) = (NonZeroU32::new(rate)?, NonZeroU32::new(burst)?);
    Limit::new(rate, Duration::from_secs(seconds), burst)
}

fn limit(rate: u32, seconds: u64, burst: u32) -> Limit {
    try_limit(rate, seconds, burst).unwrap()
}

fn key(number: u32) -> Key {
    Key::new("account", &[number.to_string().as_bytes()])
}

fn wait(millis: u64) -> Verdict {
    Verdict::Exceeded {
        retry_after: Duration::from_millis(millis),
    }
}

#[test]
fn allows_a_burst_and_then_one_each_interval() {
    let (quotas, mut store, limit) = (Quotas::new(1), Memory::default(), limit(10, 1, 5));
    for _ in 0..5 {
        assert_eq!(
            quotas
                .peek(&mut store, key(1), limit, Cost::ONE, NOW)
                .verdict,
            Verdict::Within
        );
        assert_eq!(
            quotas.charge(&mut store, key(1), limit, NOW),
            Verdict::Within
        );
    }
    assert_eq!(
        quotas
            .peek(&mut store, key(1), limit, Cost::ONE, NOW)
            .verdict,
        wait(100)
    );
    assert_eq!(quotas.charge(&mut store, key(1), limit, NOW), wait(100));
    assert_eq!(
        quotas.charge(&mut store, key(2), limit, NOW),
        Verdict::Within
    );
    assert_eq!(quotas.charge(&mut store, key(1), limit, after(99)), wait(1));
    assert_eq!(
        quotas.charge(&mut store, key(1), limit, after(100)),
        Verdict::Within
    );
    assert_eq!(
        quotas.charge(&mut store, key(1), limit, after(100)),
        wait(100)
    );
}

#[test]
fn keeps_the_rate_to_a_thousandth() {
    for (rate, seconds) in [(3, 1), (700, 1), (70_001, 1), (90, 7)] {
        let (quotas, mut store, limit) = (
            Quotas::new(1),
            Memory::default(),
            limit(rate, seconds, rate),
        );
        let span = if rate > 10_000 { 3_000 } else { 60_000 };
        let (key, mut within) = (key(1), 0);
        for at in 0..=span {
            while quotas.charge(&mut store, key, limit, after(at)) == Verdict::Within {
                within += 1;
            }
        }
        let allowed = f64::from(rate)
            * (1.0
                + f64::from(u32::try_from(span).unwrap())
                    / 1e3
                    / f64::from(u32::try_from(seconds).unwrap()));
        let within = f64::from(within);
        assert!(
            within <= allowed + 1.0 && within >= allowed * 0.999 - 1.0,
            "{rate}: {within} of {allowed}"
        );
    }
}

// The second worker's clock reading is always a little older.
#[test]
fn four_workers_with_uneven_clocks_never_exceed_the_limit_together() {
    let (quotas, mut store, limit) = (Quotas::new(1), Memory::default(), limit(1_000, 1, 50));
    let mut within = 0;
    for at in 10..10_000 {
        for skew in [0, 5, 1, 10] {
            for conflicts in [0, 3] {
                store.conflicts = conflicts;
                let verdict = quotas.charge(&mut store, key(1), limit, after(at - skew));
                within += u32::from(verdict == Verdict::Within);
            }
        }
    }
    assert!((9_990..=50 + 9_999).contains(&within), "{within}");
}

#[test]
fn counts_what_a_rival_charged_in_between() {
    let (quotas, limit) = (Quotas::new(1), limit(1, 1, 1));
    let mut rival = Memory::default();
    quotas.charge(&mut rival, key(1), limit, NOW);
    let mut store = Memory {
        rival: Some(rival.only_bucket().into()),
        ..Memory::default()
    };
    assert_eq!(quotas.charge(&mut store, key(1), limit, NOW), wait(1_000));
}

#[test]
fn a_refund_gives_back_one_and_never_more_than_the_burst() {
    let (quotas, mut store, limit) = (Quotas::new(1), Memory::default(), limit(1, 1, 2));
    for _ in 0..2 {
        quotas.charge(&mut store, key(1), limit, NOW);
    }
    quotas.refund(&mut store, key(1), limit, NOW);
    assert_eq!(
        quotas.charge(&mut store, key(1), limit, NOW),
        Verdict::Within
    );
    assert_eq!(quotas.charge(&mut store, key(1), limit, NOW), wait(1_000));
    for _ in 0..9 {
        quotas.refund(&mut store, key(1), limit, NOW);
    }
    for _ in 0..2 {
        assert_eq!(
            quotas.charge(&mut store, key(1), limit, NOW),
            Verdict::Within
        );
    }
    assert_eq!(quotas.charge(&mut store, key(1), limit, NOW), wait(1_000));
}

#[test]
fn a_long_rest_earns_the_burst_and_no_more() {
    let (quotas, mut store, limit) = (Quotas::new(1), Memory::default(), limit(1, 1, 2));
    quotas.charge(&mut store, key(1), limit, NOW);
    let rested = after(3_600_000);
    for _ in 0..2 {
        assert_eq!(
            quotas.charge(&mut store, key(1), limit, rested),
            Verdict::Within
        );
    }
    assert_eq!(
        quotas.charge(&mut store, key(1), limit, rested),
        wait(1_000)
    );
}

#[test]
fn a_key_that_got_all_back_takes_no_room() {
    let (quotas, mut store, limit) = (Quotas::new(1), Memory::default(), limit(1, 1, 2));
    quotas.charge(&mut store, key(1), limit, NOW);
    quotas.refund(&mut store, key(1), limit, NOW);
    assert!(store.only_bucket().is_empty());
}

#[test]
fn a_clock_that_steps_back_locks_nobody_out() {
    let (quotas, mut store, limit) = (Quotas::new(1), Memory::default(), limit(1, 60, 2));
    for _ in 0..2 {
        quotas.charge(&mut store, key(1), limit, after(3_600_000));
    }
    for verdict in [Verdict::Within, Verdict::Within, wait(60_000)] {
        assert_eq!(quotas.charge(&mut store, key(1), limit, NOW), verdict);
    }
}

#[test]
fn a_million_keys_take_bounded_room_and_the_most_spent_stay() {
    let (quotas, mut store, limit) = (Quotas::new(1_024), Memory::default(), limit(1, 60, 10));
    for number in 0..100 {
        for _ in 0..10 {
            quotas.charge(&mut store, key(number), limit, NOW);
        }
    }
    for number in 100..1_000_100 {
        quotas.charge(&mut store, key(number), limit, NOW);
    }
    assert_eq!(store.buckets.len(), 64);
    let most = store.buckets.values().map(|(bytes, _)| bytes.len()).max();
    assert_eq!(most, Some(bucket::SLOTS * bucket::ENTRY_BYTES));
    for number in 0..100 {
        assert_eq!(
            quotas
                .peek(&mut store, key(number), limit, Cost::ONE, NOW)
                .verdict,
            wait(60_000),
            "{number}"
        );
    }
}

#[test]
fn a_table_for_no_key_has_room_for_one() {
    assert_eq!(Quotas::new(0), Quotas::new(1));
}

#[test]
fn a_bucket_has_room_for_32() {
    let (quotas, mut store, limit) = (Quotas::new(1), Memory::default(), limit(1, 60, 1));
    for number in 0..32 {
        quotas.charge(&mut store, key(number), limit, NOW);
    }
    let mut spent = |number: u32| {
        quotas
            .peek(&mut store, key(number), limit, Cost::ONE, NOW)
            .verdict
            != Verdict::Within
    };
    assert_eq!((0..32).filter(|number| spent(*number)).count(), 32);
}

#[test]
fn drops_keys_that_are_full_again() {
    let (quotas, mut store, limit) = (Quotas::new(1), Memory::default(), limit(1, 1, 1));
    for number in 0..20 {
        quotas.charge(&mut store, key(number), limit, NOW);
    }
    quotas.charge(&mut store, key(99), limit, after(1_000));
    assert_eq!(store.only_bucket().len(), bucket::ENTRY_BYTES);
}

#[test]
fn fails_on_a_store_that_fails_conflicts_forever_or_holds_no_bucket() {
    let (quotas, limit) = (Quotas::new(1), limit(1, 1, 1));
    let at = Region::Quota { buckets: 1 }.place(0);
    let broken = [
        Memory {
            fails: true,
            ..Memory::default()
        },
        Memory {
            conflicts: 64,
            ..Memory::default()
        },
        Memory::holding(at, vec![0; 15]),
        Memory::holding(at, vec![0; 16 * 33]),
    ];
    for mut store in broken {
        assert_eq!(
            quotas.charge(&mut store, key(1), limit, NOW),
            Verdict::Failed
        );
    }
}

#[test]
fn takes_limits_within_the_bounds_only() {
    for (rate, seconds, burst) in [
        (1, 1, 1),
        (1_000_000, 1, 1_000_000),
        (1_000_000, 1, 1_000),
        (1, 86_400, 366),
    ] {
        assert!(
            try_limit(rate, seconds, burst).is_some(),
            "{rate} {seconds} {burst}"
        );
    }
    let outside = [
        (1_000_001, 1, 1),
        (1, 0, 1),
        (1, 86_401, 1),
        (1, 1, 1_000_001),
        (1, 86_400, 367),
        (1, 86_400, 1_000_000),
        (1_000_000, 1, 999),
        (1_001, 1, 1),
    ];
    for (rate, seconds, burst) in outside {
        assert_eq!(try_limit(rate, seconds, burst), None);
    }
}

#[test]
fn the_least_burst_reaches_its_rate_though_the_clock_counts_milliseconds() {
    let rates = [
        7, 49, 51, 60, 99, 333, 500, 600, 999, 1_000, 1_001, 1_500, 3_000, 50_000, 333_333,
        1_000_000,
    ];
    for (rate, seconds) in rates
        .into_iter()
        .map(|rate| (rate, 1))
        .chain([(1_000_000, 60)])
    {
        let per = Duration::from_secs(seconds);
        let least = Limit::least_burst(NonZeroU32::new(rate).unwrap(), per);
        let least = u32::try_from(least).unwrap();
        let limit = limit(rate, seconds, least);
        let (quotas, mut store) = (Quotas::new(1), Memory::default());
        let mut passed = 0_u32;
        let time = if rate < 10_000 { 2_000 } else { 50 };
        for millis in 0..time {
            while quotas.charge(&mut store, key(1), limit, after(millis)) == Verdict::Within {
                passed += 1;
            }
        }
        let due = u64::from(rate) * time / 1_000 / seconds;
        let due = least + u32::try_from(due).unwrap();
        // One may be due just after the end.
        let enough = due - due / 20 - 1;
        assert!(
            (enough..=due).contains(&passed),
            "{rate} in {seconds} s: {passed} of {due}"
        );
    }
}

#[test]
fn states_itself_in_rate_limit_fields() {
    let limit = limit(100, 1, 200);
    assert_eq!(limit.policy_field("account"), "\"account\";q=200;w=2");
    let field = limit.state_field("account", Duration::from_millis(2_001));
    assert_eq!(field, "\"account\";r=0;t=3");
    // Nobody is told to come back in no time.
    let field = limit.state_field("account", Duration::ZERO);
    assert_eq!(field, "\"account\";r=0;t=1");
}

#[test]
fn no_two_lists_of_parts_are_one_key() {
    assert_eq!(Key::new("a", &[b"b"]), Key::new("a", &[b"b"]));
    assert_ne!(Key::new("a", &[b"b", b"c"]), Key::new("a", &[b"bc"]));
    assert_ne!(Key::new("a", &[b"b"]), Key::new("b", &[b"b"]));
    assert_ne!(Key::new("a", &[b"b"]), Key::new("ab", &[]));
    assert_ne!(Key::new("a", &[b""]), Key::new("a", &[]));
}

#[test]
fn no_time_overflows() {
    let (quotas, mut store, limit) = (Quotas::new(1), Memory::default(), limit(1, 86_400, 366));
    let end = Timestamp::from_unix_millis(u64::MAX);
    assert_eq!(
        quotas.charge(&mut store, key(1), limit, end),
        Verdict::Within
    );
    quotas.refund(&mut store, key(1), limit, end);
}

#[test]
fn a_vouched_key_is_known_by_it_and_charged_like_any_other() {
    let (quotas, mut store, limit) = (Quotas::new(1), Memory::default(), limit(1, 60, 1));
    let standing = |store: &mut Memory, now| quotas.peek(store, key(1), limit, Cost::ONE, now);
    let fresh = standing(&mut store, NOW);
    assert!(!fresh.is_vouched && fresh.wants_vouching, "{fresh:?}");
    quotas.vouch(&mut store, key(1), NOW);
    assert_eq!(
        quotas.charge(&mut store, key(1), limit, NOW),
        Verdict::Within
    );
    let spent = standing(&mut store, NOW);
    assert!(spent.is_vouched && !spent.wants_vouching, "{spent:?}");
    assert_eq!(spent.verdict, wait(60_000));
    let others = quotas.peek(&mut store, key(2), limit, Cost::ONE, NOW);
    assert!(!others.is_vouched, "{others:?}");
    const HOUR: u64 = 3_600_000;
    let later = standing(&mut store, after(13 * HOUR));
    assert!(later.is_vouched && later.wants_vouching, "{later:?}");
    assert!(!standing(&mut store, after(24 * HOUR)).is_vouched);
}
