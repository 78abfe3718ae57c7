//! Three real nats-servers as a cluster, by the shipped configuration.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use async_nats::jetstream::{self, stream};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::harness::{tool, until};

/// How many servers there are.
const SIZE: usize = 3;

/// The shipped file, where only ports and the store's folder are changed.
const SHIPPED: &str = include_str!("../../../envoy/nats.cluster.conf");

/// A running cluster; killed when dropped.
pub(crate) struct Cluster {
    servers: Vec<Member>,
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
        let ports = [(); SIZE].map(|()| Ports {
            clients: free_port(),
            routes: free_port(),
            health: free_port(),
        });
        let mut config = SHIPPED.to_owned();
        for (shipped, ports) in (6222..).zip(ports) {
            let shipped = format!("127.0.0.1:{shipped}");
            assert!(config.contains(&shipped), "{shipped}");
            config = config.replace(&shipped, &format!("127.0.0.1:{}", ports.routes));
        }
        let members = (1..).zip(ports).map(|(number, ports)| {
            let folder = tempfile::tempdir().unwrap();
            let store = folder.path().join("store").display().to_string();
            assert!(config.contains("/var/lib/nats"));
            let config = config.replace("/var/lib/nats", &store);
            fs::write(folder.path().join("nats.conf"), config).unwrap();
            let name = format!("nats-{number}");
            Member {
                child: spawn(folder.path(), &name, ports),
                folder,
                name,
                ports,
            }
        });
        let cluster = Self {
            servers: members.collect(),
        };
        for server in 0..SIZE {
            cluster.wait_until_well(server);
        }
        cluster
    }

    /// Its address as `--log` takes it.
    pub(crate) fn address(&self) -> String {
        let servers = self.servers.iter();
        let servers = servers.map(|server| format!("127.0.0.1:{}", server.ports.clients));
        format!("nats://{}", servers.collect::<Vec<_>>().join(","))
    }

    /// The server that decides what is in the log.
    pub(crate) fn leader(&self) -> usize {
        until("the stream has a leader", || {
            let leader = self.with_stream(async |context| {
                let stream = context.get_stream("HOOKGATE").await.ok()?;
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
        let files = fs::read_dir(messages).unwrap();
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
        member.child = spawn(member.folder.path(), &member.name, member.ports);
    }

    /// Stops the process where it is; connections stay open and unanswered.
    pub(crate) fn freeze(&self, server: usize) {
        kill_process(Pid::from_child(&self.servers[server].child), Signal::STOP).unwrap();
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self, server: usize) {
        kill_process(Pid::from_child(&self.servers[server].child), Signal::CONT).unwrap();
    }

    /// Waits until a server has caught up with the others.
    pub(crate) fn wait_until_well(&self, server: usize) {
        let port = self.servers[server].ports.health;
        until("a server of the cluster is well", || {
            let answer = ureq::get(format!("http://127.0.0.1:{port}/healthz")).call();
            answer.is_ok().then_some(())
        });
    }

    /// Sets how many servers have what a stream holds, as an operator would.
    pub(crate) fn set_replicas(&self, stream: &str, replicas: usize) {
        let replicated = self.with_stream(async |context| {
            let stream = context.get_stream(stream).await.ok()?;
            let config = stream::Config {
                num_replicas: replicas,
                ..stream.cached_info().config.clone()
            };
            context.update_stream(config).await.ok()
        });
        assert_eq!(replicated.unwrap().config.num_replicas, replicas);
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

/// Finds a port that nobody listens on, below those that the system gives to
/// clients: whoever is killed finds it free again.
fn free_port() -> u16 {
    until("a port is free", || {
        let port = fastrand::u16(20_000..32_000);
        TcpListener::bind(("127.0.0.1", port)).ok().map(|_| port)
    })
}

fn spawn(folder: &Path, name: &str, ports: Ports) -> Child {
    let log = fs::File::create(folder.join("nats.log")).unwrap();
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
        .args(["--cluster", &format!("nats://127.0.0.1:{routes}")])
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
        }
    }
}
