//! `hookgate serve --gate`: the upstream verifies as the gate does.

mod keyring;
mod scheme;

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    delivery::{Delivery, payload},
    harness::{Server, events, failure, hookgate},
};

/// A gate of every scheme, with one keyring.
const GATE: &str = r#"{
  "endpoints": [
    {"name": "stripe", "path": "/stripe", "keyring": "file"},
    {"name": "platform", "path": "/platform", "keyring": "file", "max_body_bytes": 5000,
     "policy": {"synchronous": {"types": ["decide.*"], "route": "decider"}}},
    {"name": "github", "path": "/github", "scheme": "github", "keyring": "file"},
    {"name": "shopify", "path": "/shopify", "scheme": "shopify", "keyring": "file"},
    {"name": "slack", "path": "/slack", "scheme": "slack", "keyring": "file"},
    {"name": "standard", "path": "/standard", "scheme": "standard_webhooks", "keyring": "file"},
    {"name": "own", "path": "/own", "source": "own-source", "keyring": "file", "scheme": {"hmac": {
      "signature_header": "x-signature", "encoding": "hex", "prefix": "sha256=",
      "id": {"field": "id"}, "type": {"field": "type"}}}},
    {"name": "environment", "path": "/environment", "secrets": [{"name": "only", "env": "ONLY"}]},
    {"name": "closed", "path": "/closed", "secrets": [{"name": "a", "env": "NOT_SET"}]}
  ],
  "keyrings": [{"name": "file", "filter_state": "hookgate.secrets"}]
}"#;

/// A secret that every scheme takes.
const KEYRING_SECRET: &str = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0";

/// Two more.
const OLD: &str = "whsec_b2xkb2xkb2xk";
const NEW: &str = "whsec_bmV3bmV3bmV3";

struct Door {
    folder: TempDir,
    server: Server,
}

impl Door {
    /// Starts a server with one secret for each endpoint of the keyring.
    fn open() -> Self {
        Self::with_keyring(&keyring(&[("2026-11", KEYRING_SECRET)]))
    }

    fn with_keyring(keyring: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("gate.json"), GATE).unwrap();
        replace(folder.path(), &keyring.to_string());
        let mut command = hookgate();
        command
            .args(["serve", "--log", &log(folder.path()), "--gate"])
            .arg(folder.path().join("gate.json"))
            .arg("--keyring")
            .arg(folder.path().join("keys.json"))
            .env("ONLY", "whsec_only");
        let server = Server::spawn(command);
        Self { folder, server }
    }

    fn outcome(&self, delivery: &Delivery) -> (u16, String) {
        let answer = delivery.send(&self.server);
        let (status, name, _) = answer.outcome();
        (status, name.to_owned())
    }

    fn refuses(&self, delivery: &Delivery, status: u16, code: &str) {
        let before = events(&log(self.folder.path())).len();
        let headers = &delivery.headers;
        assert_eq!(
            self.outcome(delivery),
            (status, code.to_owned()),
            "{headers:?}"
        );
        assert_eq!(events(&log(self.folder.path())).len(), before);
    }

    fn stores(&self, delivery: &Delivery) {
        let headers = &delivery.headers;
        assert_eq!(
            self.outcome(delivery),
            (200, "stored".to_owned()),
            "{headers:?}"
        );
    }

    fn replace_keyring(&self, text: &str) {
        replace(self.folder.path(), text);
    }
}

fn log(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("log.db").display())
}

/// Puts a keyring into place as agents do: by rename.
fn replace(folder: &Path, text: &str) {
    fs::write(folder.join("keys.new"), text).unwrap();
    fs::rename(folder.join("keys.new"), folder.join("keys.json")).unwrap();
}

/// A keyring with these secrets for every endpoint.
fn keyring(secrets: &[(&str, &str)]) -> Value {
    let secrets: Vec<Value> = secrets
        .iter()
        .map(|(name, secret)| json!({"name": name, "secret": secret}))
        .collect();
    let names = [
        "stripe",
        "platform",
        "github",
        "shopify",
        "slack",
        "standard",
        "own",
        "elsewhere",
    ];
    let endpoints: serde_json::Map<String, Value> = names
        .map(|name| (name.to_owned(), json!(secrets)))
        .into_iter()
        .collect();
    json!({"endpoints": endpoints})
}

/// A Stripe event of an endpoint and the source of the same name.
fn stripe(id: &str, endpoint: &str, secret: &str) -> Delivery {
    Delivery::new(id)
        .with("ce-endpoint", endpoint)
        .of_source(endpoint, secret)
}

#[test]
fn refuses_claims_that_are_not_of_the_gate() {
    let door = Door::open();
    let genuine = || stripe("evt_1", "stripe", KEYRING_SECRET);
    // In the keyring, and of another gate.
    door.refuses(
        &stripe("evt_1", "elsewhere", KEYRING_SECRET),
        400,
        "attributes_invalid",
    );
    door.refuses(
        &genuine().with("ce-endpoint", "elsewhere"),
        400,
        "attributes_invalid",
    );
    door.refuses(
        &genuine().with("ce-source", "/hookgate/platform"),
        400,
        "attributes_invalid",
    );
    door.refuses(
        &genuine().with("ce-endpoint", "platform"),
        400,
        "attributes_invalid",
    );
    // Another scheme's endpoint.
    door.refuses(
        &stripe("evt_1", "github", KEYRING_SECRET),
        400,
        "signature_missing",
    );
    door.refuses(
        &stripe("evt_1", "stripe", "whsec_wrong"),
        400,
        "signature_mismatch",
    );
    door.refuses(
        &stripe("evt_1", "closed", KEYRING_SECRET),
        503,
        "unavailable",
    );
    door.refuses(
        &stripe("evt_1", "environment", KEYRING_SECRET),
        400,
        "signature_mismatch",
    );
    door.stores(&genuine());
    door.stores(&stripe("evt_1", "environment", "whsec_only"));
    let stderr = door.server.stderr();
    assert!(stderr.contains("endpoints=\"closed\""), "{stderr}");
}

#[test]
fn keeps_the_endpoint_s_limit_and_its_decisions() {
    let door = Door::open();
    let large = |id: &str, length: usize| {
        let padding = length - payload(id, 0).len();
        Delivery::with_payload(id, payload(id, padding))
            .with("ce-endpoint", "platform")
            .of_source("platform", KEYRING_SECRET)
    };
    door.refuses(&large("evt_1", 5_001), 413, "payload_too_large");
    door.stores(&large("evt_1", 5_000));
    for type_name in ["decide.now", "issuing_authorization.request"] {
        let payload = format!(r#"{{"id": "evt_2", "object": "event", "type": "{type_name}"}}"#);
        door.refuses(&scheme::of("platform", &[], &payload), 503, "no_decider");
    }
}

#[test]
fn reads_the_gate_out_of_the_shipped_envoy_configuration() {
    let envoy = concat!(env!("CARGO_MANIFEST_DIR"), "/../envoy/envoy.yaml");
    let folder = tempfile::tempdir().unwrap();
    let mut endpoints = serde_json::Map::new();
    for name in ["stripe", "stripe-connect"] {
        endpoints.insert(name.to_owned(), json!([{"name": "a", "secret": "whsec_a"}]));
    }
    replace(folder.path(), &json!({"endpoints": endpoints}).to_string());
    let mut command = hookgate();
    command
        .args([
            "serve",
            "--log",
            &log(folder.path()),
            "--gate",
            envoy,
            "--keyring",
        ])
        .arg(format!(
            "file={}",
            folder.path().join("keys.json").display()
        ));
    let server = Server::spawn(command);
    let connect = stripe("evt_1", "stripe-connect", "whsec_a").send(&server);
    assert_eq!(connect.outcome(), (200, "stored", Some(1)));
}

#[test]
fn refuses_to_start_with_what_can_only_be_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("gate.json"), GATE).unwrap();
    fs::write(path("broken.json"), GATE.replace("\"/slack\"", "\"slack\"")).unwrap();
    fs::write(
        path("keys.json"),
        keyring(&[("a", KEYRING_SECRET)]).to_string(),
    )
    .unwrap();
    fs::write(path("damaged.json"), "{\"endpoints\": whsec_TOPSECRET}").unwrap();
    let refusal = |options: &[&str]| {
        let mut command = hookgate();
        command
            .args(["serve", "--log", &log(folder.path())])
            .args(options);
        failure(&mut command)
    };
    let (gate, broken) = (path("gate.json"), path("broken.json"));
    let gate = ["--gate", gate.as_str(), "--keyring"];
    for (options, expected) in [
        (&["--gate", &broken][..], "line 8: endpoints[4].path"),
        (&["--gate", "/nowhere.json"], "can't read `/nowhere.json`"),
        (&gate[..2], "found no signing secret for any endpoint"),
        (
            &[gate[0], gate[1], gate[2], "/nowhere.json"],
            "can't read the keyring `/nowhere.json`",
        ),
        (
            &[
                gate[0],
                gate[1],
                gate[2],
                &format!("other={}", path("keys.json")),
            ],
            "no keyring `other`, expected one of: file",
        ),
        (
            &[gate[0], gate[1], gate[2], &path("damaged.json")],
            "line 1, column",
        ),
    ] {
        let message = refusal(options);
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("TOPSECRET"), "{message}");
    }
    assert!(!folder.path().join("log.db").exists());
    // What --gate says is not said twice.
    let mut command = hookgate();
    command
        .args([
            "serve",
            "--log",
            &log(folder.path()),
            "--secret",
            "stripe=A",
        ])
        .args(&gate[..2]);
    assert_eq!(command.output().unwrap().status.code(), Some(2));
}
