//! Slack's `X-Slack-Signature: v0=<hex>` over
//! `v0:<X-Slack-Request-Timestamp>:<payload>`.
//!
//! The Events API sends JSON; slash commands and interactions come as forms
//! without an ID, and each is an event of its own: Slack signs each with its
//! time. Which of the two a payload is, it says itself: `Content-Type` isn't
//! signed. A `url_verification` wants its challenge back, which only an
//! endpoint that answers Slack itself can give.
//!
//! Sources: <https://docs.slack.dev/authentication/verifying-requests-from-slack/>,
//! <https://docs.slack.dev/apis/events-api/>.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use serde::Deserialize;

use super::{
    Signed,
    signed::{check_text, optional, required},
};
use crate::{
    event::{
        Event, PayloadError,
        json::{self, Scalar},
    },
    few::Few,
    request::RequestHead,
    secret::SigningSecret,
    signature::{SignatureError, encoding, unix_seconds},
    time::Timestamp,
};

pub(super) const SIGNATURE: &str = "x-slack-signature";
const TIMESTAMP: &str = "x-slack-request-timestamp";
const VERSION: &str = "v0";

/// Type of the envelope around an event.
const ENVELOPE: &str = "event_callback";

pub(super) fn read(head: RequestHead<'_>) -> Result<Signed, SignatureError> {
    let malformed = SignatureError::Malformed;
    let digest = head
        .required(SIGNATURE)?
        .strip_prefix(b"v0=")
        .and_then(encoding::from_hex)
        .ok_or(malformed)?;
    let timestamp = head.optional(TIMESTAMP)?.unwrap_or_default();
    Ok(Signed {
        signed_at: Some(unix_seconds(timestamp).ok_or(malformed)?),
        before: [VERSION.as_bytes(), b":", timestamp, b":"].concat(),
        ..Signed::by(Few::one(digest))
    })
}

pub(super) fn event(signed: &Signed, payload: &[u8]) -> Result<Event, PayloadError> {
    let text = check_text(payload)?;
    let id = signed.digest_id(payload);
    if text.trim_ascii_start().starts_with('{') {
        from_json(id, payload)
    } else {
        from_form(id, payload)
    }
}

/// Takes just what is below `event`; the top level is checked by then.
#[derive(Deserialize)]
struct Envelope {
    event: Inner,
}

#[derive(Deserialize)]
struct Inner {
    r#type: String,
}

fn from_json(digest_id: String, payload: &[u8]) -> Result<Event, PayloadError> {
    let [id, team, outer_type, time] =
        json::top_level(payload, ["event_id", "team_id", "type", "event_time"])?;
    let type_name = match outer_type.text() {
        Some(ENVELOPE) => {
            let envelope: Envelope =
                serde_json::from_slice(payload).map_err(|_| PayloadError::Field("type"))?;
            required(Some(envelope.event.r#type.as_bytes()), "type")?
        }
        _ => outer_type.required("type")?,
    };
    Ok(Event {
        id: id.optional("event_id")?.unwrap_or(digest_id),
        type_name,
        account: team.optional("team_id")?,
        created: match time {
            Scalar::Unsigned(seconds) => Some(Timestamp::from_unix_seconds(seconds)),
            _ => None,
        },
        livemode: None,
        form: None,
        api_version: None,
        unsigned_attributes: false,
    })
}

/// Reads a form: `command` marks a slash command, `payload` an interaction.
fn from_form(digest_id: String, payload: &[u8]) -> Result<Event, PayloadError> {
    let mut type_name = "form";
    let mut team = None;
    for pair in payload.split(|&byte| byte == b'&') {
        let mut parts = pair.splitn(2, |&byte| byte == b'=');
        match parts.next() {
            Some(b"command") => type_name = "command",
            Some(b"payload") => type_name = "interaction",
            Some(b"team_id") if team.is_some() => return Err(PayloadError::Field("team_id")),
            Some(b"team_id") => team = parts.next(),
            _ => {}
        }
    }
    Ok(Event {
        id: digest_id,
        type_name: type_name.into(),
        account: optional(team, "team_id")?,
        created: None,
        livemode: None,
        form: None,
        api_version: None,
        unsigned_attributes: false,
    })
}

pub(super) fn sign(secret: &SigningSecret, at: Timestamp, payload: &[u8]) -> Vec<(String, String)> {
    let timestamp = at.unix_seconds().to_string();
    let parts = [
        VERSION.as_bytes(),
        b":",
        timestamp.as_bytes(),
        b":",
        payload,
    ];
    let digest = encoding::hex(&secret.sign(&parts));
    vec![
        (TIMESTAMP.to_string(), timestamp),
        (SIGNATURE.to_string(), format!("{VERSION}={digest}")),
    ]
}
