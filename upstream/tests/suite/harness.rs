//! A running `hookgate serve`, and the other commands of the binary.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::metrics::Page;

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const SECRET: &str = "whsec_platform";
pub(crate) const CONNECT_SECRET: &str = "whsec_connect";

/// The binary, with the secrets of both shipped sources in its environment.
pub(crate) fn hookgate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookgate"));
    with_environment(&mut command);
    command
}

/// Gives a command the environment of the tests and nothing of ours.
pub(crate) fn with_environment(command: &mut Command) {
    command
        .env_clear()
        .env("STRIPE_WEBHOOK_SECRET", SECRET)
        // Every test has its own; see `Server::metrics`.
        .env("HOOKGATE_METRICS", "127.0.0.1:0")
        .env("STRIPE_CONNECT_WEBHOOK_SECRET", CONNECT_SECRET)
        .stdin(Stdio::null());
}

/// Asks again and again until there is an answer.
pub(crate) fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, ask)
}

/// As [`until`], for what takes longer.
pub(crate) fn until_within<T>(
    patience: Duration,
    what: &str,
    mut ask: impl FnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < patience, "waited too long until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A server that may not serve yet; killed when dropped.
pub(crate) struct Starting {
    child: Running,
    folder: TempDir,
}

impl Starting {
    /// Starts a server on a free port.
    pub(crate) fn start(log: &str, options: &[&str]) -> Self {
        let mut command = hookgate();
        command.args(["serve", "--log", log]).args(options);
        Self::spawn(command)
    }

    fn spawn(command: Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stderr = fs::File::create(folder.path().join("stderr")).unwrap();
        Self::spawn_in(folder, command, stderr.into())
    }

    fn spawn_in(folder: TempDir, mut command: Command, stderr: Stdio) -> Self {
        command
            .args(["--listen", "127.0.0.1:0", "--ready-file"])
            .arg(folder.path().join("ready"))
            .stderr(stderr);
        let child = Running(command.spawn().unwrap());
        Self { child, folder }
    }

    /// What the server has logged so far.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap()
    }

    /// Waits until it waits for its log; returns where it answers meanwhile.
    pub(crate) fn until_waiting(&self) -> SocketAddr {
        until("the server waits for its log", || {
            let stderr = self.stderr();
            let line = stderr.lines().find(|line| line.contains("answering 503"))?;
            let (_, rest) = line.split_once("address=")?;
            rest.split_whitespace().next()?.parse().ok()
        })
    }

    /// Waits until it serves.
    pub(crate) fn until_served(mut self, patience: Duration) -> Server {
        let address = until_within(patience, "the server serves", || {
            if let Some(status) = self.child.0.try_wait().unwrap() {
                panic!("the server ended with {status}: {}", self.stderr());
            }
            let ready = fs::read_to_string(self.folder.path().join("ready"));
            ready.ok()?.trim().parse().ok()
        });
        Server {
            child: self.child,
            folder: self.folder,
            address,
        }
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child.0), Signal::TERM).unwrap();
        until("the server ends", || self.child.0.try_wait().unwrap())
    }
}

/// The status of a GET.
pub(crate) fn status_of(address: SocketAddr, path: &str) -> u16 {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into();
    let answer = agent.get(format!("http://{address}{path}")).call();
    answer.unwrap().status().as_u16()
}

/// A server under test; killed when dropped.
pub(crate) struct Server {
    child: Running,
    folder: TempDir,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a server on a free port and waits until it serves.
    pub(crate) fn start(log: &str, options: &[&str]) -> Self {
        let mut command = hookgate();
        command.args(["serve", "--log", log]).args(options);
        Self::spawn(command)
    }

    /// Starts a prepared command, to which the last arguments are added.
    pub(crate) fn spawn(command: Command) -> Self {
        Starting::spawn(command).until_served(PATIENCE)
    }

    /// As [`Self::spawn`], with a stderr that takes nothing.
    pub(crate) fn spawn_unheard(command: Command) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("stderr"), "").unwrap();
        Starting::spawn_in(folder, command, writer.into()).until_served(PATIENCE)
    }

    /// What the server has logged so far.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap()
    }

    /// Where it serves metrics, as it says when it starts.
    pub(crate) fn metrics(&self) -> SocketAddr {
        let stderr = self.stderr();
        let line = stderr.lines().find(|line| line.contains("/metrics"));
        let (_, rest) = line.unwrap().split_once("127.0.0.1:").unwrap();
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()))
    }

    /// Reads its metrics as Prometheus would.
    pub(crate) fn scrape(&self) -> Page {
        Page::read(self.metrics())
    }

    /// Ends the server as a crash would.
    pub(crate) fn kill_9(self) {
        drop(self.child);
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// The most memory that it ever held, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.unwrap().split_whitespace().next().unwrap();
        number.parse().unwrap()
    }

    /// Asks the server to end.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child.0), Signal::TERM).unwrap();
    }

    /// Ends the server as an operator would.
    pub(crate) fn stop(mut self) {
        self.terminate();
        self.wait();
    }

    /// How the server ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.0.try_wait().unwrap()
    }

    /// Waits until the server has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("the server ends", || self.child.0.try_wait().unwrap())
    }

    /// The status of a GET.
    pub(crate) fn probe(&self, path: &str) -> u16 {
        status_of(self.address, path)
    }
}

/// What `hookgate serve` says when it refuses to start.
pub(crate) fn refusal(log: &str, options: &[&str]) -> String {
    let mut command = hookgate();
    command.args(["serve", "--log", log, "--listen", "127.0.0.1:0"]);
    failure(command.args(options))
}

/// What a command that fails says.
pub(crate) fn failure(command: &mut Command) -> String {
    let stderr = tempfile::NamedTempFile::new().unwrap();
    command
        .stdout(Stdio::null())
        .stderr(stderr.reopen().unwrap());
    let mut child = Running(command.spawn().unwrap());
    let status = until("the command fails", || child.0.try_wait().unwrap());
    let stderr = fs::read_to_string(stderr.path()).unwrap();
    assert_eq!(status.code(), Some(1), "{stderr}");
    stderr
}

/// Stops a process where it is, until it gets `SIGCONT`; waits until all its threads
/// have stopped, which on a busy machine is later.
pub(crate) fn freeze(process: Pid) {
    kill_process(process, Signal::STOP).unwrap();
    let threads = format!("/proc/{}/task", process.as_raw_nonzero());
    let has_stopped = |stat: PathBuf| {
        // A thread that has ended meanwhile stops nobody. Its name may hold anything.
        let Ok(stat) = fs::read_to_string(stat) else {
            return true;
        };
        let state = stat.rsplit_once(") ").map(|(_, rest)| rest.as_bytes()[0]);
        matches!(state, Some(b'T' | b'Z'))
    };
    until("all its threads have stopped", || {
        let mut threads = fs::read_dir(&threads).unwrap();
        threads
            .all(|thread| has_stopped(thread.unwrap().path().join("stat")))
            .then_some(())
    });
}

/// A process that doesn't outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a command that succeeds prints.
pub(crate) fn output(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    output.stdout
}

/// Every event of a log, by `hookgate events --json`.
pub(crate) fn events(log: &str) -> Vec<Value> {
    let limit = usize::MAX.to_string();
    let mut command = hookgate();
    let lines = output(command.args(["events", "--log", log, "--limit", &limit, "--json"]));
    let lines = String::from_utf8(lines).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Checks that a log numbers its events from 1 without gaps.
pub(crate) fn assert_no_gaps(events: &[Value]) {
    let sequences: Vec<u64> = events
        .iter()
        .map(|event| event["sequence"].as_u64().unwrap())
        .collect();
    let expected: Vec<u64> = (1..).take(events.len()).collect();
    assert_eq!(sequences, expected);
}

/// Where a tool is that has a place of its own: its variable, else that place.
pub(crate) fn tool_at(variable: &str, place: &Path) -> PathBuf {
    let path = std::env::var_os(variable).map_or_else(|| place.to_owned(), PathBuf::from);
    assert!(
        path.is_file(),
        "found no {}: `cargo xtask tools` says what installs it",
        path.display()
    );
    path
}

/// Where a tool is: its variable, else PATH, else where xtask puts it.
pub(crate) fn tool(variable: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([fetched])
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("found no {name}: `cargo xtask tools` installs it"))
}
