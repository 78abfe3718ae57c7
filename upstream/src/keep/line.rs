//! One event as one line of an export.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hookgate_core::{identity::Source, time::Timestamp, trace::TraceParent};
use serde::{Deserialize, Serialize};

use crate::{
    evidence,
    log::{Attributes, Entry, HeldFor, Origin, Record, Sha256Sum, UNSIGNED},
};

/// Holds a line. `sequence` and `storedat` are of the log that it comes from;
/// another log has its own.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    sequence: u64,
    source: String,
    id: String,
    r#type: String,
    account: Option<String>,
    livemode: Option<bool>,
    time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heldfor: Option<String>,
    endpoint: String,
    secretname: String,
    unsigned: Option<String>,
    signedat: Option<String>,
    receivedat: String,
    storedat: String,
    traceparent: Option<String>,
    signature: String,
    sha256: String,
    /// Over everything above but `sequence` and `storedat`.
    digest: String,
    redacted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

/// Says why a line can't be imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    /// Not JSON of this form.
    #[error("not a line that `hookgate export` wrote: {0}")]
    Form(#[from] serde_json::Error),
    /// A field holds something else.
    #[error("`{field}` is malformed")]
    Field {
        /// Which.
        field: &'static str,
    },
    /// The payload is another.
    #[error("the payload has another SHA-256 than the line says")]
    Payload,
    /// An attribute is another.
    #[error("the attributes don't fit the line's digest")]
    Attributes,
}

impl Line {
    /// Makes the line of an event.
    pub(super) fn of(entry: &Entry, payload: &[u8]) -> Self {
        let attributes = &entry.attributes;
        let text = str::from_utf8(payload).ok().map(str::to_owned);
        let base64 = text.is_none().then(|| STANDARD.encode(payload));
        let kept = |payload: Option<String>| payload.filter(|_| !entry.redacted);
        let trace = attributes.traceparent.as_ref();
        Self {
            sequence: entry.sequence,
            source: attributes.source.to_string(),
            id: attributes.id.clone(),
            r#type: attributes.type_name.clone(),
            account: attributes.account.clone(),
            livemode: attributes.livemode,
            time: attributes.time.map(|time| time.to_string()),
            origin: attributes.origin.name().map(str::to_owned),
            heldfor: attributes.held_for.map(|it| it.name().to_owned()),
            endpoint: attributes.endpoint.clone(),
            secretname: attributes.secret_name.clone(),
            unsigned: (attributes.unsigned_attributes).then(|| UNSIGNED.to_owned()),
            signedat: attributes.signed_at.map(|time| time.to_string()),
            receivedat: attributes.received_at.to_string(),
            storedat: entry.stored_at.to_string(),
            traceparent: trace.map(|trace| trace.as_str().to_owned()),
            signature: attributes.signature.clone(),
            sha256: attributes.sha256.to_string(),
            digest: evidence::content(attributes).to_string(),
            redacted: entry.redacted,
            payload: kept(text),
            payload_base64: kept(base64),
        }
    }

    /// Reads and checks a line; `None` if its event is redacted, so that there
    /// is nothing to append.
    ///
    /// # Errors
    /// [`LineError`].
    pub(super) fn read(text: &str) -> Result<Option<Record>, LineError> {
        let line: Self = serde_json::from_str(text)?;
        let malformed = |field| LineError::Field { field };
        let time = |field, text: &str| Timestamp::parse_rfc3339(text).ok_or(malformed(field));
        let optional_time =
            |field, text: Option<&str>| text.map(|text| time(field, text)).transpose();
        let traceparent = line.traceparent.as_deref().map(|text| {
            let parsed = TraceParent::parse(text.as_bytes());
            parsed.ok_or(malformed("traceparent"))
        });
        let unsigned_attributes = match line.unsigned.as_deref() {
            None => false,
            Some(UNSIGNED) => true,
            Some(_) => return Err(malformed("unsigned")),
        };
        let origin = Origin::named(line.origin.as_deref()).ok_or(malformed("origin"))?;
        let held_for = HeldFor::named(line.heldfor.as_deref(), origin);
        let digest: Sha256Sum = line.digest.parse().map_err(|_| malformed("digest"))?;
        let attributes = Attributes {
            source: Source::new(&line.source).map_err(|_| malformed("source"))?,
            id: line.id,
            type_name: line.r#type,
            account: line.account,
            livemode: line.livemode,
            time: optional_time("time", line.time.as_deref())?,
            origin,
            held_for: held_for.ok_or(malformed("heldfor"))?,
            endpoint: line.endpoint,
            secret_name: line.secretname,
            unsigned_attributes,
            signed_at: optional_time("signedat", line.signedat.as_deref())?,
            received_at: time("receivedat", &line.receivedat)?,
            traceparent: traceparent.transpose()?,
            signature: line.signature,
            sha256: line.sha256.parse().map_err(|_| malformed("sha256"))?,
        };
        if evidence::content(&attributes) != digest {
            return Err(LineError::Attributes);
        }
        let payload = match (line.payload, line.payload_base64) {
            (None, None) if line.redacted => return Ok(None),
            (Some(text), None) => Bytes::from(text),
            (None, Some(text)) => {
                let bytes = STANDARD.decode(text);
                Bytes::from(bytes.map_err(|_| malformed("payload_base64"))?)
            }
            _ => return Err(malformed("payload")),
        };
        if Sha256Sum::of(&payload) != attributes.sha256 {
            return Err(LineError::Payload);
        }
        Ok(Some(Record {
            attributes,
            payload,
        }))
    }
}
