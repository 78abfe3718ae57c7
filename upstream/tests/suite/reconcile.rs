//! Reconciliation with a scripted Stripe.

mod beside;
mod killed;
mod library;
mod other_logs;
mod policy;
mod refused;
mod repeated;

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    delivery::{Connection, Delivery},
    harness::{CONNECT_SECRET, Server, hookgate, output},
    stripe::{KEY, Stripe, event},
};

/// The platform's own events and those of connected accounts, of all types.
pub(crate) const SOURCES: &str = "
[[reconcile.sources]]
source = \"stripe\"
of = \"platform\"
types = [\"*\"]
[[reconcile.sources]]
source = \"stripe-connect\"
of = \"connected\"
types = [\"*\"]
";

const HOUR: u64 = 3_600;

/// A log, and a configuration that compares it with a scripted Stripe.
pub(crate) struct Place {
    folder: TempDir,
    log: String,
}

impl Place {
    /// `fields` stand in `[reconcile]`, `tables` behind it.
    pub(crate) fn new(log: &str, stripe: &Stripe, fields: &str, tables: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[reconcile]\napi_key = \"STRIPE_RECONCILE_KEY\"\napi = \"{}\"\nstate = \"{}\"\n\
             {fields}\n{tables}\n",
            stripe.url(),
            folder.path().join("state").display(),
        );
        fs::write(folder.path().join("hookgate.toml"), text).unwrap();
        let log = log.to_owned();
        Self { folder, log }
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("hookgate.toml")
    }

    /// `hookgate serve` with this configuration.
    pub(crate) fn serve(&self) -> Server {
        let mut command = hookgate();
        command
            .args(["serve", "--log", &self.log, "--config"])
            .arg(self.config())
            .env("STRIPE_RECONCILE_KEY", KEY);
        Server::spawn(command)
    }

    /// `hookgate reconcile`.
    pub(crate) fn command(&self, options: &[&str]) -> Command {
        let mut command = hookgate();
        command
            .args(["reconcile", "--log", &self.log, "--config"])
            .arg(self.config())
            .args(options)
            .env("STRIPE_RECONCILE_KEY", KEY);
        command
    }

    /// What `hookgate reconcile` reports.
    pub(crate) fn report(&self, options: &[&str]) -> Value {
        let mut command = self.command(options);
        serde_json::from_slice(&output(command.arg("--json"))).unwrap()
    }

    /// Says that the log began two days ago.
    pub(crate) fn began_before(&self) {
        self.with_state(&json!({"installed_at": ago(48 * HOUR)}));
    }

    /// Says how far comparison came.
    pub(crate) fn with_state(&self, state: &Value) {
        fs::write(self.folder.path().join("state"), state.to_string()).unwrap();
    }
}

/// Unix seconds of some seconds ago.
pub(crate) fn ago(seconds: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (now - Duration::from_secs(seconds)).as_secs()
}

/// Numbered events of an account, of two types, over the last day.
pub(crate) fn numbered(name: &str, count: u64) -> Vec<Value> {
    let of = |number: u64| {
        let type_name = ["invoice.paid", "payout.failed"][usize::from(number.is_multiple_of(4))];
        // Several in one second, as real ones.
        let created = ago(HOUR + number * 20 * HOUR / count.max(1) / 3 * 3);
        event(&format!("evt_{name}_{number}"), type_name, created)
    };
    (0..count).map(of).collect()
}

/// Sends events to a server as the gate does.
pub(crate) fn deliver(server: &Server, source: &str, ids: &[String]) {
    let secret = if source == "stripe" {
        crate::harness::SECRET
    } else {
        CONNECT_SECRET
    };
    let parts = ids.chunks(ids.len().div_ceil(8).max(1));
    std::thread::scope(|scope| {
        for part in parts {
            scope.spawn(move || {
                let mut connection = Connection::open(server.address).unwrap();
                for id in part {
                    let delivery = Delivery::new(id).of_source(source, secret);
                    let answer = connection.send(&delivery).unwrap();
                    assert_eq!(answer.status, 200, "{answer:?}");
                }
            });
        }
    });
}

/// The IDs of a log's events, in its order, with their origins.
pub(crate) fn origins(log: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("delivery").to_owned();
    let events = crate::harness::events(log);
    events
        .iter()
        .map(|event| (text(&event["id"]), text(&event["origin"])))
        .collect()
}
