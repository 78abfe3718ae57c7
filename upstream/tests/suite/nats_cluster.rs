//! Three real nats-servers as a cluster, by the shipped configuration.

use std::{
    fs,
    net::Ipv4Addr,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use async_nats::jetstream::{self, stream};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{
    harness::{self, PATIENCE, tool, until, until_within},
    loopback,
};

/// What a server writes down, of every time that it was started.
const LOG: &str = "nats.log";

/// How many servers there are.
const SIZE: usize = 3;

/// The shipped file, where only addresses and the store's folder are changed.
const SHIPPED: &str = include_str!("../../../envoy/nats.cluster.conf");

/// A running cluster; killed when dropped.
pub(crate) struct Cluster {
    servers: Vec<Member>,
    host: Ipv4Addr,
}

struct Member {
    child: Child,
    folder: TempDir,
    name: String,
    ports: Ports,
}

/// Where one server listens.
#[derive(Clone, Copy)]
struct Ports {
    clients: u16,
    routes: u16,
    health: u16,
}

impl Cluster {
    /// Starts one and waits until its servers have found each other.
    pub(crate) fn start() -> Self {
        let host = loopback::own();
        let config = SHIPPED.replace("127.0.0.1", &host.to_string());
        let members = (1..).zip(0..).take(SIZE).map(|(number, offset)| {
            let ports = Ports {
                clients: 4_222 + offset,
                routes: 6_222 + offset,
                health: 8_222 + offset,
            };
            assert!(config.contains(&format!("{host}:{}", ports.routes)));
            let folder = tempfile::tempdir().unwrap();
            let store = folder.path().join("store").display().to_string();
            assert!(config.contains("/var/lib/nats"));
            let config = config.replace("/var/lib/nats", &store);
            fs::write(folder.path().join("nats.conf"), config).unwrap();
            let name = format!("nats-{number}");
            Member {
                child: spawn(folder.path(), &name, host, ports),
                folder,
                name,
                ports,
            }
        });
        let cluster = Self {
            servers: members.collect(),
            host,
        };
        for server in 0..SIZE {
            cluster.wait_until_well(server);
        }
        cluster
    }

    /// Its address as `--log` takes it.
    pub(crate) fn address(&self) -> String {
        let servers = self.servers.iter();
        let servers = servers.map(|server| format!("{}:{}", self.host, server.ports.clients));
        format!("nats://{}", servers.collect::<Vec<_>>().join(","))
    }

    /// The server that decides what is in the log.
    pub(crate) fn leader(&self) -> usize {
        self.leader_of("HOOKGATE")
    }

    /// The server that decides what is in a stream.
    pub(crate) fn leader_of(&self, stream: &str) -> usize {
        until("the stream has a leader", || {
            let leader = self.with_stream(async |context| {
                let stream = context.get_stream(stream).await.ok()?;
                stream.cached_info().cluster.clone()?.leader
            })?;
            let mut servers = self.servers.iter();
            servers.position(|server| server.name == leader)
        })
    }

    /// Whether a server has a text in what it keeps of a stream.
    pub(crate) fn holds(&self, stream: &str, server: usize, text: &str) -> bool {
        let store = self.servers[server].folder.path().join("store");
        let messages = store.join("jetstream/$G/streams").join(stream).join("msgs");
        // A server that hasn't heard of the stream yet has no folder of it.
        let Ok(files) = fs::read_dir(messages) else {
            return false;
        };
        let mut contents = files.map(|file| fs::read(file.unwrap().path()).unwrap_or_default());
        contents.any(|bytes| {
            let mut windows = bytes.windows(text.len());
            windows.any(|window| window == text.as_bytes())
        })
    }

    /// The other servers.
    pub(crate) fn others(&self, than: usize) -> impl Iterator<Item = usize> + use<> {
        (0..SIZE).filter(move |server| *server != than)
    }

    /// Kills a server.
    pub(crate) fn kill(&mut self, server: usize) {
        self.servers[server].child.kill().unwrap();
        self.servers[server].child.wait().unwrap();
    }

    /// Starts it again on its ports and its store.
    pub(crate) fn restart(&mut self, server: usize) {
        let member = &mut self.servers[server];
        member.child = spawn(member.folder.path(), &member.name, self.host, member.ports);
    }

    /// Stops the process where it is; connections stay open and unanswered.
    pub(crate) fn freeze(&self, server: usize) {
        harness::freeze(Pid::from_child(&self.servers[server].child));
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self, server: usize) {
        kill_process(Pid::from_child(&self.servers[server].child), Signal::CONT).unwrap();
    }

    /// Waits until a server has caught up with the others.
    pub(crate) fn wait_until_well(&self, server: usize) {
        let (host, port) = (self.host, self.servers[server].ports.health);
        until_within(2 * PATIENCE, "a server of the cluster is well", || {
            let answer = ureq::get(format!("http://{host}:{port}/healthz")).call();
            answer.is_ok().then_some(())
        });
    }

    /// Sets how many servers have what a stream holds, as an operator would.
    pub(crate) fn set_replicas(&self, stream: &str, replicas: usize) {
        // Not while the servers choose a leader.
        let replicated = until("the stream is changed", || {
            self.with_stream(async |context| {
                let stream = context.get_stream(stream).await.ok()?;
                let config = stream::Config {
                    num_replicas: replicas,
                    ..stream.cached_info().config.clone()
                };
                context.update_stream(config).await.ok()
            })
        });
        assert_eq!(replicated.config.num_replicas, replicas);
    }

    /// Asks whoever answers.
    fn with_stream<T>(&self, ask: impl AsyncFnOnce(jetstream::Context) -> Option<T>) -> Option<T> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let servers: Vec<String> = self.address().split(',').map(str::to_owned).collect();
        runtime.block_on(async {
            let client = async_nats::connect(servers).await.ok()?;
            ask(jetstream::new(client)).await
        })
    }
}

fn spawn(folder: &Path, name: &str, host: Ipv4Addr, ports: Ports) -> Child {
    let log = fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join(LOG))
        .unwrap();
    let Ports {
        clients,
        routes,
        health,
    } = ports;
    Command::new(tool("NATS_SERVER_PATH", "nats-server"))
        .arg("--config")
        .arg(folder.join("nats.conf"))
        .args(["--name", name])
        .args(["--port", &clients.to_string()])
        .args(["--cluster", &format!("nats://{host}:{routes}")])
        .args(["--http_port", &health.to_string()])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.child.kill();
            let _ = server.child.wait();
            if thread::panicking() {
                let said = fs::read_to_string(server.folder.path().join(LOG));
                eprintln!("{} said:\n{}", server.name, said.unwrap_or_default());
            }
        }
    }
}
