//! A destination that answers as a test says.

use std::{
    collections::BTreeMap,
    io::{BufReader, Read, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use crate::harness::until;

/// What a destination got.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) at: Instant,
    /// The request's first line.
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) payload: Vec<u8>,
}

impl Got {
    pub(crate) fn id(&self) -> &str {
        &self.headers["ce-id"]
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.headers["x-hookgate-attempt"].parse().unwrap()
    }
}

/// What it does about it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reaction {
    /// Answers with this status.
    Status(u16),
    /// Answers with this status and says why.
    Says(u16, &'static str),
    /// Answers 429 with `Retry-After` in seconds.
    RetryAfter(u64),
    /// Closes the connection without an answer.
    Reset,
    /// Answers 200 after a while.
    Slow(Duration),
}

/// A listening destination; whatever it does, it keeps what it got.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Receiver {
    /// Reacts as the function says, which also gets how many came before.
    pub(crate) fn start(react: impl Fn(&Got, usize) -> Reaction + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::on(listener, react)
    }

    /// As [`Self::start`], on a port that the test has chosen.
    pub(crate) fn on(
        listener: TcpListener,
        react: impl Fn(&Got, usize) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let react = Arc::new(react);
        let all = Arc::clone(&got);
        // Both end with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (react, all) = (Arc::clone(&react), Arc::clone(&all));
                thread::spawn(move || serve(stream.unwrap(), &*react, &all));
            }
        });
        Self { address, got }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn got(&self) -> MutexGuard<'_, Vec<Got>> {
        self.got.lock().unwrap()
    }

    /// Waits until it got so many, and returns them.
    pub(crate) fn until_got(&self, count: usize) -> Vec<Got> {
        until(&format!("the destination got {count}"), || {
            let got = self.got();
            (got.len() >= count).then(|| got.clone())
        })
    }
}

fn serve(
    mut stream: TcpStream,
    react: &(impl Fn(&Got, usize) -> Reaction + ?Sized),
    all: &Mutex<Vec<Got>>,
) {
    stream.set_nodelay(true).unwrap();
    let mut requests = BufReader::new(stream.try_clone().unwrap());
    while let Some(got) = request(&mut requests) {
        let before = {
            let mut all = all.lock().unwrap();
            all.push(got.clone());
            all.len() - 1
        };
        let mut said = "well";
        let (status, more) = match react(&got, before) {
            Reaction::Status(status) => (status, String::new()),
            Reaction::Says(status, why) => {
                said = why;
                (status, String::new())
            }
            Reaction::RetryAfter(seconds) => (429, format!("retry-after: {seconds}\r\n")),
            Reaction::Reset => return,
            Reaction::Slow(time) => {
                thread::sleep(time);
                (200, String::new())
            }
        };
        let length = said.len();
        let answer = format!("HTTP/1.1 {status} X\r\n{more}content-length: {length}\r\n\r\n{said}");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads one request; `None` at the end of the connection.
pub(crate) fn request(stream: &mut impl Read) -> Option<Got> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let line = head.lines().next().unwrap().to_owned();
    let headers: BTreeMap<String, String> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut payload = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut payload).ok()?;
    Some(Got {
        at: Instant::now(),
        line,
        headers,
        payload,
    })
}
