//! Publishing with confirms, one message in flight per channel.
//!
//! What the server returns as unroutable, it returns before it confirms it, and
//! says no more than "a message": the client hands it to whichever publish of
//! the channel is confirmed next. With several in flight that can be another
//! one, and the message that nobody took would count as kept. With one in
//! flight there is no other.

use std::sync::{Mutex, PoisonError};

use lapin::{
    BasicProperties, Channel, Confirmation, Connection,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};
use tokio::sync::Semaphore;

/// Channels that are left for questions, and for those that are just closing.
const SPARE: usize = 32;

/// Publishes over one connection.
#[derive(Debug)]
pub(crate) struct Channels {
    connection: Connection,
    /// Channels without a message in flight.
    idle: Mutex<Vec<Channel>>,
    /// As many as may have one.
    room: Semaphore,
}

/// Says what the server did with a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It took responsibility for it.
    Confirmed,
    /// No queue takes it.
    Returned {
        /// What the server says.
        reply: String,
    },
    /// It could not take it.
    Refused,
}

impl Channels {
    /// Uses a connection, with at most so many messages in flight, and no more
    /// than the server allows channels.
    pub(crate) fn new(connection: Connection, most: usize) -> Self {
        let room = match usize::from(connection.configuration().channel_max()) {
            0 => most,
            allowed => most.min(allowed.saturating_sub(SPARE)).max(1),
        };
        Self {
            connection,
            idle: Mutex::new(Vec::new()),
            room: Semaphore::new(room),
        }
    }

    /// Returns the connection.
    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Tells whether the server would read a message now. While one of its
    /// alarms is on it would not, and the client would keep the message.
    pub(crate) fn is_open(&self) -> bool {
        let status = self.connection.status();
        status.connected() && !status.blocked()
    }

    /// Publishes a message and waits for the server's verdict. Dropped before,
    /// the message may or may not be taken.
    ///
    /// # Errors
    /// Those of the client: the message may or may not be taken.
    pub(crate) async fn publish(
        &self,
        exchange: ShortString,
        routing_key: ShortString,
        properties: BasicProperties,
        payload: &[u8],
    ) -> lapin::Result<Verdict> {
        // Never closed, so always a permit.
        let _place = self.room.acquire().await;
        let channel = self.channel().await?;
        let options = BasicPublishOptions {
            // What no queue takes comes back instead of vanishing.
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let published = channel.basic_publish(exchange, routing_key, options, payload, properties);
        let confirmation = published.await?.await?;
        // Any other channel closes as it is dropped: a late verdict on it must
        // not meet the next message.
        self.idle().push(channel);
        Ok(match confirmation {
            Confirmation::Ack(None) => Verdict::Confirmed,
            Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
                Verdict::Returned {
                    reply: returned.reply_text.to_string(),
                }
            }
            Confirmation::Nack(None) | Confirmation::NotRequested => Verdict::Refused,
        })
    }

    async fn channel(&self) -> lapin::Result<Channel> {
        loop {
            let Some(idle) = self.idle().pop() else { break };
            if idle.status().connected() {
                return Ok(idle);
            }
        }
        let channel = self.connection.create_channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        Ok(channel)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
