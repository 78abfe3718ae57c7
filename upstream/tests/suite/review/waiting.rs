//! What waits beside a log, asked where the servers keep it.

use async_nats::jetstream::{self, consumer::PullConsumer};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::schedule;
use crate::nats_server;

/// Counts what waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    /// For its next attempt, or the end of one; and decisions that lead to one.
    pub(super) deliveries: usize,
    /// For a person.
    pub(super) people: usize,
}

impl Waiting {
    /// Counts it.
    pub(super) fn at(log: &str) -> Self {
        if log.starts_with("sqlite:") {
            Self::in_file(log)
        } else {
            nats_server::ask(log, async |context| Self::in_streams(&context).await)
        }
    }

    fn in_file(log: &str) -> Self {
        let state = rusqlite::Connection::open(schedule(log)).unwrap();
        let count = |condition: &str| {
            let sql = format!("SELECT count(*) FROM job WHERE {condition}");
            let count = state.query_row(&sql, [], |row| row.get::<_, i64>(0));
            // Or the server is writing.
            count.map_or(usize::MAX, |count| usize::try_from(count).unwrap())
        };
        Self {
            deliveries: count("state <> 3"),
            people: count("state = 3"),
        }
    }

    async fn in_streams(context: &jetstream::Context) -> Self {
        let decided = last(context, "HOOKGATE_AUDIT").await;
        let retry = context.get_stream("HOOKGATE_RETRY").await.unwrap();
        let carried = retry.get_last_raw_message_by_subject("hookgate.retry.carried");
        let carried = carried.await.map_or(0, |message| {
            let link = String::from_utf8(message.payload.to_vec()).unwrap();
            link.split_once(':').unwrap().0.parse().unwrap()
        });
        let log = context.get_stream("HOOKGATE").await.unwrap();
        let mut fresh = 0;
        let mut names = log.consumer_names();
        while let Some(name) = names.next().await {
            let name = name.unwrap();
            if !name.starts_with("hookgate-") {
                continue;
            }
            let mut consumer: PullConsumer = log.get_consumer(&name).await.unwrap();
            let info = consumer.info().await.unwrap();
            fresh += info.num_ack_pending + usize::try_from(info.num_pending).unwrap();
        }
        let again = subjects(context, "HOOKGATE_RETRY", "hookgate.*.*.*").await;
        let undone: u64 = decided - carried;
        Self {
            deliveries: fresh + again + usize::try_from(undone).unwrap(),
            people: subjects(context, "HOOKGATE_REVIEW", "hookgate.review.*.*").await,
        }
    }
}

async fn last(context: &jetstream::Context, stream: &str) -> u64 {
    let stream = context.get_stream(stream).await.unwrap();
    stream.cached_info().state.last_sequence
}

async fn subjects(context: &jetstream::Context, stream: &str, filter: &str) -> usize {
    let stream = context.get_stream(stream).await.unwrap();
    let found = stream.info_with_subjects(filter).await.unwrap();
    found
        .try_fold(0, async |count, _| Ok(count + 1))
        .await
        .unwrap()
}
