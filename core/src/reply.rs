//! What a sender is told: the one table of answers.

use alloc::{format, string::String};

/// Media type of every answer that the gate makes itself (RFC 9457).
pub const CONTENT_TYPE: &str = "application/problem+json";

/// Seconds after which a sender should try again when the gate can't decide.
const UNAVAILABLE_RETRY_SECONDS: u32 = 5;

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
    /// There is no signature header.
    SignatureMissing = 400, "signature_missing", "Signature missing",
        "The Stripe-Signature header is missing. Send the event as Stripe signs it.";
    /// The signature header isn't of Stripe's form.
    SignatureMalformed = 400, "signature_malformed", "Signature malformed",
        "The Stripe-Signature header must come once, as t=<unix seconds>,v1=<64 lower-case hex digits>.";
    /// The signature is too old or too far in the future.
    TimestampOutOfTolerance = 400, "timestamp_out_of_tolerance", "Timestamp out of tolerance",
        "The signature was made too long ago or lies in the future. Sign each attempt afresh and check both clocks.";
    /// No signature matches under any secret.
    SignatureMismatch = 400, "signature_mismatch", "Signature mismatch",
        "No v1 signature matches this payload. Check that the signing secret is this endpoint's and that nothing on the way changes the payload.";
    /// The payload is signed but not an event.
    PayloadInvalid = 400, "payload_invalid", "Payload invalid",
        "The payload is signed but is not a Stripe event: one JSON object with id, type and object.";
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
    /// The type waits for a decision and no decider is configured.
    NoDecider = 503, "no_decider", "No decider",
        "Stripe waits for a decision on this event type, and nothing here can decide it.";
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// Which answer of the table.
    pub code: Code,
    /// Value of `Retry-After` in seconds, where trying again helps.
    pub retry_after_seconds: Option<u32>,
}

impl Reply {
    /// Makes an answer that says when to come back, for `in_progress`.
    #[must_use]
    pub const fn in_progress(lease_ends_in_seconds: u32) -> Self {
        Self {
            code: Code::InProgress,
            retry_after_seconds: Some(lease_ends_in_seconds),
        }
    }
}

impl From<Code> for Reply {
    fn from(code: Code) -> Self {
        let retry_after_seconds = match code {
            Code::Unavailable | Code::NoDecider => Some(UNAVAILABLE_RETRY_SECONDS),
            Code::InProgress | Code::RequestTimeout => Some(1),
            _ => None,
        };
        Self {
            code,
            retry_after_seconds,
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
