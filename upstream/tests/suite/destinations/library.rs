//! Deliveries, verified by the library of those who wrote Standard Webhooks.

use std::{
    env,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{DESTINATION_SECRET, Place, append, destination};
use crate::{
    contract::{Backend as _, Sqlite},
    receiver::{Got, Reaction, Receiver},
};

/// The second secret of a destination that rotates.
const NEW_SECRET: &str = "whsec_bmV3LWhvb2tnYXRlLWRlc3RpbmF0aW9u";

const PROGRAM: &str = r"
const { Webhook } = require('standardwebhooks');
const lines = require('fs').readFileSync(0, 'utf8').split('\n').filter(Boolean);
for (const line of lines) {
  const { secret, headers, payload } = JSON.parse(line);
  try { new Webhook(secret).verify(payload, headers); console.log('genuine'); }
  catch (error) { console.log(error.message); }
}
";

/// The folder whose `node_modules` holds the library.
fn library() -> PathBuf {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/webhooks-node");
    let folder = env::var_os("HOOKGATE_WEBHOOKS_NODE").map_or(fetched, PathBuf::from);
    let manifest = folder.join("node_modules/standardwebhooks/package.json");
    assert!(
        manifest.is_file(),
        "found no library of Standard Webhooks: `cargo xtask tools` installs it"
    );
    folder
}

/// What the library says of each of these.
fn verdicts(deliveries: &[Value]) -> Vec<String> {
    let mut node = Command::new("node")
        .args(["-e", PROGRAM])
        .current_dir(library())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node, from your system's packages");
    let mut stdin = node.stdin.take().unwrap();
    for delivery in deliveries {
        writeln!(stdin, "{delivery}").unwrap();
    }
    drop(stdin);
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    let verdicts = String::from_utf8(output.stdout).unwrap();
    verdicts.lines().map(str::to_owned).collect()
}

fn delivery(secret: &str, got: &Got) -> Value {
    json!({
        "secret": secret,
        "headers": got.headers,
        "payload": String::from_utf8(got.payload.clone()).unwrap(),
    })
}

#[test]
fn the_library_of_standard_webhooks_verifies_every_attempt() {
    let backend = Sqlite::new();
    let receiver = Receiver::start(|got, _| match got.attempt() {
        1 => Reaction::Status(500),
        _ => Reaction::Status(204),
    });
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("new");
    std::fs::write(&new, format!("{NEW_SECRET}\n")).unwrap();
    let secrets = format!(
        "secrets = [\"ORDERS_SECRET\", {{ file = \"{}\" }}]",
        new.display()
    );
    let text = destination("orders", &receiver.url(), &secrets);
    let place = Place::new(&backend.address(), &text);
    let server = place.start();
    append(&server, 1);
    let got = receiver.until_got(2);
    let mut deliveries = Vec::new();
    for attempt in &got {
        for secret in [DESTINATION_SECRET, NEW_SECRET] {
            deliveries.push(delivery(secret, attempt));
        }
    }
    assert_eq!(verdicts(&deliveries), ["genuine"; 4]);

    // And nothing else.
    let mut changed = [(); 4].map(|()| delivery(NEW_SECRET, &got[0]));
    let [secret, id, time, payload] = &mut changed;
    secret["secret"] = json!("whsec_c29tZWJvZHkgZWxzZSdz");
    id["headers"]["webhook-id"] = json!("msg_other");
    time["headers"]["webhook-timestamp"] = json!("1760000000");
    payload["payload"] = json!("{}");
    let [secret, id, time, payload] = <[String; 4]>::try_from(verdicts(&changed)).unwrap();
    for verdict in [&secret, &id, &payload] {
        assert_eq!(verdict, "No matching signature found");
    }
    assert_eq!(time, "Message timestamp too old");
}
