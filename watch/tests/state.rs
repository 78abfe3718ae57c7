//! What was learnt is saved and restored whole, or refused.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests say what they expect by failing"
)]

use std::net::{IpAddr, Ipv4Addr};

use hookgate_watch::parts::{self, Head, MAX_PART_BYTES, Restoring, Saving, Wanted};
use hookgate_watch::series::SERIES;
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

/// All parts of a saved watch.
fn saved(watch: &Watch) -> Vec<Vec<u8>> {
    parts::all(7, watch)
}

/// Takes parts one after another; what the last of them said.
fn taken(parts: &[Vec<u8>]) -> Result<Option<Watch>, StateError> {
    let mut restoring = Restoring::new();
    let mut outcome = Ok(None);
    for part in parts {
        outcome = restoring.take(part);
        if outcome.is_err() {
            break;
        }
    }
    outcome
}

#[test]
fn a_watch_comes_back_from_its_parts_and_each_is_small() {
    let watch = learnt();
    let parts = saved(&watch);
    // All but series, two types, an account, the end.
    assert_eq!(parts.len(), 5);
    assert_eq!(taken(&parts), Ok(Some(watch)));
    for (number, part) in (0..).zip(&parts) {
        let is_last = number == 4;
        let head = Head {
            save: 7,
            number,
            is_last,
        };
        assert_eq!(Head::of(part), Ok(head));
        assert!(part.len() <= MAX_PART_BYTES, "{}", part.len());
    }
    assert!(parts[1..4].iter().all(|part| part.len() < 38_000));
    assert!(parts[4].len() < 40);
}

#[test]
fn parts_are_taken_in_their_order_and_of_one_save() {
    let watch = learnt();
    let (parts, others) = (saved(&watch), parts::all(8, &watch));
    let refused = |order: &[&Vec<u8>]| {
        let order: Vec<Vec<u8>> = order.iter().map(|part| (*part).clone()).collect();
        let Err(StateError::Value { expected, .. }) = taken(&order) else {
            panic!("taken");
        };
        expected
    };
    let next = "next part of this save";
    assert_eq!(refused(&[&parts[1]]), next);
    assert_eq!(refused(&[&parts[0], &parts[2]]), next);
    assert_eq!(refused(&[&parts[0], &parts[0]]), next);
    assert_eq!(refused(&[&parts[0], &others[1]]), next);
    let mut restoring = Restoring::new();
    let first = Wanted {
        save: None,
        number: 0,
    };
    assert_eq!(restoring.wanted(), first);
    assert_eq!(restoring.take(&others[0]), Ok(None));
    let second = Wanted {
        save: Some(8),
        number: 1,
    };
    assert_eq!(restoring.wanted(), second);
}

#[test]
fn a_series_that_comes_or_goes_while_it_is_saved_moves_no_other() {
    let mut watch = learnt();
    let mut saving = Saving::begin(7);
    let mut parts = vec![
        saving.next_part(&watch).unwrap(),
        saving.next_part(&watch).unwrap(),
    ];
    // Before those that were saved, and behind them.
    for name in ["aardvark", "customer.created"] {
        watch.came(name, None, 1);
    }
    watch.tick(at(9 * 86_400));
    parts.extend(std::iter::from_fn(|| saving.next_part(&watch)));
    let mut restored = taken(&parts).unwrap().unwrap();
    let types: Vec<&str> = restored.types().map(|(name, _)| name).collect();
    assert_eq!(
        types,
        ["charge.succeeded", "customer.created", "invoice.paid"]
    );
    // What is of two ticks goes on.
    live(&mut restored, 9 * 86_400, 9 * 86_400 + 3_600);
}

#[test]
fn a_series_that_takes_anothers_place_while_it_is_saved_makes_it_none_too_large() {
    let mut watch = Watch::new(at(0));
    watch.tick(at(10));
    for number in 0..SERIES {
        let (name, account) = (format!("old.{number:02}"), format!("acct_{number:02}"));
        watch.came(&name, Some(&account), 10 + number as u64);
    }
    let mut saving = Saving::begin(7);
    let mut parts: Vec<Vec<u8>> = (0..=SERIES)
        .map(|_| saving.next_part(&watch).unwrap())
        .collect();
    // Behind all that were saved, in the place of the first of them.
    watch.came("young", None, 5_000);
    watch.tick(at(86_420));
    assert!(watch.types().any(|(name, _)| name == "young"));
    parts.extend(std::iter::from_fn(|| saving.next_part(&watch)));
    let restored = taken(&parts).unwrap().unwrap();
    assert_eq!(restored.types().count(), SERIES);
    assert_eq!(restored.accounts().count(), SERIES);
}

#[test]
fn a_series_is_taken_once() {
    let mut parts = saved(&learnt());
    let mut again = parts[1].clone();
    // The same series at the next place.
    again[22] = 2;
    seal(&mut again);
    parts[2] = again;
    let refused = taken(&parts);
    assert!(
        matches!(refused, Err(StateError::Value { expected, .. })
            if expected == "series that there is a place for"),
        "{refused:?}"
    );
}

#[test]
fn a_part_that_holds_more_than_it_may_is_refused() {
    let mut full = Watch::new(at(0));
    for number in 0..SERIES {
        full.came(&format!("type.{number:02}"), None, 1);
    }
    // A series more than there are places; a name that is too long; bytes behind the end.
    let mut many = saved(&full);
    let mut one = many[1].clone();
    one[22] = 65;
    one[31..38].copy_from_slice(b"another");
    seal(&mut one);
    many[65] = one;
    let good = saved(&learnt());
    let mut long = good.clone();
    let behind = 31 + "charge.succeeded".len();
    let name = [&129_u32.to_le_bytes()[..], &[b'x'; 129]].concat();
    long[1] = [&good[1][..27], &name, &good[1][behind..]].concat();
    seal(&mut long[1]);
    let mut more = good;
    more[1].push(0);
    seal(&mut more[1]);
    let place = "series that there is a place for";
    for (parts, told) in [(many, place), (long, place), (more, "the end")] {
        let refused = taken(&parts);
        assert!(
            matches!(
                refused,
                Err(StateError::Value { expected, .. } | StateError::Length { expected, .. })
                    if expected == told
            ),
            "{told}: {refused:?}"
        );
    }
}

#[test]
fn a_part_that_there_can_not_be_is_refused() {
    let parts = saved(&learnt());
    let last = parts.len() - 1;
    for (part, place, byte) in [
        // The end and a series at the first place, all at the second; of no kind; too far.
        (last, 22, 0),
        (1, 22, 0),
        (0, 22, 1),
        (1, 26, 9),
        (1, 23, 1),
    ] {
        let mut forged = parts[part].clone();
        forged[place] = byte;
        seal(&mut forged);
        let refused = Head::of(&forged);
        assert!(
            matches!(refused, Err(StateError::Value { expected, .. })
                if expected == "part of a watch"),
            "{place}: {refused:?}"
        );
    }
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
    let whole = Watch::new(at(0)).save();
    let first = saved(&Watch::new(at(0))).swap_remove(0);
    let refused = |bytes: &[u8]| {
        let error = Restoring::new().take(bytes).unwrap_err();
        assert_eq!(Head::of(bytes), Err(error));
        error
    };
    for (bytes, refused) in [
        (
            whole,
            &(|it: &[u8]| Watch::restore(it).unwrap_err()) as &dyn Fn(&[u8]) -> StateError,
        ),
        (first, &refused),
    ] {
        for place in (14..bytes.len()).step_by(97) {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x10;
            assert_eq!(refused(&damaged), StateError::Checksum, "{place}");
        }
        for length in (14..bytes.len()).step_by(97) {
            assert_eq!(refused(&bytes[..length]), StateError::Checksum);
        }
    }
}

#[test]
fn what_is_saved_whole_ends_where_it_says() {
    let parts = saved(&learnt());
    assert_eq!(taken(&parts[..4]), Ok(None));
    assert!(taken(&[parts.as_slice(), &parts[..1]].concat()).is_err());
}

/// Puts bytes at a place, so many behind where others are found, and the checksum right.
fn forged(good: &[Vec<u8>], found: &[u8], behind: usize, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut forged = good.to_vec();
    let found = forged.iter_mut().find_map(|part| {
        let place = part.windows(found.len()).position(|it| it == found)?;
        Some((part, place))
    });
    let (part, place) = found.unwrap();
    let from = place + behind;
    part[from..from + bytes.len()].copy_from_slice(bytes);
    seal(part);
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
    let good = saved(&learnt());
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
        let refused = taken(&forged(&good, found, behind, &bytes)).err();
        let Some(StateError::Value { expected: told, .. }) = refused else {
            panic!("{expected}: {refused:?}");
        };
        assert_eq!(told, expected);
    }
}

/// The checksum guards against accidents; what gets past it is still read with care.
#[test]
fn values_that_the_watch_never_writes_are_refused() {
    let good = saved(&Watch::new(at(0))).swap_remove(0);
    let end = saved(&Watch::new(at(0))).swap_remove(1);
    let mut refused = 0;
    for place in 14..good.len().min(6_000) {
        let mut forged = good.clone();
        forged[place] = 0xff;
        seal(&mut forged);
        match taken(&[forged, end.clone()]) {
            Ok(watch) => {
                live(&mut watch.unwrap(), 10, 200);
            }
            Err(StateError::Length { .. } | StateError::Value { .. }) => refused += 1,
            Err(other) => panic!("{place}: {other}"),
        }
    }
    assert!(refused > 100, "{refused}");
}
