//! Kafka, for destinations and the log: a producer that says what became of
//! each record, and CloudEvents in the headers of records.

mod address;
#[cfg(feature = "kafka")]
mod binding;
#[cfg(feature = "kafka")]
mod client;
#[cfg(feature = "kafka")]
mod producer;

pub(crate) use address::{AddressError, KafkaAddress};
#[cfg(feature = "kafka")]
pub(crate) use binding::{header, headers};
#[cfg(feature = "kafka")]
pub(crate) use producer::{ProduceError, Producer};
