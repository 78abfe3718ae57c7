//! A forwarded event as the gate sends it, and variations that it never sends.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hookgate_core::{secret::SigningSecret, signature, time::Timestamp};
use serde_json::{Value, json};

use crate::harness::{PATIENCE, SECRET, Server};

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Answer {
    /// `stored` or `duplicate` with the sequence, or the problem's code.
    pub(crate) fn outcome(&self) -> (u16, &str, Option<u64>) {
        let name = match self.body["status"].as_str() {
            Some(status) => status,
            None => self.body["code"].as_str().unwrap_or("no code"),
        };
        (self.status, name, self.body["sequence"].as_u64())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A request to the upstream, right in everything until it is changed.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) payload: Vec<u8>,
}

/// The present in whole seconds, shifted.
pub(crate) fn seconds_from_now(seconds: i64) -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_unix_seconds(now.as_secs().checked_add_signed(seconds).unwrap())
}

impl Delivery {
    /// A small event of the source `stripe`.
    pub(crate) fn new(id: &str) -> Self {
        Self::with_payload(id, payload(id, 100))
    }

    /// An event of which the test makes the payload: type `invoice.paid`,
    /// created in 2025, test mode, of account `acct_1`.
    pub(crate) fn with_payload(id: &str, payload: Vec<u8>) -> Self {
        let delivery = Self {
            headers: Vec::new(),
            payload,
        };
        delivery
            .with("ce-specversion", "1.0")
            .with("ce-id", id)
            .with("ce-type", "invoice.paid")
            .with("ce-source", "/hookgate/stripe")
            .with("ce-time", "2025-10-09T08:53:20Z")
            .with("ce-account", "acct_1")
            .with("ce-livemode", "false")
            .with("ce-endpoint", "stripe")
            .with("ce-secretname", "primary")
            .with(
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            )
            .signed(SECRET, seconds_from_now(0), seconds_from_now(0))
    }

    /// An event that says this of itself.
    pub(crate) fn saying(
        id: &str,
        type_name: &str,
        account: Option<&str>,
        livemode: Option<bool>,
    ) -> Self {
        let mut event = json!({"id": id, "object": "event", "type": type_name,
            "created": 1_760_000_000, "data": {"object": {"id": "in_1"}}});
        let mut delivery = Self::new(id);
        for (name, value) in [
            ("account", account.map(|account| json!(account))),
            ("livemode", livemode.map(|livemode| json!(livemode))),
        ] {
            let header = format!("ce-{name}");
            delivery = delivery.without(&header);
            if let Some(value) = value {
                let text = value.to_string();
                delivery = delivery.and(&header, text.trim_matches('"'));
                event[name] = value;
            }
        }
        delivery.payload = event.to_string().into_bytes();
        let (now, delivery) = (seconds_from_now(0), delivery.with("ce-type", type_name));
        delivery.signed(SECRET, now, now)
    }

    /// Of another source, signed by its secret.
    pub(crate) fn of_source(self, source: &str, secret: &str) -> Self {
        self.with("ce-source", &format!("/hookgate/{source}"))
            .signed(secret, seconds_from_now(0), seconds_from_now(0))
    }

    /// Signed at one time by a secret, seen by the gate at another.
    pub(crate) fn signed(self, secret: &str, at: Timestamp, received_at: Timestamp) -> Self {
        let secret = SigningSecret::new("test", secret.as_bytes()).unwrap();
        let signature = signature::sign(&secret, at, &self.payload);
        self.with("ce-signedat", &at.to_string())
            .with("ce-receivedat", &received_at.to_string())
            .with("stripe-signature", &signature)
    }

    /// With one header instead of what it had.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    /// With a header more.
    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a header.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(header, _)| header != name);
        self
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(header, _)| header == name);
        &found.unwrap().1
    }

    /// Sends it on a connection of its own.
    pub(crate) fn send(&self, server: &Server) -> Answer {
        let mut connection = Connection::open(server.address).unwrap();
        connection.send(self).unwrap()
    }

    /// The request as it goes over the wire.
    pub(crate) fn request(&self) -> Vec<u8> {
        let mut request = b"POST /v1/events HTTP/1.1\r\nhost: upstream\r\n".to_vec();
        for (name, value) in &self.headers {
            request.extend(format!("{name}: {value}\r\n").bytes());
        }
        request.extend(format!("content-length: {}\r\n\r\n", self.payload.len()).bytes());
        request.extend(&self.payload);
        request
    }
}

/// A payload that fits [`Delivery::with_payload`], with some bytes of padding.
pub(crate) fn payload(id: &str, padding: usize) -> Vec<u8> {
    let padding = "x".repeat(padding);
    format!(
        "{{\n  \"id\": \"{id}\",\n  \"object\": \"event\",\n  \"account\": \"acct_1\",\n  \
         \"created\": 1760000000,\n  \"data\": {{\"object\": {{\"pad\": \"{padding}\"}}}},\n  \
         \"livemode\": false,\n  \"type\": \"invoice.paid\"\n}}"
    )
    .into_bytes()
}

/// One kept-alive connection.
pub(crate) struct Connection(TcpStream);

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(stream))
    }

    /// Sends a delivery and waits for its answer.
    pub(crate) fn send(&mut self, delivery: &Delivery) -> io::Result<Answer> {
        self.write(&delivery.request())?;
        self.answer()
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Reads one whole answer.
    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            self.0.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let mut body = vec![0; length.unwrap().1.parse().unwrap()];
        self.0.read_exact(&mut body)?;
        Ok(Answer {
            status: status.parse().unwrap(),
            headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        })
    }
}
