//! Who may bring events: whoever shows a token of the gate's.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use crate::{
    delivery::{Answer, Delivery},
    harness::{Server, events, failure, hookgate, until},
};

const ONE: &str = "one-0123456789abcdef0123456789abcdef";
const TWO: &str = "two-0123456789abcdef0123456789abcdef";

/// A server that asks for a token.
struct Door {
    folder: TempDir,
    server: Server,
}

impl Door {
    fn open(tokens: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        fs::write(&file, tokens).unwrap();
        let options = ["--gate-token-file", file.to_str().unwrap()];
        let server = Server::start(&log(&folder), &options);
        Self { folder, server }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("tokens")
    }

    /// Puts a file in the place of the one before.
    fn replace(&self, tokens: &str) {
        let next = self.folder.path().join("next");
        fs::write(&next, tokens).unwrap();
        fs::rename(next, self.file()).unwrap();
    }

    /// Sends a fresh event that Stripe has signed, with these headers beside.
    fn send(&self, id: &str, authorization: &[&str]) -> Answer {
        let delivery = authorization.iter().fold(Delivery::new(id), |it, value| {
            it.and("authorization", value)
        });
        delivery.send(&self.server)
    }

    fn stored(&self) -> usize {
        events(&log(&self.folder)).len()
    }

    /// Waits until the server has said this.
    fn says(&self, text: &str) {
        until(text, || self.server.stderr().contains(text).then_some(()));
    }
}

fn log(folder: &TempDir) -> String {
    format!("sqlite:{}", folder.path().join("log.db").display())
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[test]
fn what_comes_past_the_gate_is_refused_however_genuine() {
    let door = Door::open(&format!("{ONE}\n"));
    let wrong = bearer(TWO);
    for shown in [&[][..], &[wrong.as_str()], &[ONE], &[&bearer(ONE), &wrong]] {
        let answer = door.send("evt_1", shown);
        assert_eq!(answer.outcome(), (401, "gate_token_invalid", None));
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        let media_type = answer.header("content-type");
        assert_eq!(media_type, Some("application/problem+json"));
    }
    assert_eq!(door.stored(), 0);
    let answer = door.send("evt_1", &[&bearer(ONE)]);
    assert_eq!(answer.outcome(), (200, "stored", Some(1)));
    // A token brings nothing in that nobody has signed.
    let forged = Delivery::new("evt_2")
        .and("authorization", &bearer(ONE))
        .with("stripe-signature", "t=1,v1=00");
    assert_eq!(forged.send(&door.server).status, 400);
    assert_eq!(door.stored(), 1);
    let refused = r#"hookgate_appends_total{endpoint="_",outcome="refused"}"#;
    door.server.scrape().assert(&[(refused, 4.0)]);
}

#[test]
fn a_token_is_exchanged_with_an_overlap() {
    let door = Door::open(ONE);
    let expect = |id: &str, token: &str, status: u16| {
        let answer = door.send(id, &[&bearer(token)]);
        assert_eq!(answer.status, status, "{answer:?}");
    };
    expect("evt_1", TWO, 401);
    door.replace(&format!("{ONE}\n{TWO}\n"));
    door.says("tokens=2");
    expect("evt_1", ONE, 200);
    expect("evt_2", TWO, 200);
    door.replace(TWO);
    door.says("tokens=1");
    expect("evt_3", ONE, 401);
    expect("evt_3", TWO, 200);
}

#[test]
fn a_file_that_can_t_be_used_keeps_the_last_good_tokens_and_is_not_shown() {
    let door = Door::open(ONE);
    for (text, problem) in [
        ("", "found 0 lines"),
        ("TOPSECRET", "line 1: expected a token"),
    ] {
        door.replace(text);
        door.says(problem);
        assert_eq!(door.send("evt_1", &[&bearer(ONE)]).status, 200);
    }
    fs::remove_file(door.file()).unwrap();
    door.says("can't read the gate tokens");
    assert_eq!(door.send("evt_1", &[&bearer(ONE)]).status, 200);
    let log = door.server.stderr();
    assert!(!log.contains("TOPSECRET") && !log.contains(ONE), "{log}");
}

#[test]
fn a_file_that_can_t_be_used_ends_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let start = |tokens: Option<&str>, path: &str| {
        if let Some(tokens) = tokens {
            fs::write(&file, tokens).unwrap();
        }
        let log = log(&folder);
        failure(hookgate().args(["serve", "--log", &log, "--gate-token-file", path]))
    };
    let path = file.to_str().unwrap();
    let message = start(None, path);
    assert!(message.contains("can't read the gate tokens"), "{message}");
    let message = start(Some("TOPSECRET"), path);
    assert!(message.contains("line 1: expected a token"), "{message}");
    assert!(!message.contains("TOPSECRET"), "{message}");
    let message = start(None, ONE);
    assert!(message.contains("the token itself"), "{message}");
    assert!(!message.contains(ONE), "{message}");
}

#[test]
fn listens_beyond_loopback_with_a_secret_or_a_token_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    fs::write(&file, ONE).unwrap();
    // Of no machine: who gets so far can't listen there.
    let serve = |options: &[&str]| {
        let mut command = hookgate();
        command
            .env_remove("STRIPE_WEBHOOK_SECRET")
            .env_remove("STRIPE_CONNECT_WEBHOOK_SECRET")
            .env("SHOP_SECRET", "whsec_shop")
            .args(["serve", "--log", &log(&folder), "--listen", "192.0.2.1:1"])
            .args(options);
        failure(&mut command)
    };
    let refused = serve(&[]);
    assert!(refused.contains("refusing to listen on"), "{refused}");
    let tokens = file.to_str().unwrap();
    for options in [
        &["--gate-token-file", tokens][..],
        &["--secret", "shop=SHOP_SECRET"],
    ] {
        let message = serve(options);
        assert!(!message.contains("refusing to listen on"), "{message}");
    }
}
