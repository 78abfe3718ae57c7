//! A real nats-server with a store of its own.

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use async_nats::jetstream::{self, stream};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    harness::{self, tool, until},
    loopback,
};

/// A running nats-server; killed when dropped.
pub(crate) struct Nats {
    child: Child,
    folder: TempDir,
    host: Ipv4Addr,
    port: u16,
}

impl Nats {
    /// Starts one on a free port, set up as the shipped one.
    pub(crate) fn start() -> Self {
        Self::start_with("max_payload: 4MB")
    }

    /// Starts one with other settings.
    pub(crate) fn start_with(settings: &str) -> Self {
        let host = loopback::own();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let config = format!(
            "host: {host}\nports_file_dir: \"{path}\"\n{settings}\n\
             jetstream {{ store_dir: \"{path}/store\", sync_interval: always }}\n"
        );
        fs::write(folder.path().join("nats.conf"), config).unwrap();
        let child = spawn(&folder, -1);
        let ports = folder
            .path()
            .join(format!("nats-server_{}.ports", child.id()));
        let port = until("nats-server listens", || {
            let ports: Value = serde_json::from_str(&fs::read_to_string(&ports).ok()?).ok()?;
            let address = ports["nats"][0].as_str()?;
            address.rsplit(':').next()?.parse().ok()
        });
        Self {
            child,
            folder,
            host,
            port,
        }
    }

    /// Its address as `--log` takes it.
    pub(crate) fn address(&self) -> String {
        format!("nats://{}:{}", self.host, self.port)
    }

    /// Stops the process where it is; connections stay open and unanswered.
    pub(crate) fn freeze(&self) {
        harness::freeze(Pid::from_child(&self.child));
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as an operator would.
    pub(crate) fn terminate(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }

    /// Where it keeps the messages of a stream.
    pub(crate) fn store(&self, stream: &str) -> PathBuf {
        let streams = self.folder.path().join("store/jetstream/$G/streams");
        streams.join(stream).join("msgs")
    }

    /// Where it keeps everything.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it again on its port and its store.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(&self.folder, i32::from(self.port));
    }

    /// Starts it again, and waits until it listens.
    pub(crate) fn restart_and_wait(&mut self) {
        self.restart();
        until("nats-server listens again", || {
            TcpStream::connect((self.host, self.port)).ok()
        });
    }

    /// Removes the stream, as an operator might.
    pub(crate) fn remove_stream(&self) {
        self.ask(async |context| {
            context.delete_stream("HOOKGATE").await.unwrap();
        });
    }

    /// Makes or changes the stream, as an operator would.
    pub(crate) fn set_stream(&self, change: impl FnOnce(&mut stream::Config)) {
        self.ask(async |context| {
            let mut config = match context.get_stream("HOOKGATE").await {
                Ok(stream) => stream.cached_info().config.clone(),
                Err(_) => right_settings(),
            };
            change(&mut config);
            context.create_or_update_stream(config).await.unwrap();
        });
    }

    /// Does something with JetStream, as whoever has access to it could.
    pub(crate) fn ask<T>(&self, question: impl AsyncFnOnce(jetstream::Context) -> T) -> T {
        ask(&self.address(), question)
    }
}

/// Does something with JetStream at an address.
pub(crate) fn ask<T>(address: &str, question: impl AsyncFnOnce(jetstream::Context) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let servers = address.split(',').map(|server| server.parse().unwrap());
        let servers: Vec<async_nats::ServerAddr> = servers.collect();
        let client = async_nats::connect(servers).await.unwrap();
        question(jetstream::new(client)).await
    })
}

/// The stream as the upstream makes it.
fn right_settings() -> stream::Config {
    stream::Config {
        name: "HOOKGATE".to_owned(),
        subjects: vec!["hookgate.event.>".to_owned()],
        discard: stream::DiscardPolicy::New,
        discard_new_per_subject: true,
        max_messages_per_subject: 1,
        ..stream::Config::default()
    }
}

fn spawn(folder: &TempDir, port: i32) -> Child {
    let log = fs::File::create(folder.path().join("nats.log")).unwrap();
    Command::new(tool("NATS_SERVER_PATH", "nats-server"))
        .arg("-c")
        .arg(folder.path().join("nats.conf"))
        .args(["-p", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
