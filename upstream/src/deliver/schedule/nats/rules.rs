//! What people go by when they decide: the running server's configuration.

use async_nats::{
    HeaderMap,
    jetstream::{context::Context, stream::Stream},
};
use serde::{Deserialize, Serialize};

use super::{records, streams::OpenError};
use crate::{evidence::LogId, log::nats};

/// Holds what the server was configured with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Of which log.
    pub(crate) log: LogId,
    /// How many people must approve of a redelivery.
    pub(crate) approvals: u32,
    /// The destinations.
    pub(crate) destinations: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct File {
    log: String,
    approvals: u32,
    destinations: Vec<String>,
}

impl Rules {
    /// Keeps them beside what is parked.
    ///
    /// # Errors
    /// [`OpenError::Rules`].
    pub(super) async fn write(&self, context: &Context, review: &Stream) -> Result<(), OpenError> {
        if Self::read(review).await.map_err(OpenError::Rules)? == Some(self.clone()) {
            return Ok(());
        }
        let file = File {
            log: self.log.to_string(),
            approvals: self.approvals,
            destinations: self.destinations.clone(),
        };
        // A struct of texts and numbers always serializes.
        let json = serde_json::to_vec(&file).unwrap_or_default();
        let written = async {
            let headers = HeaderMap::new();
            let published = context.publish_with_headers(records::RULES, headers, json.into());
            published.await?.await
        };
        written
            .await
            .map_err(|error| OpenError::Rules(error.into()))?;
        Ok(())
    }

    /// Reads them; `None` if no server has kept any, or not in this form.
    ///
    /// # Errors
    /// The server doesn't show them.
    pub(super) async fn read(review: &Stream) -> Result<Option<Self>, async_nats::Error> {
        let found = nats::newest(review, records::RULES).await?;
        Ok(found.and_then(|message| parse(&message.payload)))
    }
}

fn parse(json: &[u8]) -> Option<Rules> {
    let file: File = serde_json::from_slice(json).ok()?;
    Some(Rules {
        log: file.log.parse().ok()?,
        approvals: file.approvals,
        destinations: file.destinations,
    })
}
