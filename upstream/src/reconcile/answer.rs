//! What an answer of Stripe's API means.
//!
//! Sources: <https://docs.stripe.com/api/errors>, <https://docs.stripe.com/rate-limits>,
//! <https://docs.stripe.com/keys/restricted-api-keys>.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::{StatusCode, header::HeaderMap};
use serde::Deserialize;

use crate::http_client::retry_after;

/// Longest name of a permission, or reason of a limit, that is shown.
const MAX_NAME_BYTES: usize = 64;

/// Names what is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// `GET /v1/events`
    Events,
    /// `GET /v1/accounts`
    Accounts,
    /// `GET /v1/webhook_endpoints/…`
    WebhookEndpoint,
}

/// Says what came of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// What was asked for.
    Found(Bytes),
    /// To be asked again later.
    Again {
        /// What Stripe asks for.
        retry_after: Option<Duration>,
        /// What happened, for people.
        why: Again,
    },
    /// The account is none of the platform's, or not any more.
    AccountGone,
    /// The event that the page was to follow isn't known.
    PlaceLost,
    /// Nothing to be had, whenever it is asked for.
    Refused(Refused),
}

/// Says why to ask again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Again {
    /// 429.
    #[error("Stripe answered 429{}", in_brackets(.reason.as_deref()))]
    Limited {
        /// `Stripe-Rate-Limited-Reason`.
        reason: Option<String>,
    },
    /// 409, 5xx.
    #[error("Stripe answered {0}")]
    Status(u16),
    /// No answer.
    #[error("Stripe did not answer: {0}")]
    Silence(String),
}

/// Says why Stripe gives nothing. Never shows the key, nor what Stripe says of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// 401.
    #[error("Stripe does not know the API key (401): it is wrong, expired or revoked")]
    Key,
    /// 403 for everybody, or for this key.
    #[error(
        "the API key lacks a permission (403): give the restricted key `{}`{}", .resource.permission(), in_brackets(.named.as_deref())
    )]
    Permission {
        /// What it may not read.
        resource: Resource,
        /// As Stripe calls it, if it says.
        named: Option<String>,
    },
    /// There is no such thing.
    #[error("Stripe has no {} for this API key (404): live and test mode have each their own", .0.thing())]
    Missing(Resource),
    /// Any other answer.
    #[error("Stripe answered {status} to a request for {}, which is not expected: is `api` Stripe's?", .resource.thing())]
    Unexpected {
        /// The status.
        status: u16,
        /// What was asked for.
        resource: Resource,
    },
}

#[derive(Debug, Default, Deserialize)]
struct Problem {
    #[serde(default)]
    error: Details,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    code: String,
    message: String,
    param: String,
}

impl Answer {
    /// Reads a whole answer. `connected`: the request named a connected account.
    pub(crate) fn of(
        resource: Resource,
        connected: bool,
        status: StatusCode,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Self {
        let problem = || {
            let problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
            problem.error
        };
        let again = |why| Self::Again {
            retry_after: retry_after(headers, SystemTime::now()),
            why,
        };
        match status.as_u16() {
            200 => Self::Found(body),
            429 => {
                let reason = headers.get("stripe-rate-limited-reason");
                let reason = reason.and_then(|reason| reason.to_str().ok());
                again(Again::Limited {
                    reason: reason.and_then(name),
                })
            }
            status @ (409 | 500..=599) => again(Again::Status(status)),
            401 => Self::Refused(Refused::Key),
            400 if problem().param == "starting_after" => Self::PlaceLost,
            status @ (403 | 404) => {
                let problem = problem();
                let named = permission(&problem.message);
                let is_permission = named.is_some() || problem.code.contains("permission");
                match (status, connected) {
                    (403, true) if !is_permission => Self::AccountGone,
                    (404, true) => Self::AccountGone,
                    (404, false) => Self::Refused(Refused::Missing(resource)),
                    _ => Self::Refused(Refused::Permission { resource, named }),
                }
            }
            status => Self::Refused(Refused::Unexpected { status, resource }),
        }
    }
}

impl Answer {
    /// Names it in metrics.
    pub(crate) const fn outcome(&self) -> &'static str {
        match self {
            Self::Found(_) => "found",
            Self::Again {
                why: Again::Limited { .. },
                ..
            } => "limited",
            Self::Again { .. } => "failed",
            Self::AccountGone | Self::PlaceLost | Self::Refused(_) => "refused",
        }
    }
}

/// Finds what Stripe calls the permission: `'rak_event_read'`. What else the
/// message says, a part of the key among it, is not for our log.
fn permission(message: &str) -> Option<String> {
    let words = message.split(|letter: char| !(letter.is_ascii_lowercase() || letter == '_'));
    let mut names = words.filter(|word| word.starts_with("rak_"));
    names.next().and_then(name)
}

fn name(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let fits = (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(plain);
    fits.then(|| text.to_owned())
}

fn in_brackets(name: Option<&str>) -> String {
    name.map(|name| format!(" (`{name}`)")).unwrap_or_default()
}

impl Resource {
    /// Says what it is.
    const fn thing(self) -> &'static str {
        match self {
            Self::Events => "list of events",
            Self::Accounts => "list of connected accounts",
            Self::WebhookEndpoint => "such webhook endpoint",
        }
    }

    /// Returns what the Dashboard calls the permission to read it.
    const fn permission(self) -> &'static str {
        match self {
            Self::Events => "Events: Read",
            Self::Accounts => "Connected accounts: Read",
            Self::WebhookEndpoint => "Webhook Endpoints: Read",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use reqwest::{StatusCode, header::HeaderMap};

    use super::{Again, Answer, Refused, Resource};

    fn answer(status: u16, connected: bool, body: &str) -> Answer {
        let headers = [
            ("retry-after", "2"),
            ("stripe-rate-limited-reason", "endpoint-rate"),
        ];
        let headers = headers.map(|(name, value)| {
            let name: reqwest::header::HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        });
        Answer::of(
            Resource::Events,
            connected,
            StatusCode::from_u16(status).unwrap(),
            &HeaderMap::from_iter(headers),
            Bytes::from(body.to_owned()),
        )
    }

    #[test]
    fn asks_again_after_what_passes_by_itself() {
        let retry_after = Some(Duration::from_secs(2));
        for (status, why) in [
            (
                429,
                Again::Limited {
                    reason: Some("endpoint-rate".to_owned()),
                },
            ),
            (409, Again::Status(409)),
            (500, Again::Status(500)),
            (503, Again::Status(503)),
        ] {
            assert_eq!(answer(status, true, ""), Answer::Again { retry_after, why });
        }
    }

    #[test]
    fn tells_an_account_that_is_gone_from_a_key_that_may_not() {
        let lacks = r#"{"error": {"message": "The provided key 'rk_test_***abc' does not have the required permissions for this endpoint on account 'acct_1'. Having the 'rak_event_read' permission would allow this request to continue."}}"#;
        let gone = r#"{"error": {"code": "account_invalid", "message": "The provided key 'rk_test_***abc' does not have access to account 'acct_1' (or that account does not exist)."}}"#;
        let permission = |named: Option<&str>| {
            Answer::Refused(Refused::Permission {
                resource: Resource::Events,
                named: named.map(str::to_owned),
            })
        };
        for (status, connected, body, expected) in [
            (403, true, gone, Answer::AccountGone),
            (404, true, gone, Answer::AccountGone),
            (403, true, lacks, permission(Some("rak_event_read"))),
            (403, false, lacks, permission(Some("rak_event_read"))),
            (403, false, "", permission(None)),
            (401, true, lacks, Answer::Refused(Refused::Key)),
            (
                404,
                false,
                "",
                Answer::Refused(Refused::Missing(Resource::Events)),
            ),
        ] {
            assert_eq!(answer(status, connected, body), expected, "{status} {body}");
        }
        let Answer::Refused(refused) = answer(403, false, lacks) else {
            panic!("refused")
        };
        let text = refused.to_string();
        assert!(text.contains("`Events: Read` (`rak_event_read`)"), "{text}");
        assert!(!text.contains("rk_test"), "{text}");
    }

    #[test]
    fn knows_a_place_that_is_lost_from_a_request_that_is_wrong() {
        let lost = r#"{"error": {"param": "starting_after", "code": "resource_missing"}}"#;
        assert_eq!(answer(400, true, lost), Answer::PlaceLost);
        let unexpected = Answer::Refused(Refused::Unexpected {
            status: 400,
            resource: Resource::Events,
        });
        assert_eq!(answer(400, true, "{}"), unexpected);
    }
}
