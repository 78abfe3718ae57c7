//! The schemes: who signs how, and what a stranger can make of it.

mod deliveries;
mod described;
mod spoofing;
mod vectors;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use hookgate_core::request::RequestHead;
use hookgate_core::scheme::Scheme;
use hookgate_core::time::Timestamp;
use hookgate_host_tests::client::Delivery;
use serde_json::{Value, json};

/// A secret that every scheme takes.
const SECRET: &str = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0";

/// A sender of one scheme; its endpoint has the scheme's name.
struct Sender {
    scheme: Scheme,
}

impl Sender {
    const ALL: [Self; 5] = [
        Self::of(Scheme::Stripe),
        Self::of(Scheme::StandardWebhooks),
        Self::of(Scheme::Github),
        Self::of(Scheme::Shopify),
        Self::of(Scheme::Slack),
    ];

    const fn of(scheme: Scheme) -> Self {
        Self { scheme }
    }

    fn endpoint(&self) -> String {
        self.scheme.as_str().replace('_', "-")
    }

    /// Delivers `payload`, signed now.
    fn deliver(&self, headers: &[(&str, &str)], payload: &str) -> Result<Delivery> {
        self.deliver_aged(Duration::ZERO, headers, payload)
    }

    /// Delivers `payload`, signed `age` ago.
    fn deliver_aged(
        &self,
        age: Duration,
        headers: &[(&str, &str)],
        payload: &str,
    ) -> Result<Delivery> {
        let at = SystemTime::now().checked_sub(age).context("an age")?;
        let at = Timestamp::from_unix_seconds(at.duration_since(UNIX_EPOCH)?.as_secs());
        let head: Vec<(String, Vec<u8>)> = headers
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.into()))
            .collect();
        let secret = self.scheme.secret("sender", SECRET.as_bytes())?;
        let signature = self
            .scheme
            .sign(&secret, at, RequestHead(&head), payload.as_bytes());
        let path = format!("/{}", self.endpoint());
        let mut delivery = Delivery::post(&path, payload.to_owned());
        for (name, value) in headers {
            delivery = delivery.header(name, value)?;
        }
        for (name, value) in signature {
            delivery = delivery.header(&name, value)?;
        }
        Ok(delivery)
    }
}

/// Returns a gate with an endpoint for each scheme.
fn gate() -> Value {
    let endpoints = Sender::ALL.map(|sender| {
        let name = sender.endpoint();
        json!({
            "name": name,
            "path": format!("/{name}"),
            "scheme": sender.scheme.as_str(),
            "keyring": "file",
        })
    });
    json!({
        "endpoints": endpoints,
        "keyrings": [{"name": "file", "filter_state": "hookgate.secrets"}],
    })
}

/// Returns the keyring of [`gate`].
fn keyring() -> String {
    let secrets: serde_json::Map<String, Value> = Sender::ALL
        .iter()
        .map(|sender| {
            let secret = json!([{"name": "primary", "secret": SECRET}]);
            (sender.endpoint(), secret)
        })
        .collect();
    json!({ "endpoints": secrets }).to_string()
}
