//! What is missing, and what was never meant to come.

use std::fs;

use serde_json::json;

use super::{HOUR, Place, SOURCES, ago, deliver, numbered, origins};
use crate::{
    contract::{Backend as _, Sqlite},
    harness::{Server, failure, hookgate, output},
    receiver::{Reaction, Receiver},
    stripe::{PLATFORM, Script, Stripe, event},
};

on_both_logs! {
    nothing_is_appended_where_nothing_is_missing
    what_happened_before_the_log_began_waits_for_a_decision
    what_was_redacted_is_not_missing
}

fn ids(events: &[serde_json::Value]) -> Vec<String> {
    let ids = events.iter().map(|event| event["id"].as_str().unwrap());
    ids.map(str::to_owned).collect()
}

fn nothing_is_appended_where_nothing_is_missing(log: &str) {
    let stripe = Stripe::start(Script::default());
    let (platform, connected) = (numbered("platform", 30), numbered("connected", 120));
    let server = Server::start(log, &[]);
    deliver(&server, "stripe", &ids(&platform));
    deliver(&server, "stripe-connect", &ids(&connected));
    server.stop();
    stripe.add(PLATFORM, platform);
    stripe.add("acct_1", connected);
    let place = Place::new(log, &stripe, "requests_per_second = 100", SOURCES);
    place.began_before();
    let report = place.report(&[]);
    for (name, count) in [
        ("seen", 150),
        ("present", 150),
        ("missing", 0),
        ("appended", 0),
    ] {
        assert_eq!(report[name], count, "{report}");
    }
    assert_eq!(report["by_type"]["payout.failed"]["seen"], 38, "{report}");
    let asked = stripe.asked().into_iter();
    let asked: Vec<_> = asked.map(|it| (it.path, it.account)).collect();
    let of = |path: &str, account: Option<&str>| (path.to_owned(), account.map(str::to_owned));
    let expected = [
        of("/v1/accounts", None),
        of("/v1/events", None),
        of("/v1/events", Some("acct_1")),
        of("/v1/events", Some("acct_1")),
    ];
    assert_eq!(asked, expected);
    // The next one looks at the last 15 minutes only.
    assert_eq!(place.report(&[])["seen"], 0);
    assert_eq!(stripe.count(), 4 + 3);
    assert_eq!(origins(log).len(), 150);
    // All that is listed, if it is asked for.
    let full = place.report(&["--since", "1d", "--all-accounts"]);
    assert_eq!(full["seen"], 150, "{full}");
    let one = place.report(&["--since", "1d", "--account", "acct_1"]);
    assert_eq!((&one["seen"], &one["accounts"]), (&json!(120), &json!(1)));
}

fn what_happened_before_the_log_began_waits_for_a_decision(log: &str) {
    let stripe = Stripe::start(Script::default());
    let receiver = Receiver::start(|_, _| Reaction::Status(204));
    stripe.add(PLATFORM, [event("evt_old", "invoice.paid", ago(5 * HOUR))]);
    let tables = format!(
        "{SOURCES}\n[[destinations]]\nname = \"orders\"\nurl = \"{}\"\n",
        receiver.url()
    );
    let place = Place::new(
        log,
        &stripe,
        "requests_per_second = 100\naccounts = []",
        &tables,
    );
    // The destination's place is the beginning of the log.
    place.serve().stop();
    assert_eq!(place.report(&[])["seen"], 0);

    let refused = failure(&mut place.command(&["--since", "1d"]));
    assert!(refused.contains("--store-only"), "{refused}");
    assert!(origins(log).is_empty());
    let dry = place.report(&["--since", "1d", "--dry-run"]);
    assert_eq!((&dry["missing"], &dry["appended"]), (&json!(1), &json!(0)));
    assert!(origins(log).is_empty());

    let kept = place.report(&["--since", "1d", "--store-only"]);
    assert_eq!(kept["appended"], 1, "{kept}");
    stripe.add(
        PLATFORM,
        [event("evt_older", "invoice.paid", ago(6 * HOUR))],
    );
    let delivered = place.report(&["--since", "1d", "--deliver"]);
    assert_eq!(delivered["appended"], 1, "{delivered}");
    let expected = [
        ("evt_old", "reconciliation-stored-only"),
        ("evt_older", "reconciliation"),
    ];
    let expected = expected.map(|(id, origin)| (id.to_owned(), origin.to_owned()));
    assert_eq!(origins(log), expected);
    let server = place.serve();
    deliver(&server, "stripe", &["evt_new".to_owned()]);
    let got = receiver.until_got(2);
    let got: Vec<_> = got
        .iter()
        .map(|it| (it.id(), it.headers.get("ce-origin").map(String::as_str)))
        .collect();
    assert!(
        got.contains(&("evt_older", Some("reconciliation"))),
        "{got:?}"
    );
    assert!(got.contains(&("evt_new", None)), "{got:?}");
    server.stop();
    output(hookgate().args(["verify-log", "--log", log]));
}

#[test]
fn what_was_never_meant_to_come_is_not_missing() {
    let backend = Sqlite::new();
    let log = backend.address();
    let subscribed = vec!["invoice.paid".to_owned(), "charge.failed".to_owned()];
    let stripe = Stripe::start(Script {
        endpoints: [("we_1".to_owned(), subscribed)].into(),
        ..Script::default()
    });
    let at = ago(2 * HOUR);
    let mut live = event("evt_live", "invoice.paid", at);
    live["livemode"] = json!(true);
    stripe.add(
        PLATFORM,
        [
            event("evt_wanted", "invoice.paid", at),
            event("evt_of_another_type", "payout.paid", at),
            event("evt_00000000000000", "invoice.paid", at),
            event("evt_decided", "issuing_authorization.request", at),
            event("evt_young", "invoice.paid", ago(14 * 60)),
            live,
        ],
    );
    stripe.add(
        "acct_1",
        [
            event("evt_connected", "payout.paid", at),
            event("evt_unconnected", "invoice.paid", at),
        ],
    );
    stripe.add("acct_unknown", [event("evt_unknown", "payout.paid", at)]);
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate.json");
    let endpoint = |name: &str, policy: serde_json::Value| {
        json!({"name": name, "path": format!("/{name}"), "policy": policy,
            "secrets": [{"name": "a", "env": "STRIPE_WEBHOOK_SECRET"}]})
    };
    let policy = json!({"livemode": {"only": false}});
    let config = json!({"endpoints": [
        endpoint("stripe", policy),
        endpoint("stripe-connect", json!({"accounts": {"known": ["acct_1"], "unknown": "ignore"}})),
    ]});
    fs::write(&gate, config.to_string()).unwrap();
    let tables = "
[[reconcile.sources]]
source = \"stripe\"
of = \"platform\"
webhook_endpoint = \"we_1\"
[[reconcile.sources]]
source = \"stripe-connect\"
of = \"connected\"
types = [\"payout.*\"]
";
    let place = Place::new(&log, &stripe, "requests_per_second = 100", tables);
    place.began_before();
    let report = place.report(&["--gate", gate.to_str().unwrap()]);
    assert_eq!(report["appended"], 2, "{report}");
    assert_eq!(report["ignored"], 6, "{report}");
    let mut found = origins(&log);
    found.sort();
    let found: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(found, ["evt_connected", "evt_wanted"]);
}

fn what_was_redacted_is_not_missing(log: &str) {
    let stripe = Stripe::start(Script::default());
    let listed = numbered("a", 2);
    let server = Server::start(log, &[]);
    deliver(&server, "stripe", &ids(&listed));
    let mut redact = hookgate();
    redact.args([
        "redact", "evt_a_1", "--reason", "17", "--by", "ada", "--log", log,
    ]);
    output(&mut redact);
    server.stop();
    stripe.add(PLATFORM, listed);
    let place = Place::new(
        log,
        &stripe,
        "requests_per_second = 100\naccounts = []",
        SOURCES,
    );
    place.began_before();
    for options in [&["--dry-run"][..], &[]] {
        let report = place.report(options);
        let counts = (&report["present"], &report["missing"]);
        assert_eq!(counts, (&json!(2), &json!(0)), "{report}");
    }
}

#[test]
fn what_retention_removed_is_not_missing() {
    let backend = Sqlite::new();
    let log = backend.address();
    let stripe = Stripe::start(Script::default());
    let listed = numbered("old", 3);
    let server = Server::start(&log, &["--keep", "1s"]);
    deliver(&server, "stripe", &ids(&listed));
    crate::harness::until("retention removes them", || {
        origins(&log).is_empty().then_some(())
    });
    server.stop();
    stripe.add(PLATFORM, listed);
    let place = Place::new(
        &log,
        &stripe,
        "requests_per_second = 100\naccounts = []",
        SOURCES,
    );
    place.began_before();
    let report = place.report(&["--dry-run"]);
    assert_eq!(
        (&report["present"], &report["missing"]),
        (&json!(3), &json!(0))
    );
}

#[test]
fn what_is_fetched_is_the_bytes_of_stripes_list_with_its_attributes() {
    let backend = Sqlite::new();
    let log = backend.address();
    let stripe = Stripe::start(Script::default());
    let at = ago(2 * HOUR);
    stripe.add("acct_1", [event("evt_1", "invoice.paid", at)]);
    let place = Place::new(&log, &stripe, "requests_per_second = 100", SOURCES);
    place.began_before();
    assert_eq!(place.report(&[])["appended"], 1);
    let stored = &crate::harness::events(&log)[0];
    for (name, value) in [
        ("source", json!("stripe-connect")),
        ("account", json!("acct_1")),
        ("origin", json!("reconciliation")),
        ("endpoint", json!("stripe-connect")),
        ("livemode", json!(false)),
        ("secretname", json!("")),
        ("signature", json!("")),
        ("signedat", json!(null)),
    ] {
        assert_eq!(stored[name], value, "{name}");
    }
    let payload = output(hookgate().args(["event", "evt_1", "--payload", "--log", &log]));
    let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload, event("evt_1", "invoice.paid", at));

    // It goes to another log as what it is.
    let copy = Sqlite::new();
    let lines = output(hookgate().args(["export", "--log", &log]));
    let file = place.config().with_file_name("lines");
    fs::write(&file, lines).unwrap();
    let mut import = hookgate();
    output(
        import
            .arg("import")
            .arg(&file)
            .args(["--log", &copy.address()]),
    );
    let expected = [("evt_1".to_owned(), "reconciliation".to_owned())];
    assert_eq!(origins(&copy.address()), expected);
    output(hookgate().args(["verify-log", "--log", &copy.address()]));
}
