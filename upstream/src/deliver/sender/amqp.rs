//! An attempt as a message to an exchange of RabbitMQ.
//!
//! CloudEvents in binary mode: the AMQP protocol binding 1.0.2, section 3.1.

use std::{sync::Arc, time::Duration};

use lapin::{BasicProperties, types::ShortString};
use reqwest::Url;
use tokio::{sync::Mutex, time::timeout};

use super::{Answer, SenderError};
use crate::{
    amqp::{Channels, Server, Verdict, headers, reply_code, reply_text},
    deliver::{destination::Target, job::Outcome, message::Message},
};

/// What the server lists the connection as.
const NAME: &str = "hookgate destination";

/// Kept on disk by a durable queue.
const PERSISTENT: u8 = 2;

/// Attempts that may be under way at a time: a destination's own concurrency is
/// at most that.
const CHANNELS: usize = 1_024;

/// How the server closes a channel whose message it will never take: refused,
/// not found, too large.
const REFUSALS: [u16; 3] = [403, 404, 406];

/// Publishes to one exchange, each message confirmed.
#[derive(Debug)]
pub(crate) struct AmqpSender {
    server: Server,
    exchange: ShortString,
    /// `None`: the event's type.
    routing_key: Option<ShortString>,
    timeout: Duration,
    open: Mutex<Option<Arc<Channels>>>,
}

impl AmqpSender {
    /// Reads where to publish; nothing is connected yet.
    ///
    /// # Errors
    /// [`SenderError::Target`].
    pub(crate) fn new(url: &Url, timeout: Duration) -> Result<Self, SenderError> {
        let error = || SenderError::Target {
            target: Target::Amqp(url.clone()),
        };
        let (mut exchange, mut routing_key) = (None, None);
        for (name, value) in url.query_pairs() {
            let field = match &*name {
                "exchange" => &mut exchange,
                "routing_key" => &mut routing_key,
                _ => return Err(error()),
            };
            let value = ShortString::try_new(value).map_err(|_| error())?;
            if field.replace(value).is_some() {
                return Err(error());
            }
        }
        Ok(Self {
            server: Server::of(url).ok_or_else(error)?,
            exchange: exchange.ok_or_else(error)?,
            routing_key,
            timeout,
            open: Mutex::new(None),
        })
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, message: &Message) -> Answer {
        match timeout(self.timeout, self.attempt(message)).await {
            Ok(answer) => answer,
            Err(_) => {
                // What the broker didn't read yet would pile up here. Whoever
                // has the lock is about to have a new connection.
                if let Ok(mut open) = self.open.try_lock() {
                    *open = None;
                }
                Answer::without_status(Outcome::TimedOut, "the broker did not confirm")
            }
        }
    }

    async fn attempt(&self, message: &Message) -> Answer {
        let channels = match self.channels().await {
            Ok(channels) => channels,
            Err(reason) => return Answer::without_status(Outcome::Unavailable, reason),
        };
        let routing_key = match &self.routing_key {
            Some(key) => key.clone(),
            None => match ShortString::try_new(message.type_name.as_str()) {
                Ok(key) => key,
                Err(error) => return Answer::without_status(Outcome::Refused, error),
            },
        };
        let exchange = self.exchange.clone();
        let properties = properties(message);
        let published = channels.publish(exchange, routing_key, properties, &message.payload);
        match published.await {
            Ok(Verdict::Confirmed) => Answer::without_status(Outcome::Delivered, ""),
            Ok(Verdict::Returned { reply }) => Answer::without_status(Outcome::Refused, reply),
            Ok(Verdict::Refused) => {
                Answer::without_status(Outcome::Failed, "the broker did not take it")
            }
            Err(error) => {
                let outcome = match reply_code(&error) {
                    Some(code) if REFUSALS.contains(&code) => Outcome::Refused,
                    Some(_) => Outcome::Failed,
                    None => Outcome::Unavailable,
                };
                Answer::without_status(outcome, reply_text(&error))
            }
        }
    }

    /// Returns the connection, made anew if it was lost. It reads nothing while
    /// one of the broker's alarms is on.
    async fn channels(&self) -> Result<Arc<Channels>, String> {
        let mut open = self.open.lock().await;
        if let Some(channels) = &*open
            && channels.connection().status().connected()
        {
            if channels.is_open() {
                return Ok(Arc::clone(channels));
            }
            return Err("the broker takes no messages: one of its alarms is on".to_owned());
        }
        let connected = self.server.connect(NAME).await;
        let connection = connected.map_err(|error| error.to_string())?;
        let channels = Arc::new(Channels::new(connection, CHANNELS));
        *open = Some(Arc::clone(&channels));
        Ok(channels)
    }
}

fn properties(message: &Message) -> BasicProperties {
    let written = (message.headers.iter()).map(|(name, value)| (*name, value.as_str()));
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_headers(headers(written));
    // Ours, and short.
    match ShortString::try_new(message.webhook_id.as_str()) {
        Ok(id) => properties.with_message_id(id),
        Err(_) => properties,
    }
}
