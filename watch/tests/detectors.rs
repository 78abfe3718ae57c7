//! Each detector alone: what it sees, how soon, and what leaves it calm.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookgate_watch::forgery::Forgery;
use hookgate_watch::share::Share;
use hookgate_watch::slow::SlowBodies;
use hookgate_watch::source::Network;
use hookgate_watch::stranger::{Signed, Stranger};
use hookgate_watch::time::Time;
use hookgate_watch::upstream::{Answer, Upstream};

fn network(a: u8, b: u8, c: u8) -> Network {
    Network::of(IpAddr::V4(Ipv4Addr::new(a, b, c, 9)))
}

/// An upstream that answered ten requests a tick within 4 to 6 ms, for an hour.
fn steady() -> Upstream {
    let mut upstream = Upstream::new();
    for tick in 0..360 {
        ten(&mut upstream, 0, 0.004 + f64::from(tick % 5) / 2_000.0);
        assert_eq!(upstream.tick(), None);
    }
    upstream
}

fn ten(upstream: &mut Upstream, failed: u32, seconds: f64) {
    for number in 0..10 {
        let answer = if number < failed {
            Answer::Failed
        } else {
            Answer::Answered
        };
        upstream.answered(answer, seconds);
    }
}

#[test]
fn failures_of_one_tick_are_a_restart_and_of_three_are_trouble() {
    let mut upstream = steady();
    ten(&mut upstream, 10, 0.005);
    assert_eq!(upstream.tick(), None);
    for _ in 0..60 {
        ten(&mut upstream, 0, 0.005);
        assert_eq!(upstream.tick(), None);
    }
    let ticks = (1..10).find(|_| {
        ten(&mut upstream, 5, 0.005);
        upstream.tick().is_some()
    });
    assert_eq!(ticks, Some(3));
}

#[test]
fn an_upstream_ten_times_slower_is_trouble_within_a_minute() {
    let mut upstream = steady();
    let trouble = (1..=6).find_map(|_| {
        ten(&mut upstream, 0, 0.05);
        upstream.tick()
    });
    let trouble = trouble.unwrap();
    assert_eq!(trouble.failures, None);
    let (p99, usual) = (trouble.p99.unwrap(), trouble.usual_p99);
    assert!((0.049..0.051).contains(&p99), "{p99}");
    assert!((0.003..0.009).contains(&usual), "{usual}");
}

#[test]
fn a_slow_answer_now_and_then_is_no_trouble() {
    let mut upstream = steady();
    for tick in 0..3_600 {
        let seconds = if tick % 40 == 0 { 2.0 } else { 0.005 };
        ten(&mut upstream, 0, seconds);
        assert_eq!(upstream.tick(), None);
    }
}

#[test]
fn one_source_and_thousands_are_seen_in_a_tick_and_scanners_never() {
    let mut forgery = Forgery::new();
    for tick in 0..60_480_u32 {
        if tick % 2 == 0 {
            forgery.refused(network(100, (tick % 251) as u8, 1), 1);
        }
        assert_eq!(forgery.tick(), None);
    }
    let mut many = forgery.clone();
    forgery.refused(network(203, 0, 113), 10);
    let forged = forgery.tick().unwrap();
    let (most, share) = forged.most_from.unwrap();
    assert_eq!(most.to_string(), "203.0.113.0/24");
    assert!(share > 0.8 && forged.usual < 0.06, "{forged:?}");
    for number in 0..50 {
        many.refused(network(198, number, 1), 1);
    }
    let (_, share) = many.tick().unwrap().most_from.unwrap();
    assert!(share < 0.1, "{share}");
}

#[test]
fn an_attack_of_a_day_does_not_become_usual() {
    let mut forgery = Forgery::new();
    for tick in 0..8_640_u32 {
        forgery.refused(network(100, (tick % 251) as u8, 1), tick % 2);
        forgery.tick();
    }
    for _ in 0..8_640 {
        forgery.refused(network(203, 0, 113), 50);
        assert!(forgery.tick().is_some());
    }
}

#[test]
fn requests_that_bring_nothing_are_held_open_and_uploads_are_not() {
    let mut slow = SlowBodies::new();
    for tick in 0..1_000 {
        assert_eq!(slow.tick(tick % 5, 40_000.0), None);
    }
    for _ in 0..20 {
        assert_eq!(slow.tick(200, 200.0 * 5_000.0), None);
    }
    assert_eq!(slow.tick(200, 200.0 * 20.0), None);
    let held = slow.tick(200, 200.0 * 20.0).unwrap();
    assert_eq!((held.open, held.bytes_per_second), (200, 20.0));
}

#[test]
fn a_share_is_too_high_only_in_more_than_one_tick() {
    let mut repeats = Share::of_repeats();
    for _ in 0..100 {
        repeats.count(0, 10);
        assert_eq!(repeats.tick(), None);
    }
    repeats.count(10, 10);
    assert_eq!(repeats.tick(), None);
    repeats.count(10, 10);
    let excess = repeats.tick().unwrap();
    assert!(excess.share > 0.9 && excess.usual < 0.05, "{excess:?}");
}

/// A platform that is known for eight days.
fn familiar() -> (Stranger, Time) {
    let mut now = Time::from_unix_seconds(1_760_000_000);
    let mut stranger = Stranger::new(now);
    for number in 0..8 * 8_640_u64 {
        now = now.plus(10);
        let account = ["acct_1", "acct_2"];
        let signed = Signed {
            network: network(54, 187, (number % 8) as u8),
            api_version: Some("2025-09-30.clover"),
            type_name: "invoice.paid",
            account: account.get(number as usize % 2).copied(),
        };
        stranger.signed(now, &signed);
        assert_eq!(stranger.tick(), None);
    }
    (stranger, now)
}

#[test]
fn a_secret_in_other_hands_is_suspected_within_four_deliveries() {
    let (mut stranger, now) = familiar();
    let signed = Signed {
        network: network(203, 0, 113),
        api_version: Some("2025-09-30.clover"),
        type_name: "invoice.paid",
        account: Some("acct_1"),
    };
    let suspicion = (1..=5).find_map(|_| {
        stranger.signed(now, &signed);
        stranger.tick()
    });
    let suspicion = suspicion.unwrap();
    assert_eq!(suspicion.news, ["network"]);
    assert_eq!(suspicion.from, Some(network(203, 0, 113)));
}

#[test]
fn a_new_account_or_a_new_version_alone_is_no_suspicion() {
    let (mut stranger, now) = familiar();
    for number in 0..2_000_u64 {
        let signed = Signed {
            network: network(54, 187, 1),
            api_version: Some(if number < 1_000 {
                "2026-01-28.new"
            } else {
                "2025-09-30.clover"
            }),
            type_name: "invoice.paid",
            account: Some(if number < 1_000 { "acct_1" } else { "acct_new" }),
        };
        stranger.signed(now.plus(number * 10), &signed);
        assert_eq!(stranger.tick(), None);
    }
}

#[test]
fn networks_are_written_as_people_write_them() {
    let six = Ipv6Addr::new(0x2001, 0xdb8, 7, 8, 9, 10, 11, 12);
    assert_eq!(Network::of(IpAddr::V6(six)).to_string(), "2001:db8:7::/48");
    let mapped = Ipv4Addr::new(192, 0, 2, 200).to_ipv6_mapped();
    assert_eq!(Network::of(IpAddr::V6(mapped)).to_string(), "192.0.2.0/24");
}
