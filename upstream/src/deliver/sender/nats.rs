//! An attempt as a message of a JetStream stream.

use std::time::Duration;

use async_nats::{
    Client, HeaderMap, ServerAddr,
    connection::State,
    header,
    jetstream::{
        self, ErrorCode,
        context::{PublishError, PublishErrorKind},
    },
};
use reqwest::Url;
use tokio::{sync::OnceCell, time::timeout};

use super::{Answer, SenderError};
use crate::{
    deliver::{destination::Target, job::Outcome, message::Message},
    log::nats::Servers,
};

/// Publishes to one subject. The stream behind it is the receiver's.
#[derive(Debug)]
pub(crate) struct NatsSender {
    server: Servers,
    subject: String,
    timeout: Duration,
    client: OnceCell<Client>,
}

impl NatsSender {
    /// Reads where to publish; nothing is connected yet.
    ///
    /// # Errors
    /// [`SenderError::Target`].
    pub(crate) fn new(url: &Url, timeout: Duration) -> Result<Self, SenderError> {
        let target = || Target::Nats(url.clone());
        let subject = url.path().trim_start_matches('/').to_owned();
        let is_subject = !subject.is_empty()
            && !subject.contains(|it: char| it.is_whitespace() || matches!(it, '*' | '>' | '/'));
        let mut server = url.clone();
        server.set_path("");
        let server = ServerAddr::from_url(server).ok().filter(|_| is_subject);
        Ok(Self {
            server: server
                .ok_or_else(|| SenderError::Target { target: target() })?
                .into(),
            subject,
            timeout,
            client: OnceCell::new(),
        })
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, message: &Message) -> Answer {
        match timeout(self.timeout, self.publish(message)).await {
            Ok(answer) => answer,
            Err(_) => Answer::without_status(Outcome::TimedOut, "the server did not answer"),
        }
    }

    async fn publish(&self, message: &Message) -> Answer {
        let client = match self.client.get_or_try_init(|| self.connect()).await {
            Ok(client) => client,
            Err(error) => return Answer::without_status(Outcome::Unavailable, error),
        };
        // The client would keep the message for later, when another attempt
        // may be under way.
        if client.connection_state() != State::Connected {
            return Answer::without_status(Outcome::Unavailable, "not connected");
        }
        let context = jetstream::context::ContextBuilder::new()
            .timeout(self.timeout)
            .build(client.clone());
        let mut headers = HeaderMap::new();
        // A repeat within the stream's window is stored once.
        headers.insert(header::NATS_MESSAGE_ID, message.webhook_id.as_str());
        for (name, value) in &message.headers {
            headers.insert(*name, value.as_str());
        }
        let subject = self.subject.clone();
        let published = context.publish_with_headers(subject, headers, message.payload.clone());
        let error = match published.await {
            Ok(published) => match published.await {
                Ok(_) => return Answer::without_status(Outcome::Delivered, ""),
                Err(error) => error,
            },
            Err(error) => error,
        };
        let outcome = match error.kind() {
            PublishErrorKind::StreamNotFound | PublishErrorKind::MaxPayloadExceeded => {
                Outcome::Refused
            }
            _ if is_too_large(&error) => Outcome::Refused,
            PublishErrorKind::TimedOut => Outcome::TimedOut,
            PublishErrorKind::BrokenPipe => Outcome::Unavailable,
            _ => Outcome::Failed,
        };
        Answer::without_status(outcome, error)
    }

    async fn connect(&self) -> Result<Client, async_nats::ConnectError> {
        self.server
            .options()
            .name("hookgate destination")
            .connection_timeout(self.timeout)
            .connect(self.server.addresses())
            .await
    }
}

/// Tells whether the stream takes only smaller messages: trying again won't help.
fn is_too_large(error: &PublishError) -> bool {
    use std::error::Error as _;
    let refusal = error
        .source()
        .and_then(|it| it.downcast_ref::<jetstream::Error>());
    refusal.is_some_and(|it| {
        matches!(
            it.error_code(),
            ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM | ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM
        )
    })
}
