//! Events to deliver, and the two endpoints that they are delivered to.

use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use bytes::Bytes;
use hookgate_core::secret::SigningSecret;
use hookgate_core::signature;
use hookgate_core::time::Timestamp;

use crate::client::Delivery;
use crate::payload;

/// An endpoint of the shipped configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// Its path.
    pub path: &'static str,
    /// Its name, and its source.
    pub name: &'static str,
    /// The environment variable of its signing secret.
    pub variable: &'static str,
    /// Its signing secret in these tests.
    pub secret: &'static str,
}

/// The platform's own endpoint.
pub const PLATFORM: Endpoint = Endpoint {
    path: "/webhooks/stripe",
    name: "stripe",
    variable: "STRIPE_WEBHOOK_SECRET",
    secret: "whsec_tests_platform_5vKq0Zr8",
};

/// The endpoint for events of connected accounts.
pub const CONNECT: Endpoint = Endpoint {
    path: "/webhooks/stripe/connect",
    name: "stripe-connect",
    variable: "STRIPE_CONNECT_WEBHOOK_SECRET",
    secret: "whsec_tests_connect_H3m9Xw2d",
};

impl Endpoint {
    /// Signs `payload` as Stripe would at the time `at`.
    ///
    /// # Errors
    /// `at` is before 1970.
    pub fn sign_at(&self, payload: &[u8], at: SystemTime) -> Result<String> {
        let seconds = at.duration_since(UNIX_EPOCH)?.as_secs();
        let secret = SigningSecret::new(self.name, self.secret.as_bytes())?;
        Ok(signature::sign(
            &secret,
            Timestamp::from_unix_seconds(seconds),
            payload,
        ))
    }

    /// Makes the delivery of `event`, signed now.
    ///
    /// # Errors
    /// The clock stands before 1970.
    pub fn deliver(&self, event: &Event) -> Result<Delivery> {
        let signature = self.sign_at(&event.payload, SystemTime::now())?;
        self.deliver_signed(event, &signature)
    }

    /// Makes the delivery of `event`, signed `age` ago.
    ///
    /// # Errors
    /// `age` reaches back before 1970.
    pub fn deliver_aged(&self, event: &Event, age: Duration) -> Result<Delivery> {
        let then = SystemTime::now()
            .checked_sub(age)
            .context("before time began")?;
        self.deliver_signed(event, &self.sign_at(&event.payload, then)?)
    }

    /// Makes the delivery of `event` with this signature header.
    ///
    /// # Errors
    /// `signature` can't be a header's value.
    pub fn deliver_signed(&self, event: &Event, signature: &str) -> Result<Delivery> {
        Delivery::post(self.path, event.payload.clone())
            .header("content-type", "application/json; charset=utf-8")?
            .header("stripe-signature", signature)
    }

    /// Makes a delivery of `event` that somebody without the secret signed.
    ///
    /// # Errors
    /// The clock stands before 1970.
    pub fn forge(&self, event: &Event) -> Result<Delivery> {
        let outsider = Self {
            secret: "whsec_tests_outsider",
            ..*self
        };
        outsider.deliver(event)
    }
}

/// An event: its ID and its payload.
#[derive(Debug, Clone)]
pub struct Event {
    /// The top-level ID.
    pub id: String,
    /// The payload's bytes.
    pub payload: Bytes,
}

impl Event {
    /// Makes a snapshot event that nobody has sent before.
    ///
    /// # Errors
    /// The fixture is damaged.
    pub fn fresh() -> Result<Self> {
        Self::with_id(&fresh_id())
    }

    /// Makes a snapshot event with this ID.
    ///
    /// # Errors
    /// The fixture is damaged.
    pub fn with_id(id: &str) -> Result<Self> {
        let fixture = include_bytes!("../fixtures/snapshot.json");
        Ok(Self {
            id: id.to_owned(),
            payload: payload::with_id(fixture, id)?.into(),
        })
    }

    /// Makes a fresh event of the platform's own and of this type.
    ///
    /// # Errors
    /// The fixture is damaged.
    pub fn fresh_of_type(r#type: &str) -> Result<Self> {
        let id = fresh_id();
        let fixture = include_str!("../fixtures/snapshot.json");
        let fixture = fixture.replace("payment_intent.succeeded", r#type);
        Ok(Self {
            payload: payload::with_id(fixture.as_bytes(), &id)?.into(),
            id,
        })
    }

    /// Makes a fresh event of a connected account.
    ///
    /// # Errors
    /// The fixture is damaged.
    pub fn fresh_of_account(account: &str) -> Result<Self> {
        let id = fresh_id();
        let fixture = include_str!("../fixtures/connect.json");
        let fixture = fixture.replace("acct_1TestSeller0001", account);
        Ok(Self {
            payload: payload::with_id(fixture.as_bytes(), &id)?.into(),
            id,
        })
    }

    /// Makes a fresh snapshot event of `size` bytes.
    ///
    /// # Errors
    /// The fixture alone is longer.
    pub fn fresh_of_size(size: usize) -> Result<Self> {
        let Self { id, payload } = Self::fresh()?;
        let mut bytes = payload.to_vec();
        let missing = size
            .checked_sub(bytes.len())
            .context("smaller than the fixture")?;
        // White space after the value belongs to the JSON text, so it is signed.
        bytes.extend(std::iter::repeat_n(b' ', missing));
        Ok(Self {
            id,
            payload: bytes.into(),
        })
    }
}

/// Makes an event ID that no other test or run has.
#[must_use]
pub fn fresh_id() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let nanos = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_nanos());
    format!("evt_1T{nanos:x}{:x}n{count:x}", process::id())
}
