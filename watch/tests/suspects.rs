//! Whose genuine deliveries are held while a stranger signs, and whose never.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests say what they expect by failing"
)]

use std::net::IpAddr;

use hookgate_watch::{
    source::Network, stranger::Signed, suspect::Suspect, time::Time, verdict::Cause, watch::Watch,
};

const START: u64 = 1_760_000_000;
const WEEK: u64 = 7 * 86_400;
const TYPES: [&str; 3] = ["invoice.paid", "payout.paid", "charge.succeeded"];
const ACCOUNTS: [&str; 3] = ["acct_1", "acct_2", "acct_3"];

fn at(second: u64) -> Time {
    Time::from_unix_seconds(START + second)
}

fn network(number: u16) -> Network {
    let [high, low] = number.to_be_bytes();
    Network::of(IpAddr::from([10, high, low, 1]))
}

/// A delivery as the known network sends them.
fn known() -> Signed<'static> {
    Signed {
        network: network(1),
        api_version: Some("2025-09-30"),
        type_name: TYPES[0],
        account: Some(ACCOUNTS[0]),
    }
}

fn ordinary() -> impl Iterator<Item = Signed<'static>> {
    TYPES.into_iter().flat_map(|type_name| {
        ACCOUNTS.into_iter().map(move |account| Signed {
            type_name,
            account: Some(account),
            ..known()
        })
    })
}

/// A watch that has known one network for eight days, and the second to go on from.
fn learnt() -> (Watch, u64) {
    let (mut watch, mut second) = (Watch::new(at(0)), 0);
    while second < WEEK + 86_400 {
        for signed in ordinary() {
            watch.delivered_many(&signed, 1, 0);
        }
        second += 600;
        watch.tick(at(second));
    }
    (watch, second)
}

/// Goes on for so many ticks, with these deliveries in each.
fn run(watch: &mut Watch, second: &mut u64, ticks: u64, deliveries: &[(Signed<'_>, u32)]) {
    for _ in 0..ticks {
        for (signed, count) in deliveries {
            watch.delivered_many(signed, *count, 0);
        }
        *second += 10;
        watch.tick(at(*second));
    }
}

/// Whether orders for these suspects hold a delivery, as core reads them.
fn hold(suspects: &[Suspect], signed: &Signed<'_>) -> bool {
    let is =
        |wanted: &Option<String>, said: Option<&str>| wanted.is_none() || wanted.as_deref() == said;
    suspects.iter().any(|suspect| {
        suspect.network == signed.network
            && is(&suspect.api_version, signed.api_version)
            && is(&suspect.type_name, Some(signed.type_name))
            && is(&suspect.account, signed.account)
    })
}

fn all_of(number: u16) -> Suspect {
    Suspect {
        network: network(number),
        api_version: None,
        type_name: None,
        account: None,
    }
}

fn from(number: u16) -> Signed<'static> {
    Signed {
        network: network(number),
        ..known()
    }
}

#[test]
fn a_stranger_is_named_by_its_network_once_there_is_a_verdict() {
    let (mut watch, mut second) = learnt();
    run(&mut watch, &mut second, 1, &[(from(9), 1)]);
    assert!(!watch.stands(Cause::SecretSuspect));
    assert_eq!(watch.suspects(), []);
    run(&mut watch, &mut second, 1, &[(from(9), 6)]);
    assert!(watch.stands(Cause::SecretSuspect));
    assert_eq!(watch.suspects(), [all_of(9)]);
    // Whatever else it sends next.
    let other = Signed {
        type_name: "anything",
        account: None,
        ..from(9)
    };
    assert!(hold(&watch.suspects(), &other));
}

#[test]
fn what_a_known_network_ordinarily_sends_is_never_held() {
    let (mut watch, mut second) = learnt();
    let twice_new = Signed {
        api_version: Some("2031-01-01"),
        account: Some("acct_thief"),
        ..known()
    };
    let attack = [(from(9), 3), (twice_new, 3)];
    for _ in 0..100 {
        run(&mut watch, &mut second, 3, &attack);
        for signed in ordinary() {
            watch.delivered_many(&signed, 1, 0);
        }
        let suspects = watch.suspects();
        assert!(hold(&suspects, &from(9)) && hold(&suspects, &twice_new));
        for signed in ordinary() {
            assert!(!hold(&suspects, &signed), "{signed:?} by {suspects:?}");
            // One thing of it is new, or what the suspect's is.
            for one in [
                Signed {
                    account: Some("acct_new"),
                    ..signed
                },
                Signed {
                    account: twice_new.account,
                    ..signed
                },
                Signed {
                    api_version: twice_new.api_version,
                    ..signed
                },
                Signed {
                    type_name: "customer.created",
                    ..signed
                },
            ] {
                assert!(!hold(&suspects, &one), "{one:?} by {suspects:?}");
            }
        }
    }
}

#[test]
fn of_a_known_network_only_what_is_twice_new_is_named() {
    let (mut watch, mut second) = learnt();
    let twice_new = Signed {
        type_name: "transfer.created",
        account: Some("acct_thief"),
        ..known()
    };
    run(&mut watch, &mut second, 2, &[(twice_new, 8)]);
    let suspect = Suspect {
        type_name: Some("transfer.created".into()),
        account: Some("acct_thief".into()),
        ..all_of(1)
    };
    assert_eq!(watch.suspects(), [suspect]);
}

#[test]
fn no_suspect_is_named_by_what_is_longer_than_it_is_counted() {
    let (mut watch, mut second) = learnt();
    let long = "x".repeat(129);
    let signed = Signed {
        type_name: &long,
        account: Some("acct_thief"),
        ..known()
    };
    run(&mut watch, &mut second, 2, &[(signed, 8)]);
    assert!(watch.stands(Cause::SecretSuspect));
    assert_eq!(watch.suspects(), []);
}

#[test]
fn a_suspect_is_one_for_as_long_as_the_verdict_stands() {
    let (mut watch, mut second) = learnt();
    run(&mut watch, &mut second, 2, &[(from(9), 8)]);
    // The last delivery was half an hour ago a tick later.
    run(&mut watch, &mut second, 178, &[]);
    assert!(watch.stands(Cause::SecretSuspect));
    assert_eq!(watch.suspects(), [all_of(9)]);
    run(&mut watch, &mut second, 60, &[]);
    assert!(!watch.stands(Cause::SecretSuspect));
    assert_eq!(watch.suspects(), []);
}

#[test]
fn who_went_on_for_six_hours_is_named_no_more() {
    let (mut watch, mut second) = learnt();
    let twice_new = Signed {
        type_name: "transfer.created",
        account: Some("acct_thief"),
        ..known()
    };
    let attack = [(from(9), 4), (twice_new, 4)];
    run(&mut watch, &mut second, 6 * 360 - 1, &attack);
    assert_eq!(watch.suspects().len(), 2);
    run(&mut watch, &mut second, 2, &attack);
    assert!(watch.stands(Cause::SecretSuspect));
    assert_eq!(watch.suspects(), []);
}

#[test]
fn who_was_seen_half_an_hour_ago_is_named_no_more_while_others_are() {
    let (mut watch, mut second) = learnt();
    run(&mut watch, &mut second, 2, &[(from(9), 8)]);
    run(&mut watch, &mut second, 178, &[(from(8), 1)]);
    assert_eq!(watch.suspects(), [all_of(9), all_of(8)]);
    run(&mut watch, &mut second, 2, &[(from(8), 1)]);
    assert_eq!(watch.suspects(), [all_of(8)]);
}

#[test]
fn at_most_32_are_named_those_that_were_seen_last() {
    let (mut watch, mut second) = learnt();
    for number in 100..200 {
        run(&mut watch, &mut second, 1, &[(from(number), 2)]);
    }
    let suspects = watch.suspects();
    assert_eq!(suspects, (168..200).map(all_of).collect::<Vec<_>>());
}

#[test]
fn nobody_is_named_where_it_had_to_be_forgotten_who_is_known() {
    let (mut watch, mut second) = learnt();
    for number in 100..700 {
        watch.delivered_many(&from(number), 1, 0);
    }
    run(&mut watch, &mut second, 2, &[(from(9), 8)]);
    assert!(watch.stands(Cause::SecretSuspect));
    assert_eq!(watch.suspects(), []);
}

#[test]
fn nobody_is_named_before_a_week() {
    let (mut watch, mut second) = (Watch::new(at(0)), 0);
    for _ in 0..6 * 144 {
        watch.delivered_many(&known(), 1, 0);
        second += 600;
        watch.tick(at(second));
    }
    run(&mut watch, &mut second, 3, &[(from(9), 8)]);
    assert_eq!(watch.suspects(), []);
}

#[test]
fn suspects_are_restored_with_the_watch() {
    let (mut watch, mut second) = learnt();
    run(&mut watch, &mut second, 2, &[(from(9), 8)]);
    let restored = Watch::restore(&watch.save()).unwrap();
    assert_eq!(restored.suspects(), [all_of(9)]);
}
