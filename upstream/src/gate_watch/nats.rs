//! On JetStream: a stream of what watches have learnt, and one of verdicts.

mod saves;

use std::{collections::VecDeque, fmt, pin::pin, time::Duration};

use async_nats::{
    HeaderMap, header,
    jetstream::{
        self,
        context::Context,
        stream::{Config, DiscardPolicy, Stream},
    },
};
use bytes::Bytes;
use hookgate_core::time::Timestamp;
use hookgate_watch::parts::Head;
use tokio::{sync::OnceCell, time::timeout};

use self::saves::Saves;
use super::{GateName, MAX_SHOWN, MAX_VERDICT_BYTES, MAX_VERDICTS, StoreError, Verdict};
use crate::log::nats::{self, Servers, Walk};

/// Names the stream of verdicts.
const VERDICTS: &str = "HOOKGATE_VERDICTS";

/// What verdicts are published under.
const SUBJECT: &str = "hookgate.verdict";

/// How long a state of a gate that saves no more is kept, and a verdict.
const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How long several requests in a row may take.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(8);

/// Keeps everything on the servers of the log.
#[derive(Debug)]
pub(super) struct NatsStore {
    servers: Servers,
    opened: OnceCell<Opened>,
}

struct Opened {
    context: Context,
    saves: Saves,
    verdicts: Stream,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

impl NatsStore {
    pub(super) fn new(servers: Servers) -> Self {
        Self {
            servers,
            opened: OnceCell::new(),
        }
    }

    pub(super) async fn part(
        &self,
        gate: &GateName,
        part: Option<(u64, u32)>,
    ) -> Result<Option<Bytes>, StoreError> {
        let opened = self.open().await?;
        within(TRANSFER_TIMEOUT, opened.saves.part(gate, part)).await
    }

    pub(super) async fn save(
        &self,
        gate: &GateName,
        head: Head,
        part: Bytes,
    ) -> Result<bool, StoreError> {
        let opened = self.open().await?;
        within(TRANSFER_TIMEOUT, opened.saves.save(gate, head, part)).await
    }

    pub(super) async fn add(&self, verdict: Verdict) -> Result<bool, StoreError> {
        let opened = self.open().await?;
        let subject = format!("{SUBJECT}.{}", verdict.gate.as_str());
        let mut headers = HeaderMap::new();
        headers.insert(header::NATS_MESSAGE_ID, verdict.id.as_str());
        let published = async {
            let json = verdict.json().into();
            let context = &opened.context;
            let published = context.publish_with_headers(subject, headers, json);
            Ok::<_, async_nats::Error>(!published.await?.await?.duplicate)
        };
        within(nats::REQUEST_TIMEOUT, published).await
    }

    pub(super) async fn since(&self, time: Timestamp) -> Result<Vec<Verdict>, StoreError> {
        let opened = self.open().await?;
        let read = async {
            let last = opened.verdicts.get_info().await?.state.last_sequence;
            let mut walk = Walk::start(&opened.verdicts, 1, MAX_VERDICT_BYTES);
            let mut verdicts = VecDeque::new();
            while let Some((_, message)) = walk.next(last).await? {
                let verdict = Verdict::parse(&message.payload).ok();
                verdicts.extend(verdict.filter(|verdict| verdict.at >= time));
                if verdicts.len() > MAX_SHOWN {
                    verdicts.pop_front();
                }
            }
            Ok::<_, async_nats::Error>(verdicts.into())
        };
        within(TRANSFER_TIMEOUT, read).await
    }

    /// Connects, and makes what isn't there.
    async fn open(&self) -> Result<&Opened, StoreError> {
        let open = async {
            let client = nats::connect(&self.servers).await?;
            let context = jetstream::context::ContextBuilder::new()
                .timeout(nats::REQUEST_TIMEOUT)
                .build(client);
            let log = context.get_stream(nats::STREAM).await?;
            let num_replicas = log.cached_info().config.num_replicas;
            let verdicts = Config {
                name: VERDICTS.to_owned(),
                description: Some("What the watches of Hookgate's gates said".to_owned()),
                subjects: vec![format!("{SUBJECT}.*")],
                max_age: KEPT,
                max_messages: i64::try_from(MAX_VERDICTS).unwrap_or(i64::MAX),
                discard: DiscardPolicy::Old,
                num_replicas,
                ..Config::default()
            };
            let verdicts = context.get_or_create_stream(verdicts).await?;
            let saves = Saves::open(&context, num_replicas).await?;
            Ok::<_, async_nats::Error>(Opened {
                context,
                saves,
                verdicts,
            })
        };
        let opened = self
            .opened
            .get_or_try_init(|| within(TRANSFER_TIMEOUT, open));
        opened.await
    }
}

/// Waits for the server, and no longer.
async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, async_nats::Error>>,
) -> Result<T, StoreError> {
    match timeout(patience, pin!(answer)).await {
        Ok(answer) => answer.map_err(StoreError::Nats),
        Err(_) => Err(StoreError::Nats("it does not answer".into())),
    }
}
