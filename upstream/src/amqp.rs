//! RabbitMQ as the log and destinations speak to it: AMQP 0.9.1, every publish
//! confirmed, events in the binary mode of CloudEvents.

mod channels;
mod properties;
mod server;

pub(crate) use channels::{Channels, Verdict};
pub(crate) use properties::{header, headers};
pub(crate) use server::{ConnectError, Server, reply_code, reply_text};
