//! The connection that events are published over, and its upkeep.
//!
//! With a connection everything that is in flight on it is lost to us: whether
//! the stream has it, nobody says. The senders are told to try again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use lapin::types::ShortString;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tracing::{debug, info, warn};

use super::{CHANNELS, OpenError, REQUEST_TIMEOUT, StreamError, stream};
use crate::{amqp::Channels, log::address::AmqpAddress};

/// What the server lists the connection as.
const NAME: &str = "hookgate log";

/// How long a readiness probe waits for the server.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// How often the connection is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Time between two attempts to connect again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a stream that was just made is not used. A server keeps its first
/// stream for good only some time after it has answered that it has it: killed
/// within 0.8 s, RabbitMQ 3.10.8 came back with a stream that it can't open, and
/// nobody could read what it had confirmed.
const SETTLING: Duration = Duration::from_secs(3);

/// Is an open connection.
#[derive(Debug)]
pub(super) struct Link {
    channels: Channels,
    given_up: AtomicBool,
}

impl Link {
    /// Returns what to publish over, unless the server would not read it now.
    pub(super) fn open(&self) -> Option<&Channels> {
        let given_up = self.given_up.load(Ordering::Relaxed);
        (!given_up && self.channels.is_open()).then_some(&self.channels)
    }

    /// Ends the connection: the server has stopped to answer.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Tells whether the server has the stream and would read a message now.
    pub(super) async fn answers(&self, stream: &ShortString) -> bool {
        let Some(channels) = self.open() else {
            return false;
        };
        let asked = stream::exists(channels.connection(), stream);
        match timeout(PROBE_TIMEOUT, asked).await {
            Ok(Ok(exists)) => exists,
            Ok(Err(error)) => {
                debug!(%error, "RabbitMQ did not answer a probe");
                false
            }
            Err(_) => false,
        }
    }

    fn is_lost(&self) -> bool {
        self.given_up.load(Ordering::Relaxed) || !self.channels.connection().status().connected()
    }
}

/// Connects, and makes or checks the stream.
///
/// # Errors
/// [`OpenError`].
pub(super) async fn open(
    address: &AmqpAddress,
    max_payload_bytes: usize,
) -> Result<Link, OpenError> {
    let link = connect(address).await?;
    let checked = async {
        let made = stream::ensure(link.channels.connection(), address).await?;
        stream::check_size(&link.channels, address, max_payload_bytes).await?;
        Ok(made)
    };
    if in_time(address, checked).await? {
        sleep(SETTLING).await;
    }
    Ok(link)
}

/// Keeps `current` a connection whenever there can be one. Never ends.
pub(super) async fn keep_up(
    address: AmqpAddress,
    max_payload_bytes: usize,
    first: Arc<Link>,
    current: watch::Sender<Option<Arc<Link>>>,
) {
    let mut link = first;
    loop {
        let mut blocked = false;
        while !link.is_lost() {
            sleep(LOOK).await;
            let now_blocked = link.channels.connection().status().blocked();
            if now_blocked != blocked {
                blocked = now_blocked;
                say_blocked(blocked);
            }
        }
        current.send_replace(None);
        // Closes it, and forgets what the server didn't read.
        drop(link);
        warn!("the connection to RabbitMQ is lost; events on their way are in doubt");
        link = loop {
            match reopen(&address, max_payload_bytes).await {
                Ok(link) => break Arc::new(link),
                Err(error) => warn!("{error}"),
            }
            sleep(PAUSE).await;
        };
        info!("connected to RabbitMQ again");
        current.send_replace(Some(Arc::clone(&link)));
    }
}

/// Connects again to a stream that must be there still.
async fn reopen(address: &AmqpAddress, max_payload_bytes: usize) -> Result<Link, OpenError> {
    let link = connect(address).await?;
    let checked = async {
        let connection = link.channels.connection();
        match stream::exists(connection, address.stream()).await {
            Ok(true) => {}
            Ok(false) => {
                let address = address.clone();
                return Err(StreamError::Gone { address });
            }
            Err(error) => {
                return Err(StreamError::Away {
                    address: address.clone(),
                    reason: error.to_string(),
                });
            }
        }
        stream::ensure(connection, address).await?;
        stream::check_size(&link.channels, address, max_payload_bytes).await
    };
    in_time(address, checked).await?;
    Ok(link)
}

async fn connect(address: &AmqpAddress) -> Result<Link, OpenError> {
    let connection = address.server().connect(NAME).await?;
    Ok(Link {
        channels: Channels::new(connection, CHANNELS),
        given_up: AtomicBool::new(false),
    })
}

async fn in_time<T>(
    address: &AmqpAddress,
    checked: impl Future<Output = Result<T, StreamError>>,
) -> Result<T, StreamError> {
    match timeout(REQUEST_TIMEOUT, checked).await {
        Ok(checked) => checked,
        Err(_) => Err(StreamError::Away {
            address: address.clone(),
            reason: "no answer in time".to_owned(),
        }),
    }
}

fn say_blocked(blocked: bool) {
    if blocked {
        warn!(
            "RabbitMQ takes no messages: one of its alarms is on (`rabbitmq-diagnostics alarms`)"
        );
    } else {
        info!("RabbitMQ takes messages again");
    }
}
