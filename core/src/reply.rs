//! What a sender is told: the one table of answers.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::time::Duration;

use crate::{outcome::QuotaKind, quota::Limit};

/// Media type of every answer that the gate makes itself (RFC 9457).
pub const CONTENT_TYPE: &str = "application/problem+json";

/// How long a sender should wait when the gate can't decide.
const UNAVAILABLE_RETRY: Duration = Duration::from_secs(5);

/// Declares the codes once: variant, status, code, title, detail.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $status:literal, $code:literal, $title:literal, $detail:literal;)+) => {
        /// Names an answer. The code is stable; texts are fixed and echo
        /// nothing of a request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// Lists every code, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the stable code.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// Returns the HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),+ }
            }

            /// Returns a short name for people.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }

            /// Returns what it means and what to do.
            #[must_use]
            pub const fn detail(self) -> &'static str {
                match self { $(Self::$variant => $detail),+ }
            }
        }
    };
}

codes! {
    /// The event is already in the durable log; not forwarded.
    Duplicate = 200, "duplicate", "Duplicate event",
        "This event is already stored. Nothing was forwarded.";
    /// Genuine, and not wanted by the endpoint's policy; not forwarded.
    Ignored = 200, "ignored", "Event ignored",
        "The signature is valid, and this endpoint does not keep events of this kind. Nothing was forwarded.";
    /// There is no signature header.
    SignatureMissing = 400, "signature_missing", "Signature missing",
        "The signature header is missing. Send the event as its sender signs it.";
    /// The signature header isn't of Stripe's form.
    SignatureMalformed = 400, "signature_malformed", "Signature malformed",
        "Each header of the signature must come once, and in the form of the endpoint's scheme. For Stripe: t=<unix seconds>,v1=<64 lower-case hex digits>.";
    /// The signature is too old or too far in the future.
    TimestampOutOfTolerance = 400, "timestamp_out_of_tolerance", "Timestamp out of tolerance",
        "The signature was made too long ago or lies in the future. Sign each attempt afresh and check both clocks.";
    /// No signature matches under any secret.
    SignatureMismatch = 400, "signature_mismatch", "Signature mismatch",
        "No signature matches this payload. Check that the signing secret is this endpoint's and that nothing on the way changes the payload.";
    /// The payload is signed but not an event.
    PayloadInvalid = 400, "payload_invalid", "Payload invalid",
        "The payload is signed but is not an event of the endpoint's scheme. For Stripe: one JSON object with id, type and object.";
    /// The secret that signed is not for such events.
    SecretScope = 400, "secret_scope", "Secret out of scope",
        "The signing secret is declared for another mode (live or test) or for another kind of endpoint (Connect or not) than this event's.";
    /// The sender's address is in none of the endpoint's ranges.
    DeniedSource = 403, "denied_source", "Source denied",
        "This endpoint does not take deliveries from this address.";
    /// The type is not wanted.
    DeniedType = 403, "denied_type", "Type denied",
        "This endpoint does not take events of this type.";
    /// The account is not known.
    DeniedAccount = 403, "denied_account", "Account denied",
        "This endpoint does not take events of this account.";
    /// Live where test was wanted, or the other way.
    DeniedLivemode = 403, "denied_livemode", "Mode denied",
        "This endpoint does not take events of this mode (live or test).";
    /// No endpoint has this path.
    EndpointUnknown = 404, "endpoint_unknown", "Endpoint unknown",
        "No webhook endpoint has this path. Paths match exactly.";
    /// The method isn't POST.
    MethodNotAllowed = 405, "method_not_allowed", "Method not allowed",
        "Webhooks are delivered with POST.";
    /// The payload came too slowly.
    RequestTimeout = 408, "request_timeout", "Request timeout",
        "The request did not arrive in time.";
    /// Another delivery of this event is being forwarded.
    InProgress = 409, "in_progress", "In progress",
        "Another delivery of this event is being stored. Try again later.";
    /// The payload is over the endpoint's limit.
    PayloadTooLarge = 413, "payload_too_large", "Payload too large",
        "The payload is larger than this endpoint accepts.";
    /// A quota is used up.
    RateLimited = 429, "rate_limited", "Rate limited",
        "A quota of this endpoint is used up. Try again after the time in Retry-After.";
    /// The type waits for a decision and no decider is configured.
    NoDecider = 503, "no_decider", "No decider",
        "The sender waits for a decision on this event type, and nothing here can decide it.";
    /// The upstream is overloaded, and the gate spares it.
    Overloaded = 503, "overloaded", "Overloaded",
        "What stores events is overloaded, and this event was not tried. Try again after the time in Retry-After.";
    /// The gate can't decide, so it is closed.
    Unavailable = 503, "unavailable", "Unavailable",
        "The event can't be stored now. Try again later.";
}

impl Code {
    /// Returns the body: an RFC 9457 problem with the code as an extension.
    ///
    /// The texts are ours and need no escaping; a test holds that.
    #[must_use]
    pub fn problem_json(self) -> String {
        format!(
            r#"{{"title":"{}","status":{},"code":"{}","detail":"{}"}}"#,
            self.title(),
            self.status(),
            self.as_str(),
            self.detail()
        )
    }
}

/// Holds an answer of the gate to the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Which answer of the table.
    pub code: Code,
    /// Headers beside the content type.
    pub headers: Vec<(&'static str, String)>,
}

impl Reply {
    /// Makes an answer that says when to come back.
    #[must_use]
    pub(crate) fn after(code: Code, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self {
            code,
            headers: alloc::vec![("retry-after", seconds.max(1).to_string())],
        }
    }

    /// Makes the answer to a delivery over a quota, with the fields of
    /// <https://www.ietf.org/archive/id/draft-ietf-httpapi-ratelimit-headers-10.html>.
    #[must_use]
    pub(crate) fn limited(quota: QuotaKind, limit: Limit, wait: Duration) -> Self {
        let mut reply = Self::after(Code::RateLimited, wait);
        let fields = [
            ("ratelimit-policy", limit.policy_field(quota.as_str())),
            ("ratelimit", limit.state_field(quota.as_str(), wait)),
        ];
        reply.headers.extend(fields);
        reply
    }
}

impl From<Code> for Reply {
    fn from(code: Code) -> Self {
        match code {
            Code::Unavailable | Code::NoDecider | Code::Overloaded => {
                Self::after(code, UNAVAILABLE_RETRY)
            }
            Code::InProgress | Code::RequestTimeout | Code::RateLimited => {
                Self::after(code, Duration::from_secs(1))
            }
            _ => Self {
                code,
                headers: Vec::new(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn every_body_is_json_that_repeats_status_and_code() {
        for code in Code::ALL {
            let problem: serde_json::Value = serde_json::from_str(&code.problem_json()).unwrap();
            assert_eq!(problem["status"], code.status());
            assert_eq!(problem["code"], code.as_str());
            assert_eq!(problem["detail"], code.detail());
            assert_eq!(problem["title"], code.title());
        }
    }
}
