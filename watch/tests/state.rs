//! What was learnt is saved and restored whole, or refused.

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

/// The checksum guards against accidents; what gets past it is still read with care.
#[test]
fn values_that_the_watch_never_writes_are_refused() {
    let good = Watch::new(at(0)).save();
    let mut refused = 0;
    for place in 14..good.len().min(6_000) {
        let mut forged = good.clone();
        forged[place] = 0xff;
        let sum = forged[14..]
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
        forged[6..14].copy_from_slice(&sum.to_le_bytes());
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
