//! What `check-config` finds in a file, and how it explains one.

use std::fs;

use super::Folder;
use crate::harness::{hookgate, output};

#[test]
fn finds_what_the_log_can_not_do() {
    let text = "log = \"amqp://rabbit:5672/shop\"\n[retention]\nkeep = \"90d\"\n".to_owned()
        + "[[destinations]]\nname = \"orders\"\nurl = \"https://orders.internal/hooks\"\n";
    let folder = Folder::with(&text);
    let mut command = folder.hookgate();
    let checked = command.args(["check-config", "hookgate.toml"]).output();
    let checked = checked.unwrap();
    let shown = String::from_utf8(checked.stdout).unwrap();
    for part in [
        "hookgate.toml:5:1: error[log_incapable]: [[destinations]]",
        "hookgate.toml:3:1: error[log_incapable]: --keep: hookgate removes no events",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(checked.status.code(), Some(1), "{shown}");
}

#[test]
fn finds_that_nobody_holds_what_the_gate_marks() {
    let gate = |protect: &str| {
        format!(
            r#"{{"endpoints": [{{"name": "stripe", "path": "/a", "secrets": [{{"name": "a", "env": "HOOKGATE_TEST_A"}}]}}],
                "watch": {{"protect": {{{protect}}}}}}}"#
        )
    };
    let (marks, does_not) = (gate(r#""secret_suspect": true"#), gate(""));
    let destination = "[[destinations]]\nname = \"orders\"\nurl = \"http://127.0.0.1:9/hooks\"\n";
    for (gate, log, destination, expected) in [
        (
            &marks,
            "amqp://rabbit:5672/shop",
            "",
            Some("beside this log nothing waits"),
        ),
        (
            &marks,
            "sqlite:log.db",
            "",
            Some("without destinations nothing waits"),
        ),
        (&marks, "sqlite:log.db", destination, None),
        (&does_not, "amqp://rabbit:5672/shop", "", None),
    ] {
        let text = format!("log = \"{log}\"\ngate = \"gate.json\"\n{destination}");
        let folder = Folder::with(&text);
        fs::write(folder.path("gate.json"), gate).unwrap();
        let mut command = folder.hookgate();
        let checked = command.args(["check-config", "hookgate.toml"]).output();
        let checked = String::from_utf8(checked.unwrap().stdout).unwrap();
        let found = "hookgate.toml:2:1: warning[held_by_nobody]: ";
        let is_found = expected.is_some();
        assert_eq!(checked.contains(found), is_found, "{log}: {checked}");
        // The server says so too, before anything else is in its way.
        let mut command = folder.hookgate();
        command.args([
            "serve",
            "--config",
            "hookgate.toml",
            "--listen",
            "192.0.2.1:1",
        ]);
        let served = command.env("HOOKGATE_TEST_A", "whsec_a").output().unwrap();
        let said = String::from_utf8(served.stderr).unwrap();
        if let Some(part) = expected {
            assert!(checked.contains(part), "{part}: {checked}");
            assert!(said.contains(part), "{part}: {said}");
        }
        assert_eq!(said.contains("secret_suspect"), is_found, "{log}: {said}");
    }
}

#[test]
fn finds_destinations_that_are_reached_in_clear() {
    let lines = |urls: &[&str]| {
        let destination = |(number, url): (usize, &&str)| {
            format!("[[destinations]]\nname = \"d{number}\"\nurl = \"{url}\"\nsecrets = [\"A\"]\n")
        };
        urls.iter().enumerate().map(destination).collect::<String>()
    };
    let found = |text: &str| {
        let folder = Folder::with(text);
        let mut command = folder.hookgate();
        let shown = output(command.args(["check-config", "hookgate.toml"]));
        let shown = String::from_utf8(shown).unwrap();
        shown.matches("warning[destination_in_clear]").count()
    };
    let remote = [
        "http://orders.internal/hooks",
        "amqp://broker.internal/v?exchange=events",
        "nats://broker.internal/events",
        #[cfg(feature = "kafka")]
        "kafka://127.0.0.1:9092,broker.internal:9092/events",
    ];
    assert_eq!(found(&lines(&remote)), remote.len());
    let kept = [
        "https://orders.internal/hooks",
        "http://127.0.0.1/hooks",
        "amqp://localhost/v?exchange=events",
        "nats://[::1]:4222/events",
        "tls://broker.internal/events",
        #[cfg(feature = "kafka")]
        "kafka://127.0.0.1:9092,localhost:9093/events",
    ];
    assert_eq!(found(&lines(&kept)), 0);
}

#[test]
fn explains_what_the_file_does_and_what_is_doubtful() {
    let text = "log = \"sqlite:./data/log.db\"\n[retention]\nkeep = \"1d\"\n".to_owned()
        + "[[destinations]]\nname = \"orders\"\nurl = \"http://orders.internal/hooks?key=TOPSECRET\"\n"
        + "secondary = {env = \"B\"}\nfilter = {types = [\"invoice.*\"], livemode = true}\n"
        + "[reconcile]\napi_key = \"KEY\"\n[[reconcile.sources]]\nsource = \"stripe\"\n"
        + "of = \"platform\"\ntypes = [\"*\"]\n";
    let folder = Folder::with(&text);
    let mut command = folder.hookgate();
    command.args(["check-config", "hookgate.toml"]);
    let shown = String::from_utf8(output(&mut command)).unwrap();
    for part in [
        "compares       with Stripe's list of events every 15m, by 5 requests a second",
        "hookgate.toml:6:1: warning[destination_in_clear]: `orders` gets its events over http",
        "hookgate.toml:6:1: warning[deliveries_unsigned]: `orders` has no secrets",
        "hookgate.toml:3:1: warning[keep_too_short]: events are kept for 1d, and deliveries tried for 3d",
        "log            sqlite:./data/log.db",
        "deliveries     their state is in `./data/log.db.deliveries`",
        "-> orders      http://orders.internal/hooks\n",
        "   secondary   the address in the environment variable `B`, while the first is unavailable",
        "   events      of type invoice.*; of live mode",
        "   retries     after 5s, then × 2 up to 1h; parked after 3d",
        "0 errors and 3 warnings in 14 lines",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(!shown.contains("TOPSECRET"), "{shown}");
    command.arg("--strict");
    assert_eq!(command.output().unwrap().status.code(), Some(1));
}

#[test]
fn has_nothing_against_the_shipped_file() {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../envoy/hookgate.toml");
    let mut command = hookgate();
    let shown = output(command.args(["check-config", "--strict", shipped]));
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("0 errors and 0 warnings"), "{shown}");
}
