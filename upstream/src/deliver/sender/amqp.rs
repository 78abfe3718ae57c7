//! An attempt as a message to an exchange of RabbitMQ.
//!
//! CloudEvents in binary mode: the AMQP protocol binding 1.0.2, section 3.1.

use std::time::Duration;

use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable, LongString, ShortString},
};
use reqwest::Url;
use tokio::{sync::Mutex, time::timeout};

use super::{Answer, SenderError};
use crate::deliver::{destination::Target, job::Outcome, message::Message};

/// Kept on disk by a durable queue.
const PERSISTENT: u8 = 2;

/// Publishes to one exchange, each message confirmed.
#[derive(Debug)]
pub(crate) struct AmqpSender {
    url: Url,
    exchange: String,
    /// `None`: the event's type.
    routing_key: Option<String>,
    timeout: Duration,
    open: Mutex<Option<Open>>,
}

/// Is an open channel; the connection lives as long.
#[derive(Debug, Clone)]
struct Open {
    channel: Channel,
    _connection: std::sync::Arc<Connection>,
}

impl AmqpSender {
    /// Reads where to publish; nothing is connected yet.
    ///
    /// # Errors
    /// [`SenderError::Target`].
    pub(crate) fn new(url: &Url, timeout: Duration) -> Result<Self, SenderError> {
        let parameter = |wanted: &str| {
            let found = url.query_pairs().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.into_owned())
        };
        let known = |name: &str| matches!(name, "exchange" | "routing_key");
        // The client would speak in clear: it is built without TLS.
        let exchange = parameter("exchange").filter(|_| url.scheme() == "amqp");
        let exchange = exchange.filter(|_| {
            let mut names = url.query_pairs().map(|(name, _)| name);
            names.all(|name| known(&name))
        });
        let Some(exchange) = exchange else {
            let target = Target::Amqp(url.clone());
            return Err(SenderError::Target { target });
        };
        let routing_key = parameter("routing_key");
        let mut url = url.clone();
        url.set_query(None);
        Ok(Self {
            url,
            exchange,
            routing_key,
            timeout,
            open: Mutex::new(None),
        })
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, message: &Message) -> Answer {
        match timeout(self.timeout, self.publish(message)).await {
            Ok(Ok(confirmation)) => judge(&confirmation),
            Ok(Err(error)) => {
                *self.open.lock().await = None;
                Answer::without_status(Outcome::Unavailable, error)
            }
            Err(_) => {
                *self.open.lock().await = None;
                Answer::without_status(Outcome::TimedOut, "the broker did not confirm")
            }
        }
    }

    async fn publish(&self, message: &Message) -> lapin::Result<Confirmation> {
        let channel = self.channel().await?;
        let routing_key = self.routing_key.as_deref();
        let routing_key = routing_key.unwrap_or(message.type_name.as_str());
        let options = BasicPublishOptions {
            // What no queue takes comes back instead of vanishing.
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let published = channel.basic_publish(
            self.exchange.as_str().into(),
            routing_key.into(),
            options,
            &message.payload,
            properties(message),
        );
        published.await?.await
    }

    async fn channel(&self) -> lapin::Result<Channel> {
        let mut open = self.open.lock().await;
        if let Some(Open { channel, .. }) = &*open
            && channel.status().connected()
        {
            return Ok(channel.clone());
        }
        let properties =
            ConnectionProperties::default().with_connection_name("hookgate destination".into());
        let connection = Connection::connect(self.url.as_str(), properties).await?;
        let channel = connection.create_channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        *open = Some(Open {
            channel: channel.clone(),
            _connection: std::sync::Arc::new(connection),
        });
        Ok(channel)
    }
}

fn judge(confirmation: &Confirmation) -> Answer {
    match confirmation {
        Confirmation::Ack(None) => Answer::without_status(Outcome::Delivered, ""),
        Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
            Answer::without_status(Outcome::Refused, &returned.reply_text)
        }
        Confirmation::Nack(None) | Confirmation::NotRequested => {
            Answer::without_status(Outcome::Failed, "the broker did not confirm")
        }
    }
}

fn properties(message: &Message) -> BasicProperties {
    let mut table = FieldTable::default();
    for (name, value) in &message.headers {
        let name = match name.strip_prefix("ce-") {
            Some(attribute) => format!("cloudEvents:{attribute}"),
            None => (*name).to_owned(),
        };
        let value = AMQPValue::LongString(LongString::from(value.as_str()));
        table.insert(ShortString::from(name), value);
    }
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(message.webhook_id.as_str().into())
        .with_headers(table)
}
