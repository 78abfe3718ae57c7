//! However much comes, and of however many kinds, the watch stays as big as it may be.

use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr};

use hookgate_watch::parts::{self, MAX_PART_BYTES, MAX_PARTS};
use hookgate_watch::rate::Rate;
use hookgate_watch::series::{SERIES, Series};
use hookgate_watch::source::Network;
use hookgate_watch::stranger::Signed;
use hookgate_watch::time::Time;
use hookgate_watch::watch::{Identity, Watch};

/// What a series may take, by the design.
const SERIES_BYTES: usize = 64 * 1_024;
/// What everything else may take together.
const REST_BYTES: usize = 256 * 1_024;

fn at(second: u64) -> Time {
    Time::from_unix_seconds(1_760_000_000 + second)
}

/// Bytes of a saved state: those in memory but for spare room.
fn saved(watch: &Watch) -> usize {
    watch.save().len()
}

#[test]
fn a_series_stays_under_its_bound() {
    let mut watch = Watch::new(at(0));
    // A week of minutes: every ring is full.
    for second in (0..8 * 86_400).step_by(10) {
        watch.came("a", None, second % 7);
        watch.tick(at(second));
    }
    // The series of the type, and that of all events, which was there before.
    let both = saved(&watch) - saved(&Watch::new(at(0)));
    assert!((64_000..80_000).contains(&both), "{both}");
    // A ring of 4,003 numbers has room for 5,000 at most, of eight bytes each.
    let spare = 8 * 1_000;
    assert!(
        both / 2 + spare + size_of::<Series>() < SERIES_BYTES,
        "{both}"
    );
    assert!(size_of::<Rate>() < 4_096);
}

#[test]
fn no_number_of_types_accounts_networks_and_versions_makes_it_grow() {
    let mut watch = Watch::new(at(0));
    let mut largest = 0;
    for round in 0..40_u64 {
        for number in round * 500..(round + 1) * 500 {
            let [_, _, _, _, a, b, c, d] = (number * 2_654_435_761).to_be_bytes();
            let network = Network::of(IpAddr::V4(Ipv4Addr::new(a, b, c, d)));
            let name = format!("type.{number}.{}", "x".repeat(300));
            let signed = Signed {
                network,
                api_version: Some(&name),
                type_name: &name,
                account: Some(&name),
            };
            watch.delivered(&signed, Identity::New);
            watch.refused(network, 3);
        }
        watch.tick(at(round * 86_400));
        largest = largest.max(saved(&watch));
        let parts = parts::all(0, &watch);
        assert!(parts.len() <= MAX_PARTS as usize);
        assert!(parts.iter().all(|part| part.len() <= MAX_PART_BYTES));
    }
    assert_eq!(watch.types().count(), SERIES);
    assert_eq!(watch.accounts().count(), SERIES);
    assert!(largest < 129 * SERIES_BYTES / 16 + REST_BYTES, "{largest}");
}

#[test]
fn a_busy_newcomer_takes_the_place_of_the_quietest_series() {
    let mut watch = Watch::new(at(0));
    watch.tick(at(10));
    for number in 0..SERIES {
        watch.came(&format!("old.{number:02}"), None, 10 + number as u64);
    }
    watch.came("new", None, 500);
    watch.tick(at(86_420));
    assert!(watch.types().all(|(name, _)| name != "old.00"));
    assert!(watch.types().any(|(name, _)| name == "new"));
    assert_eq!(watch.types().count(), SERIES);
}
