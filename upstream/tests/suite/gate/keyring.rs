//! Keyring files: rotated, damaged, bounded in time and scope.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{Door, KEYRING_SECRET, NEW, OLD, keyring, stripe};
use crate::{delivery::seconds_from_now, harness::until};

#[test]
fn takes_a_rotated_keyring_without_a_restart_and_refuses_no_overlap() {
    let door = Door::with_keyring(&keyring(&[("old", OLD)]));
    door.stores(&stripe("evt_1", "stripe", OLD));
    let new = |id: &str| stripe(id, "stripe", NEW);
    door.refuses(&new("evt_2"), 400, "signature_mismatch");

    // Added before the sender uses it; signed by both from then on.
    door.replace_keyring(&keyring(&[("old", OLD), ("new", NEW)]).to_string());
    let both = |id: &str| {
        let (old, new) = (stripe(id, "stripe", OLD), new(id));
        let (_, v1) = new.header("stripe-signature").split_once(',').unwrap();
        let header = format!("{},{v1}", old.header("stripe-signature"));
        old.with("stripe-signature", &header)
    };
    let start = Instant::now();
    let mut number = 0;
    until("the new secret is used", || {
        number += 1;
        door.stores(&both(&format!("evt_both_{number}")));
        (door.outcome(&new("evt_2")).0 == 200).then_some(())
    });
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    door.stores(&stripe("evt_3", "stripe", OLD));

    door.replace_keyring(&keyring(&[("new", NEW)]).to_string());
    until("the old secret is no longer used", || {
        number += 1;
        door.stores(&both(&format!("evt_both_{number}")));
        let old = stripe(&format!("evt_old_{number}"), "stripe", OLD);
        (door.outcome(&old).0 == 400).then_some(())
    });
}

#[test]
fn keeps_the_last_good_keyring_and_says_so_without_its_content() {
    let door = Door::open();
    for text in [
        "",
        r#"{"endpoints": {"stripe": [{"name": "TOPSECRET", "secret": "whsec_TOPSECRET"}]}}"#,
        r#"{"endpoints": {"stripe": [{"name": "a", "secret": "whsec_TOPSECRET "}]}}"#,
        r#"{"endpoints": {"stripe": [{"name": "a", "whsec_TOPSECRET": 1}]}}"#,
    ] {
        let warnings = || {
            door.server
                .stderr()
                .matches("kept the last good keyring")
                .count()
        };
        let before = warnings();
        door.replace_keyring(text);
        until("it is said", || (warnings() > before).then_some(()));
        door.outcome(&stripe("evt_1", "stripe", KEYRING_SECRET));
        assert_eq!(
            door.outcome(&stripe("evt_1", "stripe", KEYRING_SECRET)).1,
            "duplicate"
        );
    }
    fs::remove_file(door.folder.path().join("keys.json")).unwrap();
    let gone = || door.server.stderr().contains("can't read the keyring");
    until("it is said", || gone().then_some(()));
    assert_eq!(
        door.outcome(&stripe("evt_1", "stripe", KEYRING_SECRET)).1,
        "duplicate"
    );
    assert!(
        !door.server.stderr().contains("TOPSECRET"),
        "{}",
        door.server.stderr()
    );

    door.replace_keyring(&keyring(&[("b", NEW)]).to_string());
    until("the next good one is used", || {
        (door.outcome(&stripe("evt_2", "stripe", NEW)).0 == 200).then_some(())
    });
}

#[test]
fn honours_windows_and_scopes() {
    let at = |seconds| seconds_from_now(seconds).to_string();
    let door = Door::with_keyring(&json!({"endpoints": {
        "stripe": [
            {"name": "early", "secret": "whsec_early", "not_before": at(600)},
            {"name": "late", "secret": "whsec_late", "not_after": at(-600)},
            {"name": "soon", "secret": "whsec_soon", "not_before": at(-5), "not_after": at(600)},
            {"name": "live", "secret": "whsec_live", "livemode": true},
            {"name": "platform", "secret": "whsec_platform", "connect": false},
            {"name": "connect", "secret": "whsec_connect", "connect": true, "livemode": false}],
        "platform": [{"name": "early", "secret": "whsec_early", "not_before": at(600)}]}}));
    // The events are of test mode and of a connected account.
    for (secret, outcome) in [
        ("whsec_early", (400, "signature_mismatch")),
        ("whsec_late", (400, "signature_mismatch")),
        ("whsec_live", (400, "secret_scope")),
        ("whsec_platform", (400, "secret_scope")),
    ] {
        door.refuses(&stripe("evt_1", "stripe", secret), outcome.0, outcome.1);
    }
    door.stores(&stripe("evt_1", "stripe", "whsec_soon"));
    door.stores(&stripe("evt_2", "stripe", "whsec_connect"));
    door.refuses(
        &stripe("evt_1", "platform", "whsec_early"),
        503,
        "unavailable",
    );
}
