//! What Stripe doesn't give, and what is said of it.

use serde_json::json;

use super::{Place, SOURCES, numbered, origins};
use crate::{
    contract::{Backend as _, Sqlite},
    harness::failure,
    stripe::{KEY, PLATFORM, Script, Stripe},
};

const FAST: &str = "requests_per_second = 100";

#[test]
fn an_account_that_is_gone_is_reported_and_the_others_are_compared() {
    for status in [403, 404] {
        let backend = Sqlite::new();
        let log = backend.address();
        let stripe = Stripe::start(Script {
            gone: [("acct_2".to_owned(), status)].into(),
            ..Script::default()
        });
        for account in ["acct_1", "acct_2", "acct_3"] {
            stripe.add(account, numbered(account, 3));
        }
        let place = Place::new(&log, &stripe, FAST, SOURCES);
        place.began_before();
        let report = place.report(&[]);
        assert_eq!(report["gone"], json!(["acct_2"]));
        assert_eq!(
            (&report["accounts"], &report["appended"]),
            (&json!(4), &json!(6))
        );
        // It comes back, and nothing of it is passed over.
        stripe.script(|script| script.gone.clear());
        assert_eq!(place.report(&[])["appended"], 3);
        assert_eq!(origins(&log).len(), 9);
    }
}

#[test]
fn a_key_that_lacks_a_permission_says_which() {
    for (path, permission, said) in [
        ("/v1/events", "rak_event_read", "Events: Read"),
        (
            "/v1/accounts",
            "rak_accounts_kyc_basic_read",
            "Connected accounts: Read",
        ),
        (
            "/v1/webhook_endpoints",
            "rak_webhook_read",
            "Webhook Endpoints: Read",
        ),
    ] {
        let backend = Sqlite::new();
        let log = backend.address();
        let stripe = Stripe::start(Script {
            lacks: Some((path, permission)),
            endpoints: [("we_1".to_owned(), vec!["*".to_owned()])].into(),
            ..Script::default()
        });
        stripe.add("acct_1", numbered("a", 3));
        let tables = "
[[reconcile.sources]]
source = \"stripe-connect\"
of = \"connected\"
webhook_endpoint = \"we_1\"
";
        let place = Place::new(&log, &stripe, FAST, tables);
        place.began_before();
        let refused = failure(&mut place.command(&[]));
        assert!(refused.contains(said), "{refused}");
        assert!(refused.contains(permission), "{refused}");
        // It is no account that is gone: nothing is skipped.
        stripe.script(|script| script.lacks = None);
        assert_eq!(place.report(&[])["appended"], 3);
    }
}

#[test]
fn a_key_that_stripe_does_not_know_is_never_shown() {
    let backend = Sqlite::new();
    let stripe = Stripe::start(Script::default());
    let place = Place::new(&backend.address(), &stripe, FAST, SOURCES);
    for (key, said) in [
        ("rk_test_wrong51Secret", "(401)"),
        ("whsec_wrong51Secret", "expected an API key"),
    ] {
        let mut command = place.command(&[]);
        command
            .env("STRIPE_RECONCILE_KEY", key)
            .env("RUST_LOG", "trace");
        let refused = failure(&mut command);
        assert!(refused.contains(said), "{refused}");
        assert!(!refused.contains("wrong51Secret"), "{refused}");
    }
    let mut command = place.command(&[]);
    let unset = failure(command.env_remove("STRIPE_RECONCILE_KEY"));
    assert!(unset.contains("`STRIPE_RECONCILE_KEY`: set it"), "{unset}");
    let mut command = place.command(&["--dry-run"]);
    let output = command.env("RUST_LOG", "trace").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains(KEY), "{stderr}");
}

#[test]
fn a_limit_is_waited_for_as_long_as_stripe_asks() {
    let backend = Sqlite::new();
    let log = backend.address();
    let stripe = Stripe::start(Script {
        limits: Some(2),
        retry_after: Some(2),
        ..Script::default()
    });
    stripe.add(PLATFORM, numbered("a", 150));
    let place = Place::new(
        &log,
        &stripe,
        "requests_per_second = 100\naccounts = []",
        SOURCES,
    );
    place.began_before();
    assert_eq!(place.report(&[])["appended"], 150);
    let asked = stripe.asked();
    let statuses: Vec<u16> = asked.iter().map(|it| it.status).collect();
    assert_eq!(statuses, [200, 429, 200]);
    assert!((asked[2].at - asked[1].at).as_millis() >= 1_990);
}

#[test]
fn a_place_in_the_list_that_stripe_forgot_is_begun_anew() {
    let backend = Sqlite::new();
    let log = backend.address();
    let stripe = Stripe::start(Script {
        fails: Some(1),
        ..Script::default()
    });
    stripe.add(PLATFORM, numbered("a", 150));
    let place = Place::new(
        &log,
        &stripe,
        "requests_per_second = 100\naccounts = []",
        SOURCES,
    );
    let until = super::ago(30 * 60);
    let since = super::ago(40 * super::HOUR);
    let state = json!({
        "installed_at": since,
        "pending": {
            "request": "Marks of Configured",
            "round": {"until": until, "queue": ["platform"], "accounts": {"platform":
                {"since": since, "reached": until, "after": "evt_forgotten", "end": null}}},
            "tally": {"by_type": {}, "ignored": 0, "unreadable": 0, "requests": 1},
        },
    });
    place.with_state(&state);
    stripe.script(|script| script.fails = None);
    let report = place.report(&[]);
    assert_eq!(report["appended"], 150, "{report}");
    let asked = stripe.asked();
    assert_eq!(asked[0].query["starting_after"], "evt_forgotten");
    assert_eq!(asked[0].status, 400);
    assert_eq!(asked.len(), 3);
}

#[test]
fn what_is_not_configured_is_said() {
    let backend = Sqlite::new();
    let stripe = Stripe::start(Script::default());
    for (fields, tables, said) in [
        ("", "", "reconcile.sources"),
        (
            "",
            "[[reconcile.sources]]\nsource = \"stripe\"\nof = \"platform\"\n",
            "never meant to come",
        ),
        (
            "",
            "[[reconcile.sources]]\nsource = \"a\"\nof = \"platform\"\ntypes = [\"*\"]\nwebhook_endpoint = \"we_1\"\n",
            "expected one of them",
        ),
        ("requests_per_second = 101", SOURCES, "expected 1 to 100"),
    ] {
        let place = Place::new(&backend.address(), &stripe, fields, tables);
        let refused = failure(&mut place.command(&[]));
        assert!(refused.contains(said), "{refused}");
    }
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hookgate.toml");
    for (api, said) in [
        ("http://stripe.example.com", "on this machine"),
        ("https://key@api.stripe.com", "on this machine"),
    ] {
        let text = format!("[reconcile]\napi_key = \"A\"\napi = \"{api}\"\n{SOURCES}");
        std::fs::write(&config, text).unwrap();
        let mut command = crate::harness::hookgate();
        command.args(["reconcile", "--log", &backend.address(), "--config"]);
        let refused = failure(command.arg(&config));
        assert!(refused.contains(said), "{refused}");
    }
    assert_eq!(stripe.count(), 0);
}
