//! What goes back to JavaScript, as JSON.

use hookgate_core::{
    delivery::{Delivery, Step},
    reply::{CONTENT_TYPE, Code, Reply},
};
use serde::Serialize;

/// Is what `verify` answers for a delivery that isn't genuine.
#[derive(Serialize)]
pub(crate) struct Refusal {
    ok: bool,
    reason: &'static str,
    status: u16,
    detail: &'static str,
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
