//! What goes back to JavaScript, as JSON.

use std::collections::BTreeMap;

use hookgate_core::{
    delivery::{Delivery, Step},
    gate::Endpoint,
    genuine::Genuine,
    reply::{CONTENT_TYPE, Code, Reply},
    time::Timestamp,
};
use serde::Serialize;

/// Is what `verify` answers.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Verdict<'a> {
    Genuine { ok: bool, event: Box<Shown<'a>> },
    Refused(Refusal),
}

#[derive(Serialize)]
pub(crate) struct Refusal {
    ok: bool,
    reason: &'static str,
    status: u16,
    detail: &'static str,
}

/// Is a genuine event as `verify` shows it; times in unix milliseconds, which as
/// whole numbers need no code for fractions.
#[derive(Serialize)]
pub(crate) struct Shown<'a> {
    id: &'a str,
    r#type: &'a str,
    account: Option<&'a str>,
    livemode: Option<bool>,
    created: Option<u64>,
    secret: &'a str,
    #[serde(rename = "signedAt")]
    signed_at: Option<u64>,
    unsigned: bool,
    attributes: BTreeMap<&'static str, String>,
}

impl<'a> Verdict<'a> {
    pub(crate) fn of(endpoint: &Endpoint, verified: &'a Result<Genuine, Code>) -> Self {
        let genuine = match verified {
            Ok(genuine) => genuine,
            Err(code) => return Self::Refused(Refusal::of(*code)),
        };
        let event = &genuine.event;
        let attributes = genuine.attributes(endpoint).into_iter();
        Self::Genuine {
            ok: true,
            event: Box::new(Shown {
                id: &event.id,
                r#type: &event.type_name,
                account: event.account.as_deref(),
                livemode: event.livemode,
                created: event.created.map(Timestamp::unix_millis),
                secret: genuine.signer.secret.name(),
                signed_at: genuine.signed_at.map(Timestamp::unix_millis),
                unsigned: event.unsigned_attributes,
                attributes: attributes
                    .map(|(name, value)| (name.strip_prefix("ce-").unwrap_or(name), value))
                    .collect(),
            }),
        }
    }
}

impl Refusal {
    pub(crate) const fn of(code: Code) -> Self {
        Self {
            ok: false,
            reason: code.as_str(),
            status: code.status(),
            detail: code.detail(),
        }
    }
}

/// Is what a delivery wants next.
#[derive(Serialize)]
#[serde(tag = "next", rename_all = "snake_case")]
pub(crate) enum Next {
    /// A bucket of the store.
    Load { key: String },
    /// A bucket written: its bytes are in `value`, its version the one that was
    /// loaded with this number, or -1 for one that isn't there.
    Store { key: String, version: i64 },
    /// More of the request.
    Hold,
    /// An answer to the sender.
    Reply {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// The request forwarded.
    Forward {
        remove: Vec<String>,
        set: Vec<(&'static str, String)>,
    },
    /// Nothing: the delivery is settled. The status to give instead, if the
    /// upstream's isn't true.
    Settled { instead: Option<u16> },
}

impl Next {
    pub(crate) fn after(step: Step) -> Self {
        match step {
            // `Gate` refuses the setting that lets anything pass.
            Step::Hold | Step::Pass { .. } => Self::Hold,
            Step::Reply(reply) => Self::reply(reply),
            Step::Forward(forward) => Self::Forward {
                remove: forward.remove,
                set: forward.set,
            },
        }
    }

    pub(crate) fn reply(reply: Reply) -> Self {
        let mut headers = vec![("content-type", CONTENT_TYPE.to_owned())];
        headers.extend(reply.headers);
        Self::Reply {
            status: reply.code.status(),
            headers,
            body: reply.code.problem_json(),
        }
    }
}

/// Says how a delivery ended, and what it was about.
#[derive(Serialize)]
pub(crate) struct Ended<'a> {
    endpoint: Option<&'a str>,
    outcome: Option<&'static str>,
    reason: Option<&'static str>,
    id: Option<&'a str>,
    r#type: Option<&'a str>,
    account: Option<&'a str>,
    secret: Option<&'a str>,
    #[serde(rename = "traceId")]
    trace_id: Option<&'a str>,
}

impl<'a> Ended<'a> {
    pub(crate) fn of(delivery: &'a Delivery) -> Self {
        let identified = delivery.identified();
        Self {
            endpoint: delivery.endpoint().map(|it| it.config.name.as_str()),
            outcome: delivery.outcome().map(|it| it.as_str()),
            reason: delivery.outcome().map(|it| it.reason()),
            id: identified.map(|it| it.event_id.as_str()),
            r#type: identified.map(|it| it.event_type.as_str()),
            account: identified.and_then(|it| it.account.as_deref()),
            secret: identified.map(|it| it.secret.as_str()),
            trace_id: identified.map(|it| it.trace.trace_id()),
        }
    }
}

/// Writes an answer; every one can be written.
pub(crate) fn json(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).unwrap_or_default()
}
