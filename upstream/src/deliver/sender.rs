//! One attempt to one target.

mod http;

use std::time::Duration;

use bytes::Bytes;
pub(crate) use http::HttpSender;

use super::{destination::Target, job::Outcome, message::Message};

/// Sends to one target.
#[derive(Debug)]
pub(crate) enum Sender {
    /// To an HTTP endpoint.
    Http(HttpSender),
}

/// Says why nothing can be sent to a target.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SenderError {
    /// The HTTP client can't be made.
    #[error("can't make an HTTP client: {0}")]
    Http(reqwest::Error),
    /// Not built in.
    #[error("`{target}`: this kind of destination is not available")]
    Unsupported {
        /// Which.
        target: Target,
    },
}

/// Holds what an attempt got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// What it means.
    pub(crate) outcome: Outcome,
    /// The HTTP status, if there was one.
    pub(crate) status: Option<u16>,
    /// The beginning of the answer, or why there was none.
    pub(crate) text: Bytes,
}

impl Sender {
    /// Prepares a sender; nothing is connected yet.
    ///
    /// # Errors
    /// [`SenderError`].
    pub(crate) fn new(target: &Target, timeout: Duration) -> Result<Self, SenderError> {
        match target {
            Target::Http(url) => HttpSender::new(url.clone(), timeout)
                .map(Self::Http)
                .map_err(SenderError::Http),
            other => Err(SenderError::Unsupported {
                target: other.clone(),
            }),
        }
    }

    /// Makes one attempt. It ends within the destination's timeout.
    pub(crate) async fn send(&self, message: &Message) -> Answer {
        match self {
            Self::Http(sender) => sender.send(message).await,
        }
    }
}
