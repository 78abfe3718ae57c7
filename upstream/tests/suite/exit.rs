//! Exit codes are those that `docs/cli.md` lists.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    net::TcpListener,
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    cli::{STORED, gate},
    destinations::{Place, destination, parked},
    doctor::signature,
    harness::{SECRET, hookgate, output, until},
    kept::{Keeping as _, Kept},
    receiver::{Reaction, Receiver},
    reconcile::SOURCES,
    stripe::{KEY, Script, Stripe},
};

const PAGE: &str = include_str!("../../../docs/cli.md");

/// What the page lists, without the row for a command line that is wrong.
fn listed() -> BTreeSet<(String, i32)> {
    let (_, table) = PAGE.split_once("## Exit codes\n").unwrap();
    let rows = table.lines().take_while(|line| !line.starts_with("## "));
    rows.filter_map(|row| {
        let mut cells = row.strip_prefix("| `")?.split(" | ");
        let command = cells.next()?.trim_end_matches('`').to_owned();
        Some((command, cells.next()?.parse().ok()?))
    })
    .collect()
}

/// Runs a command to its end and returns its code.
fn code(command: &mut Command) -> i32 {
    let command = command.stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let status = until("the command ends", || child.try_wait().unwrap());
    status.code().expect("an end by itself")
}

/// Runs a command that goes on, and ends it by a signal once `begun` says so.
fn interrupted(command: &mut Command, signal: Signal, begun: impl Fn() -> bool) -> i32 {
    let mut child = command.spawn().unwrap();
    until("it is under way", || begun().then_some(()));
    kill_process(Pid::from_child(&child), signal).unwrap();
    let status = until("the command ends", || child.try_wait().unwrap());
    status.code().expect("an end by itself")
}

/// Says who decides.
fn with_who<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &["--by", "ada", "--reason", "mended"]].concat()
}

/// Lets a destination refuse every event of a log.
fn park(kept: &Kept) {
    let receiver = Receiver::start(|_, _| Reaction::Status(400));
    let more = "from = \"beginning\"";
    let place = Place::new(&kept.log, &destination("orders", &receiver.url(), more));
    let server = place.start();
    until("both are parked", || {
        (parked(&place).len() == 2).then_some(())
    });
    server.stop();
}

#[test]
fn every_command_ends_with_the_codes_that_are_listed() {
    let (kept, damaged) = (Kept::with_events(2), Kept::with_events(2));
    damaged.tamper("UPDATE event SET payload = x'00' WHERE sequence = 1");
    let path = |name: &str| kept.path(name).display().to_string();
    let (log, nowhere) = (&kept.log, "sqlite:/nowhere/log.db");
    park(&kept);
    fs::write(kept.path("good.toml"), "queue = 1\n").unwrap();
    fs::write(kept.path("bad.toml"), "queue = 0\n").unwrap();
    let lines = output(hookgate().args(["export", "--log", log]));
    fs::write(kept.path("good.jsonl"), lines).unwrap();
    fs::write(kept.path("bad.jsonl"), "{}\n").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let (url, request) = gate(STORED);
    let stripe = Stripe::start(Script::default());
    fs::write(kept.path("key"), KEY).unwrap();
    let compared = format!(
        "[reconcile]\napi = \"{}\"\napi_key = {{ file = \"{}\" }}\naccounts = []\n{SOURCES}",
        stripe.url(),
        path("key")
    );
    fs::write(kept.path("compared.toml"), compared).unwrap();
    let compared = path("compared.toml");
    fs::write(kept.path("payload"), "{}").unwrap();
    let (doctored, signed) = (path("payload"), signature(SECRET, 0, "{}"));

    let mut found = BTreeSet::new();
    let mut add = |name: &str, expected: i32, code: i32| {
        assert_eq!(code, expected, "{name}");
        found.insert((name.to_owned(), code));
    };
    for (expected, arguments) in [
        (1, &["serve", "--log", log, "--listen", &taken][..]),
        (0, &["send", &url]),
        (1, &["send", "http://127.0.0.1:9/"]),
        (0, &["check-config", &path("good.toml")]),
        (1, &["check-config", &path("bad.toml")]),
        (2, &["check-config", &path("nowhere.toml")]),
        (0, &["doctor", &doctored, "--signature", &signed]),
        (1, &["doctor", &doctored, "--signature", "t=1"]),
        (2, &["doctor", &path("nowhere.json")]),
        (0, &["events", "--log", log]),
        (1, &["events", "--log", nowhere]),
        (0, &["event", "evt_1", "--log", log]),
        (1, &["event", "evt_9", "--log", log]),
        (1, &["tail", "--log", nowhere]),
        (0, &["watch", "replay", "--log", log]),
        (1, &["watch", "replay", "--log", nowhere]),
        (0, &["watch", "flags", "--log", log]),
        (1, &["watch", "flags", "--log", nowhere]),
        (0, &["parked", "--log", log]),
        (1, &["parked", "--log", nowhere]),
        (0, &["review", "list", "--log", log]),
        (1, &["review", "list", "--log", nowhere]),
        (0, &["review", "show", "evt_1", "--log", log]),
        (1, &["review", "show", "evt_9", "--log", log]),
        (0, &with_who(&["review", "approve", "evt_1", "--log", log])),
        (1, &with_who(&["review", "approve", "evt_1", "--log", log])),
        (0, &with_who(&["review", "discard", "evt_2", "--log", log])),
        (1, &with_who(&["review", "discard", "evt_2", "--log", log])),
        (
            0,
            &with_who(&[
                "redeliver",
                "evt_2",
                "--destination",
                "orders",
                "--log",
                log,
            ]),
        ),
        (
            1,
            &with_who(&[
                "redeliver",
                "evt_2",
                "--destination",
                "orders",
                "--log",
                log,
            ]),
        ),
        (0, &["audit", "--log", log]),
        (1, &["audit", "--log", nowhere]),
        (0, &["head", "--log", log]),
        (1, &["head", "--log", nowhere]),
        (0, &["verify-log", "--log", log]),
        (1, &["verify-log", "--log", &damaged.log]),
        (2, &["verify-log", "--log", nowhere]),
        (0, &["redact", "evt_2", "--reason", "asked", "--log", log]),
        (1, &["redact", "evt_9", "--reason", "asked", "--log", log]),
        (0, &["backup", &path("copy.db"), "--log", log]),
        (1, &["backup", &path("copy.db"), "--log", log]),
        (1, &["backup", &path("other.db"), "--log", &damaged.log]),
        (0, &["export", "--log", log]),
        (1, &["export", "--log", &damaged.log]),
        (0, &["import", &path("good.jsonl"), "--log", log]),
        (1, &["import", &path("bad.jsonl"), "--log", log]),
        (0, &["reconcile", "--log", log, "--config", &compared]),
        (1, &["reconcile", "--log", log]),
        (0, &["completions", "fish"]),
        (0, &["man"]),
        (1, &["man", "--out", &path("nowhere")]),
    ] {
        let mut command = hookgate();
        command.args(arguments).stdout(Stdio::null());
        let words = match arguments[0] {
            "review" | "watch" => 2,
            _ => 1,
        };
        add(&arguments[..words].join(" "), expected, code(&mut command));
    }
    request.join().unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = hookgate();
    let command = command.args(["completions", "bash"]).stdout(full);
    add("completions", 1, code(command));

    let mut command = hookgate();
    let command = command.args(["serve", "--log", log, "--listen", "127.0.0.1:0"]);
    let command = command.args(["--ready-file", &path("ready")]);
    let ready = || kept.path("ready").exists();
    add("serve", 0, interrupted(command, Signal::TERM, ready));
    let shown = File::create(kept.path("shown")).unwrap();
    let mut command = hookgate();
    let command = command.args(["tail", "--from", "1", "--log", log]);
    let command = command.stdout(shown);
    let shown = || fs::read(kept.path("shown")).is_ok_and(|shown| !shown.is_empty());
    add("tail", 0, interrupted(command, Signal::INT, shown));

    assert_eq!(found, listed());
    for (name, _) in listed() {
        let mut command = hookgate();
        let command = command.args(name.split(' ')).arg("--no-such-option");
        assert_eq!(code(command.stdout(Stdio::null())), 2, "{name}");
    }
}

/// A reader that has seen enough is no failure.
#[test]
fn whoever_reads_may_stop_early() {
    let kept = Kept::with_events(2);
    for arguments in [
        &["events"][..],
        &["events", "--json"],
        &["event", "evt_1"],
        &["export"],
        &["review", "list"],
        &["head"],
        &["verify-log"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = hookgate();
        let command = command.args(arguments).args(["--log", &kept.log]);
        assert_eq!(code(command.stdout(writer)), 0, "{arguments:?}");
    }
    for arguments in [&["completions", "zsh"][..], &["man"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(
            code(hookgate().args(arguments).stdout(writer)),
            0,
            "{arguments:?}"
        );
    }
}
