//! A real RabbitMQ with a store of its own.

use std::{
    fs,
    hash::{BuildHasher as _, RandomState},
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable, LongString},
};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{self, tool_at, until_within};

/// How long the server may take to start, on a machine that is busy.
const START: Duration = Duration::from_secs(120);

/// Runs the server and the name server of its Erlang node, until its stdin
/// says or ends, however the test's process ended. Only a word there keeps the
/// store.
const KEEPER: &str = r#"
epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 & names=$!
"$0" >>"$FOLDER/out" 2>&1 & server=$!
echo $server
read -r kept
kill -9 $server $names
wait $server $names 2>/dev/null
[ -n "$kept" ] || rm -rf "$FOLDER"
"#;

/// A running RabbitMQ; killed when dropped, or when the test's process ends.
pub(crate) struct Rabbit {
    folder: PathBuf,
    pub(crate) port: u16,
    node_port: u16,
    names_port: u16,
    running: Option<Running>,
}

struct Running {
    keeper: Child,
    server: Pid,
}

impl Rabbit {
    /// The one that tests share, each with streams of its own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Rabbit> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts one.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// Starts one with lines of configuration.
    pub(crate) fn start_with(settings: &str) -> Self {
        let mut rabbit = Self::prepare(settings);
        rabbit.restart();
        rabbit
    }

    /// Finds a place and ports for one that is started later.
    pub(crate) fn prepare(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        fs::write(folder.join("rabbitmq.conf"), settings).unwrap();
        fs::write(folder.join("plugins"), "[].\n").unwrap();
        let [port, node_port, names_port] = free_ports();
        Self {
            folder,
            port,
            node_port,
            names_port,
            running: None,
        }
    }

    /// Starts it, again on its ports and its store.
    pub(crate) fn restart(&mut self) {
        // Nobody else needs to know these.
        [self.node_port, self.names_port] = free_ports();
        let server = tool_at(
            "RABBITMQ_SERVER_PATH",
            Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server"),
        );
        let mut keeper = self
            .command("sh")
            .args(["-c", KEEPER])
            .arg(server)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = keeper.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let server = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        self.running = Some(Running { keeper, server });
        until_within(START, "RabbitMQ takes logins", || {
            let status = self.running.as_mut().unwrap().keeper.try_wait().unwrap();
            assert!(status.is_none(), "{}", self.said());
            self.try_connect()
        });
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // Where it leaves its dumps.
        command.current_dir(&self.folder);
        let folder = self.folder.display();
        for (name, value) in [
            ("FOLDER", folder.to_string()),
            ("HOME", folder.to_string()),
            ("ERL_EPMD_PORT", self.names_port.to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            (
                "RABBITMQ_NODENAME",
                format!("hookgate-{}@localhost", self.port),
            ),
            ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_NODE_PORT", self.port.to_string()),
            ("RABBITMQ_DIST_PORT", self.node_port.to_string()),
            ("RABBITMQ_MNESIA_BASE", format!("{folder}/store")),
            ("RABBITMQ_LOG_BASE", format!("{folder}/log")),
            ("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
            ("RABBITMQ_CONFIG_FILE", format!("{folder}/rabbitmq")),
            (
                "RABBITMQ_ADVANCED_CONFIG_FILE",
                format!("{folder}/advanced"),
            ),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", format!("{folder}/plugins")),
            (
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1}".to_owned(),
            ),
            // The script becomes the server instead of its parent.
            ("RUNNING_UNDER_SYSTEMD", "true".to_owned()),
        ] {
            command.env(name, value);
        }
        command
    }

    /// What the server has printed.
    fn said(&self) -> String {
        fs::read_to_string(self.folder.join("out")).unwrap_or_default()
    }

    /// Where it is, as `--log` and destinations take it.
    pub(crate) fn address(&self) -> String {
        format!("amqp://127.0.0.1:{}/", self.port)
    }

    /// Kills it as a crash would; its store stays.
    pub(crate) fn kill(&mut self) {
        let Running { mut keeper, .. } = self.running.take().unwrap();
        let stdin = keeper.stdin.as_mut().unwrap();
        stdin.write_all(b"keep\n").unwrap();
        keeper.wait().unwrap();
    }

    /// Stops the process where it is; connections stay open and unanswered.
    pub(crate) fn freeze(&self) {
        harness::freeze(self.running.as_ref().unwrap().server);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        kill_process(self.running.as_ref().unwrap().server, Signal::CONT).unwrap();
    }

    /// Runs `rabbitmqctl`, as an operator would.
    pub(crate) fn ctl(&self, arguments: &[&str]) {
        let mut command = self.command("/usr/lib/rabbitmq/bin/rabbitmqctl");
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    /// Does something over a channel of its own.
    pub(crate) fn with<T>(&self, work: impl AsyncFnOnce(Channel) -> T) -> T {
        runtime().block_on(async {
            let connection = self.connect().await.unwrap();
            let done = work(connection.create_channel().await.unwrap()).await;
            let _ = connection.close(200, "".into()).await;
            done
        })
    }

    async fn connect(&self) -> lapin::Result<Connection> {
        // Other than ours, a client's vhost is empty unless it is written so.
        let address = format!("{}%2F", self.address());
        Connection::connect(&address, ConnectionProperties::default()).await
    }

    fn try_connect(&self) -> Option<()> {
        std::net::TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        runtime().block_on(async {
            let connection = self.connect().await.ok()?;
            connection.close(200, "".into()).await.ok()
        })
    }
}

/// Ports that nobody listens on, and that the system gives to no connection
/// while a server is down.
fn free_ports<const N: usize>() -> [u16; N] {
    let mut listeners = Vec::new();
    while listeners.len() < N {
        // Random enough: the hasher has a new seed each time.
        let random = RandomState::new().hash_one(listeners.len());
        let port = 10_000 + u16::try_from(random % 20_000).unwrap();
        listeners.extend(TcpListener::bind(("127.0.0.1", port)));
    }
    // Held together until here, so that they differ.
    let ports: Vec<u16> = listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap().port())
        .collect();
    ports.try_into().unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        if let Some(Running { mut keeper, .. }) = self.running.take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A stream that nobody else uses, on the shared server or its own.
pub(crate) struct RabbitLog {
    own: Option<Rabbit>,
    pub(crate) stream: String,
}

impl RabbitLog {
    /// The name of one on the shared server.
    pub(crate) fn shared() -> Self {
        static STREAMS: AtomicUsize = AtomicUsize::new(0);
        let number = STREAMS.fetch_add(1, Ordering::Relaxed);
        Self {
            own: None,
            stream: format!("hookgate.{number}"),
        }
    }

    /// One that is there, so that nobody waits until it is safe.
    pub(crate) fn made(self) -> Self {
        self.declare(&[("x-queue-type", "stream")]);
        self
    }

    /// Declares its durable queue, as somebody else would.
    pub(crate) fn declare(&self, arguments: &[(&str, &str)]) {
        let mut table = FieldTable::default();
        for (name, value) in arguments {
            let value = AMQPValue::LongString(LongString::from(*value));
            table.insert((*name).into(), value);
        }
        self.server().with(async |channel| {
            let options = QueueDeclareOptions {
                durable: true,
                ..QueueDeclareOptions::default()
            };
            let name = self.stream.as_str().into();
            channel.queue_declare(name, options, table).await.unwrap();
        });
    }

    /// One on a server of its own, of the name that needn't be said.
    pub(crate) fn own(server: Rabbit) -> Self {
        Self {
            own: Some(server),
            stream: "hookgate".to_owned(),
        }
    }

    /// Removes it, as an operator would.
    pub(crate) fn delete(&self) {
        self.server().with(async |channel| {
            let name = self.stream.as_str().into();
            let options = QueueDeleteOptions::default();
            channel.queue_delete(name, options).await.unwrap();
        });
    }

    pub(crate) fn server(&self) -> &Rabbit {
        self.own.as_ref().unwrap_or_else(|| Rabbit::shared())
    }

    pub(crate) fn own_server(&mut self) -> &mut Rabbit {
        self.own.as_mut().unwrap()
    }

    pub(crate) fn address(&self) -> String {
        match &self.own {
            Some(server) => server.address(),
            None => format!("{}?stream={}", self.server().address(), self.stream),
        }
    }
}
