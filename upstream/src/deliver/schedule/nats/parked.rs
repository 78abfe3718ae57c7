//! What waits for a person, read from the stream.

use std::num::NonZeroUsize;

use futures_util::TryStreamExt as _;

use super::{records, streams};
use crate::{
    deliver::schedule::{Parked, ReadError},
    log::{
        self,
        nats::{NatsReader, Servers},
    },
};

/// Returns what is parked and wanted, the oldest event first.
///
/// # Errors
/// [`ReadError`].
pub(crate) async fn parked(
    server: &Servers,
    destination: Option<&str>,
    limit: NonZeroUsize,
    wanted: impl Fn(&Parked) -> bool,
) -> Result<Vec<Parked>, ReadError> {
    // Says what to do if there is no log at all.
    let reader = NatsReader::open(server).await;
    let log = reader.map_err(log::ReadError::from)?.into_stream();
    let context = streams::connect(server).await?;
    let Some(review) = streams::review(&context).await? else {
        return Ok(Vec::new());
    };
    let subjects = format!("{}.{}.*", records::REVIEW, destination.unwrap_or("*"));
    let nats = |error: async_nats::Error| ReadError::Nats(error);
    let found = review.info_with_subjects(subjects).await;
    let found = found.map_err(|error| nats(error.into()))?;
    let found: Vec<(String, usize)> = found
        .try_collect()
        .await
        .map_err(|error| nats(error.into()))?;
    let mut places: Vec<(u64, String)> = found
        .into_iter()
        .filter_map(|(subject, _)| {
            let (_, sequence) = subject.rsplit_once('.')?;
            Some((sequence.parse().ok()?, subject))
        })
        .collect();
    places.sort_unstable();
    let mut parked = Vec::new();
    for (sequence, subject) in places {
        let message = review.get_last_raw_message_by_subject(&subject);
        let message = message.await.map_err(|error| nats(error.into()))?;
        let mut one = records::read_parked(&subject, sequence, &message.headers);
        one.entry = match streams::event(&log, sequence).await {
            Ok(found) => found.map(|(entry, _)| entry),
            // Which may be why it is here.
            Err(log::ReadError::Damage(_)) => None,
            Err(error) => return Err(error.into()),
        };
        if wanted(&one) {
            parked.push(one);
        }
        if parked.len() == limit.get() {
            break;
        }
    }
    Ok(parked)
}
