//! Logs with some events, to be verified, damaged and changed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    delivery::Delivery,
    harness::{Server, hookgate, output},
    nats_server::Nats,
};

/// Makes a test on each kind of log of a function over [`Keeping`].
macro_rules! on_both {
    ($($name:ident)+) => {
        mod on_sqlite { $(#[test] fn $name() { super::$name::<crate::kept::Kept>(); })+ }
        mod on_nats { $(#[test] fn $name() { super::$name::<crate::kept::KeptStream>(); })+ }
    };
}

pub(crate) use on_both;

/// A log whose server has ended.
pub(crate) trait Keeping: Sized {
    fn empty() -> Self;
    fn log(&self) -> String;
    fn folder(&self) -> &Path;
    /// Where the log's own files are.
    fn files(&self) -> &Path;

    /// `evt_1`, `evt_2` and so on.
    fn with_events(count: u64) -> Self {
        let kept = Self::empty();
        kept.append(1, count);
        kept
    }

    /// Lets a server append `evt_first` to `evt_last` at the sequences of their
    /// numbers.
    fn append(&self, first: u64, last: u64) {
        let mut server = Server::start(&self.log(), &[]);
        for number in first..=last {
            let answer = Delivery::new(&format!("evt_{number}")).send(&server);
            assert_eq!(answer.outcome(), (200, "stored", Some(number)));
        }
        // Not killed, so that everything is in the one file, or sealed.
        server.terminate();
        server.wait();
    }

    /// Lets a server append an event wherever.
    fn append_more(&self, id: &str) {
        let mut server = Server::start(&self.log(), &[]);
        assert_eq!(Delivery::new(id).send(&server).outcome().1, "stored");
        server.terminate();
        server.wait();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Writes the head to a file and names it.
    fn head(&self, name: &str) -> String {
        let path = self.path(name).display().to_string();
        output(hookgate().args(["head", "--log", &self.log(), "--out", &path]));
        path
    }

    /// The exit code of `verify-log --json`, and what it prints.
    fn verify(&self, options: &[&str]) -> (i32, Value) {
        verify(&self.log(), options)
    }

    /// What `verify-log` finds, by name and place.
    fn findings(&self, options: &[&str]) -> Vec<(String, u64)> {
        let (code, report) = self.verify(options);
        let findings = report["findings"].as_array();
        let findings = findings.unwrap_or_else(|| panic!("{report}"));
        let found = |finding: &Value| {
            let code = finding["code"].as_str().unwrap().to_owned();
            (code, finding["place"].as_u64().unwrap())
        };
        let findings: Vec<_> = findings.iter().map(found).collect();
        assert_eq!(code, i32::from(!findings.is_empty()), "{report}");
        assert_eq!(report["sound"], json!(findings.is_empty()));
        findings
    }
}

/// A log in a file.
pub(crate) struct Kept {
    pub(crate) folder: TempDir,
    pub(crate) log: String,
}

impl Keeping for Kept {
    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = format!("sqlite:{}", folder.path().join("log.db").display());
        Self { folder, log }
    }

    fn log(&self) -> String {
        self.log.clone()
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn files(&self) -> &Path {
        self.folder.path()
    }
}

impl Kept {
    pub(crate) fn file(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path("log.db")).unwrap()
    }

    pub(crate) fn tamper(&self, sql: &str) {
        self.file().execute_batch(sql).unwrap();
    }
}

/// A log in JetStream, sealed.
pub(crate) struct KeptStream {
    pub(crate) nats: Nats,
    folder: TempDir,
}

impl Keeping for KeptStream {
    fn empty() -> Self {
        Self::of(Nats::start())
    }

    fn log(&self) -> String {
        self.nats.address()
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn files(&self) -> &Path {
        self.nats.folder()
    }
}

impl KeptStream {
    /// An empty log on a server of its own settings.
    pub(crate) fn of(nats: Nats) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { nats, folder }
    }
}

/// A log in JetStream with `evt_1`, `evt_2` and so on, which nobody has sealed.
pub(crate) fn imported(count: u64) -> KeptStream {
    let kept = KeptStream::empty();
    import(count, &kept);
    kept
}

/// Lets an import append `evt_1`, `evt_2` and so on, which seals nothing.
pub(crate) fn import(count: u64, kept: &KeptStream) {
    let from = Kept::with_events(count);
    let lines = output(hookgate().args(["export", "--log", &from.log]));
    let file = from.path("events.jsonl");
    fs::write(&file, lines).unwrap();
    let mut import = hookgate();
    output(import.arg("import").arg(&file).args(["--log", &kept.log()]));
}

pub(crate) fn verify(log: &str, options: &[&str]) -> (i32, Value) {
    let mut command = hookgate();
    command
        .args(["verify-log", "--log", log, "--json"])
        .args(options);
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| json!(stderr));
    (output.status.code().unwrap(), report)
}
