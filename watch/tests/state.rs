//! What was learnt is saved and restored whole, or refused.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests say what they expect by failing"
)]

use std::net::{IpAddr, Ipv4Addr};

use hookgate_watch::source::Network;
use hookgate_watch::state::StateError;
use hookgate_watch::stranger::Signed;
use hookgate_watch::time::Time;
use hookgate_watch::upstream::Answer;
use hookgate_watch::watch::{Identity, Watch};

fn at(second: u64) -> Time {
    Time::from_unix_seconds(1_760_000_000 + second)
}

fn live(watch: &mut Watch, from: u64, until: u64) -> usize {
    let mut said = 0;
    for second in (from..until).step_by(10) {
        let network = Network::of(IpAddr::V4(Ipv4Addr::new(54, 187, (second % 7) as u8, 1)));
        let signed = Signed {
            network,
            api_version: Some("2025-09-30.clover"),
            type_name: if second % 20 == 0 {
                "invoice.paid"
            } else {
                "charge.succeeded"
            },
            account: Some("acct_1"),
        };
        watch.delivered(&signed, Identity::New);
        watch.refused(network, u32::from(second % 70 == 0));
        watch.answered(Answer::Answered, 0.01);
        watch.completed(0, 1);
        watch.held_open(2, 1e4);
        said += watch.tick(at(second)).len();
    }
    said
}

fn learnt() -> Watch {
    let mut watch = Watch::new(at(0));
    live(&mut watch, 10, 9 * 86_400);
    watch
}

#[test]
fn a_restored_watch_goes_on_where_the_saved_one_was() {
    let mut watch = learnt();
    let bytes = watch.save();
    let mut restored = Watch::restore(&bytes).unwrap();
    assert_eq!(restored, watch);
    assert_eq!(restored.save(), bytes);
    let more = 9 * 86_400 + 7_200;
    live(&mut watch, 9 * 86_400, more);
    live(&mut restored, 9 * 86_400, more);
    assert_eq!(restored, watch);
}

#[test]
fn another_version_is_refused_by_its_number() {
    let mut bytes = learnt().save();
    bytes[4] = 9;
    assert_eq!(
        Watch::restore(&bytes),
        Err(StateError::Version { found: 9 })
    );
}

#[test]
fn something_else_is_refused() {
    assert_eq!(Watch::restore(b"SQLite format 3"), Err(StateError::Magic));
    let nothing = StateError::Length {
        expected: "the magic bytes",
        at: 0,
    };
    assert_eq!(Watch::restore(b""), Err(nothing));
}

#[test]
fn every_damage_is_refused() {
    let bytes = Watch::new(at(0)).save();
    for place in (14..bytes.len()).step_by(97) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        assert_eq!(
            Watch::restore(&damaged),
            Err(StateError::Checksum),
            "{place}"
        );
    }
    for length in (14..bytes.len()).step_by(97) {
        assert_eq!(Watch::restore(&bytes[..length]), Err(StateError::Checksum));
    }
}

/// Puts bytes at a place, so many behind where others are found, and the checksum right.
fn forged(good: &[u8], found: &[u8], behind: usize, bytes: &[u8]) -> Vec<u8> {
    let places = good.windows(found.len());
    let place = places.into_iter().position(|window| window == found);
    let from = place.unwrap() + behind;
    let mut forged = good.to_vec();
    forged[from..from + bytes.len()].copy_from_slice(bytes);
    seal(&mut forged);
    forged
}

/// Makes the checksum right (FNV-1a).
fn seal(state: &mut [u8]) {
    let sum = state[14..]
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    state[6..14].copy_from_slice(&sum.to_le_bytes());
}

/// What would overflow later, or have no limits, is refused and not learnt from.
#[test]
fn values_that_no_sum_can_go_on_from_are_refused() {
    let good = learnt().save();
    let name = [&12_u32.to_le_bytes()[..], b"invoice.paid"].concat();
    let pace = [&750_u32.to_le_bytes()[..], &100_f64.to_le_bytes()].concat();
    let minute = at(9 * 86_400 - 10).as_unix_seconds() / 60;
    let (threshold, below) = (18_f64.to_le_bytes(), (-18_f64).to_le_bytes());
    for (found, behind, bytes, expected) in [
        (&threshold[..], 0, below, "cumulative sum"),
        (&name, name.len() + 8, below, "profile of a week"),
        (&pace, pace.len(), [0xff; 8], "past of a series"),
        (&pace, pace.len(), [0; 8], "past of a series"),
        (&minute.to_le_bytes(), 0, [0xff; 8], "series"),
    ] {
        let refused = Watch::restore(&forged(&good, found, behind, &bytes)).err();
        let Some(StateError::Value { expected: told, .. }) = refused else {
            panic!("{expected}: {refused:?}");
        };
        assert_eq!(told, expected);
    }
}

/// The checksum guards against accidents; what gets past it is still read with care.
#[test]
fn values_that_the_watch_never_writes_are_refused() {
    let good = Watch::new(at(0)).save();
    let mut refused = 0;
    for place in 14..good.len().min(6_000) {
        let mut forged = good.clone();
        forged[place] = 0xff;
        seal(&mut forged);
        match Watch::restore(&forged) {
            Ok(mut watch) => {
                live(&mut watch, 10, 200);
            }
            Err(StateError::Length { .. } | StateError::Value { .. }) => refused += 1,
            Err(other) => panic!("{place}: {other}"),
        }
    }
    assert!(refused > 100, "{refused}");
}
