//! The deliveries that are measured.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use bytes::Bytes;
use hookgate_host_tests::event::{self, Endpoint, PLATFORM};

use crate::sender::Protocol;

/// How old a stale delivery's signature is: beyond every tolerance.
const STALE: Duration = Duration::from_secs(3_600);

/// What an object carries, again and again until its event is as long as it
/// should be: the kinds of values that real ones have.
const LINES: [&str; 6] = [
    r#""customer_reference": "cus_QX8f2Lk1vB7nRt","#,
    r#""amount_received": 148230,"#,
    r#""next_action": null,"#,
    r#""shipping": {"city": "K\u00f6ln", "country": "DE", "line1": "Am Hof 3", "line2": null},"#,
    r#""description": "Bestellung 48-1123, zwei St\"ck","#,
    r#""payment_method_types": ["card", "sepa_debit", "link"],"#,
];

/// What a delivery is to the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Genuine, and the first of its event.
    Accepted,
    /// Genuine, and stored before.
    Duplicate,
    /// Signed with another secret.
    Forged,
    /// Signed long ago.
    Stale,
    /// Without a signature.
    Missing,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [
        Self::Accepted,
        Self::Duplicate,
        Self::Forged,
        Self::Stale,
        Self::Missing,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Forged => "forged",
            Self::Stale => "stale",
            Self::Missing => "missing",
        }
    }

    pub(crate) fn is_refused(self) -> bool {
        match self {
            Self::Accepted | Self::Duplicate => false,
            Self::Forged | Self::Stale | Self::Missing => true,
        }
    }

    /// Returns how its deliveries are sent. Each 400 that Envoy itself makes
    /// ends an HTTP/1.1 connection, so those go over HTTP/2.
    pub(crate) fn protocol(self) -> Protocol {
        if self.is_refused() {
            Protocol::Http2
        } else {
            Protocol::Http1
        }
    }
}

/// One delivery, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The headers that Stripe sends, without the length.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Request {
    /// Makes `count` deliveries of fresh events of `size` bytes.
    pub(crate) fn make(kind: Kind, count: usize, size: usize) -> Result<Vec<Self>> {
        (0..count).map(|_| Self::fresh(kind, size)).collect()
    }

    fn fresh(kind: Kind, size: usize) -> Result<Self> {
        let body = payload(&event::fresh_id(), size)?;
        let now = SystemTime::now();
        let outsider = Endpoint {
            secret: "whsec_tests_outsider",
            ..PLATFORM
        };
        let signature = match kind {
            Kind::Accepted | Kind::Duplicate => Some(PLATFORM.sign_at(&body, now)?),
            Kind::Forged => Some(outsider.sign_at(&body, now)?),
            Kind::Stale => Some(PLATFORM.sign_at(&body, now - STALE)?),
            Kind::Missing => None,
        };
        let mut headers = vec![
            (
                "user-agent",
                "Stripe/1.0 (+https://stripe.com/docs/webhooks)".to_owned(),
            ),
            ("accept", "*/*; q=0.5, application/xml".to_owned()),
            ("cache-control", "no-cache".to_owned()),
            ("content-type", "application/json; charset=utf-8".to_owned()),
        ];
        headers.extend(signature.map(|signature| ("stripe-signature", signature)));
        Ok(Self {
            headers,
            body: body.into(),
        })
    }

    /// Returns the bytes over HTTP/1.1.
    pub(crate) fn to_http1(&self) -> Vec<u8> {
        let mut text = format!("POST {} HTTP/1.1\r\nhost: door.test\r\n", PLATFORM.path);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("content-length: {}\r\n\r\n", self.body.len()));
        [text.as_bytes(), &self.body].concat()
    }
}

/// Makes an event of a connected account with exactly `size` bytes, indented as
/// Stripe sends it.
fn payload(id: &str, size: usize) -> Result<Vec<u8>> {
    let mut payload = format!(
        "{{\n  \"id\": \"{id}\",\n  \"object\": \"event\",\n  \
         \"account\": \"acct_1TestSeller0001\",\n  \"created\": 1759300000,\n  \
         \"data\": {{\n    \"object\": {{\n"
    );
    let tail =
        "\"\n    }\n  },\n  \"livemode\": false,\n  \"type\": \"payment_intent.succeeded\"\n}";
    const LAST: &str = "      \"id\": \"";
    for line in LINES.iter().cycle() {
        let line = format!("      {line}\n");
        if payload.len() + line.len() + LAST.len() + tail.len() > size {
            break;
        }
        payload.push_str(&line);
    }
    payload.push_str(LAST);
    let missing = size.checked_sub(payload.len() + tail.len());
    payload.push_str(&"p".repeat(missing.context("smaller than an event")?));
    payload.push_str(tail);
    Ok(payload.into_bytes())
}
