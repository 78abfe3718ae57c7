//! Events as JSON, one object a line: a stable form for scripts.

use std::io::{self, Write};

use serde::Serialize;

use crate::log::{Entry, HeldFor, UNSIGNED};

/// An event in JSON.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    sequence: u64,
    source: &'a str,
    id: &'a str,
    r#type: &'a str,
    account: Option<&'a str>,
    livemode: Option<bool>,
    time: Option<String>,
    /// How it came, unless it was delivered.
    origin: Option<&'static str>,
    /// For which verdict it waits, or waited, for a person; absent unless it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    heldfor: Option<&'static str>,
    endpoint: &'a str,
    secretname: &'a str,
    /// The attributes that no signature covers, as `ce-unsigned` has them.
    unsigned: Option<&'static str>,
    signedat: Option<String>,
    receivedat: String,
    storedat: String,
    sha256: String,
    size: u64,
    /// Whether the payload was removed on purpose; `size` is 0 then.
    redacted: bool,
    traceparent: Option<&'a str>,
    /// The signature header: proves where the payload came from, and
    /// is worth nothing to whoever has no secret.
    signature: &'a str,
}

/// Writes one event as one line.
///
/// # Errors
/// Those of `out`.
pub(super) fn write(out: &mut impl Write, entry: &Entry) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &line(entry))?;
    writeln!(out)
}

pub(super) fn line(entry: &Entry) -> Line<'_> {
    let attributes = &entry.attributes;
    Line {
        sequence: entry.sequence,
        source: attributes.source.as_str(),
        id: &attributes.id,
        r#type: &attributes.type_name,
        account: attributes.account.as_deref(),
        livemode: attributes.livemode,
        time: attributes.time.map(|time| time.to_string()),
        origin: attributes.origin.name(),
        heldfor: attributes.held_for.map(HeldFor::name),
        endpoint: &attributes.endpoint,
        secretname: &attributes.secret_name,
        unsigned: attributes.unsigned_attributes.then_some(UNSIGNED),
        signedat: attributes.signed_at.map(|time| time.to_string()),
        receivedat: attributes.received_at.to_string(),
        storedat: entry.stored_at.to_string(),
        sha256: attributes.sha256.to_string(),
        size: entry.size,
        redacted: entry.redacted,
        traceparent: attributes.traceparent.as_ref().map(|trace| trace.as_str()),
        signature: &attributes.signature,
    }
}
