//! The console from outside: who gets in, what pages say, what forms do.

mod access;
mod browser;
mod decisions;
mod doctor;
mod forged;
mod masking;
mod pages;
mod stream;

use std::{
    any::Any,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    contract::{Backend as _, Sqlite},
    destinations::{append, destination},
    expectations::history,
    harness::{PATIENCE, Server, hookgate, output, until},
    nats_server::Nats,
    receiver::{Reaction, Receiver},
};

/// Ada operates, Eve reads.
pub(crate) const ADA: &str = "ada-0123456789abcdef0123456789abcdef";
pub(crate) const EVE: &str = "eve-0123456789abcdef0123456789abcdef";
pub(crate) const BEN: &str = "ben-0123456789abcdef0123456789abcdef";

const OPERATORS: &str = "
[[console.operators]]
name = \"ada\"
role = \"operate\"
token = \"CONSOLE_ADA\"
[[console.operators]]
name = \"ben\"
role = \"operate\"
token = \"CONSOLE_BEN\"
[[console.operators]]
name = \"eve\"
role = \"read\"
token = \"CONSOLE_EVE\"
";

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The value of a form's hidden field.
    pub(crate) fn field(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let (_, rest) = self
            .body
            .split_once(&mark)
            .unwrap_or_else(|| panic!("no field `{name}`: {}", self.body));
        rest.split('"').next().unwrap().to_owned()
    }

    /// What a person reads.
    #[track_caller]
    pub(crate) fn says(&self, status: u16, text: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert!(self.body.contains(text), "no `{text}`: {}", self.body);
    }
}

/// Sends a request as it is written.
pub(crate) fn send(address: SocketAddr, head: &str, body: &str) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let request = format!("{head}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
    let mut answer = Vec::new();
    // A server that has heard enough answers, and closes with the rest unread.
    let _ = stream.write_all(request.as_bytes());
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Reply {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// Somebody's browser, or program.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    headers: String,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            headers: format!("host: {address}\r\n"),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }

    /// With another host than the address.
    pub(crate) fn asking(address: SocketAddr, host: &str) -> Self {
        Self {
            address,
            headers: format!("host: {host}\r\n"),
        }
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// Logs in as a browser does.
    pub(crate) fn log_in(self, token: &str) -> Self {
        let reply = self.post("/login", &[("token", token), ("to", "/review")]);
        assert_eq!(reply.status, 303, "{}", reply.body);
        assert_eq!(reply.header("location"), Some("/review"));
        let cookie = reply.header("set-cookie").unwrap();
        let (pair, attributes) = cookie.split_once(';').unwrap();
        assert_eq!(attributes, " Path=/; HttpOnly; SameSite=Lax");
        self.with("cookie", pair)
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        let head = format!("GET {path} HTTP/1.1\r\n{}", self.headers);
        send(self.address, &head, "")
    }

    pub(crate) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let head = format!(
            "POST {path} HTTP/1.1\r\n{}content-type: application/x-www-form-urlencoded\r\n",
            self.headers
        );
        send(self.address, &head, &body.finish())
    }
}

/// A log, a destination that refuses everything until it is mended, and a server
/// with a console.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) orders: Receiver,
    is_mended: Arc<AtomicBool>,
    pub(crate) log: String,
    _folder: TempDir,
    _backend: Box<dyn Any>,
}

impl Scene {
    pub(crate) fn start(parked: usize) -> Self {
        Self::configured(parked, "")
    }

    /// `console` stands in `[console]`.
    pub(crate) fn configured(parked: usize, console: &str) -> Self {
        let more = format!("[console]\n{console}\n{OPERATORS}");
        Self::with(parked, &more)
    }

    pub(crate) fn with(parked: usize, more: &str) -> Self {
        let backend = Sqlite::new();
        let log = backend.address();
        Self::beside(log, Box::new(backend), parked, more)
    }

    /// The same with a past, of which something is expected.
    pub(crate) fn with_history(parked: usize, more: &str) -> Self {
        let backend = Sqlite::new();
        let log = backend.address();
        history(&log);
        let more = format!("[expectations]\nreview = []\n{more}");
        let scene = Self::beside(log, Box::new(backend), parked, &more);
        until("the past is learnt", || {
            let page = scene.client().get("/").body;
            (page.contains("Busiest hour") && page.contains("overdue successor")).then_some(())
        });
        scene
    }

    /// The same beside a JetStream log.
    pub(crate) fn on_nats(parked: usize) -> Self {
        Self::on_nats_with(parked, "")
    }

    /// `more` are other destinations.
    pub(crate) fn on_nats_with(parked: usize, more: &str) -> Self {
        let nats = Nats::new();
        let log = nats.address();
        Self::beside(log, Box::new(nats), parked, &(more.to_owned() + OPERATORS))
    }

    fn beside(log: String, backend: Box<dyn Any>, parked: usize, more: &str) -> Self {
        let is_mended = Arc::new(AtomicBool::new(false));
        let mended = Arc::clone(&is_mended);
        let orders = Receiver::start(move |_, _| {
            if mended.load(Ordering::Relaxed) {
                Reaction::Status(200)
            } else {
                Reaction::Says(422, "unknown currency")
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("hookgate.toml");
        let text = destination("orders", &orders.url(), "") + more;
        fs::write(&config, text).unwrap();
        let mut command = serve(&log);
        command.arg("--config").arg(config);
        let server = Server::spawn(command);
        append(&server, parked);
        let scene = Self {
            server,
            orders,
            is_mended,
            log,
            _folder: folder,
            _backend: backend,
        };
        until("all are parked", || {
            (scene.parked() == parked).then_some(())
        });
        scene
    }

    pub(crate) fn mend(&self) {
        self.is_mended.store(true, Ordering::Relaxed);
    }

    pub(crate) fn parked(&self) -> usize {
        let mut command = hookgate();
        let limit = "100000";
        command.args(["parked", "--log", &self.log, "--json", "--limit", limit]);
        let lines = String::from_utf8(output(&mut command)).unwrap();
        lines.lines().count()
    }

    /// The whole trail, verified.
    pub(crate) fn trail(&self) -> Vec<Value> {
        let mut command = hookgate();
        command.args(["audit", "--log", &self.log, "--json", "--limit", "100000"]);
        let lines = String::from_utf8(output(&mut command)).unwrap();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.server.metrics())
    }
}

/// `hookgate serve` with the tokens in its environment.
pub(crate) fn serve(log: &str) -> std::process::Command {
    let mut command = hookgate();
    command
        .args(["serve", "--log", log])
        .env("CONSOLE_ADA", ADA)
        .env("CONSOLE_BEN", BEN)
        .env("CONSOLE_EVE", EVE)
        .env("CONSOLE_PROXY_SECRET", format!("proxy-{ADA}"));
    command
}
