//! The stream's settings: made right, or refused with what mends them.

use lapin::{
    BasicProperties, Connection, Error,
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable, LongString, ReplyCode, ShortString},
};
use tracing::info;

use crate::{
    amqp::{Channels, Verdict, reply_code, reply_text},
    log::address::AmqpAddress,
};

pub(super) const ACCESS_REFUSED: ReplyCode = 403;
const NOT_FOUND: ReplyCode = 404;
pub(super) const PRECONDITION_FAILED: ReplyCode = 406;

/// Says why the stream can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    /// Somebody made another queue of this name.
    #[error(
        "the queue `{}` at {address} is not the durable stream that the log needs: {reason}. Let hookgate make another one (`--log '{address}?stream=NAME'`), or remove this one if nobody needs it (`rabbitmqctl delete_queue {}`). Streams need RabbitMQ 3.9 or later; how old or large one may become is set by a policy, not by arguments of the queue",
        address.stream(), address.stream()
    )]
    Settings {
        /// Which.
        address: AmqpAddress,
        /// What the server says.
        reason: String,
    },
    /// The user may not do what the log needs.
    #[error(
        "RabbitMQ lets this user not use the stream `{}` at {address}: {reason}. The log needs to configure it and to write to the default exchange: `rabbitmqctl set_permissions -p VHOST USER '{}' '{}|amq\\.default' '{}'`",
        address.stream(), address.stream(), address.stream(), address.stream()
    )]
    Access {
        /// Which.
        address: AmqpAddress,
        /// What the server says.
        reason: String,
    },
    /// Large events would be accepted and could never be stored.
    #[error(
        "RabbitMQ at {address} does not take messages of {expected} bytes: {reason}. Set `max_message_size = {expected}` or more in its rabbitmq.conf, or start hookgate with a smaller --max-body-bytes"
    )]
    Size {
        /// Which.
        address: AmqpAddress,
        /// What the configured payload limit needs.
        expected: usize,
        /// What the server says.
        reason: String,
    },
    /// It was there when we started, and isn't any more.
    #[error(
        "the stream `{}` at {address} is gone, and with it its events: start hookgate again to have it made anew",
        address.stream()
    )]
    Gone {
        /// Which.
        address: AmqpAddress,
    },
    /// The server doesn't answer as it should, for now.
    #[error("RabbitMQ at {address} does not answer for the stream `{}`: {reason}", address.stream())]
    Away {
        /// Which.
        address: AmqpAddress,
        /// Why.
        reason: String,
    },
}

impl StreamError {
    /// Tells whether it may pass by itself.
    pub(super) const fn is_away(&self) -> bool {
        matches!(self, Self::Away { .. })
    }
}

/// What the server says of a queue that it never heard of. Of one that it has
/// and can't serve now it says, with the same code, that its node is down.
const NO_QUEUE: &str = "no queue";

/// Tells whether the server has a queue of the stream's name.
///
/// # Errors
/// Those of the client.
pub(super) async fn exists(connection: &Connection, stream: &ShortString) -> lapin::Result<bool> {
    match declare(connection, stream, true).await {
        Ok(()) => Ok(true),
        Err(error)
            if reply_code(&error) == Some(NOT_FOUND) && reply_text(&error).contains(NO_QUEUE) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Makes the stream if there is none, checks it if there is. `true` means that
/// it was made.
///
/// # Errors
/// [`StreamError`].
pub(super) async fn ensure(
    connection: &Connection,
    address: &AmqpAddress,
) -> Result<bool, StreamError> {
    let stream = address.stream();
    let error = |error: Error| of_declaration(&error, address);
    let existed = exists(connection, stream).await.map_err(error)?;
    // Only a declaration that isn't passive is compared with what there is.
    declare(connection, stream, false).await.map_err(error)?;
    if !existed {
        info!(stream = stream.as_str(), "made the stream");
    }
    Ok(!existed)
}

/// Checks that the server takes messages as large as the largest event, and
/// that the user may publish at all, with a message that no queue gets.
///
/// # Errors
/// [`StreamError`].
pub(super) async fn check_size(
    channels: &Channels,
    address: &AmqpAddress,
    max_payload_bytes: usize,
) -> Result<(), StreamError> {
    // A name that no queue has: the server makes such ones for its own.
    let nowhere = ShortString::from("hookgate.nowhere.8f1c6d4e");
    let payload = vec![0; max_payload_bytes];
    let address = || address.clone();
    let published = channels.publish("".into(), nowhere, BasicProperties::default(), &payload);
    match published.await {
        Ok(Verdict::Returned { .. } | Verdict::Confirmed) => Ok(()),
        Ok(Verdict::Refused) => Err(StreamError::Away {
            address: address(),
            reason: "it refuses a message".to_owned(),
        }),
        Err(error) => {
            let reason = reply_text(&error);
            Err(match reply_code(&error) {
                Some(PRECONDITION_FAILED) => StreamError::Size {
                    address: address(),
                    expected: max_payload_bytes,
                    reason,
                },
                Some(ACCESS_REFUSED) => StreamError::Access {
                    address: address(),
                    reason,
                },
                _ => StreamError::Away {
                    address: address(),
                    reason,
                },
            })
        }
    }
}

/// Asks for the queue on a channel of its own, which a refusal ends.
async fn declare(
    connection: &Connection,
    stream: &ShortString,
    passive: bool,
) -> lapin::Result<()> {
    let channel = connection.create_channel().await?;
    let mut arguments = FieldTable::default();
    let kind = AMQPValue::LongString(LongString::from("stream"));
    arguments.insert("x-queue-type".into(), kind);
    let options = QueueDeclareOptions {
        passive,
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let declared = channel.queue_declare(stream.clone(), options, arguments);
    declared.await.map(|_| ())
}

fn of_declaration(error: &Error, address: &AmqpAddress) -> StreamError {
    let (address, reason) = (address.clone(), reply_text(error));
    match reply_code(error) {
        Some(PRECONDITION_FAILED) => StreamError::Settings { address, reason },
        Some(ACCESS_REFUSED) => StreamError::Access { address, reason },
        _ => StreamError::Away { address, reason },
    }
}
