//! The deliveries that `up` sends, and what has to become of them.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::keyring::{Keyring, Successor};
use super::secrets::Secrets;

/// Signs the forged delivery; not the endpoint's secret, whatever that is.
const FORGER_VARIABLE: &str = "HOOKGATE_FORGER_SECRET";
const FORGER_SECRET: &str = "whsec_not_the_endpoints";
/// Signs after a rotation; public, and in the keyring for that one delivery only.
const SUCCESSOR_VARIABLE: &str = "HOOKGATE_SUCCESSOR_SECRET";
const SUCCESSOR: Successor = Successor {
    endpoint: "stripe",
    value: "whsec_hookgate_dev_successor",
};
/// How long Envoy (milliseconds) and the upstream (a second) may take to see a new keyring.
const ROTATION: Duration = Duration::from_secs(15);
const RETRY: Duration = Duration::from_millis(100);
/// The events looked through for ours: the latest ones of the log.
const EVENTS_READ: &str = "100";

/// Where to send, and where to look it up.
#[derive(Debug)]
pub(crate) struct Way<'a> {
    /// The `hookgate` binary.
    pub(crate) hookgate: &'a Path,
    /// The door's URL.
    pub(crate) door: &'a str,
    /// The same door over TLS.
    pub(crate) door_tls: &'a str,
    /// Where the upstream takes events from the door.
    pub(crate) past_the_door: &'a str,
    /// What a client of the TLS door trusts.
    pub(crate) authority: &'a Path,
    /// The log's URL.
    pub(crate) log: &'a str,
    /// The signing secrets.
    pub(crate) secrets: &'a Secrets,
    /// Where the door and the log find them.
    pub(crate) keyring: &'a Keyring,
}

/// What became of one delivery.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// What kind of delivery it was.
    pub(crate) case: &'static str,
    /// The answer's status.
    pub(crate) status: u64,
    /// The answer's code.
    pub(crate) code: String,
    /// The event's ID.
    pub(crate) event_id: String,
    /// Under which sequences the log holds the event: none, or one if all is well.
    pub(crate) sequences: Vec<u64>,
    expected: Expected,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Expected {
    status: u64,
    code: &'static str,
    logged: usize,
}

impl Row {
    /// Says what is not as it has to be.
    pub(crate) fn problem(&self) -> Option<String> {
        let Expected {
            status,
            code,
            logged,
        } = self.expected;
        let sound = self.status == status && self.code == code && self.sequences.len() == logged;
        (!sound).then(|| {
            format!(
                "{}: expected {status} {code}, {logged} in the log; found {} {}, {} in the log",
                self.case,
                self.status,
                self.code,
                self.sequences.len()
            )
        })
    }
}

impl Way<'_> {
    /// Sends a genuine, a repeated, a forged and a stale delivery, one past the door, then one
    /// signed with a secret that joins the keyring just before, and looks them up in the log.
    ///
    /// # Errors
    /// If one can't be sent at all, the keyring can't be written or the log can't be read.
    pub(crate) fn send_all(&self) -> Result<Vec<Row>> {
        let refused = |code| Expected {
            status: 400,
            code,
            logged: 0,
        };
        let accepted = |code| Expected {
            status: 200,
            code,
            logged: 1,
        };

        let genuine = self.send("genuine", self.door, &[], accepted("stored"))?;
        let again = ["--id", genuine.event_id.as_str(), "--ca"];
        let mut over_tls: Vec<&OsStr> = again.iter().map(AsRef::as_ref).collect();
        over_tls.push(self.authority.as_os_str());
        let mut rows = vec![
            self.send(
                "repeated, over TLS",
                self.door_tls,
                &over_tls,
                accepted("duplicate"),
            )?,
            self.send(
                "forged",
                self.door,
                &["--secret-env".as_ref(), FORGER_VARIABLE.as_ref()],
                refused("signature_mismatch"),
            )?,
            self.send(
                "stale",
                self.door,
                &["--age".as_ref(), "10m".as_ref()],
                refused("timestamp_out_of_tolerance"),
            )?,
        ];
        rows.insert(0, genuine);
        let stranger = Expected {
            status: 401,
            ..refused("gate_token_invalid")
        };
        rows.push(self.send("past the door", self.past_the_door, &[], stranger)?);
        rows.push(self.rotate(accepted("stored"))?);
        self.look_up(&mut rows)?;
        Ok(rows)
    }

    /// Puts a second secret into the keyring, delivers with it, and takes it out again.
    ///
    /// The door sees the file at once and the upstream within a second: like any sender this
    /// one sends again what was refused.
    fn rotate(&self, expected: Expected) -> Result<Row> {
        self.keyring.write(self.secrets, Some(&SUCCESSOR))?;
        let deadline = Instant::now() + ROTATION;
        let mut row = self.send_with_successor(&[], expected)?;
        while row.status != expected.status && Instant::now() < deadline {
            thread::sleep(RETRY);
            let again = ["--id".as_ref(), row.event_id.as_ref()];
            row = self.send_with_successor(&again, expected)?;
        }
        self.keyring.write(self.secrets, None)?;
        Ok(row)
    }

    fn send_with_successor(&self, arguments: &[&OsStr], expected: Expected) -> Result<Row> {
        let mut all: Vec<&OsStr> = vec!["--secret-env".as_ref(), SUCCESSOR_VARIABLE.as_ref()];
        all.extend(arguments);
        self.send("signed with a new secret", self.door, &all, expected)
    }

    fn send(
        &self,
        case: &'static str,
        url: &str,
        arguments: &[&OsStr],
        expected: Expected,
    ) -> Result<Row> {
        let mut command = Command::new(self.hookgate);
        command
            .args(["send", url, "--json"])
            .args(arguments)
            .env(FORGER_VARIABLE, FORGER_SECRET)
            .env(SUCCESSOR_VARIABLE, SUCCESSOR.value);
        let answer = objects(self.secrets.give(&mut command), case)?
            .into_iter()
            .next()
            .with_context(|| format!("sending the {case} delivery printed nothing"))?;
        Ok(Row {
            case,
            status: answer
                .get("http_status")
                .and_then(Value::as_u64)
                .unwrap_or_default(),
            code: text(&answer, "code"),
            event_id: text(&answer, "event_id"),
            sequences: Vec::new(),
            expected,
        })
    }

    fn look_up(&self, rows: &mut [Row]) -> Result<()> {
        let mut command = Command::new(self.hookgate);
        command.args([
            "events",
            "--log",
            self.log,
            "--limit",
            EVENTS_READ,
            "--json",
        ]);
        let events = objects(&mut command, "reading the log")?;
        for row in rows {
            row.sequences = events
                .iter()
                .filter(|event| text(event, "id") == row.event_id)
                .filter_map(|event| event.get("sequence").and_then(Value::as_u64))
                .collect();
        }
        Ok(())
    }
}

/// Runs a command and reads the JSON objects it prints, one a line; a refused delivery
/// makes `hookgate send` fail, so that the exit status says nothing here.
fn objects(command: &mut Command, what: &str) -> Result<Vec<Value>> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{what}: can't start {:?}", command.get_program()))?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .with_context(|| {
            let complaint = String::from_utf8_lossy(&output.stderr);
            format!("{what}: unexpected output; {}", complaint.trim())
        })
}

fn text(object: &Value, field: &str) -> String {
    object
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            case: "genuine",
            status: 200,
            code: "stored".to_owned(),
            event_id: "evt_1".to_owned(),
            sequences: vec![7],
            expected: Expected {
                status: 200,
                code: "stored",
                logged: 1,
            },
        }
    }

    #[test]
    fn finds_no_problem_in_what_is_expected() {
        assert_eq!(row().problem(), None);
    }

    #[test]
    fn finds_a_wrong_status_code_or_number_in_the_log() {
        let wrong = [
            Row {
                status: 503,
                ..row()
            },
            Row {
                code: "duplicate".to_owned(),
                ..row()
            },
            Row {
                sequences: vec![],
                ..row()
            },
            Row {
                sequences: vec![7, 8],
                ..row()
            },
        ];
        for row in wrong {
            assert!(row.problem().is_some(), "{row:?}");
        }
        assert_eq!(
            Row {
                status: 503,
                ..row()
            }
            .problem()
            .as_deref(),
            Some("genuine: expected 200 stored, 1 in the log; found 503 stored, 1 in the log")
        );
    }
}
